"""The shell scripts of the GitLab template and of the Jenkinsfile, executed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from tests.ci.conftest import CAMPAIGN, ROOT, Pipeline

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="needs bash, git, jq and unzip"
)


@pytest.fixture
def gitlab() -> Iterator[tuple[str, list[dict[str, object]], list[str]]]:
    """The notes API of GitLab for one merge request: its URL, the notes and the calls."""
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


def test_gitlab_template_runs_all_jobs(
    pipeline: Pipeline, gitlab: tuple[str, list[dict[str, object]], list[str]]
) -> None:
    """The scripts validate, plan, apply on the target branch, push the lock and report the status."""
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


def test_gitlab_note_shows_changes_and_lock_is_rebased(
    pipeline: Pipeline, gitlab: tuple[str, list[dict[str, object]], list[str]], tmp_path: Path
) -> None:
    """The note compares with the target branch word by word; a push during the apply does not lose the lock."""
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
    pipeline.git("commit", "--quiet", "-am", "Send later, to one recipient less")
    assert pipeline.sh("\n".join(jobs["smsby:plan"]["script"])).returncode == 0
    assert "| -1 recipient, -1 part, -0.026 BYN, text |" in str(notes[-1]["body"])
    assert "<del>noon</del><ins>two</ins>" in str(notes[-1]["body"])
    assert not (pipeline.shop.root / ".smsby-base").exists()
    pipeline.git("push", "--quiet", "origin", "HEAD:main")
    other_push = (
        f"git clone --quiet {tmp_path}/origin.git {tmp_path}/other && cd {tmp_path}/other && echo hello > README"
        " && git add . && git commit --quiet -m Another && git push --quiet origin HEAD:main"
    )
    lines = [str(line) for line in jobs["smsby:apply"]["script"]]
    (apply_line,) = [index for index, line in enumerate(lines) if line.startswith("smsby-deploy apply")]
    lines.insert(apply_line + 1, f"({other_push})")
    done = pipeline.sh("\n".join(lines))
    assert done.returncode == 0, done.stdout + done.stderr
    pipeline.git("fetch", "--quiet", "origin")
    kept = pipeline.git("ls-tree", "--name-only", "origin/main").split()
    assert {"README", "smsby.lock.json"} <= set(kept)


def test_gitlab_notes_stay_without_a_plan(
    pipeline: Pipeline, gitlab: tuple[str, list[dict[str, object]], list[str]]
) -> None:
    """With an unreadable smsby.yaml there is no plan, and the notes of other users stay unchanged."""
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


def test_jenkins_runs_all_stages(pipeline: Pipeline) -> None:
    """The shell steps run in their order, except the installation."""
    steps = re.findall(r"sh '''(.*?)'''", (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8"), re.DOTALL)
    assert len(steps) == 7
    for step in steps[1:]:
        done = pipeline.sh(step.replace(".venv/bin/smsby-deploy", "smsby-deploy"))
        assert done.returncode == 0, (step, done.stdout, done.stderr)
    pipeline.git("fetch", "--quiet", "origin")
    assert "smsby.lock.json" in pipeline.git("ls-tree", "--name-only", "origin/main").split()
    assert (pipeline.shop.root / "smsby-status.html").read_text().startswith("<!doctype html>")


def test_jenkins_compares_a_change_request_with_its_target(pipeline: Pipeline) -> None:
    """A changed setting is in the comment; the checkout of the target branch is removed."""
    steps = re.findall(r"sh '''(.*?)'''", (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8"), re.DOTALL)
    plan = next(step for step in steps if "deploy plan" in step)
    settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
    pipeline.shop.write("smsby.yaml", f"{settings}guardrails: {{max_recipients: 100}}\n")
    script = plan.replace(".venv/bin/smsby-deploy", "smsby-deploy")
    assert pipeline.sh(script, CHANGE_TARGET="main").returncode == 0
    comment = (pipeline.shop.root / "smsby-plan.md").read_text("utf-8")
    assert "but 1 setting changed" in comment.splitlines()[1]
    assert not (pipeline.shop.root / ".smsby-base").exists()


def test_jenkins_gives_a_fork_no_token() -> None:
    """A fork is only validated; the stages with the token have conditions."""
    stages = (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8").split("stage(")[1:]
    with_token = {stage.split("'")[1]: stage for stage in stages if "smsby-token" in stage}
    assert set(with_token) == {"Plan", "Apply", "Status"}
    assert "!env.CHANGE_FORK" in with_token["Plan"]
    assert "branch 'main'" in with_token["Apply"]
    assert "triggeredBy 'TimerTrigger'" in with_token["Status"]
