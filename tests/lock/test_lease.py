"""Who holds a shared lock, and until when; test_shared.py has what a lease guarantees."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from smsby_deploy.clock import SystemClock
from smsby_deploy.lock import lease as lease_module
from smsby_deploy.lock.lease import (
    Holder,
    Lease,
    Stored,
    StoreFailed,
    WrittenMeanwhile,
    holder_document,
    read_holder,
)

_AT = "2026-11-02T09:00:00+00:00"


def test_read_holder_refuses_damage() -> None:
    """If the holder's note cannot be read, no run can take the lock."""
    holder = Holder("x", "apply", 1, "host", _AT, _AT)
    assert read_holder(holder_document(holder)) == holder
    assert read_holder(holder_document(None)) is None
    damaged = (replace(holder, since="yesterday"), replace(holder, renewed="2026-11-02T09:00:00"))
    for text in ("{", "[]", "{}", *map(holder_document, damaged)):
        with pytest.raises(StoreFailed):
            read_holder(text)


def test_holder_is_dead_after_its_lease() -> None:
    """A holder counts as dead only after its lease."""
    now = SystemClock().now()
    holder = Holder("x", "apply", 1, "host", _AT, now.isoformat())
    assert not holder.is_dead(now + timedelta(seconds=60))
    assert holder.is_dead(now + timedelta(seconds=61))


class _Clock(SystemClock):
    """Two clocks, of which the wall clock can be set back."""

    def __init__(self) -> None:
        self.wall = self.steady = 0.0

    def now(self) -> datetime:
        return datetime.fromisoformat(_AT) + timedelta(seconds=self.wall)

    def monotonic(self) -> float:
        return self.steady

    def sleep(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class _Store:
    """A store that accepts every write, each of which lasts `seconds`, or answers `failure`."""

    name = "memory"

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self.seconds: list[float] = []
        self.failure: Exception | None = None
        self.found: Callable[[Stored, Stored], Stored] | None = None  # its content after an answer was lost
        self.writes = 0

    def read(self) -> Stored:
        if self.found is None:
            raise StoreFailed("down")
        return self._read

    def write(self, before: Stored, after: Stored) -> Stored:
        if self.found is not None and self.failure is not None:
            self._read, failure, self.failure = self.found(before, after), self.failure, None
            raise failure
        if self.failure is not None:
            raise self.failure
        self.writes += 1
        self._clock.sleep(self.seconds.pop(0) if self.seconds else 0.0)
        return after._replace(version=str(self.writes))

    def is_over(self, holder: Holder) -> bool:
        return False


@pytest.fixture
def held() -> Iterator[tuple[Lease, _Store, _Clock]]:
    clock = _Clock()
    store = _Store(clock)
    lease = Lease(store, Stored(), Holder("x", "apply", 1, "host", _AT, _AT), clock)
    yield lease, store, clock
    lease.release()


@pytest.mark.parametrize("failure", [StoreFailed("down"), WrittenMeanwhile("other"), ValueError("odd")])
def test_lease_that_failed_once_never_writes_again(
    held: tuple[Lease, _Store, _Clock], failure: Exception
) -> None:
    """A lease that failed once never writes again, even if the store accepts writes: its content is not known."""
    lease, store, _ = held
    store.failure = failure
    with pytest.raises(StoreFailed):
        lease.write(journal=b"1")
    store.failure = None
    for _ in range(2):
        with pytest.raises(StoreFailed):
            lease.write(journal=b"2")
    assert store.writes == 1


@pytest.mark.parametrize(
    ("wall", "steady", "is_lost"), [(60, 60, False), (61, 61, True), (0, 61, True), (61, 0, True)]
)
def test_lease_ends_by_either_clock(
    held: tuple[Lease, _Store, _Clock], wall: float, steady: float, is_lost: bool
) -> None:
    """A lease ends by either clock, whether the machine slept or its clock was set, as another run may have the lock."""
    lease, store, clock = held
    clock.wall, clock.steady = wall, steady
    if is_lost:
        with pytest.raises(WrittenMeanwhile, match="did not renew its lease in time"):
            lease.write()
        assert store.writes == 1
    else:
        lease.write()
        clock.sleep(60)
        lease.write()
        assert store.writes == 3


@pytest.mark.parametrize(("seconds", "writes"), [([29.0], 1), ([30.0], 2), ([31.0, 31.0], 3)])
def test_lease_is_renewed_after_a_slow_write(
    held: tuple[Lease, _Store, _Clock], seconds: list[float], writes: int
) -> None:
    """After a slow write the lease is renewed until most of its time remains, but not without end."""
    lease, store, _ = held
    store.seconds = seconds
    lease.write(journal=b"1")
    assert store.writes == 1 + writes
    assert lease.stored.journal == b"1"
    store.seconds = [31.0] * 3
    with pytest.raises(WrittenMeanwhile):
        lease.write()


def test_renewal_that_fails_ends_silently(
    held: tuple[Lease, _Store, _Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal that fails prints no traceback; the next write of the run fails."""
    lease, store, clock = held
    lease.release()
    monkeypatch.setattr(lease_module, "RENEW_EVERY", 0.001)
    crashed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", crashed.append)
    lease = Lease(store, Stored(), Holder("x", "apply", 1, "host", _AT, _AT), clock)
    store.failure = StoreFailed("down")
    lease._renewing.join(30)
    assert not crashed
    with pytest.raises(StoreFailed, match="down"):
        lease.write()


@pytest.mark.parametrize(
    ("found", "is_lost"),
    [
        (lambda before, after: after._replace(version="new"), False),  # it accepted the write
        (lambda before, after: before, False),  # it did not
        (lambda before, after: before._replace(version="other"), True),
    ],
)
def test_lease_reads_what_a_write_without_an_answer_did(
    held: tuple[Lease, _Store, _Clock], found: Callable[[Stored, Stored], Stored], is_lost: bool
) -> None:
    """After a lost answer the lease is read, and written once more if no other run has written; else it is lost."""
    lease, store, _ = held
    store.failure, store.found = StoreFailed("no answer"), found
    if is_lost:
        with pytest.raises(StoreFailed, match="no answer"):
            lease.write(journal=b"1")
    else:
        lease.write(journal=b"1")
        assert lease.stored.journal == b"1"
        assert store.writes == 2
