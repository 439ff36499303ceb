#!/usr/bin/env bash
# The steps of the action. Each runs one command of smsby-deploy, reports it to GitHub and keeps its exit code.
set -euo pipefail

venv="${RUNNER_TEMP:-/tmp}/smsby-deploy"
smsby="${SMSBY_DEPLOY:-$venv/bin/smsby-deploy}"
project="${SMSBY_PROJECT:-.}"
summary="${GITHUB_STEP_SUMMARY:-/dev/null}"
outputs="${GITHUB_OUTPUT:-/dev/null}"
# The workflow decides which service gets the token, not the files of a pull request.
export SMSBY_API_URL="${SMSBY_API_URL:-https://app.sms.by}"
# An empty variable counts as not set.
[ -n "${SMSBY_TOKEN:-}" ] || unset SMSBY_TOKEN
export SMSBY_PROJECT="$project"

finish() { # also gives the exit code to later steps
  echo "exit-code=$1" >>"$outputs"
  exit "$1"
}

install_tool() { # from the checkout of the action, so the version that the workflow names
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$GITHUB_ACTION_PATH/../../.."
}

validate() {
  local code=0
  "$smsby" validate --format github || code=$?
  finish "$code"
}

plan() {
  if [ -z "${SMSBY_TOKEN:-}" ]; then
    echo "::notice title=smsby-deploy::There is no token (a fork?): validating only, without a plan."
    validate
  fi
  local code=0 compare=()
  # A base that is not valid is compared as far as possible, and the comment says so.
  if [ -n "${BASE:-}" ]; then
    mkdir -p "$BASE/$project" # the project may be new
    compare=(--compare "$BASE/$project")
  elif [ -n "${PR_NUMBER:-}" ]; then
    echo "::warning title=smsby-deploy::Without the input base, the comment shows no change of settings or lock."
  fi
  rm -f comment.md comment.json # the checkout may have links of these names
  "$smsby" plan --out "$PLAN" --format markdown "${compare[@]}" >comment.md || code=$?
  if [ ! -s comment.md ]; then
    finish "$code"
  fi
  cat comment.md >>"$summary"
  "$smsby" validate --format github || true
  if [ -n "${PR_NUMBER:-}" ]; then
    comment
  fi
  finish "$code"
}

comment() { # one comment per project, identified by its first line and updated
  local marker id
  marker=$(head -n 1 comment.md)
  id=$(gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$PR_NUMBER/comments" |
    jq -r --arg marker "$marker" '.[] | select(.user.type == "Bot" and (.body | startswith($marker))) | .id' | head -n 1)
  jq -Rs '{body: .}' <comment.md >comment.json
  if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --input comment.json >/dev/null
  else
    gh api --method POST "repos/$GITHUB_REPOSITORY/issues/$PR_NUMBER/comments" --input comment.json >/dev/null
  fi
}

without_plan() { # $1 is the reason; a missing plan is no failure if there is nothing to send
  if "$smsby" plan --detailed-exitcode >/dev/null 2>&1; then
    echo "::notice title=smsby-deploy::$1 There is nothing to send, so no plan is needed."
    finish 0
  fi
  echo "::error title=smsby-deploy::$1"
  finish 5
}

fetch_plan() { # only the plan of the last commit of the merged pull request
  local number head id
  read -r number head < <(gh api "repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA/pulls" |
    jq -r '[.[] | select(.merged_at != null)][0] // empty | "\(.number) \(.head.sha)"') || true
  if [ -z "${number:-}" ]; then
    without_plan "$GITHUB_SHA is not part of a merged pull request, so there is no reviewed plan."
  fi
  id=$(gh api "repos/$GITHUB_REPOSITORY/actions/artifacts?name=smsby-plan-$number-$head" |
    jq -r --arg head "$head" '[.artifacts[] | select(.expired | not) | select(.workflow_run.head_sha == $head)
      | select(.workflow_run.head_repository_id == .workflow_run.repository_id)][0].id // empty')
  if [ -z "$id" ]; then
    without_plan "There is no artifact with the plan of pull request $number at $head. Make a new plan in a new pull request."
  fi
  gh api "repos/$GITHUB_REPOSITORY/actions/artifacts/$id/zip" >plan.zip
  unzip -oq plan.zip -d "$(dirname "$PLAN")"
}

apply() {
  [ -s "$PLAN" ] || fetch_plan
  send "$PLAN"
}

due() { # what was approved earlier, and is due now
  send --due
}

send() { # $1 is what to apply
  local code=0
  "$smsby" apply "$1" --report smsby-result.json || code=$?
  {
    echo "### smsby-deploy apply: exit code $code"
    [ ! -s smsby-result.json ] ||
      jq -r '"| outcome | mailing | recipients |\n|---|---|---:|", (.mailings[] | "| \(.outcome) | \(.address) | \(.recipients // "?") |")' \
        smsby-result.json
  } >>"$summary"
  finish "$code"
}

record() { # even after a failure: the record of what was sent must not be lost
  local lock
  cd "$project"
  for lock in ./*.lock.json ./*.lock.json.journal; do
    [ ! -e "$lock" ] || git add -- "$lock"
  done
  git add -u -- ./*.lock.json.journal 2>/dev/null || true # apply has merged and deleted it
  git diff --cached --quiet && return
  git -c user.name="smsby-deploy" -c user.email="smsby-deploy@users.noreply.github.com" \
    commit --quiet -m "Record the apply [skip ci]"
  for pause in 0 2 5 10 20; do
    sleep "$pause"
    git push --quiet origin "HEAD:${GITHUB_REF_NAME:?}" && return
    git -c user.name="smsby-deploy" -c user.email="smsby-deploy@users.noreply.github.com" \
      pull --quiet --rebase origin "$GITHUB_REF_NAME" || git rebase --abort || true
  done
  echo "::error title=smsby-deploy::Cannot push the lock. Download it from the artifact of this run and commit it manually."
  exit 1
}

status() {
  local code=0 under=()
  [ -z "${FAIL_UNDER:-}" ] || under=(--fail-under "$FAIL_UNDER")
  "$smsby" status --since "${SINCE:-7d}" --format html --out smsby-status.html || true
  "$smsby" status --since "${SINCE:-7d}" --format junit "${under[@]}" --out smsby-status.xml || true
  "$smsby" status --since "${SINCE:-7d}" --format markdown "${under[@]}" >>"$summary" || code=$?
  finish "$code"
}

case "${1:-}" in
  install) install_tool ;;
  validate | plan | apply | due | record | status) "$1" ;;
  *)
    echo "::error title=smsby-deploy::mode must be validate, plan, apply, due or status, not '${1:-}'"
    exit 64
    ;;
esac
