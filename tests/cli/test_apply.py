"""The options of `apply` and `plan`."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from smsby_deploy.cli.apply import command as apply_command
from smsby_deploy.cli.main import run
from smsby_deploy.cli.plan import command as plan_command

_APPLY = {
    "plan_path",
    "--select",
    "--due",
    "--watch",
    "--auto-approve",
    "--format",
    "--report",
    "--comment",
    "--lock-timeout",
}
_PLAN = {"select", "--out", "--format", "--detailed-exitcode", "--compare", "--offline", "--page"}


@pytest.mark.parametrize(("command", "options"), [(apply_command, _APPLY), (plan_command, _PLAN)])
def test_no_option_of_plan_or_apply_lifts_a_guardrail(command: click.Command, options: set[str]) -> None:
    """No option of plan or apply lifts a guardrail: these options exist and no others."""
    assert {option for parameter in command.params for option in parameter.opts} == options


def test_apply_refuses_select_with_a_plan_file(capsys: pytest.CaptureFixture[str]) -> None:
    """--select is refused with a plan file, which names its mailings."""
    assert run(["apply", "plan.json", "--select", "sale/*"]) == 64
    assert "--select cannot be combined with a plan file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["apply", "approve"])
def test_plan_file_that_may_not_be_read_is_no_wrong_usage(
    command: str, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unreadable plan is exit code 5, whatever makes it unreadable."""
    (shop / "plan.json").write_text("{}", "utf-8")
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    assert run(["-C", str(shop), command, str(shop / "plan.json")]) == 5
    assert "plan.json" in capsys.readouterr().err


def test_apply_checks_the_folder_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report that cannot be written is an error before anything is sent."""
    assert run(["apply", "--report", str(tmp_path / "none/result.json")]) == 64
    assert f"cannot write the report: {tmp_path / 'none'} is not a directory" in capsys.readouterr().err


def test_plan_checks_its_file_before_it_plans(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that does not exist is wrong usage before any planning."""
    assert run(["-C", str(shop), "plan", "--offline", "--out", str(shop / "none/plan.json")]) == 64
    shown = capsys.readouterr()
    assert f"cannot write the plan: {shop / 'none'} is not a directory" in shown.err
    assert not shown.out
