"""The log for machines."""

from __future__ import annotations

import io
import json

from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.clock import SystemClock
from smsby_deploy.output.json_log import JsonLog


@given(st.text())
def test_whatever_is_told_is_one_line_that_parses(text: str) -> None:
    """Line breaks, control characters and half surrogates of a file stay within their string."""
    stream = io.StringIO()
    JsonLog(stream, SystemClock()).write("info", "note", message=text)
    (line,) = stream.getvalue().encode("ascii").splitlines()
    assert list(json.loads(line)) == ["time", "level", "event", "message"]


def test_it_never_tells_a_phone_or_the_token() -> None:
    """In whatever is prose; an id keeps its digits, and what is not known is left out."""
    stream = io.StringIO()
    log = JsonLog(stream, SystemClock(), secret="secret-token")
    log.write("error", "failed", message="375291234567: secret-token", plan="c605057909123", hint=None)
    told = json.loads(stream.getvalue())
    assert told["message"] == "37529*****67: <hidden>"
    assert told["plan"] == "c605057909123"
    assert "hint" not in told
