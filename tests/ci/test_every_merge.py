"""The GitHub action if several pull requests are merged, refused, lost or cancelled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.ci.conftest import ACTION, Pipeline
from tests.e2e.campaigns import STAFF

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "git", "jq", "unzip"))), reason="needs bash, git, jq and unzip"
)
_WAITS = """\
#!/bin/bash
trap 'echo stop >>$GH_STATE/noticed; exit 1' TERM
echo started >$GH_STATE/started
read -r <$GH_STATE/never
"""
NEWS = STAFF.replace("campaign: sale", "campaign: news").replace("noon", "Monday")


def _commit(pipeline: Pipeline, name: str, text: str) -> None:
    pipeline.shop.write(name, text)
    pipeline.git("add", ".")
    pipeline.git("commit", "--quiet", "-m", f"Write {name}")


def _merge_two(pipeline: Pipeline) -> dict[str, str]:
    """Merge pull requests 7 (sale) and 8 (news) by one push, and return the environment of its `apply` job."""
    base = pipeline.git("rev-parse", "HEAD")
    pipeline.shop.write("sale.yaml", STAFF.replace("noon", "two"))
    pipeline.git("commit", "--quiet", "-am", "Reopen at two")
    first = pipeline.merge(7)
    pipeline.git("checkout", "--quiet", "-b", "news", base)
    pipeline.git("rm", "--quiet", "sale.yaml")  # its plan has no part of the other pull request
    _commit(pipeline, "news.yaml", NEWS)
    second = pipeline.merge(8)
    pipeline.git("checkout", "--quiet", first)
    pipeline.git("checkout", "--quiet", second, "--", "news.yaml")
    pipeline.git("commit", "--quiet", "-m", "Merge both")
    pipeline.git("push", "--quiet", "origin", "HEAD:main")
    pipeline.edit("compare.json", lambda _: [{"sha": second}, {"sha": first}, {"sha": first}])
    return {"GITHUB_SHA": "merge", "BEFORE": base, "GITHUB_RUN_ID": "55"}


def test_action_applies_every_merged_pull_request(pipeline: Pipeline) -> None:
    """All pull requests of a push are applied, oldest first, each with its own reviewed plan and result."""
    push = _merge_two(pipeline)
    done = pipeline.step("apply", **push)
    assert done.returncode == 0, done.stdout + done.stderr
    results = pipeline.results()
    assert "| sent | sale/staff |" in results[7]
    assert "| sent | news/staff |" in results[8]
    assert pipeline.summary().index("sale/staff | 2 |") < pipeline.summary().index("news/staff | 2 |")
    assert pipeline.step("record").returncode == 0
    assert "smsby.lock.json" in pipeline.pushed()


def test_action_runs_a_failed_job_again(pipeline: Pipeline) -> None:
    """If sms.by refuses the second pull request, a rerun of the job sends it, and not the first one again."""
    push = _merge_two(pipeline)
    body = {"error": "try later"}
    pipeline.shop.fault(method="sendBulkSms", nth=2, mode="answer", status=422, body=body)
    assert pipeline.step("apply", **push).returncode == 1
    sent, failed = (pipeline.results()[number] for number in (7, 8))
    assert "### ⛔ smsby-deploy apply: exit code 1" in failed
    assert "try later" in failed
    assert "gh run rerun 55 --failed" in failed
    pipeline.shop.clear_faults()
    assert pipeline.step("apply", **push).returncode == 0
    assert pipeline.results()[7] == sent
    assert "| sent | news/staff | 2 |" in pipeline.results()[8]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {2}


@pytest.mark.parametrize("code", [7, 8])
def test_action_goes_on_when_the_obstacle_is_gone(pipeline: Pipeline, code: int) -> None:
    """If sms.by was unreachable, or another run held the lock, nothing was sent, and the job can be rerun."""
    head = pipeline.merge()
    impatient = pipeline.state / "impatient"  # it does not wait ten minutes for the lock
    impatient.write_text(f'#!/bin/bash\nexec {pipeline.bin}/smsby-deploy "${{@/600/0}}"\n')
    impatient.chmod(0o755)
    run = {"GITHUB_SHA": head, "GITHUB_RUN_ID": "55", "SMSBY_DEPLOY": str(impatient)}
    with pipeline.obstacle(code):
        assert pipeline.step("apply", **run).returncode == code
    result = pipeline.results()[7]
    assert f"apply: exit code {code}" in result
    assert {7: "Check both", 8: "Another run held the lock"}[code] in result
    assert "gh run rerun 55 --failed" in result
    assert pipeline.shop.inbox() == {}
    assert pipeline.step("apply", **run).returncode == 0
    assert "| sent | sale/staff | 2 |" in pipeline.results()[7]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_action_reports_in_the_language_of_the_project(pipeline: Pipeline) -> None:
    """The result, and that a merged pull request has no plan, are in the project's language."""
    settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
    pipeline.shop.write("smsby.yaml", f"{settings}language: ru\n")
    pipeline.git("commit", "--quiet", "-am", "Speak Russian")
    head = pipeline.merge()
    artifacts = (pipeline.state / "artifacts.json").read_text("utf-8")
    (pipeline.state / "artifacts.json").write_text("[]")
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 5
    assert "нет файла плана no-plan.json" in pipeline.results()[7]
    assert "составьте новый план" in pipeline.results()[7]
    (pipeline.state / "artifacts.json").write_text(artifacts)
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    assert "| отправлена | sale/staff | 2 |" in pipeline.results()[7]


