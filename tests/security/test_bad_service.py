"""A hostile service, or anyone between it and the runner, can neither keep a run busy forever nor fill its memory."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.smsby.transport import ReadTransport
from tests.smsby.conftest import TOKEN, FakeClock, FakeServer, MakeSender, Reply

_ACCEPTED = b'{"uuid": "cc9c8043", "success": "OK"}'
_GZIP = {"Content-Encoding": "gzip"}
_BOMB = gzip.compress(_ACCEPTED + b" " * (65 << 20), 1)
_DRIPPED = [
    pytest.param(Reply(200, _ACCEPTED + b" " * 500, drip=0.02), id="body"),
    pytest.param(Reply(200, _ACCEPTED, {"X-Slow": "x" * 500}, drip=0.02), id="headers"),
]


@pytest.fixture
def clock() -> FakeClock:
    """A clock on which waiting for bytes takes real time, and pauses take none."""
    made = FakeClock()
    made.monotonic = time.monotonic  # type: ignore[method-assign]  # noqa: TID251
    return made


def _send(sender: SendClient) -> Outcome:
    message = {"name": "n", "alphaname_id": "7", "delivery_list": ["375291111111"]}
    return sender.prepare_bulk_sms([json.dumps(message).encode()])()


@pytest.mark.parametrize("reply", _DRIPPED)
def test_send_whose_answer_drips(wire: FakeServer, make_sender: MakeSender, reply: Reply) -> None:
    """A send whose answer drips is unknown after twice the timeout, like any lost answer, and is not repeated."""
    wire.answers(reply)
    outcome = _send(make_sender(timeout=0.1))
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.error is not None and "timed out" in outcome.error
    assert len(wire.asked) == 1


@pytest.mark.parametrize("reply", _DRIPPED)
def test_question_whose_answer_drips(wire: FakeServer, clock: FakeClock, reply: Reply) -> None:
    """A query whose answer drips is repeated at most three times."""
    wire.answers(*[reply] * 5)
    asker = ReadClient(
        ReadTransport(wire.url, TOKEN, timeout=0.1, requests_per_second=1e6, body="json", clock=clock)
    )
    with pytest.raises(SmsbyUnavailable, match="timed out"):
        asker.get_balance()
    assert len(wire.asked) == 3


def test_send_whose_answer_inflates(wire: FakeServer, sender: SendClient) -> None:
    """A send whose answer inflates is unknown, even if it begins with a proof."""
    wire.answers(Reply(200, _BOMB, _GZIP))
    outcome = _send(sender)
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.error is not None and "64 MB" in outcome.error
    assert len(wire.asked) == 1


def _inflating_list(name: str, *, is_list: bool = True, rows: int = 700) -> Reply:
    """Return a list of mailings, or a map of them, of so many times 100 KB."""
    row = json.dumps({"id": 1, "name": name, "text": "x" * 100_000})
    parts = [row if is_list else f'"{number}": {row}' for number in range(rows)]
    brackets = "[]" if is_list else "{}"
    body = f'{{"status": "success", "data": {brackets[0]}{", ".join(parts)}{brackets[1]}}}'
    return Reply(200, gzip.compress(body.encode(), 1), _GZIP)


def test_list_whose_answer_inflates(wire: FakeServer, reader: ReadClient) -> None:
    """A list that inflates with other mailings takes only a few times the memory of the longest of them."""
    wire.answers(_inflating_list("Newsletter"))
    tracemalloc.start()
    try:
        listed = reader.get_sms_messages(keep=lambda number, name: " shop#" in name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (listed.count, listed.mailings) == (700, ())
    assert peak < 5_000_000


@pytest.mark.parametrize(("name", "is_list"), [("a/b shop#0123456789", True), ("Newsletter", False)])
def test_list_that_would_have_to_be_held(
    wire: FakeServer, reader: ReadClient, name: str, is_list: bool
) -> None:
    """A list with only names like ours, or in an unknown form, is limited like any answer."""
    wire.answers(_inflating_list(name, is_list=is_list))
    with pytest.raises(SmsbyUnavailable, match="64 MB"):
        reader.get_sms_messages(keep=lambda number, name: " shop#" in name)
    assert len(wire.asked) == 1


def test_list_without_end(wire: FakeServer, reader: ReadClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list without end is limited, however little of it is kept."""
    monkeypatch.setattr("smsby_deploy.smsby.transport.LARGEST_LIST", 2 << 20)
    wire.answers(_inflating_list("Newsletter", rows=30))
    with pytest.raises(SmsbyUnavailable, match="2 MB"):
        reader.get_sms_messages(keep=lambda number, name: False)


def test_redirect_whose_body_inflates(wire: FakeServer, reader: ReadClient) -> None:
    """The body of a redirect, which is not followed, is limited, too."""
    wire.answers(Reply(302, _BOMB, {**_GZIP, "Location": "/elsewhere"}))
    with pytest.raises(SmsbyUnavailable, match="64 MB"):
        reader.get_balance()
    assert len(wire.asked) == 1


def test_interim_answers_without_end(wire: FakeServer, sender: SendClient) -> None:
    """All headers together have at most 1 MB, including any number of `100 Continue`."""
    interim = "HTTP/1.1 100 Continue\r\n\r\n" * 60_000
    wire.answers(Reply(100, _ACCEPTED, {"X": f"1\r\n\r\n{interim}HTTP/1.1 200 OK\r\nY: 1"}))
    assert _send(sender).kind is OutcomeKind.UNKNOWN


def test_command_against_such_a_service(wire: FakeServer, tmp_path: Path) -> None:
    """The command reports such an answer and ends, with less memory than the answer would fill."""
    (tmp_path / "smsby.yaml").write_text("version: 1\nproject: shop\n", "utf-8")
    wire.answers(*[Reply(200, _BOMB, _GZIP)] * 4)
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy", "api", "getBalance"],
        cwd=tmp_path,
        env={**os.environ, "SMSBY_TOKEN": TOKEN, "SMSBY_API_URL": wire.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7
    assert "it holds more than 64 MB" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(wire.asked) == 1
