#!/usr/bin/env bash
# The steps of the action. Each runs one command of smsby-deploy, reports it to GitHub and keeps its exit code.
# Working files are in the runner's folder for temporary files: a pull request can put files and links into the checkout.
set -euo pipefail

project="${SMSBY_PROJECT:-.}"
project="${project#./}"
project="${project%/}"
venv="${RUNNER_TEMP:?}/smsby-deploy"
smsby="${SMSBY_DEPLOY:-$venv/bin/smsby-deploy}"
summary="${GITHUB_STEP_SUMMARY:-/dev/null}"
outputs="${GITHUB_OUTPUT:-/dev/null}"
repository="repos/${GITHUB_REPOSITORY:-}"
branch="${GITHUB_REF_NAME:-main}"
stopped=""
# The workflow decides which service gets the token, not the files of a pull request.
export SMSBY_API_URL="${SMSBY_API_URL:-https://app.sms.by}"
# An empty variable counts as not set.
[ -n "${SMSBY_TOKEN:-}" ] || unset SMSBY_TOKEN
export SMSBY_PROJECT="${project:-.}"

slug() { # the project's part of the names of artifacts and comments
  local path="$SMSBY_PROJECT${SMSBY_ENV:+@$SMSBY_ENV}" plain
  [ "$SMSBY_PROJECT" != . ] || path="root${path#.}"
  plain=$(printf '%s' "$path" | tr -c 'A-Za-z0-9@_-' '-')
  [ "$plain" = "$path" ] || plain="$plain-$(printf '%s' "$path" | cksum | cut -d ' ' -f 1)"
  printf '%s' "$plain"
}
name=$(slug)
work="$RUNNER_TEMP/smsby/$name"
kept="$work/kept" # goes into the artifact with the lock
plan_file="$work/smsby-plan.json"
page_file="$work/smsby-plan-$name.html" # also the name of its artifact
comment_file="$work/result.md" # what an apply did, in the language of the project
mkdir -p "$kept"

safe_git() { # without programs that a file of the checkout could name
  GIT_LITERAL_PATHSPECS=1 git -c safe.bareRepository=explicit -c core.fsmonitor=false -c core.hooksPath=/dev/null \
    -c user.name=smsby-deploy -c user.email=smsby-deploy@users.noreply.github.com "$@"
}

finish() { # also gives the exit code to later steps
  echo "exit-code=$1" >>"$outputs"
  echo "$1" >"$work/exit-code"
  exit "$1"
}

fail() { # for what is not an exit code of smsby-deploy; one that `apply` has seen by then may come first
  echo "::error title=smsby-deploy::$1"
  finish "$(first_code 1 ${codes[@]+"${codes[@]}"})"
}

first_code() { # the first of the codes $@ in the documented order
  local code
  for code in 64 3 8 5 6 7 4 1 2; do
    case " $* " in *" $code "*) echo "$code" && return ;; esac
  done
  case "$*" in *[1-9]*) echo 1 ;; *) echo 0 ;; esac
}

install_tool() { # from the checkout of the action, so the version that the workflow names, with what its requirements pin
  local source="$GITHUB_ACTION_PATH/../../.." extra packages
  printf '%s\n' "name=$name" "folder=$work" "page=$page_file" >>"$outputs"
  packages=(-r "$source/.github/requirements/core.txt")
  for extra in $(tr ',' ' ' <<<"${EXTRAS:-}"); do
    packages+=(-r "$source/.github/requirements/$extra.txt")
  done
  python3 -I -m venv "$venv"
  "$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: "${packages[@]}"
  "$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check \
    --no-index --no-deps --no-build-isolation "$source"
}

validate() {
  local code=0
  "$smsby" validate --format github || code=$?
  finish "$code"
}

