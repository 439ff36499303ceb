"""The log of --log-format json."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.apply.apply_result import MailingOutcome, MailingResult
from smsby_deploy.apply.context import Event
from smsby_deploy.cli.options import open_log
from smsby_deploy.clock import SystemClock
from smsby_deploy.output.json_log import JsonLog, log_apply, log_event
from tests.output import examples


@given(st.text())
def test_write_is_one_line_that_parses(text: str) -> None:
    """An event is one line, whose line breaks, control characters and lone surrogates stay inside strings."""
    stream = io.StringIO()
    JsonLog(stream, SystemClock()).write("info", "note", message=text)
    (line,) = stream.getvalue().encode("ascii").splitlines()
    assert list(json.loads(line)) == ["time", "level", "event", "message"]


def test_write_masks_phones_and_hides_the_token() -> None:
    """Phones and the token are hidden in prose; an id keeps its digits, and a fact that is None is left out."""
    stream = io.StringIO()
    log = JsonLog(stream, SystemClock(), secrets=("secret-token",))
    log.write("error", "failed", message="375291234567: secret-token", plan="c605057909123", hint=None)
    written = json.loads(stream.getvalue())
    assert written["message"] == "37529*****67: <hidden>"
    assert written["plan"] == "c605057909123"
    assert "hint" not in written


def test_log_hides_the_token_of_every_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even before the project is read, the token that `token_env` names is hidden."""
    tokens = {"SMSBY_TOKEN": "first-token", "SMSBY_STAGING_TOKEN": "first-token-of-staging", "A_TOKEN": "abc"}
    for name, token in tokens.items():
        monkeypatch.setenv(name, token)
    open_log().write("error", "failed", message="first-token first-token-of-staging abc")
    assert json.loads(capsys.readouterr().err)["message"] == "<hidden> <hidden> abc"


def test_quiet_log_has_only_warnings_and_errors() -> None:
    """With -q the log has only warnings and errors, like the text."""
    stream = io.StringIO()
    log = JsonLog(stream, SystemClock(), is_quiet=True)
    for level in ("info", "warning", "error"):
        log.write(level, "note")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == ["warning", "error"]


def test_log_apply_ends_with_the_exit_code() -> None:
    """Each mailing is an event, a warning if it has an error, and the last event has the exit code."""
    stream = io.StringIO()
    result = examples.apply_result(
        MailingResult("sale/vip", MailingOutcome.SENT, 4),
        MailingResult("sale/bad", MailingOutcome.REJECTED, 4, error="No such alphaname", concerned=3),
    )
    log_apply(JsonLog(stream, SystemClock()), result)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(event["level"], event.get("outcome")) for event in events] == [
        ("info", "sent"),
        ("warning", "rejected"),
        ("info", None),
    ]
    assert events[-1]["exit_code"] == 0
    assert [event["people"] for event in events[:-1]] == [4, 3]  # the recipients with this outcome


def test_log_event_names_one_or_all_addresses() -> None:
    """A request has `address` for one mailing, and `addresses` for several."""
    stream = io.StringIO()
    log = JsonLog(stream, SystemClock())
    log_event(log, Event("request", "accepted   2 recipients", ("sale/a",), 2, "accepted"))
    log_event(log, Event("request", "unknown", ("sale/a", "sale/b"), 2, "unknown", is_warning=True))
    one, two = map(json.loads, stream.getvalue().splitlines())
    assert (one["address"], one["message"], "addresses" in one) == ("sale/a", "accepted 2 recipients", False)
    assert (two["addresses"], two["level"], "address" in two) == (["sale/a", "sale/b"], "warning", False)
