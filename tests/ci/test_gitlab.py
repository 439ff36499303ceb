"""The shell scripts of the GitLab template, executed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.ci.conftest import ROOT, Pipeline
from tests.e2e.campaigns import STAFF

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="needs bash, git, jq and unzip"
)


@dataclass
class GitLab:
    """The API of a GitLab with one project: what it has, and what was requested."""

    url: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    merged: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # merge requests by commit
    pipelines: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by merge request
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by pipeline
    plans: dict[int, bytes] = field(default_factory=dict)  # by job

    def get(self, path: str) -> object:
        """Return the answer to a request, or None if there is nothing."""
        if path == "/user":
            return {"id": 9}
        if "page=" in path and not path.endswith("page=1"):
            return []
        if "/repository/compare" in path:
            return {"commits": [{"id": commit} for commit in self.merged]}
        if found := re.search(r"/commits/(\w+)/merge_requests", path):
            return self.merged.get(found[1], [])
        if found := re.search(r"/merge_requests/(\d+)/(notes|pipelines)", path):
            if found[2] == "notes":
                return [note for note in self.notes if note["at"] == int(found[1])]
            return self.pipelines.get(int(found[1]), [])
        if found := re.search(r"/pipelines/(\d+)/jobs", path):
            return self.jobs.get(int(found[1]), [])
        found = re.search(r"/jobs/(\d+)/artifacts/smsby-out/smsby-plan.json$", path)
        assert found
        return self.plans.get(int(found[1]))

    def write(self, method: str, path: str, body: str) -> None:
        self.called.append(method)
        if method == "POST":
            number = int(path.split("/merge_requests/")[1].split("/")[0])
            self.notes.append({"id": len(self.notes), "at": number, "author": {"id": 9}, "body": body})
        else:
            (note,) = [note for note in self.notes if path.endswith(f"/notes/{note['id']}")]
            assert note["author"]["id"] == 9
            note["body"] = body

    def merge(self, pipeline: Pipeline, number: int) -> str:
        """Run the job that plans merge request `number`, and merge it."""
        done = _run(pipeline, "smsby:plan", CI_MERGE_REQUEST_IID=str(number))
        assert done.returncode == 0, done.stderr
        self.keep_plan(pipeline, number, "smsby:plan")
        return self.know_merged(pipeline, number)

    def know_merged(self, pipeline: Pipeline, number: int) -> str:
        """Merge a request whose pipeline has its number, and return its commit."""
        head = pipeline.git("rev-parse", "HEAD")
        self.pipelines[number] = [
            {"id": number, "project_id": 3, "sha": head, "ref": "refs/merge-requests/head"}
        ]
        one = {"iid": number, "state": "merged", "target_branch": "main", "sha": head}
        self.merged[head] = [one | {"merged_at": f"2026-11-{number:02}"}]
        return head

    def keep_plan(self, pipeline: Pipeline, number: int, job: str) -> None:
        self.jobs[number] = [{"id": number, "name": "test"}, {"id": number + 1000, "name": job}]
        self.plans[number + 1000] = (pipeline.shop.root / "smsby-out/smsby-plan.json").read_bytes()


@pytest.fixture
def gitlab(pipeline: Pipeline) -> Iterator[GitLab]:
    known = GitLab()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["PRIVATE-TOKEN"] in ("secret-token-of-notes", "secret-token-of-push")
            self.answer(known.get(self.path.removeprefix("/api/v4")))

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known.write(self.command, self.path, document["body"])
            self.answer({})

        def do_PUT(self) -> None:
            self.do_POST()

        def answer(self, document: object) -> None:
            self.send_response(404 if document is None else 200)
            self.end_headers()
            self.wfile.write(document if isinstance(document, bytes) else json.dumps(document).encode())

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    pipeline.env |= {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PROJECT_ID": "3",
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
        "CI_COMMIT_BRANCH": "main",
        "CI_COMMIT_BEFORE_SHA": "1" * 40,
        "CI_COMMIT_SHA": "2" * 40,
        "CI_PIPELINE_SOURCE": "push",
        "CI_JOB_ID": "77",
        "SMSBY_PUSH_URL": "origin",
    }
    yield known
    server.shutdown()
    server.server_close()


def _jobs() -> dict[str, Any]:
    """Return the jobs of the template by name."""
    jobs: dict[str, Any] = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text("utf-8"))
    return jobs


def _run(pipeline: Pipeline, job: str, after_apply: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script of a job without the installation, and `after_apply` after the `apply` command."""
    jobs = _jobs()
    token = "PUSH" if jobs[job].get("environment") else "NOTE"  # the job that pushes has another token
    env = {f"SMSBY_{token}_TOKEN": f"secret-token-of-{'push' if token == 'PUSH' else 'notes'}", **env}
    script = "\n".join([jobs[".smsby"]["before_script"][0], *jobs[job]["script"]])
    report = '$number.md" || code=$?\n'
    return pipeline.sh(script.replace(report, report + after_apply + "\n"), **env)