fetch_base() { # a checkout of the base, beside the one of the pull request
  local depth=()
  [ "$(safe_git rev-parse --is-shallow-repository)" = false ] || depth=(--depth=1)
  rm -rf "$work/base"
  safe_git worktree prune &&
    safe_git fetch --quiet --no-tags "${depth[@]}" -- origin "$BASE" &&
    safe_git worktree add --quiet --force --detach "$work/base" "$(safe_git rev-parse FETCH_HEAD)" &&
    mkdir -p "$work/base/$SMSBY_PROJECT" # the project may be new
}

plan() {
  local code=0 arguments=(--format markdown --page "$page_file" --detailed-exitcode) text
  if [ "${OFFLINE:-}" = true ]; then
    arguments+=(--offline)
  elif [ -z "${SMSBY_TOKEN:-}" ]; then
    echo "::notice title=smsby-deploy::There is no token (a fork?): validating only, without a plan."
    validate
  else
    arguments+=(--out "$plan_file")
  fi
  # A base that is not valid is compared as far as possible, and the comment says so.
  if [ -n "${BASE:-}" ]; then
    fetch_base || fail "Cannot fetch the base $BASE, so a changed setting would not be seen."
    arguments+=(--compare "$work/base/$SMSBY_PROJECT")
  elif [ -n "${PR_NUMBER:-}" ]; then
    echo "::warning title=smsby-deploy::Without the input base, the comment shows no changes of the settings or the lock."
  fi
  rm -f "$plan_file" "$page_file"
  "$smsby" plan "${arguments[@]}" >"$work/plan.md" || code=$?
  text=$(<"$work/plan.md")
  [ -n "$text" ] || finish "$code"
  printf '%s\n' "${text//"$work/"/}" >"$work/plan.md"
  cat "$work/plan.md" >>"$summary"
  "$smsby" validate --format github || true
  if [ -n "${PR_NUMBER:-}" ] && ! comment "$PR_NUMBER" "$work/plan.md"; then
    [ "${OFFLINE:-}" = true ] || fail "Cannot write the comment, so it does not show this plan."
    echo "::notice title=smsby-deploy::Cannot write the comment (a fork?); the plan is in the summary of this run."
  fi
  ! has_work "$plan_file" || echo "to-apply=true" >>"$outputs"
  [ "$code" -ne 2 ] || code=0 # something to apply is no failure
  finish "$code"
}

link() { # the comment has an invisible line for a link to the page, which is now at $PAGE_URL
  local text line
  text=$(<"$work/plan.md")
  line=$(grep -m 1 '^<!-- smsby-deploy:page ' <<<"$text") || return 0
  line=${line#<!-- smsby-deploy:page }
  line="📄 [${line% -->}]($PAGE_URL)"
  printf '%s\n' "$line" >>"$summary"
  [ -n "${PR_NUMBER:-}" ] || return 0
  awk -v line="$line" '!done && /^<!-- smsby-deploy:page / { $0 = line; done = 1 } { print }' \
    <<<"$text" >"$work/linked.md"
  comment "$PR_NUMBER" "$work/linked.md" ||
    echo "::notice title=smsby-deploy::Cannot link the page in the comment (a fork?); it is an artifact of this run."
}

has_work() { # whether the plan $1 has something to send, record or refuse; one that cannot be read is refused
  local code=0
  [ -s "$1" ] || return 1
  jq -e 'any(.actions[]; .action | IN("noop", "waiting", "due", "orphan") | not)' "$1" >/dev/null || code=$?
  [ "$code" -ne 1 ]
}

comment() { # one comment per project and kind on pull request $1, identified by the first line of $2 and updated
  local marker id
  marker=$(head -n 1 "$2")
  id=$(gh api --paginate "$repository/issues/$1/comments" |
    jq -r --arg marker "$marker" '.[] | select(.user.type == "Bot" and (.body | startswith($marker))) | .id' | head -n 1) || return 1
  jq -Rs '{body: .}' <"$2" >"$work/comment.json"
  if [ -n "$id" ]; then
    gh api --method PATCH "$repository/issues/comments/$id" --input "$work/comment.json" >/dev/null
  else
    gh api --method POST "$repository/issues/$1/comments" --input "$work/comment.json" >/dev/null
  fi
}

pulls_of_push() { # number and last commit of each pull request that the push merged into this branch, oldest first
  local commits="$GITHUB_SHA" sha
  case "${BEFORE:-}" in
    *[1-9a-f]*) # not the first push of a branch
      commits=$(gh api --paginate "$repository/compare/$BEFORE...$GITHUB_SHA?per_page=100" | jq -r '.commits[].sha') ||
        return 1
      ;;
  esac
  for sha in $commits; do
    gh api "$repository/commits/$sha/pulls" || return 1
  done | jq -rs --arg base "$branch" 'flatten | map(select(.merged_at != null and .base.ref == $base)) | unique_by(.number)
    | sort_by(.merged_at, .number)[] | "\(.number) \(.head.sha)"'
}

