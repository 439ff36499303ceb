"""The shell of the pipelines, run for real: a repository, a remote, the sandbox, and a `gh` that keeps what it is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from tests.e2e.conftest import Shop, shop  # noqa: F401  # the fixture

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = ROOT / ".github/actions/smsby-deploy"
CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: staff
    recipients: ["+375291234567", "+375297654321"]
    text: Shop is closed until noon
"""
# Answers what run.sh asks of GitHub from files, and keeps what it posts.
GH = """\
#!/bin/bash
echo "$*" >>"$GH_LOG"
case "$*" in
  *"/issues/7/comments"*POST*|*POST*"/issues/7/comments"*)
    jq '[{id: 41, user: {type: "Bot"}, body: .body}]' comment.json >"$GH_STATE/comments.json" ;;
  *PATCH*) jq '[{id: 41, user: {type: "Bot"}, body: .body}]' comment.json >"$GH_STATE/comments.json" ;;
  *"/issues/7/comments"*) cat "$GH_STATE/comments.json" ;;
  *"/pulls"*) cat "$GH_STATE/pulls.json" ;;
  *"/artifacts?name="*) cat "$GH_STATE/artifacts.json" ;;
  *"/zip"*) cat "$GH_STATE/plan.zip" ;;
  *) exit 1 ;;
esac
"""

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="bash, git, jq and unzip are wanted"
)