def test_gitlab_template_runs_all_jobs(pipeline: Pipeline, gitlab: GitLab) -> None:
    """The scripts validate, plan, apply on the default branch, push the lock and report the status."""
    gitlab.notes.append(
        {"id": 0, "at": 5, "author": {"id": 1}, "body": "<!-- smsby-deploy:plan project=shop -->"}
    )
    assert _run(pipeline, "smsby:validate").returncode == 0
    gitlab.merge(pipeline, 5)
    gitlab.merge(pipeline, 5)
    for job in ("smsby:apply", "smsby:status"):
        done = _run(pipeline, job)
        assert done.returncode == 0, (job, done.stdout, done.stderr)
    assert gitlab.called == ["POST", "PUT", "POST"]
    assert [note["body"].split("\n")[0] for note in gitlab.notes] == [
        "<!-- smsby-deploy:plan project=shop -->",  # of another user
        "<!-- smsby-deploy:plan project=shop -->",
        "<!-- smsby-deploy:apply project=. -->",
    ]
    assert "| sent | sale/staff | 2 |" in gitlab.notes[-1]["body"]
    assert pipeline.pushed() == ["sale.yaml", "smsby.lock.json", "smsby.yaml"]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}
    assert (pipeline.shop.root / "smsby-out/status.html").exists()


def test_gitlab_note_shows_changes_and_lock_is_rebased(
    pipeline: Pipeline, gitlab: GitLab, tmp_path: Path
) -> None:
    """The note compares with the target branch word by word, and a push during the apply does not lose the lock."""
    pipeline.shop.write("sale.yaml", STAFF.replace("noon", "two").replace(', "+375297654321"', ""))
    pipeline.git("commit", "--quiet", "-am", "Send later, to one recipient less")
    gitlab.merge(pipeline, 5)
    assert "| -1 recipient, -1 part, -0.026 BYN, text |" in gitlab.notes[-1]["body"]
    assert "<del>noon</del><ins>two</ins>" in gitlab.notes[-1]["body"]
    pipeline.git("push", "--quiet", "origin", "HEAD:main")
    other_push = (
        f"(git clone --quiet {tmp_path}/origin.git {tmp_path}/other && cd {tmp_path}/other && echo hello > README"
        " && git add . && git commit --quiet -m Another && git push --quiet origin HEAD:main)"
    )
    done = _run(pipeline, "smsby:apply", other_push)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"README", "smsby.lock.json"} <= set(pipeline.pushed())


def test_gitlab_note_links_the_page_of_the_plan(pipeline: Pipeline, gitlab: GitLab) -> None:
    """The note links the page, an artifact of the job whose address is known in advance."""
    url = "https://gitlab.example/shop/-/jobs/77"
    assert _run(pipeline, "smsby:plan", CI_MERGE_REQUEST_IID="5", CI_JOB_URL=url).returncode == 0
    link = f"📄 [Open the plan as a page]({url}/artifacts/file/smsby-out/smsby-plan.html)"
    assert link in gitlab.notes[0]["body"].splitlines()
    assert "<!doctype html>" in (pipeline.shop.root / "smsby-out/smsby-plan.html").read_text("utf-8")


def test_gitlab_notes_stay_without_a_plan(pipeline: Pipeline, gitlab: GitLab) -> None:
    """If smsby.yaml cannot be read there is no plan, and notes of other users stay unchanged."""
    pipeline.shop.write("smsby.yaml", "version: 2\n")
    assert _run(pipeline, "smsby:plan", CI_MERGE_REQUEST_IID="5").returncode == 3
    assert gitlab.called == []