fetch_plan() { # the plan of artifact $1 among those at $2 and, if $3 is given, of that commit; no file if there is none
  local id
  rm -f "$plan_file"
  id=$(gh api "$repository/actions/$2?name=$1&per_page=100" | jq -r --arg head "${3:-}" '[.artifacts[]
      | select(.expired | not) | select($head == "" or .workflow_run.head_sha == $head)
      | select(.workflow_run.head_repository_id == .workflow_run.repository_id)][0].id // empty') ||
    fail "GitHub did not say where the plan is. Nothing more was sent; re-run this job."
  [ -n "$id" ] || return 0
  gh api "$repository/actions/artifacts/$id/zip" >"$work/plan.zip" ||
    fail "GitHub did not give the plan. Nothing more was sent; re-run this job."
  unzip -p "$work/plan.zip" smsby-plan.json >"$plan_file" || rm -f "$plan_file"
}

send() { # `apply $@`; whoever cancels the job stops it between two requests
  local code=0 child=''
  rm -f "$comment_file"
  trap 'stopped=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' INT TERM
  "$smsby" apply "$@" --lock-timeout 600 &
  child=$!
  [ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null || true # the signal came before it had started
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
  done
  if [ "$code" -gt 128 ] && wait "$child"; then code=0; fi # it ended while the signal was handled
  trap - INT TERM
  return "$code"
}

apply_plan() { # apply the plan of $1, which is for the pull requests $2
  local code=0 addresses
  if ! has_work "$plan_file"; then
    echo "::notice title=smsby-deploy::The plan of $1 has nothing to send."
    return 0
  fi
  send "$plan_file" --report "$kept/$1-result.json" --comment "$comment_file" || code=$?
  if [ "$code" -eq 5 ]; then # a re-run finds plans that are settled
    mapfile -t addresses < <(jq -r '.actions[] | select(.action | IN("noop", "waiting", "due", "orphan") | not) | .address' "$plan_file")
    if is_settled "${addresses[@]}"; then
      echo "::notice title=smsby-deploy::The plan of $1 is settled: nothing remains to be sent."
      return 0
    fi
  fi
  report "$code" "${2:-}"
  return "$code"
}

is_settled() { # whether nothing is left to send, of the mailings $@ if there are any
  "$smsby" plan --detailed-exitcode "$@" >/dev/null 2>&1
}

apply() {
  local code=0 codes=() pulls number head missing=() reason
  rm -f "$kept"/*-result.json
  if [ "${PLAN_FROM:-}" = run ]; then
    fetch_plan "smsby-plan-$name-$GITHUB_RUN_ID-$GITHUB_SHA" "runs/$GITHUB_RUN_ID/artifacts"
    [ -s "$plan_file" ] || without_plan "This run has no plan that is still kept. Start a new run." ""
    [ -z "${BEFORE:-}" ] || pulls=$(pulls_of_push | cut -d ' ' -f 1) ||
      echo "::warning title=smsby-deploy::GitHub did not say what was merged; the result is in the summary of this run only."
    apply_plan "run-$GITHUB_RUN_ID" "${pulls:-}" || code=$?
    finish "$code"
  fi
  pulls=$(pulls_of_push) || fail "GitHub did not say what was merged. Nothing was sent; re-run this job."
  [ -n "$pulls" ] ||
    without_plan "$GITHUB_SHA is not part of a merged pull request, so there is no reviewed plan." ""
  while read -r number head <&3; do
    fetch_plan "smsby-plan-$name-$number-$head" artifacts "$head"
    if [ ! -s "$plan_file" ]; then
      missing+=("$number")
      continue
    fi
    code=0
    apply_plan "pull-request-$number" "$number" || code=$?
    codes+=("$code")
    [ -z "$stopped" ] || finish "$(first_code "${codes[@]}")"
  done 3<<<"$pulls"
  if [ "${#missing[@]}" -gt 0 ] && ! is_settled; then
    for number in "${missing[@]}"; do
      reason="There is no artifact with the plan of the last commit of pull request $number."
      echo "::error title=smsby-deploy::$reason"
      report_missing "$number" "$reason"
    done
    codes+=(5)
  fi
  finish "$(first_code "${codes[@]}")"
}

without_plan() { # $1 is the reason; a missing plan is no failure if there is nothing to send
  if is_settled; then
    echo "::notice title=smsby-deploy::$1 There is nothing to send, so no plan is needed."
    finish 0
  fi
  echo "::error title=smsby-deploy::$1"
  report_missing "" "$1"
  finish 5
}

due() { # hand over what was approved and is due
  local code=0
  rm -f "$kept"/*-result.json
  send --due --report "$kept/due-result.json" --comment "$comment_file" || code=$?
  report "$code" ""
  finish "$code"
}

report_missing() { # no plan for the pull requests $1; $2 says why, if the project cannot even be loaded
  rm -f "$comment_file" "$work/no-plan.json"
  "$smsby" apply "$work/no-plan.json" --comment "$comment_file" >/dev/null 2>&1 || true # which refuses it
  report 5 "$1" "$2"
}

report() { # exit code $1 of an apply and its comment, for the summary and the pull requests $2; $3 is for want of a comment
  local number
  {
    echo "<!-- smsby-deploy:apply project=$name -->"
    if [ -s "$comment_file" ]; then
      sed 's|/[^ ]*/\([^ ]*\.json\)|\1|g' "$comment_file" # without the folder of the runner
    else
      printf '### ⛔ smsby-deploy apply: exit code %s\n\n%s\n' "$1" "${3:-The log of this run says why. Fix the cause, then:}"
    fi
    again "$1"
    [ -z "${GITHUB_RUN_ID:-}" ] ||
      printf '\n%s\n' "${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
  } >"$work/apply.md"
  cat "$work/apply.md" >>"$summary"
  for number in $2; do
    comment "$number" "$work/apply.md" ||
      echo "::warning title=smsby-deploy::Cannot write the result to pull request $number; it is in the summary of this run."
  done
}