@dataclass
class Pipeline:
    """A checkout of a project whose origin is a bare repository beside it, and a runner's environment."""

    shop: Shop
    bin: Path
    state: Path
    env: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.shop.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def sh(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `script` in the checkout as a runner's shell does."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.shop.root,
            env={**os.environ, **self.env, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "secret-token" not in done.stdout + done.stderr
        return done

    def step(self, name: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run one step of the action."""
        return self.sh(f"bash {ACTION}/run.sh {name}", **env)

    def comments(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads((self.state / "comments.json").read_text("utf-8"))
        return found


@pytest.fixture
def pipeline(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:  # noqa: F811
    binaries, state = tmp_path / "bin", tmp_path / "state"
    binaries.mkdir()
    state.mkdir()
    for name, text in (
        ("smsby-deploy", f'#!/bin/bash\nexec {sys.executable} -m smsby_deploy "$@"\n'),
        ("gh", GH),
    ):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    (state / "comments.json").write_text("[]")
    shop.write("sale.yaml", CAMPAIGN)
    made = Pipeline(shop, binaries, state)
    made.env = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "SMSBY_DEPLOY": str(binaries / "smsby-deploy"),
        "SMSBY_API_URL": shop.url,
        "SMSBY_TOKEN": "secret-token",
        "SMSBY_PROJECT": ".",
        "PLAN": "smsby-plan.json",
        "GH_LOG": str(state / "gh.log"),
        "GH_STATE": str(state),
        "GITHUB_REPOSITORY": "shop/sms",
        "GITHUB_REF_NAME": "main",
        "GITHUB_STEP_SUMMARY": str(state / "summary.md"),
        "GITHUB_OUTPUT": str(state / "output"),
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Test",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "test@localhost",
        "GIT_CONFIG_KEY_2": "init.defaultBranch",
        "GIT_CONFIG_VALUE_2": "main",
    }
    for name, value in made.env.items():
        if name.startswith("GIT_CONFIG"):
            monkeypatch.setenv(name, value)
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(origin)], check=True)
    made.git("init", "--quiet")
    made.git("add", ".")
    made.git("commit", "--quiet", "-m", "A campaign")
    made.git("remote", "add", "origin", str(origin))
    made.git("push", "--quiet", "origin", "HEAD:main")
    return made


def test_a_pull_request_gets_one_comment_that_is_written_anew(pipeline: Pipeline) -> None:
    """The second run finds the first one's comment by its marker and replaces it; the plan is kept."""
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    assert "✅ Ready: 1 mailing to send" in pipeline.comments()[0]["body"]
    pipeline.shop.write("sale.yaml", CAMPAIGN.replace("noon", "two o'clock"))
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    assert (
        "two o&#x27;clock" in pipeline.comments()[0]["body"]
        or "two o'clock" in pipeline.comments()[0]["body"]
    )
    log = (pipeline.state / "gh.log").read_text()
    assert (log.count("POST"), log.count("PATCH")) == (1, 1)
    assert json.loads((pipeline.shop.root / "smsby-plan.json").read_text())["format"] == "smsby-plan"


def test_the_comment_tells_what_changes_against_the_base(pipeline: Pipeline) -> None:
    """A checkout of the base branch in a dot folder is compared with, word by word."""
    pipeline.git("worktree", "add", "--quiet", ".base", "HEAD")
    pipeline.shop.write("sale.yaml", CAMPAIGN.replace("noon", "two").replace(', "+375297654321"', ""))
    assert pipeline.step("plan", PR_NUMBER="7", BASE=".base").returncode == 0
    body = pipeline.comments()[0]["body"]
    assert "-1 people, -1 parts" in body
    assert "<del>noon</del><ins>two</ins>" in body


def test_a_fork_without_the_secret_only_validates(pipeline: Pipeline) -> None:
    """No token: nothing is asked, nothing is commented, broken files still turn it red with annotations."""
    done = pipeline.step("plan", SMSBY_TOKEN="", SMSBY_API_URL="", PR_NUMBER="7")
    assert done.returncode == 0
    assert not (pipeline.shop.root / "smsby-plan.json").exists()
    pipeline.shop.write("sale.yaml", CAMPAIGN.replace("+375291234567", "12"))
    done = pipeline.step("plan", SMSBY_TOKEN="", SMSBY_API_URL="", PR_NUMBER="7")
    assert done.returncode == 3
    assert "::error file=sale.yaml,line=5" in done.stdout
    assert pipeline.comments() == []


def test_a_plan_that_is_blocked_turns_the_check_red_and_is_told_all_the_same(pipeline: Pipeline) -> None:
    """The comment is written before the exit code is given."""
    config = (pipeline.shop.root / "smsby.yaml").read_text()
    pipeline.shop.write("smsby.yaml", config + "guardrails: {max_recipients: 1}\n")
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 4
    assert "⛔ 1 blocked" in pipeline.comments()[0]["body"]
    assert "exit-code=4" in (pipeline.state / "output").read_text()


def test_a_plan_that_could_not_be_made_replaces_the_one_that_was(pipeline: Pipeline) -> None:
    """sms.by is not reached: the comment no longer says that all is ready, and the job has the code."""
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    assert pipeline.step("plan", PR_NUMBER="7", SMSBY_API_URL="http://127.0.0.1:9").returncode == 7
    (comment,) = pipeline.comments()
    assert "❌ No plan, nothing will be sent" in comment["body"]
    assert "Ready" not in comment["body"]


def _merge(pipeline: Pipeline) -> str:
    """What GitHub keeps of a merged pull request: the plan's artifact, and whose it is."""
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    head = pipeline.git("rev-parse", "HEAD")
    with zipfile.ZipFile(pipeline.state / "plan.zip", "w") as archive:
        archive.write(pipeline.shop.root / "smsby-plan.json", "smsby-plan.json")
    (pipeline.shop.root / "smsby-plan.json").unlink()
    run = {"head_sha": head, "head_repository_id": 1, "repository_id": 1}
    artifacts = {"artifacts": [{"id": 9, "expired": False, "workflow_run": run}]}
    (pipeline.state / "artifacts.json").write_text(json.dumps(artifacts))
    pulls = [{"number": 7, "merged_at": "2026-11-02", "head": {"sha": head}}]
    (pipeline.state / "pulls.json").write_text(json.dumps(pulls))
    return head


def test_after_the_merge_exactly_that_plan_is_applied_and_the_lock_is_pushed(pipeline: Pipeline) -> None:
    """Fetched by pull request and commit, applied once, recorded on main; a second run sends nothing."""
    head = _merge(pipeline)
    done = pipeline.step("apply", GITHUB_SHA=head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| sent | sale/staff | 2 |" in (pipeline.state / "summary.md").read_text()
    assert pipeline.step("record").returncode == 0
    pipeline.git("fetch", "--quiet", "origin")
    kept = pipeline.git("ls-tree", "--name-only", "origin/main")
    assert "smsby.lock.json" in kept.split()
    assert not {"smsby.lock.json.lock", "smsby-plan.json", "comment.md"} & set(kept.split())
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 5
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_what_changed_after_the_review_is_not_sent(pipeline: Pipeline) -> None:
    """main is not what was planned: exit 5, nobody gets anything."""
    head = _merge(pipeline)
    pipeline.shop.write("sale.yaml", CAMPAIGN.replace("noon", "two"))
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 5
    assert pipeline.shop.inbox() == {}


@pytest.mark.parametrize(
    "run", [{"head_sha": "other"}, {"head_repository_id": 2}, {"expired": True}, {"none": True}]
)
def test_a_plan_of_another_origin_is_not_taken(pipeline: Pipeline, run: dict[str, object]) -> None:
    """Another commit's, a fork's, an expired one or none: refused before anything is asked of sms.by."""
    head = _merge(pipeline)
    document = json.loads((pipeline.state / "artifacts.json").read_text())
    document["artifacts"][0]["workflow_run"].update(run)
    document["artifacts"][0]["expired"] = "expired" in run
    if "none" in run:
        document["artifacts"] = []
    (pipeline.state / "artifacts.json").write_text(json.dumps(document))
    done = pipeline.step("apply", GITHUB_SHA=head)
    assert done.returncode == 5
    assert "::error" in done.stdout
    assert pipeline.shop.inbox() == {}


def test_a_push_without_a_pull_request_sends_nothing(pipeline: Pipeline) -> None:
    """What nobody reviewed is not applied."""
    (pipeline.state / "pulls.json").write_text("[]")
    assert pipeline.step("apply", GITHUB_SHA="abc").returncode == 5
    assert pipeline.shop.inbox() == {}


def test_a_push_that_has_nothing_to_send_needs_no_plan(pipeline: Pipeline) -> None:
    """A change of the docs, pushed or merged from a fork, leaves main green."""
    head = _merge(pipeline)
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    (pipeline.shop.root / "smsby-plan.json").unlink()
    (pipeline.state / "pulls.json").write_text("[]")
    done = pipeline.step("apply", GITHUB_SHA="abc")
    assert (done.returncode, "::notice" in done.stdout) == (0, True)


def test_the_lock_is_pushed_over_another_push(pipeline: Pipeline, tmp_path: Path) -> None:
    """Somebody pushed while the apply ran: the record is put on top of it."""
    head = _merge(pipeline)
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "--quiet", str(tmp_path / "origin.git"), str(other)], check=True)
    (other / "README").write_text("hello")
    for arguments in (
        ["add", "."],
        ["commit", "--quiet", "-m", "Another"],
        ["push", "--quiet", "origin", "HEAD:main"],
    ):
        subprocess.run(["git", *arguments], cwd=other, check=True)
    done = pipeline.step("record")
    assert done.returncode == 0, done.stderr
    pipeline.git("fetch", "--quiet", "origin")
    assert {"README", "smsby.lock.json"} <= set(pipeline.git("ls-tree", "--name-only", "origin/main").split())


def test_status_by_schedule(pipeline: Pipeline) -> None:
    """A summary, a page and a test report; an unreachable limit turns it red."""
    head = _merge(pipeline)
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    done = pipeline.step("status", SINCE="1d")
    assert done.returncode == 0, done.stderr
    assert "| sale/staff |" in (pipeline.state / "summary.md").read_text()
    assert (pipeline.shop.root / "smsby-status.html").read_text().startswith("<!doctype html>")
    assert "<testsuites" in (pipeline.shop.root / "smsby-status.xml").read_text()


@pytest.fixture
def gitlab() -> Iterator[tuple[str, list[dict[str, object]], list[str]]]:
    """GitLab's notes of one merge request: where they are, what they hold, and what was called."""
    notes: list[dict[str, object]] = [{"id": 1, "body": "Looks good"}]
    called: list[str] = []

    class Notes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(notes if self.path.endswith("page=1") else [])

        def do_POST(self) -> None:
            notes.append({"id": 2, "body": self.body()})
            self.answer(notes[-1])

        def do_PUT(self) -> None:
            assert self.path.endswith("/notes/2")
            notes[1]["body"] = self.body()
            self.answer(notes[1])

        def body(self) -> object:
            called.append(self.command)
            assert self.headers["PRIVATE-TOKEN"] == "secret-token-of-gitlab"
            return json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]

        def answer(self, document: object) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/v4", notes, called
    server.shutdown()
    server.server_close()


def test_the_gitlab_template(
    pipeline: Pipeline, gitlab: tuple[str, list[dict[str, object]], list[str]]
) -> None:
    """Its scripts, line by line as GitLab runs them: validate, plan, apply on the target branch, push, status."""
    jobs = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text("utf-8"))
    url, notes, called = gitlab
    pipeline.env |= {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_IID": "5",
        "CI_PROJECT_ID": "3",
        "CI_API_V4_URL": url,
        "SMSBY_PUSH_TOKEN": "secret-token-of-gitlab",
        "SMSBY_PUSH_URL": "origin",
    }
    for job in ("smsby:validate", "smsby:plan", "smsby:plan", "smsby:apply", "smsby:status"):
        done = pipeline.sh("\n".join(jobs[job]["script"]))
        assert done.returncode == 0, (job, done.stdout, done.stderr)
    assert called == ["POST", "PUT"]
    assert [str(note["body"]).split("\n")[0] for note in notes] == [
        "Looks good",
        "<!-- smsby-deploy:plan project=shop -->",
    ]
    pipeline.git("fetch", "--quiet", "origin")
    assert "smsby.lock.json" in pipeline.git("ls-tree", "--name-only", "origin/main").split()
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}
    for paths in (jobs[job]["artifacts"]["paths"] for job in ("smsby:plan", "smsby:status")):
        assert all((pipeline.shop.root / path).exists() for path in paths)