def test_gitlab_applies_every_merge_request_of_a_push(pipeline: Pipeline, gitlab: GitLab) -> None:
    """A failed merge request is sent when the job is retried; sent ones are not repeated, and their notes stay."""
    base = pipeline.git("rev-parse", "HEAD")
    gitlab.merge(pipeline, 5)
    pipeline.git("rm", "--quiet", "sale.yaml")
    pipeline.shop.write("news.yaml", STAFF.replace("campaign: sale", "campaign: news"))
    pipeline.git("add", ".")
    pipeline.git("commit", "--quiet", "-m", "News")
    gitlab.merge(pipeline, 6)
    pipeline.git("checkout", "--quiet", base, "--", "sale.yaml")
    pipeline.git("commit", "--quiet", "-m", "Merge both")
    pipeline.git("push", "--quiet", "origin", "HEAD:main")
    body = {"error": "try later"}
    pipeline.shop.fault(method="sendBulkSms", nth=2, mode="answer", status=422, body=body)
    done = _run(pipeline, "smsby:apply")
    assert done.returncode == 1, done.stdout + done.stderr
    sent, failed = (note["body"] for note in gitlab.notes if "deploy:apply" in note["body"])
    assert "| sent | sale/staff | 2 |" in sent
    assert "glab ci retry 77" in failed
    pipeline.shop.clear_faults()
    done = _run(pipeline, "smsby:apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| sent | news/staff | 2 |" in gitlab.notes[-1]["body"]
    assert sent in [note["body"] for note in gitlab.notes]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {2}


def test_gitlab_records_although_the_next_plan_is_damaged(pipeline: Pipeline, gitlab: GitLab) -> None:
    """A damaged plan, as any author of a merge request can upload, is refused, and the lock of the others is pushed."""
    gitlab.merge(pipeline, 5)
    pipeline.git("commit", "--quiet", "--allow-empty", "-m", "Nothing")
    gitlab.merge(pipeline, 6)
    gitlab.plans[1006] = b"{"
    done = _run(pipeline, "smsby:apply")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "smsby.lock.json" in pipeline.pushed()
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_gitlab_catches_up_and_applies_the_plan_of_its_pipeline(pipeline: Pipeline, gitlab: GitLab) -> None:
    """A merge without a plan is reported, and sent by a manually started pipeline."""
    (pipeline.shop.root / "smsby-out").mkdir()
    assert pipeline.shop.run("plan", "--out", "smsby-out/smsby-plan.json").code == 0  # not used
    assert _run(pipeline, "smsby:apply").returncode == 5
    assert _run(pipeline, "smsby:catch-up").returncode == 2
    assert pipeline.shop.inbox() == {}
    manual = {"CI_PIPELINE_SOURCE": "web", "CI_PIPELINE_ID": "80", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": ""}
    assert _run(pipeline, "smsby:plan", **manual).returncode == 0
    gitlab.keep_plan(pipeline, 80, "smsby:plan-main")
    done = _run(pipeline, "smsby:apply", **manual)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _run(pipeline, "smsby:catch-up").returncode == 0
    assert "smsby.lock.json" in pipeline.pushed()


def test_gitlab_fails_if_the_lock_is_not_recorded(pipeline: Pipeline, gitlab: GitLab) -> None:
    """If a protected branch refuses the push, the job fails, says what to do, and has the lock in its artifacts."""
    gitlab.merge(pipeline, 5)
    pipeline.protect_main()
    done = _run(pipeline, "smsby:apply")
    assert (done.returncode, "docs/locks.md" in done.stdout) == (1, True)
    assert (pipeline.shop.root / "smsby-out/smsby.lock.json").exists()
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


@pytest.mark.parametrize("code", [7, 8])
def test_gitlab_goes_on_when_the_obstacle_is_gone(pipeline: Pipeline, gitlab: GitLab, code: int) -> None:
    """If sms.by was unreachable, or another run held the lock, nothing was sent, and a retry applies the same plan."""
    gitlab.merge(pipeline, 5)
    with pipeline.obstacle(code):
        done = _run(pipeline, "smsby:apply")
    assert done.returncode == code, done.stdout + done.stderr
    note = gitlab.notes[-1]["body"]
    assert f"apply: exit code {code}" in note
    assert {7: "Check both", 8: "Another run held the lock"}[code] in note
    assert "glab ci retry 77" in note
    assert pipeline.shop.inbox() == {}
    assert _run(pipeline, "smsby:apply").returncode == 0
    assert "apply: done" in gitlab.notes[-1]["body"]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_gitlab_applies_two_projects_of_a_repository(pipeline: Pipeline, gitlab: GitLab) -> None:
    """Two projects in a repository have their own plans, notes and locks in one merge request."""
    projects = pipeline.move_to_projects("shops/a", "shops/b")
    jobs = []
    for number, project in enumerate(projects, 50):
        env = {"SMSBY_PROJECT": project, "CI_MERGE_REQUEST_IID": "5"}
        assert _run(pipeline, "smsby:plan", **env).returncode == 0
        jobs.append({"id": number, "name": f"smsby:plan: [{project}]"})
        gitlab.plans[number] = (pipeline.shop.root / "smsby-out/smsby-plan.json").read_bytes()
    gitlab.know_merged(pipeline, 5)
    gitlab.jobs[5] = jobs
    for project in projects:
        done = _run(pipeline, "smsby:apply", SMSBY_PROJECT=project)
        assert done.returncode == 0, done.stdout + done.stderr
    assert {f"{project}/smsby.lock.json" for project in projects} <= set(pipeline.pushed())
    for project in projects:
        (note,) = (n["body"] for n in gitlab.notes if f"deploy:apply project={project} " in n["body"])
        assert f"| sent | {project[-1]}/staff | 2 |" in note
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {2}


def test_gitlab_lost_runner_is_recovered(pipeline: Pipeline, gitlab: GitLab) -> None:
    """If the runner is lost after the sends, the plan is refused, and a manual pipeline records what sms.by has."""
    gitlab.merge(pipeline, 5)
    assert _run(pipeline, "smsby:apply", "kill -9 $$").returncode == -9
    pipeline.new_checkout()
    assert _run(pipeline, "smsby:apply").returncode == 5
    assert "glab ci run --branch main" in gitlab.notes[-1]["body"]
    manual = {"CI_PIPELINE_SOURCE": "web", "CI_PIPELINE_ID": "80", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": ""}
    assert _run(pipeline, "smsby:plan", **manual).returncode == 0
    gitlab.keep_plan(pipeline, 80, "smsby:plan-main")
    done = _run(pipeline, "smsby:apply", **manual)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| adopted | sale/staff | 2 |" in done.stdout
    assert "smsby.lock.json" in pipeline.pushed()
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_gitlab_installs_what_one_commit_names(pipeline: Pipeline, gitlab: GitLab) -> None:
    """One commit is fetched, and pip installs only packages with the hashes in it."""
    commit, pips = pipeline.fake_installation()
    script = _jobs()[".smsby"]["before_script"]
    tool = {"SMSBY_DEPLOY_URL": str(pipeline.tool), "SMSBY_DEPLOY_COMMIT": commit, "SMSBY_EXTRAS": "sql s3"}
    done = pipeline.sh("\n".join(script), **tool)
    assert done.returncode == 0, done.stderr
    pipeline.check_installation(pips(), "sql", "s3")


def test_gitlab_gives_the_push_token_to_protected_jobs_only() -> None:
    """Jobs of merge requests do not name the push token, and jobs that push run only on the default branch."""
    jobs = _jobs()
    assert re.fullmatch(r"[0-9a-f]{40}", jobs["variables"]["SMSBY_DEPLOY_COMMIT"])
    for name in ("smsby:apply", "smsby:catch-up"):
        assert "SMSBY_PUSH_TOKEN" in jobs[name]["variables"]["SMSBY_PUSH_URL"]
        assert jobs[name]["environment"] == "sms"
        assert jobs[name]["resource_group"] == "smsby-apply"
        assert all("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"] for rule in jobs[name]["rules"])
    assert "timeout" in jobs[".smsby"]
