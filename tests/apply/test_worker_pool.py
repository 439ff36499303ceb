"""The worker pool: each outcome has its own number, a hanging call delays no other, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from smsby_deploy.apply.shutdown import ShutdownSignal
from smsby_deploy.apply.worker_pool import NO_THREADS, WorkerPool
from smsby_deploy.clock import SystemClock
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind


def _accepted(uuid: str) -> Outcome:
    return Outcome(OutcomeKind.ACCEPTED, uuid=uuid)


def _waits(for_it: threading.Event, uuid: str) -> Outcome:
    assert for_it.wait(30)
    return _accepted(uuid)


def _wait(pool: WorkerPool) -> tuple[int, Outcome]:
    """Return the next outcome, however long it takes."""
    for _ in range(300):
        if (answer := pool.wait(0.1)) is not None:
            return answer
    raise AssertionError("no outcome came")


def _submit(pool: WorkerPool, call: Callable[[], Outcome]) -> int:
    assert pool.has_idle_thread()
    return pool.submit(call)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """A gate that is opened at the end, so that no thread is left waiting."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def shutdown() -> ShutdownSignal:
    return ShutdownSignal(SystemClock())


@pytest.fixture
def pool(shutdown: ShutdownSignal) -> Iterator[WorkerPool]:
    made = WorkerPool(shutdown)
    yield made
    made.close()


def test_worker_pool_returns_each_outcome_under_its_number(pool: WorkerPool) -> None:
    """With three threads for three hundred calls, every outcome has the number of its call."""
    before = threading.active_count()
    waiting: dict[int, str] = {}
    for number in range(300):
        waiting[_submit(pool, partial(_accepted, f"u{number}"))] = f"u{number}"
        if len(waiting) == 3:
            key, outcome = _wait(pool)
            assert outcome.uuid == waiting.pop(key)
    assert threading.active_count() <= before + 3
    while waiting:
        key, outcome = _wait(pool)
        assert outcome.uuid == waiting.pop(key)


def test_worker_pool_wakes_without_losing_an_answer(pool: WorkerPool) -> None:
    """A wake ends a wait early, and no outcome is lost by it."""
    pool.wake()
    pool.pause(30)
    pool.wake()
    number = _submit(pool, partial(_accepted, "u"))
    assert pool.wait(30) is None
    pool.wake()
    assert _wait(pool) == (number, _accepted("u"))
    done = threading.Event()
    pool.wake()
    _submit(pool, lambda: done.set() or _accepted("v"))  # type: ignore[func-returns-value]
    assert done.wait(30)
    for _ in range(10_000):
        if (answer := pool.wait(0)) is not None:
            break
    assert answer is not None


def test_worker_pool_returns_the_first_answer_first(pool: WorkerPool, gate: threading.Event) -> None:
    """Of two calls in flight, the outcome of the one that ends first is returned first."""
    slow = _submit(pool, partial(_waits, gate, "slow"))
    quick = _submit(pool, partial(_accepted, "quick"))
    assert _wait(pool) == (quick, _accepted("quick"))
    assert pool.wait(0) is None
    gate.set()
    assert _wait(pool) == (slow, _accepted("slow"))


def test_worker_pool_waits_behind_no_abandoned_call(
    pool: WorkerPool, shutdown: ShutdownSignal, gate: threading.Event
) -> None:
    """A call that a second signal abandons is unknown, and delays no later call; its late answer is dropped.
    answer is not taken for another's."""
    hanging = _submit(pool, partial(_waits, gate, "late"))
    shutdown.count = 2
    key, outcome = _wait(pool)
    assert (key, outcome.kind) == (hanging, OutcomeKind.UNKNOWN)
    shutdown.count = 0
    assert pool.run(partial(_accepted, "next")) == _accepted("next")
    gate.set()
    for number in range(20):
        assert pool.run(partial(_accepted, f"u{number}")) == _accepted(f"u{number}")


def test_worker_pool_returns_received_answers_after_signals(
    pool: WorkerPool, shutdown: ShutdownSignal
) -> None:
    """An answer that was received is returned even after a second signal."""
    answered = threading.Event()

    def call() -> Outcome:
        answered.set()
        return _accepted("received")

    _submit(pool, call)
    assert answered.wait(30)
    shutdown.count = 2
    assert _wait(pool)[1] == _accepted("received")


def test_worker_pool_announces_a_shutdown_once(shutdown: ShutdownSignal, gate: threading.Event) -> None:
    """A shutdown is announced once, after the first signal, while an answer is awaited."""
    announced: list[str] = []

    def announce() -> None:
        announced.append("waiting")
        gate.set()

    pool = WorkerPool(shutdown, announce)
    assert pool.run(partial(_accepted, "before")) == _accepted("before")
    assert not announced
    shutdown.count = 1
    assert pool.run(partial(_waits, gate, "slow")) == _accepted("slow")
    gate.clear()
    _submit(pool, partial(_waits, gate, "hangs"))
    shutdown.count = 2
    assert _wait(pool)[1].kind is OutcomeKind.UNKNOWN
    assert announced == ["waiting"]
    pool.close()


def test_worker_pool_calls_unknown_what_breaks(pool: WorkerPool) -> None:
    """A call that raises is unknown, since it may have sent its request, and its thread takes the next one."""

    def breaks() -> Outcome:
        raise ZeroDivisionError

    assert pool.run(breaks).kind is OutcomeKind.UNKNOWN
    assert pool.run(partial(_accepted, "next")) == _accepted("next")


def test_worker_pool_without_threads_sends_nothing(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system allows no thread nothing is sent; if it allows one, there is room for one call."""
    start: Callable[[threading.Thread], None] = threading.Thread.start
    allowed = [False, True, False]

    def start_some(thread: threading.Thread) -> None:
        if not allowed.pop(0):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    outcome = pool.run(partial(_accepted, "a"))
    assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, NO_THREADS)
    number = _submit(pool, partial(_accepted, "b"))
    assert not pool.has_idle_thread()
    assert _wait(pool) == (number, _accepted("b"))
    assert pool.has_idle_thread()
