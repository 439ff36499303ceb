"""If stdout or stderr is closed or full, the run still reports what it sent and keeps its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from smsby_deploy.exit_codes import ExitCode
from tests.e2e.conftest import Shop
from tests.e2e.forked import program
from tests.e2e.trial import Case, received, start

TWO = Case("bulk", 2, plan_file=False)
_FORMATS = {
    "status": ["text", "json", "markdown", "html", "junit", "csv"],
    "plan": ["text", "json", "markdown"],
    "apply --auto-approve": ["text", "json"],
    "validate": ["text", "json"],
}
_COMMANDS = [f"{command} --format {form}" for command, forms in _FORMATS.items() for form in forms]
_CLOSED, _FULL = ">&-", ">/dev/full"

Lost = Callable[..., subprocess.CompletedProcess[str]]


def _run(shop: Shop, words: str, redirect: str) -> subprocess.CompletedProcess[str]:
    # Python itself starts differently without a stdout.
    is_real = "&-" in redirect and words.startswith("apply")
    command = '"$0" -m smsby_deploy' if is_real else f'"{program()}"'
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} {words} {redirect}", sys.executable],
        cwd=shop.root,
        env={**os.environ, "SMSBY_API_URL": shop.url, "SMSBY_TOKEN": "secret-token"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "internal error" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.fixture(params=[_CLOSED, _FULL], ids=["closed", "full"])
def lost(request: pytest.FixtureRequest) -> Lost:
    """Run a command whose stdout is closed or full."""
    if request.param == _FULL and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    return lambda shop, words: _run(shop, words, request.param)


def test_apply_says_what_it_sent_without_stdout(shop: Shop, lost: Lost) -> None:
    """Without stdout an apply sends and records everything once, and reports its counts on stderr."""
    start(shop, TWO, "shop")
    done = lost(shop, "apply --auto-approve --report result.json")
    assert done.returncode == 1
    line = next(
        line for line in done.stderr.splitlines() if line.startswith("error: cannot write the output: ")
    )
    assert "; the result: 1 sent; 3 recipients" in line
    assert "hint: run `smsby-deploy status` to see what was sent" in done.stderr
    assert (shop.root / "result.json").exists()
    assert set(received(shop, "shop").values()) == {1}
    assert shop.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("form", ["text", "json"])
def test_apply_without_stdout_keeps_a_worse_exit_code(shop: Shop, lost: Lost, form: str) -> None:
    """A partly sent mailing is 6, even if the summary is lost, which alone would be 1."""
    start(shop, TWO, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="Server is not available")
    done = lost(shop, f"apply --auto-approve --format {form}")
    assert done.returncode == 6, done.stderr
    assert "cannot write the output" in done.stderr
    assert "; the result: 1 rejected" in done.stderr


def test_apply_without_stdout_keeps_a_refusal(shop: Shop, lost: Lost) -> None:
    """A broken guardrail is 4, even if the JSON result is lost."""
    start(shop, TWO, "shop")
    project = (shop.root / "smsby.yaml").read_text(encoding="utf-8")
    shop.write("smsby.yaml", project + "guardrails: {max_recipients: 1}\n")
    done = lost(shop, "apply --auto-approve --format json")
    assert done.returncode == 4, done.stderr
    assert "; the result: " in done.stderr
    assert not received(shop, "shop")


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_validate_without_stdout_keeps_its_exit_code(shop: Shop, lost: Lost, form: str) -> None:
    """Invalid files are 3, even if the output is lost."""
    start(shop, TWO, "shop")
    shop.write("smsby.yaml", "version: 1\nproject: shop\ncolour: red\n")
    assert lost(shop, f"validate --format {form}").returncode == 3


def test_command_without_stdout_says_so_in_every_format(shop: Shop, lost: Lost) -> None:
    """If its output is lost, a command reports one error with a hint in every format, and exits with 1."""
    start(shop, TWO, "shop")
    assert shop.run("apply", "--auto-approve").code == 0
    for words in _COMMANDS:
        done = lost(shop, words)
        assert done.returncode == 1, (words, done.stderr)
        assert "error: cannot write the output: " in done.stderr, words


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_unwritable_report_hides_no_worse_exit_code(shop: Shop) -> None:
    """A report that cannot be written is a failure, but hides neither the result nor a worse exit code."""
    start(shop, TWO, "shop", reconcile_seconds=0)
    shop.fault(method="sendBulkSms", nth=2, mode="error", status=503)
    done = shop.run("apply", "--auto-approve", "--report", "/dev/full")
    assert done.code == 6
    assert "error: cannot write the report /dev/full: No space left on device" in done.err
    assert "unknown" in done.out
    shop.run("lock", "resolve", "sale/staff", "--not-sent")
    assert shop.run("apply", "--auto-approve", "--report", "/dev/full").code == 1
    assert shop.run("apply", "--auto-approve").code == 0


def test_command_that_sends_nothing_says_nothing_of_sends(shop: Shop, lost: Lost) -> None:
    """A command that sends nothing reports only its lost output."""
    start(shop, TWO, "shop")
    done = lost(shop, "plan")
    assert done.returncode == 1
    assert "cannot write the output" in done.stderr
    assert "hint" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "plan --out smsby.yaml", "plan --out smsby.lock.json", "plan --page vip.csv", "report --out sale.yaml",
        "status --out smsby.lock.json", "recipients sale/vip --out vip.csv", "apply --auto-approve --report hi.j2",
        "apply --auto-approve --comment stop.csv", "plan --out link.json", "plan --page smsby.facts.json",
        "status --out signers.txt",
    ],
)  # fmt: skip
def test_no_output_replaces_a_file_of_the_project(shop: Shop, words: str) -> None:
    """No output may replace a project file or the lock, even under another name for the same file."""
    approvals = "approvals: {signers: signers.txt, rules: [{when: {people_over: 9}, need: 1}]}\n"
    shop.write("smsby.yaml", f"version: 1\nproject: shop\nsuppress: [stop.csv]\n{approvals}")
    shop.write("signers.txt", "anna@example.com ssh-ed25519 AAAA\n")
    shop.write("smsby.facts.json", '{"format": "smsby-facts", "version": 1, "accounts": {}}')
    mailing = "{name: vip, recipients: {file: vip.csv}, text_file: hi.j2}"
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nalphaname: 0\nmailings: [{mailing}]\n")
    shop.write("vip.csv", "phone\n375291111111\n")
    shop.write("stop.csv", "phone\n375292222222\n")
    shop.write("hi.j2", "Hi")
    assert shop.run("apply", "--auto-approve").code == 0
    (shop.root / "link.json").symlink_to("sale.yaml")
    before = {path.name: path.read_bytes() for path in shop.root.iterdir() if path.is_file()}
    refused = shop.run(*words.split())
    assert refused.code == ExitCode.WRONG_USAGE
    assert refused.err.startswith(
        f"error: {words.split()[-1]} is a file of the project and would be overwritten"
    )
    assert {path.name: path.read_bytes() for path in shop.root.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", ["smsby.lock.json", "lists/../smsby.lock.json.journal", "link.json"])
def test_no_output_replaces_the_record_of_the_first_apply(shop: Shop, name: str) -> None:
    """A report may not be written to the path of the lock, even before the first apply creates it."""
    start(shop, TWO, "shop")
    (shop.root / "link.json").symlink_to("smsby.lock.json")
    (shop.root / "lists").mkdir(exist_ok=True)
    for words in ("apply --auto-approve --report", "apply --auto-approve --comment", "plan --page"):
        refused = shop.run(*words.split(), name)
        assert refused.code == ExitCode.WRONG_USAGE
        assert "is a file of the project and would be overwritten" in refused.err
    assert not received(shop, "shop")
    assert not (shop.root / "smsby.lock.json").exists()


def test_no_output_replaces_the_plan_or_another_output(shop: Shop) -> None:
    """No output may replace the plan file, which a failed run needs again, or another output."""
    start(shop, TWO, "shop")
    assert shop.run("plan", "--out", "plan.json").code == 0
    over_plan = shop.run("apply", "plan.json", "--report", "./plan.json")
    assert over_plan.code == ExitCode.WRONG_USAGE
    assert "plan.json is a file of the project and would be overwritten" in over_plan.err
    for words in ("plan --out new.json --page ./new.json", "apply --auto-approve --report out --comment out"):
        twice = shop.run(*words.split())
        assert twice.code == ExitCode.WRONG_USAGE
        assert "cannot take two outputs" in twice.err
    assert not received(shop, "shop")
    assert shop.run("apply", "plan.json", "--report", "/dev/null", "--comment", "/dev/null").code == 0


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-", "0<&- 2>&-"])
def test_apply_without_stderr_sends_and_records_everything(shop: Shop, redirect: str) -> None:
    """An apply whose log is on a full disk, or closed, still sends and records everything."""
    if "full" in redirect and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    start(shop, TWO, "shop")
    done = _run(shop, "apply --auto-approve --report result.json", f">out.txt {redirect}")
    assert done.returncode == 0
    assert "1 sent; 3 recipients" in (shop.root / "out.txt").read_text(encoding="utf-8")
    assert set(received(shop, "shop").values()) == {1}
    assert shop.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("redirect", [">/dev/full 2>&1", ">&- 2>&-"])
def test_apply_without_any_output_keeps_its_exit_code(shop: Shop, redirect: str) -> None:
    """Without any output an unknown outcome is still exit code 6."""
    if "full" in redirect and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    start(shop, TWO, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="Server is not available")
    assert _run(shop, "apply --auto-approve", redirect).returncode == 6
    assert len(received(shop, "shop")) == 2  # of the first request; the lock has it
    assert shop.run("plan", "--detailed-exitcode").code == 2
