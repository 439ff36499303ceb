"""Requests on threads that stay: each outcome under its own number, nothing behind one that hangs, none lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from smsby_deploy.apply.worker_pool import Sender
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind


def _accepted(uuid: str) -> Outcome:
    return Outcome(OutcomeKind.ACCEPTED, uuid=uuid, message_id=None, error=None, retry_after=None)


def _waits(for_it: threading.Event, uuid: str) -> Outcome:
    assert for_it.wait(30)
    return _accepted(uuid)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Open in the end, so that no thread stays behind it."""
    opened = threading.Event()
    yield opened
    opened.set()


def test_each_outcome_comes_once_under_its_number() -> None:
    """Three in flight at a time, three hundred in all: three threads, and every answer is that of its request."""
    before = threading.active_count()
    with Sender() as sender:
        waiting: dict[int, str] = {}
        for number in range(300):
            waiting[sender.start(partial(_accepted, f"u{number}"))] = f"u{number}"
            if len(waiting) == 3:
                key, outcome = sender.wait()
                assert outcome.uuid == waiting.pop(key)
        assert threading.active_count() <= before + 3
        while waiting:
            key, outcome = sender.wait()
            assert outcome.uuid == waiting.pop(key)


def test_they_are_in_flight_together(gate: threading.Event) -> None:
    """The one that answers first is told first, whichever left first."""
    with Sender() as sender:
        slow = sender.start(partial(_waits, gate, "slow"))
        quick = sender.start(partial(_accepted, "quick"))
        assert sender.wait() == (quick, _accepted("quick"))
        gate.set()
        assert sender.wait() == (slow, _accepted("slow"))


def test_what_was_given_up_holds_up_nothing(gate: threading.Event) -> None:
    """A second signal gives up what hangs: unknown. The next request does not wait behind it, and the late answer is
    nobody else's."""
    with Sender() as sender:
        hanging = sender.start(partial(_waits, gate, "late"))
        sender.stops = 2
        key, outcome = sender.wait()
        assert (key, outcome.kind) == (hanging, OutcomeKind.UNKNOWN)
        sender.stops = 0
        assert sender.send(partial(_accepted, "next")) == _accepted("next")
        gate.set()
        for number in range(20):
            assert sender.send(partial(_accepted, f"u{number}")) == _accepted(f"u{number}")


def test_it_is_told_once_that_an_answer_is_waited_for(gate: threading.Event) -> None:
    """After the first signal, while something is on its way: else the second comes from who thinks that it hangs."""
    told: list[str] = []

    def tell() -> None:
        told.append("waits")
        gate.set()

    with Sender(tell) as sender:
        assert sender.send(partial(_accepted, "before")) == _accepted("before")
        assert not told
        sender.stops = 1
        assert sender.send(partial(_waits, gate, "slow")) == _accepted("slow")
        gate.clear()
        sender.start(partial(_waits, gate, "hangs"))
        sender.stops = 2
        assert sender.wait()[1].kind is OutcomeKind.UNKNOWN
    assert told == ["waits"]


def test_what_breaks_may_have_left() -> None:
    """Its outcome is unknown, and its thread takes the next one."""

    def breaks() -> Outcome:
        raise ZeroDivisionError

    with Sender() as sender:
        assert sender.send(breaks).kind is OutcomeKind.UNKNOWN
        assert sender.send(partial(_accepted, "next")) == _accepted("next")


def test_without_a_thread_nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system allows none it was surely not sent; where it allows a few, the others wait for these."""
    start: Callable[[threading.Thread], None] = threading.Thread.start
    allowed = [False, True, False, False]

    def start_some(thread: threading.Thread) -> None:
        if not allowed.pop(0):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    sent: list[str] = []

    def request(uuid: str) -> Outcome:
        sent.append(uuid)
        return _accepted(uuid)

    with Sender() as sender:
        assert sender.send(partial(request, "a")).kind is OutcomeKind.NOT_SENT
        keys = [sender.start(partial(request, uuid)) for uuid in "bcd"]
        assert [sender.wait() for _ in keys] == [
            (key, _accepted(uuid)) for key, uuid in zip(keys, "bcd", strict=True)
        ]
    assert sent == ["b", "c", "d"]
