"""Requests handed to threads, and what becomes of the others when something breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from smsby_deploy.apply.dispatcher import Dispatcher, Request, StopSending
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.worker_pool import Sender
from smsby_deploy.clock import SystemClock
from smsby_deploy.lock.journal import Journal, ResultNotSaved, read_journal
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, Entry
from smsby_deploy.lock.serialization import entry_document
from smsby_deploy.lock.store import LockStore
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind

_CHUNKS = tuple(ChunkRecord(str(n) * 10, 2, "d") for n in range(3))
_ENTRY = Entry(1, "c", "a", "bulk", "Shop", 7, None, 6, 6, None, _CHUNKS, AppliedBy("t", "p", None, "x"))
_ACCEPTED = Outcome(OutcomeKind.ACCEPTED, uuid="u")


@pytest.fixture
def store(tmp_path: Path) -> LockStore:
    """With a mailing of three chunks of which nothing was sent."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = Journal(store.journal_path)
    journal.append("begin", id="j", lineage="line", plan="p", at="t", commit=None, tool="x")
    journal.append("mailing", address="a/b", entry=entry_document(_ENTRY))
    journal.close()
    return store


@pytest.fixture
def exchange(store: LockStore) -> Iterator[Dispatcher]:
    """Two at once, lock held."""
    with store.held() as held, Sender() as sender:
        clock = SystemClock()
        recorder = Recorder(held, plan_id="q", commit=None, tool="x", clock=clock, body="json")
        yield Dispatcher(recorder, sender, clock, lambda event: None, lambda chunks: None, lambda: 0.0, 2)


def _request(index: int, send: Callable[[], Outcome]) -> Request:
    return Request([("a/b", index)], lambda chunks: send)


def _states(exchange: Dispatcher) -> list[str]:
    return [chunk.state.value for chunk in exchange.recorder.lock.mailings["a/b"].chunks]


def test_what_is_made_when_all_is_over_does_not_leave(exchange: Dispatcher, store: LockStore) -> None:
    """The next one could not be told while it was made: nothing leaves behind the back of who gave up."""
    exchange.recorder.begin()

    def call(chunks: Sequence[ChunkRef]) -> Callable[[], Outcome]:
        for _ in range(3000):
            if exchange._wire._is_closed:
                break
            threading.Event().wait(0.01)
        return lambda: _ACCEPTED

    def requests() -> Iterator[Request]:
        yield Request([("a/b", 0)], call)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exchange.send_all(requests())
    assert [event["event"] for event in read_journal(store.journal_path)] == ["begin"]
    assert _states(exchange) == ["pending"] * 3


def _breaks(is_told: threading.Event) -> Callable[..., None]:
    """Nobody reads what is said any more."""

    def tell(*what: object) -> None:
        is_told.set()
        raise BrokenPipeError

    return tell


def _answered_after(
    event: threading.Event, begin: Callable[[], object] = lambda: None
) -> Callable[[], Outcome]:
    """A request that does `begin` when it leaves, and is answered after `event`."""

    def send() -> Outcome:
        begin()
        assert event.wait(30)
        return _ACCEPTED

    return send


def test_what_is_on_its_way_is_recorded_whatever_breaks(exchange: Dispatcher) -> None:
    """The first answer can't be told; the second one comes after that."""
    has_left, has_broken = threading.Event(), threading.Event()
    exchange.say = _breaks(has_broken)
    second = _answered_after(has_broken, has_left.set)
    requests = [_request(0, _answered_after(has_left)), _request(1, second), _request(2, second)]
    with pytest.raises(BrokenPipeError):
        exchange.send_all(requests)
    states = _states(exchange)
    assert states[:2] == ["accepted"] * 2
    assert states[2] in ("accepted", "pending")  # it left with the first answer, if it was made by then


def test_what_is_on_its_way_is_recorded_if_a_signal_then_can_not_be_told(exchange: Dispatcher) -> None:
    """Neither the first answer can be told nor that the second is waited for."""
    has_left, has_broken, is_told = threading.Event(), threading.Event(), threading.Event()

    def begin() -> None:
        has_left.set()
        assert has_broken.wait(30)
        exchange.sender.stops = 1

    exchange.say, exchange.sender._tell_waiting = _breaks(has_broken), _breaks(is_told)
    second = _answered_after(is_told, begin)
    with pytest.raises(BrokenPipeError):
        exchange.send_all([_request(0, _answered_after(has_left)), _request(1, second)])
    assert _states(exchange) == ["accepted", "accepted", "pending"]


def test_what_can_not_be_made_has_no_intent(exchange: Dispatcher, store: LockStore) -> None:
    """Surely not sent: it is not tried again, and what is on its way is recorded."""
    has_left, is_over = threading.Event(), threading.Event()

    def call(chunks: Sequence[ChunkRef]) -> Callable[[], Outcome]:
        assert has_left.wait(30)
        is_over.set()
        raise MemoryError

    first = _request(0, _answered_after(is_over, has_left.set))
    with pytest.raises(StopSending, match="not sent: MemoryError while the request was made"):
        exchange.send_all([first, Request([("a/b", 1)], call)])
    events = [event["event"] for event in read_journal(store.journal_path)]
    assert events.count("intent") == events.count("result") == 1
    assert _states(exchange) == ["accepted", "pending", "pending"]


def test_without_a_thread_it_ends(exchange: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Surely not sent, and told so: not begun again and again."""
    asked = 0

    def start(thread: threading.Thread) -> None:
        nonlocal asked
        asked += 1
        if asked > 20:
            pytest.fail("it asks for threads without end")
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(StopSending, match="not sent: the system allows no thread more"):
        exchange.send(_request(0, lambda: _ACCEPTED))
    assert _states(exchange) == ["pending"] * 3


def test_an_answer_that_is_not_saved_comes_before_one_that_is_not_told(exchange: Dispatcher) -> None:
    """The disk is full, and what is said goes to the same disk: the error that bears the result is not lost to the other."""

    def say(event: Event) -> None:
        raise OSError("No space left on device")

    def send() -> Outcome:
        exchange.recorder._journal._broken = True
        return _ACCEPTED

    exchange.say = say
    with pytest.raises(ResultNotSaved) as caught:
        exchange.send(_request(0, send))
    assert [event["event"] for event in caught.value.events] == ["result"]


class _FastClock(SystemClock):
    """Every tenth of a second takes a millisecond."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        threading.Event().wait(0.001)


def test_nobody_waits_for_a_turn_once_all_is_over(exchange: Dispatcher) -> None:
    """The token is refused, and the next turn is to come in a hundred seconds: it does not take so long to say so."""
    clock = exchange.clock = _FastClock()
    turns = [0.0, 100.0]
    is_next_waiting = threading.Event()

    def take_turn() -> float:
        if len(turns) == 1:
            is_next_waiting.set()
        return turns.pop(0)

    def send() -> Outcome:
        assert is_next_waiting.wait(30)
        return Outcome(OutcomeKind.TOKEN_REFUSED, error="refused")

    exchange.take_turn = take_turn
    with pytest.raises(StopSending, match="refused"):
        exchange.send_all([_request(0, send), _request(1, lambda: _ACCEPTED)])
    assert clock.time < 100
    assert _states(exchange) == ["pending"] * 3