def test_action_reports_an_unknown_outcome(pipeline: Pipeline) -> None:
    """Code 6 says what not to do and how to settle it, and a second run neither records anything nor fails."""
    head = pipeline.merge()
    pipeline.shop.fault(method="sendBulkSms", mode="reset", when="before")
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 6
    assert "**Do not send it by other means.**" in pipeline.results()[7]
    assert "smsby-deploy lock resolve sale/staff --sent" in pipeline.results()[7]
    assert pipeline.step("record").returncode == 0
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 6
    done = pipeline.step("record")
    assert done.returncode == 0, done.stdout


def test_action_keeps_the_first_code_if_github_fails(pipeline: Pipeline) -> None:
    """An unknown outcome is not hidden if GitHub then fails to provide the plan of another pull request."""
    push = _merge_two(pipeline)
    pipeline.edit("artifacts.json", lambda known: [known[0], known[1] | {"id": "lost"}])
    pipeline.shop.fault(method="sendBulkSms", mode="reset", when="before")
    done = pipeline.step("apply", **push)
    assert (done.returncode, "Nothing more was sent" in done.stdout) == (6, True)


def test_action_applies_the_plan_of_its_own_run(pipeline: Pipeline) -> None:
    """A manually started action plans main and, once approved, applies exactly that, not later commits."""
    run = {"GITHUB_SHA": "abc", "GITHUB_RUN_ID": "55", "PLAN_FROM": "run"}
    assert pipeline.step("apply", **run).returncode == 5
    assert pipeline.step("plan").returncode == 0
    pipeline.keep_plan("55-abc", "abc")
    pipeline.shop.write("sale.yaml", STAFF.replace("noon", "two"))
    done = pipeline.step(
        "apply", **run, GITHUB_WORKFLOW_REF="shop/sms/.github/workflows/sms.yml@refs/heads/main"
    )
    assert done.returncode == 5
    assert "gh workflow run sms.yml --ref main" in pipeline.summary()
    pipeline.shop.write("sale.yaml", STAFF)
    merged = {"number": 7, "merged_at": "2026-11-07", "head": {"sha": "abc"}, "base": {"ref": "main"}}
    pipeline.edit("pulls.json", lambda pulls: pulls | {"abc": [merged]})
    assert (
        pipeline.step("apply", **run, BEFORE="0" * 40).returncode == 0
    )  # of a push: the result is in its pull requests
    assert "| sent | sale/staff | 2 |" in pipeline.results()[7]
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


def test_action_plans_offline_without_a_token(pipeline: Pipeline) -> None:
    """Without the token a pull request shows what the files say, including recipients, and no plan to apply."""
    done = pipeline.step("plan", PR_NUMBER="7", BASE="main", SMSBY_TOKEN="", OFFLINE="true")
    assert done.returncode == 0, done.stderr
    assert "Ready: 1 mailing to send" in pipeline.comments()[0]["body"]
    assert not pipeline.working_file("smsby-plan.json").exists()
    assert pipeline.shop.calls() == []


def test_action_says_what_to_do_on_a_protected_branch(pipeline: Pipeline) -> None:
    """On a protected branch the job fails and names the artifact and the shared lock; a shared lock needs no push."""
    settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
    pipeline.protect_main()
    assert pipeline.step("apply", GITHUB_SHA=pipeline.merge()).returncode == 0
    done = pipeline.step("record")
    assert done.returncode == 1
    assert "smsby-lock-root-" in done.stdout
    assert "docs/locks.md" in done.stdout
    pipeline.shop.write("smsby.yaml", settings + "lock: {git: origin}\n")
    assert pipeline.shop.run("lock", "push", "smsby.lock.json").code == 0
    _commit(pipeline, "news.yaml", NEWS)
    assert pipeline.step("apply", GITHUB_SHA=pipeline.merge(8)).returncode == 0
    assert pipeline.step("record").returncode == 0
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {2}


def test_action_fails_if_it_sent_and_has_nothing_to_commit(pipeline: Pipeline) -> None:
    """An ignored lock is committed even so, and a lock that did not change after a send fails the job."""
    _commit(pipeline, ".gitignore", "*.json\n")
    assert pipeline.step("apply", GITHUB_SHA=pipeline.merge()).returncode == 0
    assert pipeline.step("record").returncode == 0
    assert "smsby.lock.json" in pipeline.pushed()
    done = pipeline.step("record")  # the result still says that something was sent
    assert (done.returncode, "::error" in done.stdout) == (1, True)