def test_the_gitlab_note_tells_what_changes_and_its_lock_goes_on_top_of_another_push(
    pipeline: Pipeline, gitlab: tuple[str, list[dict[str, object]], list[str]], tmp_path: Path
) -> None:
    """Against the target branch, word by word. Somebody pushes while the apply runs."""
    jobs = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text("utf-8"))
    url, notes, _ = gitlab
    pipeline.env |= {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_IID": "5",
        "CI_PROJECT_ID": "3",
        "CI_API_V4_URL": url,
        "SMSBY_PUSH_TOKEN": "secret-token-of-gitlab",
        "SMSBY_PUSH_URL": "origin",
    }
    pipeline.shop.write("sale.yaml", CAMPAIGN.replace("noon", "two").replace(', "+375297654321"', ""))
    pipeline.git("commit", "--quiet", "-am", "Later, to one less")
    assert pipeline.sh("\n".join(jobs["smsby:plan"]["script"])).returncode == 0
    assert "| -1 people, -1 parts, -0.026 BYN, text |" in str(notes[-1]["body"])
    assert "<del>noon</del><ins>two</ins>" in str(notes[-1]["body"])
    assert not (pipeline.shop.root / ".smsby-base").exists()
    pipeline.git("push", "--quiet", "origin", "HEAD:main")
    elsewhere = (
        f"git clone --quiet {tmp_path}/origin.git {tmp_path}/other && cd {tmp_path}/other && echo hello > README"
        " && git add . && git commit --quiet -m Another && git push --quiet origin HEAD:main"
    )
    lines = [str(line) for line in jobs["smsby:apply"]["script"]]
    (applies,) = [index for index, line in enumerate(lines) if line.startswith("smsby-deploy apply")]
    lines.insert(applies + 1, f"({elsewhere})")
    done = pipeline.sh("\n".join(lines))
    assert done.returncode == 0, done.stdout + done.stderr
    pipeline.git("fetch", "--quiet", "origin")
    kept = pipeline.git("ls-tree", "--name-only", "origin/main").split()
    assert {"README", "smsby.lock.json"} <= set(kept)


