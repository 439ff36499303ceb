"""The shell of the GitHub action, run for real."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.ci.conftest import CAMPAIGN, Pipeline

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="bash, git, jq and unzip are wanted"
)


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
