"""Requests handed to threads, and what becomes of those that did not leave when all is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from smsby_deploy.apply.exchange import Exchange, Request, StopSending
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.signals import Sender
from smsby_deploy.clock import SystemClock
from smsby_deploy.lock.journal import read_journal
from smsby_deploy.lock.store import LockStore
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind

REF = ("sale/staff", 0)


@pytest.fixture
def store(tmp_path: Path) -> LockStore:
    return LockStore(tmp_path / "lock.json", "shop")


@pytest.fixture
def exchange(store: LockStore) -> Iterator[Exchange]:
    """Two at once, lock held; of no mailing, so nothing can be sent."""
    with store.held() as held, Sender() as sender:
        clock = SystemClock()
        recorder = Recorder(held, plan_id="p", commit=None, tool="t", clock=clock, body="json")
        recorder.begin()
        yield Exchange(recorder, sender, clock, lambda event: None, lambda chunks: None, 2)


def _send(sent: list[ChunkRef]) -> Outcome:
    sent.append(REF)
    return Outcome(OutcomeKind.ACCEPTED, uuid="u")


def test_what_is_made_when_all_is_over_does_not_leave(exchange: Exchange, store: LockStore) -> None:
    """Whoever gave up lets go of the lock: an intent behind their back would be in nobody's journal."""
    sent: list[ChunkRef] = []
    is_over = threading.Event()

    def call(chunks: Sequence[ChunkRef]) -> Callable[[], Outcome]:
        assert is_over.wait(30)
        return partial(_send, sent)

    def requests() -> Iterator[Request]:
        yield Request([REF], call)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exchange.send_all(requests())
    is_over.set()
    exchange.sender.wait()
    assert not sent
    assert [event["event"] for event in read_journal(store.journal_path)] == ["begin"]


def test_without_a_thread_it_ends(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Surely not sent, and told so: not begun again and again."""
    asked = 0

    def start(thread: threading.Thread) -> None:
        nonlocal asked
        asked += 1
        if asked > 20:
            pytest.fail("it asks for threads without end")
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    sent: list[ChunkRef] = []
    with pytest.raises(StopSending, match="not sent: the system allows no thread more"):
        exchange.send(Request([REF], lambda chunks: partial(_send, sent)))
    assert not sent