again() { # the command that goes on after exit code $1
  local anew="${GITHUB_WORKFLOW_REF:-}" command="gh run rerun ${GITHUB_RUN_ID:-RUN} --failed"
  anew="${anew%@*}"
  case "$1" in
    0 | 2) return ;;
    5) command="gh workflow run ${anew##*/} --ref $branch" ;;
  esac
  # shellcheck disable=SC2016  # for Markdown
  printf '\n```sh\n%s\n```\n' "$command"
}

lock_files() { # the files to commit; none for a shared lock
  local lock file
  "$smsby" lock path >"$work/lock-path" || return 1
  while read -r lock; do
    for file in "$lock" "$lock.journal" "$lock.archive.jsonl" "$lock".rescue-*; do
      [ ! -e "$file" ] || printf '%s\n' "$file"
    done
  done <"$work/lock-path"
}

collect() { # the lock, for the artifact
  local file
  lock_files | while read -r file; do cp -- "$file" "$kept/"; done
}

record() { # even after a failure: the record of what was sent must not be lost
  local file files pause refused=0 sent
  files=$(lock_files) || fail "Cannot find out where the lock is. Download it from the artifact of this run."
  if [ ! -s "$work/lock-path" ]; then
    echo "The lock is kept elsewhere: there is nothing to commit."
    return
  fi
  while read -r file; do
    [ -z "$file" ] || safe_git add --force -- "$file" || fail "Cannot add $file, so what was sent is not recorded."
  done <<<"$files"
  while read -r file; do # apply has merged and deleted it
    safe_git add --update -- "$file.journal" 2>/dev/null || true
  done <"$work/lock-path"
  if safe_git diff --cached --quiet; then
    sent=$(cat "$kept"/*-result.json 2>/dev/null | jq -s '[.[].summary | .sent, .held, .adopted, .confirmed] | add // 0')
    [ "$sent" -eq 0 ] || fail "Something was sent, and $(head -n 1 "$work/lock-path") has not changed. Do not apply again before you know why."
    return
  fi
  safe_git commit --quiet --message "Record the apply [skip ci]"
  for pause in 0 2 5 10 20; do
    sleep "$pause"
    safe_git push --quiet origin "HEAD:refs/heads/$branch" && return
    safe_git fetch --quiet origin "refs/heads/$branch" || continue
    if safe_git merge-base --is-ancestor FETCH_HEAD HEAD; then # no other push came first
      refused=$((refused + 1))
      [ "$refused" -lt 2 ] || break
    else
      safe_git rebase --quiet FETCH_HEAD || safe_git rebase --abort || true
    fi
  done
  fail "Cannot push the lock to $branch. Commit the lock of the artifact smsby-lock-$name-… before the next apply. If $branch is \
protected, let this job push with the token of an app that may, or use a shared lock: docs/locks.md"
}

unsent() { # what is on this branch and was not sent: a cancelled run, or one without a plan
  local code=0 before
  before=$(cat "$work/exit-code" 2>/dev/null || echo 1)
  "$smsby" plan --format markdown --detailed-exitcode >"$work/unsent.md" || code=$?
  if [ "$code" -ne 0 ]; then
    cat "$work/unsent.md" >>"$summary"
    {
      printf '\nThis was merged but not sent. Either a run is still waiting for its approval, or it was cancelled or failed; then plan'
      # shellcheck disable=SC2016  # for Markdown
      printf ' `%s`\nand have that approved:\n' "$branch"
      again 5
    } >>"$summary"
    echo "::warning title=smsby-deploy::Something on $branch was merged but not sent (exit code $code). The summary says what to do next."
  fi
  finish "$(first_code "$before" "$code")"
}

status() {
  local code=0 under=()
  [ -z "${FAIL_UNDER:-}" ] || under=(--fail-under "$FAIL_UNDER")
  "$smsby" status --since "${SINCE:-7d}" --format html --out "$kept/smsby-status.html" || true
  SMSBY_NOTIFY=off "$smsby" status --since "${SINCE:-7d}" --format junit "${under[@]}" --out "$kept/smsby-status.xml" || true
  "$smsby" status --since "${SINCE:-7d}" --format markdown "${under[@]}" >>"$summary" || code=$?
  finish "$code"
}

case "${1:-}" in
  install) install_tool ;;
  catch-up) due ;; # the step `unsent` follows, once the lock is recorded
  validate | plan | link | apply | due | collect | record | unsent | status) "$1" ;;
  *)
    echo "::error title=smsby-deploy::mode must be validate, plan, apply, due, catch-up or status, not '${1:-}'"
    exit 64
    ;;
esac
