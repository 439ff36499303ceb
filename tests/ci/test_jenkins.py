"""The shell scripts of the Jenkinsfile, executed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.ci.conftest import ROOT, Pipeline

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="needs bash, git, jq and unzip"
)
_REPORT = "--report smsby-out/apply-result.json"
_PLAN = 'deploy" plan --out'


def _step(pipeline: Pipeline, part: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the shell step of the Jenkinsfile that contains `part`."""
    steps = re.findall(r"sh '''(.*?)'''", (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8"), re.DOTALL)
    (step,) = [step for step in steps if part in step]
    temporary = pipeline.runner / "venv/bin"
    if not temporary.exists():
        temporary.parent.mkdir()
        temporary.symlink_to(pipeline.bin)
        (pipeline.shop.root / "smsby-out").mkdir()
    return pipeline.sh(step, WORKSPACE_TMP=str(pipeline.runner), **env)


def test_jenkins_runs_all_stages(pipeline: Pipeline) -> None:
    """The shell steps run in order, except the installation, and once all is sent there is no question."""
    newest, keep = "the newest lock", 'cp "$file"'
    for part in (
        "validate",
        _PLAN,
        newest,
        _REPORT,
        keep,
        "git add",
        "--due",
        "--format html",
        "junit --fail",
    ):
        done = _step(pipeline, part)
        assert done.returncode == 0, (part, done.stdout, done.stderr)
    assert pipeline.pushed() == ["sale.yaml", "smsby.lock.json", "smsby.yaml"]
    assert (pipeline.shop.root / "smsby-out/status.html").read_text().startswith("<!doctype html>")
    (pipeline.shop.root / "smsby-out/to-apply").unlink()
    stages = (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8").partition("stages {")[2].split("stage('")
    assert [stage[:5] for stage in stages if "newest()" in stage] == ["Apply", "Catch"]
    assert _step(pipeline, _PLAN).returncode == 0
    assert not (pipeline.shop.root / "smsby-out/to-apply").exists()


def test_jenkins_fails_if_the_lock_is_not_recorded(pipeline: Pipeline) -> None:
    """If a protected branch refuses the push, or the lock did not change after a send, the build fails."""
    pipeline.protect_main()
    assert _step(pipeline, _PLAN).returncode == 0
    assert _step(pipeline, _REPORT).returncode == 0
    assert _step(pipeline, 'cp "$file"').returncode == 0
    assert (pipeline.shop.root / "smsby-out/smsby.lock.json").exists()
    done = _step(pipeline, "git add")
    assert (done.returncode, "docs/locks.md" in done.stdout) == (1, True)
    done = _step(pipeline, "git add")
    assert (done.returncode, "has not changed" in done.stdout) == (1, True)


def test_jenkins_compares_a_change_request_with_its_target(pipeline: Pipeline) -> None:
    """A changed setting is in the comment, compared with a checkout of the target branch in another folder."""
    settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
    pipeline.shop.write("smsby.yaml", f"{settings}guardrails: {{max_recipients: 100}}\n")
    assert _step(pipeline, _PLAN, CHANGE_TARGET="main").returncode == 0
    comment = (pipeline.shop.root / "smsby-out/smsby-plan.md").read_text("utf-8")
    assert "but 1 setting changed" in comment.splitlines()[1]
    assert (pipeline.runner / "base/smsby.yaml").exists()


def test_jenkins_gives_a_fork_no_token() -> None:
    """A fork is only validated: the stages with the token have conditions, and only main is pushed to."""
    recipe = (ROOT / "docs/ci/Jenkinsfile").read_text("utf-8")
    stages = recipe.split("stage(")[1:]
    with_token = {stage.split("'")[1]: stage for stage in stages if "smsby-token" in stage}
    assert set(with_token) == {"Plan", "Apply", "Catch up", "Status"}
    assert "!env.CHANGE_FORK" in with_token["Plan"]
    assert "fileExists('smsby-out/to-apply')" in with_token["Apply"]
    assert "triggeredBy 'TimerTrigger'" in with_token["Status"]
    pushing = {stage.split("'")[1] for stage in stages if "record()" in stage}
    assert pushing == {"Apply", "Catch up"}
    assert all("branch 'main'" in with_token[name] for name in pushing)
    assert all("timeout(" in stage for stage in stages)
    assert "SMSBY_DEPLOY_COMMIT = '0000000000000000000000000000000000000000'" in recipe


@pytest.fixture
def pulls(pipeline: Pipeline) -> Iterator[dict[int, list[dict[str, Any]]]]:
    """The comments of a GitHub repository by pull request; 7 was merged into main, and 8 into another branch."""
    comments: dict[int, list[dict[str, Any]]] = {7: [], 8: []}
    user = {"login": "jenkins", "type": "User"}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["Authorization"] == "Bearer secret-token-of-jenkins"
            path = self.path.removeprefix("/repos/shop/sms")
            if found := re.match(r"/issues/(\d+)/comments\?per_page=100&page=(\d+)$", path):
                return self.answer(comments[int(found[1])] if found[2] == "1" else [])
            assert re.match(r"/commits/[0-9a-f]{40}/pulls$", path)
            merged = {"merged_at": "2026-11-07T10:00:00Z"}
            return self.answer(
                [
                    {"number": 7, "base": {"ref": "main"}, **merged},
                    {"number": 8, "base": {"ref": "develop"}, **merged},
                ]
            )

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
            found = re.match(r"/repos/shop/sms/issues/(\d+)/comments$", self.path)
            assert found
            comments[int(found[1])].append({"id": 40 + len(comments[7]), "user": user, "body": body})
            self.answer({})

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
            (one,) = (c for c in comments[7] if self.path == f"/repos/shop/sms/issues/comments/{c['id']}")
            one["body"] = body
            self.answer({})

        def answer(self, document: object) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    pipeline.env |= {
        "GITHUB_API": f"http://127.0.0.1:{server.server_port}",
        "GITHUB_REPOSITORY": "shop/sms",
        "GITHUB_USER": "jenkins",
        "GITHUB_TOKEN": "secret-token-of-jenkins",
        "GIT_COMMIT": pipeline.git("rev-parse", "HEAD"),
        "JENKINS_URL": "https://ci/",
        "JOB_NAME": "sms/main",
    }
    yield comments
    server.shutdown()
    server.server_close()


_TELL = "merged_at"
_AGAIN = "java -jar jenkins-cli.jar -s https://ci/ build sms/main"


@pytest.mark.parametrize("code", [7, 8])
def test_jenkins_writes_the_result_to_the_pull_request(
    pipeline: Pipeline, pulls: dict[int, list[dict[str, Any]]], code: int
) -> None:
    """One comment has the result and, after a failure, the command to continue; the next build sends the rest."""
    assert _step(pipeline, _TELL).returncode == 0
    assert pulls[7] == []  # nothing was applied
    pulls[7].append(
        {"id": 1, "user": {"login": "eve", "type": "User"}, "body": "<!-- smsby-deploy:apply project=. -->"}
    )
    assert _step(pipeline, _PLAN).returncode == 0
    with pipeline.obstacle(code):
        assert _step(pipeline, _REPORT).returncode == code
    done = _step(pipeline, _TELL)
    assert done.returncode == 0, done.stderr
    assert "Cannot write" not in done.stdout
    (body,) = (one["body"] for one in pulls[7] if one["user"]["login"] == "jenkins")
    assert f"apply: exit code {code}" in body
    assert {7: "Check both", 8: "Another run held the lock"}[code] in body
    assert _AGAIN in body
    assert pipeline.shop.inbox() == {}
    for part in (_PLAN, _REPORT, _TELL):
        assert (
            _step(pipeline, part, GIT_PREVIOUS_SUCCESSFUL_COMMIT=pipeline.env["GIT_COMMIT"]).returncode == 0
        )
    (body,) = (one["body"] for one in pulls[7] if one["user"]["login"] == "jenkins")
    assert "| sent | sale/staff | 2 |" in body
    assert _AGAIN not in body
    assert pulls[8] == []
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_jenkins_result_is_in_the_log_without_github(pipeline: Pipeline) -> None:
    """Neither a refused GitHub token nor a network failure fails a build that sent."""
    for part in (_PLAN, _REPORT):
        assert _step(pipeline, part).returncode == 0
    env = {"GITHUB_API": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "shop/sms", "GITHUB_USER": "jenkins"}
    done = _step(pipeline, _TELL, GITHUB_TOKEN="secret-token-of-jenkins", GIT_COMMIT="1" * 40, **env)
    assert done.returncode == 0
    assert "| sent | sale/staff | 2 |" in done.stdout
    assert "Cannot write the result" in done.stdout


def test_jenkins_applies_two_projects_of_a_repository(pipeline: Pipeline) -> None:
    """Each project has its own job and workspace, and pushes its own lock."""
    projects = pipeline.move_to_projects("shops/a", "shops/b")
    for project in projects:
        for part in (_PLAN, "the newest lock", _REPORT, 'cp "$file"', "git add"):
            done = _step(pipeline, part, SMSBY_PROJECT=project)
            assert done.returncode == 0, (part, done.stdout, done.stderr)
        shutil.rmtree(pipeline.shop.root / "smsby-out")
        (pipeline.shop.root / "smsby-out").mkdir()
    assert {f"{project}/smsby.lock.json" for project in projects} <= set(pipeline.pushed())
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {2}


def test_jenkins_lost_runner_is_recovered(pipeline: Pipeline) -> None:
    """If the runner is lost after the sends, the next build plans to record what sms.by has, and sends nothing again."""
    for part in (_PLAN, _REPORT):
        assert _step(pipeline, part).returncode == 0
    pipeline.new_checkout()
    (pipeline.shop.root / "smsby-out").mkdir()
    assert _step(pipeline, _PLAN).returncode == 0
    assert (pipeline.shop.root / "smsby-out/to-apply").exists()
    for part in (_REPORT, 'cp "$file"', "git add"):
        assert _step(pipeline, part).returncode == 0
    assert "smsby.lock.json" in pipeline.pushed()
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_jenkins_installs_what_one_commit_names(pipeline: Pipeline) -> None:
    """One commit is fetched, and pip installs only packages with the hashes in it."""
    commit, pips = pipeline.fake_installation()
    tool = {"SMSBY_DEPLOY_URL": str(pipeline.tool), "SMSBY_DEPLOY_COMMIT": commit, "SMSBY_EXTRAS": "sql s3"}
    done = _step(pipeline, "--require-hashes", **tool)
    assert done.returncode == 0, done.stderr
    pipeline.check_installation(pips(), "sql", "s3")
