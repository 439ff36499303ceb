"""From an error to a message, a hint and an exit code."""

from __future__ import annotations

import io
import json

import click
import pytest

from smsby_deploy.cli.errors import report_error
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import FilesInvalid, LockHeld, SmsbyDeployError
from smsby_deploy.output.json_log import JsonLog
from smsby_deploy.problems import Location, Problem, Severity

PROBLEM = Problem(Severity.ERROR, "PHONE", "not a phone number", "sale/vip", Location("list.csv", 3))


def test_report_error_writes_message_place_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """Three lines on stderr, and the exit code of the error's class."""
    error = LockHeld("another run holds the lock", hint="wait for it", location=Location("smsby.lock.json"))
    assert report_error(error, verbose=False) == 8
    assert capsys.readouterr().err == (
        "error: another run holds the lock\n  at smsby.lock.json\nhint: wait for it\n"
    )


def test_report_error_lists_the_problems_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Invalid files exit 3; the summary follows what it sums up."""
    assert report_error(FilesInvalid([PROBLEM]), verbose=False) == 3
    assert capsys.readouterr().err == (
        "list.csv:3:1: error PHONE sale/vip: not a phone number\nerror: 1 problem in the project's files\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (click.UsageError("no such option"), 64, "no such option"),
        (click.ClickException("failed"), 1, "failed"),
        (KeyboardInterrupt(), 1, "interrupted"),
        (FileNotFoundError(2, "No such file or directory", "plan.json"), 1, "plan.json: No such file"),
        (SystemExit(5), 5, ""),
    ],
)
def test_report_error_knows_the_errors_of_others(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """click's, the operating system's and a signal's errors get a message, too."""
    assert report_error(error, verbose=False) == code
    assert message in capsys.readouterr().err


def test_report_error_hides_an_internal_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Its text may contain a phone number; only -v shows it, in a traceback."""
    error = ValueError("375291234567")
    assert report_error(error, verbose=False) == 1
    assert capsys.readouterr().err.startswith("error: internal error: ValueError\nhint: ")
    report_error(error, verbose=True)
    assert "ValueError: 375291234567" in capsys.readouterr().err


def test_report_error_writes_events_to_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """With --log-format json stderr has no other lines."""
    stream = io.StringIO()
    log = JsonLog(stream, SystemClock())
    assert report_error(FilesInvalid([PROBLEM]), verbose=True, log=log) == 3
    assert report_error(SmsbyDeployError("failed"), verbose=True, log=log) == 1
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["problem", "failed", "failed"]
    assert [event.get("exit_code") for event in events] == [None, 3, 1]
    assert capsys.readouterr().err == ""