def test_gitlab_notes_are_left_alone_where_there_is_no_plan(
    pipeline: Pipeline, gitlab: tuple[str, list[dict[str, object]], list[str]]
) -> None:
    """A smsby.yaml that can't be read makes no comment at all: nobody's note is taken for it."""
    jobs = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text("utf-8"))
    url, notes, called = gitlab
    pipeline.env |= {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_IID": "5",
        "CI_PROJECT_ID": "3",
        "CI_API_V4_URL": url,
        "SMSBY_PUSH_TOKEN": "secret-token-of-gitlab",
    }
    pipeline.shop.write("smsby.yaml", "version: 2\n")
    assert pipeline.sh("\n".join(jobs["smsby:plan"]["script"])).returncode == 3
    assert (called, [note["body"] for note in notes]) == ([], ["Looks good"])


def test_the_jenkins_recipe(pipeline: Pipeline) -> None:
    """Its shell steps, in their order; the install is ours already."""
    steps = re.findall(r"sh '''(.*?)'''", (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8"), re.DOTALL)
    assert len(steps) == 7
    for step in steps[1:]:
        done = pipeline.sh(step.replace(".venv/bin/smsby-deploy", "smsby-deploy"))
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    pipeline.git("fetch", "--quiet", "origin")
    assert "smsby.lock.json" in pipeline.git("ls-tree", "--name-only", "origin/main").split()
    assert (pipeline.shop.root / "smsby-status.html").read_text().startswith("<!doctype html>")


def test_the_jenkins_recipe_gives_a_fork_no_token() -> None:
    """Only its validation runs; the stages that have the token name when they run."""
    stages = (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8").split("stage(")[1:]
    with_token = {stage.split("'")[1]: stage for stage in stages if "smsby-token" in stage}
    assert set(with_token) == {"Plan", "Apply", "Status"}
    assert "!env.CHANGE_FORK" in with_token["Plan"]
    assert "branch 'main'" in with_token["Apply"]
    assert "triggeredBy 'TimerTrigger'" in with_token["Status"]
