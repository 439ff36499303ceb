"""How slowly an answer may arrive, and how large it may be."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from smsby_deploy.smsby import answer_limits
from smsby_deploy.smsby.answer_limits import LARGEST_ANSWER
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.transport import AnswerLost, AnswerTooLarge
from tests.smsby.conftest import FakeClock, FakeServer, Reply, keep_all

BALANCE = b'{"balance": 5}'
_GZIP = {"Content-Encoding": "gzip"}


class _Socket:
    """A socket on which each read takes `seconds` and returns `count` bytes."""

    def __init__(self, clock: FakeClock, seconds: float, count: int) -> None:
        self.clock = clock
        self.seconds = seconds
        self.count = count
        self.timeout = 30.0

    def gettimeout(self) -> float:
        return self.timeout

    def settimeout(self, seconds: float) -> None:
        self.timeout = seconds

    def readinto(self, buffer: Any) -> int:
        self.clock.seconds += min(self.seconds, self.timeout)
        return self.count


@pytest.mark.parametrize(
    ("seconds", "count", "is_fast_enough"),
    [(29, 1, False), (29, 1 << 16, True), (0.9, 1024, True), (1, 1023, False)],
)
def test_an_answer_makes_progress(clock: FakeClock, seconds: float, count: int, is_fast_enough: bool) -> None:
    """64 KB must arrive within twice the timeout, however they are divided."""
    socket: Any = _Socket(clock, seconds, count)
    received = answer_limits._BoundedBytes(socket, socket, clock)
    received.allow(1 << 30)
    buffer = bytearray(1 << 16)
    if is_fast_enough:
        assert sum(received.readinto(buffer) or 0 for _ in range(1000)) == 1000 * count
        return
    with pytest.raises(TimeoutError):
        for _ in range(1000):
            received.readinto(buffer)
    assert clock.seconds == pytest.approx(60)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (BALANCE, "identity"),
        (gzip.compress(BALANCE, mtime=0), "gzip"),
        (gzip.compress(BALANCE[:5], mtime=0) + gzip.compress(BALANCE[5:], mtime=0), "GZIP"),
        (gzip.compress(BALANCE + b" " * 500_000, mtime=0), "x-gzip"),
        (zlib.compress(BALANCE), "deflate"),
    ],
)
def test_an_answer_may_be_compressed(
    wire: FakeServer, reader: ReadClient, body: bytes, encoding: str
) -> None:
    wire.answers(Reply(200, body, {"Content-Encoding": encoding}))
    assert reader.get_balance().amount == 5
    assert wire.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(BALANCE, mtime=0)[:-9], "gzip"),
        (b"nothing like gzip", "gzip"),
        (BALANCE, "br"),
        (gzip.compress(gzip.compress(BALANCE, mtime=0), mtime=0), "gzip, gzip"),
    ],
)
def test_an_answer_that_cannot_be_decompressed_is_lost(
    wire: FakeServer, reader: ReadClient, body: bytes, encoding: str
) -> None:
    """An answer in an encoding that was not requested, which might inflate without limits, counts as lost."""
    wire.answers(*[Reply(200, body, {"Content-Encoding": encoding})] * 4)
    with pytest.raises(AnswerLost, match="decompressed"):
        reader.get_balance()


def test_a_question_with_a_large_answer_is_asked_once(wire: FakeServer, reader: ReadClient) -> None:
    """A query with an answer that is too large is not repeated, since it would be too large again."""
    wire.answers(Reply(200, gzip.compress(b" " * LARGEST_ANSWER + BALANCE, 1, mtime=0), _GZIP))
    with pytest.raises(AnswerTooLarge, match="64 MB"):
        reader.get_balance()
    assert len(wire.asked) == 1


def test_the_list_of_mailings_may_be_longer(wire: FakeServer, reader: ReadClient) -> None:
    """The list of mailings may be longer than other answers, as it has every mailing of the account."""
    listed = b'{"status": "success", "data": []}'
    wire.answers(Reply(200, gzip.compress(b" " * LARGEST_ANSWER + listed, 1, mtime=0), _GZIP))
    assert reader.get_sms_messages(keep=keep_all).count == 0