def test_action_keeps_two_projects_apart(pipeline: Pipeline) -> None:
    """Plans, comments, results and locks of two projects in one repository stay separate."""
    for project, campaign in (("shops/a", STAFF), ("shops/b", NEWS)):
        settings = (pipeline.shop.root / "smsby.yaml").read_text("utf-8")
        pipeline.shop.write(f"{project}/smsby.yaml", settings.replace("shop", f"shop-{project[-1]}"))
        _commit(pipeline, f"{project}/some.yaml", campaign)
    heads = {pipeline.merge(7, project) for project in ("shops/a", "shops/b/")}
    (head,) = heads
    for project in ("./shops/a", "shops/b"):
        done = pipeline.step("apply", GITHUB_SHA=head, SMSBY_PROJECT=project)
        assert done.returncode == 0, done.stdout + done.stderr
        assert pipeline.step("record", SMSBY_PROJECT=project).returncode == 0
    assert {"shops/a/smsby.lock.json", "shops/b/smsby.lock.json"} <= set(pipeline.pushed())
    assert len(pipeline.comments()) == 4
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {2}


def test_action_catches_up(pipeline: Pipeline) -> None:
    """After a cancelled run the scheduled job fails and says so, and a manually started run sends the mailing."""
    assert pipeline.step("catch-up").returncode == 0
    assert pipeline.step("record").returncode == 0
    done = pipeline.step("unsent")
    assert (done.returncode, "::warning" in done.stdout) == (2, True)
    assert "sale/staff" in pipeline.summary()
    assert "gh workflow run" in pipeline.summary()
    assert pipeline.outputs().splitlines()[-1] == "exit-code=2"
    assert pipeline.shop.inbox() == {}
    assert pipeline.step("plan").returncode == 0
    pipeline.keep_plan("55-abc", "abc")
    run = {"GITHUB_SHA": "abc", "GITHUB_RUN_ID": "55", "PLAN_FROM": "run"}
    assert [pipeline.step(name, **run).returncode for name in ("apply", "record", "catch-up", "unsent")] == [
        0
    ] * 4


def test_action_goes_on_after_a_lost_runner(pipeline: Pipeline) -> None:
    """If the lock was lost with the runner nothing is sent again, and a manual run records what sms.by has."""
    head = pipeline.merge()
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 0
    (pipeline.shop.root / "smsby.lock.json").unlink()
    assert pipeline.step("apply", GITHUB_SHA=head).returncode == 5
    assert pipeline.step("plan").returncode == 0
    pipeline.keep_plan("55-abc", "abc")
    assert pipeline.step("apply", GITHUB_SHA="abc", GITHUB_RUN_ID="55", PLAN_FROM="run").returncode == 0
    assert pipeline.step("record").returncode == 0
    assert "smsby.lock.json" in pipeline.pushed()
    assert {len(messages) for messages in pipeline.shop.inbox().values()} == {1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_action_passes_a_cancellation_on(pipeline: Pipeline, number: int) -> None:
    """If the runner cancels only the script, the command gets the signal, ends by itself, and no other plan is applied."""
    push = _merge_two(pipeline)
    (pipeline.bin / "smsby-deploy").write_text(_WAITS)
    os.mkfifo(pipeline.state / "never")
    os.mkfifo(pipeline.state / "started")
    run = subprocess.Popen(
        ["bash", str(ACTION / "run.sh"), "apply"],
        cwd=pipeline.shop.root,
        env={**os.environ, **pipeline.env, **push},
        stdout=subprocess.DEVNULL,
    )
    assert (pipeline.state / "started").read_text() == "started\n"
    run.send_signal(number)
    assert run.wait(timeout=60) == 1
    assert (pipeline.state / "noticed").read_text() == "stop\n"


def test_action_installs_what_its_commit_names(pipeline: Pipeline) -> None:
    """pip installs only packages with the hashes next to the action."""
    _, pips = pipeline.fake_installation()
    action = pipeline.tool / ".github/actions/smsby-deploy"
    action.mkdir(parents=True)
    done = pipeline.step("install", GITHUB_ACTION_PATH=str(action), EXTRAS="sql,s3")
    assert done.returncode == 0, done.stderr
    pipeline.check_installation(pips(), "sql", "s3")


def test_action_uses_nothing_of_the_checkout_to_install(pipeline: Pipeline) -> None:
    """Neither a module venv.py nor a hook of the checkout is run."""
    for name in ("venv.py", "pip.py"):
        pipeline.shop.write(name, "open('run', 'w')\n")
    hook = pipeline.shop.root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\ntouch run\n")
    hook.chmod(0o755)
    python = pipeline.bin / "python3"
    python.write_text(f'#!/bin/bash\nexec {sys.executable} "$@" --without-pip\n')  # pip would take seconds
    python.chmod(0o755)
    done = pipeline.step("install", GITHUB_ACTION_PATH=str(ACTION))
    assert "name=root" in pipeline.outputs()
    assert "No module named pip" in done.stderr  # so the checkout's pip.py was not used
    python.unlink()
    pipeline.shop.write("smsby.lock.json", "{}")
    pipeline.step("record")
    assert not (pipeline.shop.root / "run").exists()
