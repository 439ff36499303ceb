"""The shell script of the GitHub action, executed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.ci.conftest import Pipeline
from tests.e2e.campaigns import STAFF

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="needs bash, git, jq and unzip"
)


def test_action_updates_one_comment_per_pull_request(pipeline: Pipeline) -> None:
    """The second run finds the comment by its marker and replaces it, and the plan file exists."""
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    assert "✅ Ready: 1 mailing to send" in pipeline.comments()[0]["body"]
    pipeline.shop.write("sale.yaml", STAFF.replace("noon", "two o'clock"))
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    assert (
        "two o&#x27;clock" in pipeline.comments()[0]["body"]
        or "two o'clock" in pipeline.comments()[0]["body"]
    )
    log = (pipeline.state / "gh.log").read_text()
    assert (log.count("POST"), log.count("PATCH")) == (1, 1)
    assert json.loads(pipeline.working_file("smsby-plan.json").read_text())["format"] == "smsby-plan"
    assert str(pipeline.runner) not in pipeline.comments()[0]["body"]
    assert "to-apply=true" in pipeline.outputs()
    assert sorted(path.name for path in pipeline.shop.root.iterdir()) == [".git", "sale.yaml", "smsby.yaml"]


def test_action_links_the_page_of_the_plan(pipeline: Pipeline) -> None:
    """The comment links the page of the same plan, in place of an invisible line."""
    settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
    pipeline.shop.write("smsby.yaml", f"{settings}language: ru\n")
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    before = pipeline.comments()[0]["body"]
    plan = json.loads(pipeline.working_file("smsby-plan.json").read_text("utf-8"))
    page = pipeline.working_file("smsby-plan-root.html").read_text("utf-8")
    assert f"план {plan['id']}, контрольная сумма {plan['digest'][:16]}" in page
    url = "https://github.com/shop/sms/actions/runs/1/artifacts/2?a=1&b=2"
    assert pipeline.step("link", PR_NUMBER="7", PAGE_URL=url).returncode == 0
    mark, link = "<!-- smsby-deploy:page Открыть план страницей -->", f"📄 [Открыть план страницей]({url})"
    assert [note["body"] for note in pipeline.comments()] == [before.replace(mark, link)]
    assert pipeline.summary().endswith(f"{link}\n")


def test_action_links_no_page_without_a_plan(pipeline: Pipeline) -> None:
    """Without a plan no page of an earlier run remains, and the comment that says so is not changed."""
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    pipeline.shop.fault(method="getSMSMessages", mode="error", status=503, times=99)
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 7
    assert not pipeline.working_file("smsby-plan-root.html").exists()
    before = pipeline.comments()
    assert pipeline.step("link", PR_NUMBER="7", PAGE_URL="https://example.test/1").returncode == 0
    assert pipeline.comments() == before


def test_action_comment_compares_with_the_base(pipeline: Pipeline) -> None:
    """The comment shows the changes against a checkout of the base branch word by word."""
    pipeline.shop.write("sale.yaml", STAFF.replace("noon", "two").replace(', "+375297654321"', ""))
    assert pipeline.step("plan", PR_NUMBER="7", BASE="main").returncode == 0
    body = pipeline.comments()[0]["body"]
    assert "-1 recipient, -1 part" in body
    assert "<del>noon</del><ins>two</ins>" in body


@pytest.mark.parametrize("is_valid", [True, False])
def test_action_comment_shows_changed_settings(pipeline: Pipeline, *, is_valid: bool) -> None:
    """A removed guardrail is in the verdict, even if the campaigns of the base are not valid."""
    settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
    pipeline.shop.write("smsby.yaml", f"{settings}guardrails: {{max_recipients: 100}}\n")
    pipeline.shop.write("sale.yaml", STAFF if is_valid else STAFF.replace("text:", "txt:"))
    pipeline.git("commit", "--quiet", "-am", "Limit the recipients")
    pipeline.git("push", "--quiet", "origin", "HEAD:main")
    pipeline.shop.write("smsby.yaml", settings)
    pipeline.shop.write("sale.yaml", STAFF)
    assert pipeline.step("plan", PR_NUMBER="7", BASE="main").returncode == 0
    body = pipeline.comments()[0]["body"]
    assert body.splitlines()[1].startswith("### ⚠️ Ready: 1 mailing to send, but 1 setting changed")
    assert "max\\_recipients** | <code>100</code> | not set |" in body
    assert ("> ⚠️ the files of the base are not valid" in body) is not is_valid


def test_action_warns_without_a_base(pipeline: Pipeline) -> None:
    """A workflow without a base warns that it cannot show changed settings."""
    warning = "::warning title=smsby-deploy::Without the input base"
    assert warning in pipeline.step("plan", PR_NUMBER="7").stdout
    assert warning not in pipeline.step("plan", PR_NUMBER="7", BASE="main").stdout


def test_action_says_that_the_base_has_no_project(pipeline: Pipeline) -> None:
    """If the base has no project nothing is compared, and every setting is shown."""
    empty = pipeline.git(
        "commit-tree", "-m", "Nothing", pipeline.git("hash-object", "-t", "tree", "/dev/null")
    )
    pipeline.git("push", "--quiet", "origin", f"{empty}:refs/heads/empty")
    assert pipeline.step("plan", PR_NUMBER="7", BASE="empty").returncode == 0
    assert "> ⚠️ the base has no smsby.yaml" in pipeline.comments()[0]["body"]


def test_action_only_validates_a_fork(pipeline: Pipeline) -> None:
    """A fork, without a token, gets no request or comment, but errors are annotated and fail the job."""
    done = pipeline.step("plan", SMSBY_TOKEN="", SMSBY_API_URL="", PR_NUMBER="7")
    assert done.returncode == 0
    assert not pipeline.working_file("smsby-plan.json").exists()
    pipeline.shop.write("sale.yaml", STAFF.replace("+375291234567", "12"))
    done = pipeline.step("plan", SMSBY_TOKEN="", SMSBY_API_URL="", PR_NUMBER="7")
    assert done.returncode == 3
    assert "::error file=sale.yaml,line=5" in done.stdout
    assert pipeline.comments() == []


def test_action_comments_on_a_blocked_plan_and_fails(pipeline: Pipeline) -> None:
    """The comment is written before the job fails."""
    config = (pipeline.shop.root / "smsby.yaml").read_text()
    pipeline.shop.write("smsby.yaml", config + "guardrails: {max_recipients: 1}\n")
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 4
    assert "⛔ 1 blocked" in pipeline.comments()[0]["body"]
    assert "exit-code=4" in pipeline.outputs()


def test_action_comment_of_a_failed_plan_replaces_the_last(pipeline: Pipeline) -> None:
    """If sms.by is unreachable, the comment no longer says ready, and the job has the exit code."""
    assert pipeline.step("plan", PR_NUMBER="7").returncode == 0
    assert pipeline.step("plan", PR_NUMBER="7", SMSBY_API_URL="http://127.0.0.1:9").returncode == 7
    (comment,) = pipeline.comments()
    assert "❌ No plan, nothing will be sent" in comment["body"]
    assert "Ready" not in comment["body"]


def test_pipelines_ignore_the_url_of_a_pull_request(pipeline: Pipeline) -> None:
    """With an empty `api-url` the action uses sms.by, not the service that smsby.yaml names."""
    shop = pipeline.shop
    shop.write("smsby.yaml", f"version: 1\nproject: shop\napi: {{url: '{shop.url}', timeout_seconds: 1}}\n")
    done = pipeline.step("plan", SMSBY_API_URL="", PR_NUMBER="7", https_proxy="http://127.0.0.1:9")
    assert done.returncode == 7, done.stderr
    assert "https://app.sms.by" in done.stderr
    assert shop.calls() == []


def test_action_applies_the_reviewed_plan_once_and_pushes(pipeline: Pipeline) -> None:
    """The plan is found by pull request and commit and applied, the lock is pushed, and a second run sends nothing."""
    head = pipeline.merge()
    done = pipeline.step("apply", GITHUB_SHA=head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| sent | sale/staff | 2 |" in pipeline.summary()
    assert "| sent | sale/staff | 2 |" in pipeline.results()[7]
    assert [pipeline.step(name).returncode for name in ("collect", "record")] == [0, 0]
    assert pipeline.pushed() == ["sale.yaml", "smsby.lock.json", "smsby.yaml"]
    assert pipeline.working_file("kept/smsby.lock.json").exists()
    done = pipeline.step("apply", GITHUB_SHA=head)
    assert (done.returncode, "is settled" in done.stdout) == (0, True)
    assert "| sent | sale/staff | 2 |" in pipeline.results()[7]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_action_does_not_send_what_changed_after_review(pipeline: Pipeline) -> None:
    """If main differs from the plan, the exit code is 5 and nothing is sent."""
    head = pipeline.merge()
    pipeline.shop.write("sale.yaml", STAFF.replace("noon", "two"))
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 5
    assert pipeline.shop.inbox() == {}


def test_action_refuses_a_plan_of_another_origin(pipeline: Pipeline) -> None:
    """A plan of another commit or of a fork, an expired plan, and a missing plan are refused."""
    head = pipeline.merge()
    path = pipeline.state / "artifacts.json"
    (artifact,) = json.loads(path.read_text())
    run = artifact["workflow_run"]
    for artifacts in (
        [artifact | {"workflow_run": run | {"head_sha": "other"}}],
        [artifact | {"workflow_run": run | {"head_repository_id": 2}}],
        [artifact | {"expired": True}],
        [],
    ):
        path.write_text(json.dumps(artifacts))
        done = pipeline.step("apply", GITHUB_SHA=head)
        assert (done.returncode, "::error" in done.stdout) == (5, True), artifacts
    assert pipeline.shop.inbox() == {}


def test_action_refuses_a_damaged_plan(pipeline: Pipeline) -> None:
    """A damaged plan, as any author of a pull request can upload, is refused, not taken for one without mailings."""
    head = pipeline.merge()
    with zipfile.ZipFile(pipeline.state / "1.zip", "w") as archive:
        archive.writestr("smsby-plan.json", "{")
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 5
    assert "exit code 5" in pipeline.results()[7]
    assert pipeline.shop.inbox() == {}


def test_action_sends_nothing_without_a_pull_request(pipeline: Pipeline) -> None:
    """A push without a pull request is not applied, and a committed plan does not count as reviewed."""
    assert pipeline.shop.run("plan", "--out", "smsby-plan.json").code == 0
    assert pipeline.step("apply", GITHUB_SHA="abc").returncode == 5
    assert pipeline.shop.inbox() == {}


def test_action_needs_no_plan_if_nothing_is_to_be_sent(pipeline: Pipeline) -> None:
    """A change of the docs, pushed or merged from a fork, needs no plan."""
    head = pipeline.merge()
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    done = pipeline.step("apply", GITHUB_SHA="abc")
    assert (done.returncode, "::notice" in done.stdout) == (0, True)


def test_action_rebases_the_lock_on_another_push(pipeline: Pipeline, tmp_path: Path) -> None:
    """If another commit was pushed during the apply, the lock is committed on top of it."""
    head = pipeline.merge()
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


# A command whose clock is a day ahead.
_TOMORROW = """\
#!{python}
from datetime import UTC, datetime, timedelta
from smsby_deploy.clock import SystemClock
SystemClock.now = lambda self: datetime.now(UTC) + timedelta(days=1)
from smsby_deploy.__main__ import main
main()
"""


def test_action_hands_over_what_is_due(pipeline: Pipeline) -> None:
    """The merge only records the approval, and a scheduled run sends the mailing and pushes the lock."""
    time = datetime.now(UTC) + timedelta(hours=30)  # noqa: TID251  # the pipeline has the real clock
    times = f"schedule_time: {time:%Y-%m-%dT%H:%M:%S}Z\nrelease: {{before: 20h, at_latest: 1h}}\nmailings:"
    pipeline.shop.write("sale.yaml", STAFF.replace("mailings:", times))
    pipeline.git("commit", "--quiet", "-am", "Send it tomorrow")
    assert pipeline.step("apply", GITHUB_SHA=pipeline.merge()).returncode == 0
    assert "| held | sale/staff | 2 |" in pipeline.summary()
    assert pipeline.step("record").returncode == 0
    assert pipeline.step("due").returncode == 0
    assert not pipeline.shop.has_been_called("sendBulkSms")
    (pipeline.bin / "smsby-deploy").write_text(_TOMORROW.format(python=sys.executable))
    assert pipeline.step("due").returncode == 0
    assert "| scheduled | sale/staff | 2 |" in pipeline.summary()
    assert pipeline.step("record").returncode == 0
    assert '"state": "complete"' in pipeline.git("show", "origin/main:smsby.lock.json")


def test_action_reports_the_status(pipeline: Pipeline) -> None:
    """The action has a summary, a page and a test report of the status."""
    head = pipeline.merge()
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    done = pipeline.step("status", SINCE="1d")
    assert done.returncode == 0, done.stderr
    assert "| sale/staff |" in pipeline.summary()
    assert pipeline.working_file("kept/smsby-status.html").read_text().startswith("<!doctype html>")
    assert "<testsuites" in pipeline.working_file("kept/smsby-status.xml").read_text()
