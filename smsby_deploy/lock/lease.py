"""The exclusive right of one run to write to a shared lock; the interface of stores.

A store accepts a write only if it still has the version that the writer knows. A lease that was not renewed in time, or
whose write failed, is lost: nothing is ever written with it again.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple, Protocol

from smsby_deploy.clock import Clock
from smsby_deploy.wording import time_text

RENEW_EVERY = 10.0  # seconds
LEASE = timedelta(seconds=60)
_SLOW = 30.0  # seconds: a write that took longer may have outlived its lease
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that holds a shared lock; `id` is its id, `since` and `renewed` are ISO times."""

    id: str
    command: str
    pid: int
    host: str
    since: str
    renewed: str

    def describe(self, zone: tzinfo) -> str:
        """Return its command, process and host, and since when it has held the lock."""
        since = time_text(datetime.fromisoformat(self.since).astimezone(zone), has_seconds=True)
        return f"{self.command}, process {self.pid} on {self.host}, since {since}"

    def is_dead(self, now: datetime) -> bool:
        """Whether it has not renewed its lease in time."""
        return now - datetime.fromisoformat(self.renewed) > LEASE


class Stored(NamedTuple):
    """The content of a store for one lock.

    `version` changes with every write and is empty before the first. `lock` is None before the first apply. `journal` and
    `archive` are lines.
    """

    version: str = ""
    holder: Holder | None = None
    lock: bytes | None = None
    journal: bytes = b""
    archive: bytes = b""


class StoreFailed(OSError):
    """A store rejected a write, or cannot be read; `remedy` is what the user can do about it."""

    remedy = "check the network and the permissions of this run"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.strerror = why


class WrittenMeanwhile(StoreFailed):
    """Another run wrote, or may have written, to the lock since it was read."""

    remedy = "wait until no other run holds the lock"


class SharedStore(Protocol):
    """Where shared locks are kept; one object is one lock."""

    name: str  # for users

    def read(self) -> Stored:
        """Return the current content.

        Raises:
            StoreFailed: it cannot be reached or read.
        """
        ...

    def write(self, before: Stored, after: Stored) -> Stored:
        """Replace `before`, which it must still have, by `after`; return that with its version.

        Raises:
            WrittenMeanwhile: its version is not that of `before`.
            StoreFailed: it is uncertain whether the write succeeded.
        """
        ...

    def is_over(self, holder: Holder) -> bool:
        """Whether it knows that the run of `holder` ended without a release."""
        ...


def holder_document(holder: Holder | None) -> str:
    """Return a holder as JSON; empty if there is none."""
    return "" if holder is None else json.dumps(asdict(holder))


def read_holder(text: str) -> Holder | None:
    """Return what `holder_document` wrote.

    Raises:
        StoreFailed: it is something else.
    """
    if not text:
        return None
    try:
        holder = Holder(**json.loads(text))
        for time in (holder.since, holder.renewed):
            if datetime.fromisoformat(time).tzinfo is None:
                raise ValueError("a time without its zone")
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreFailed("its record of the lock holder is damaged") from error
    return holder


class Lease:
    """The right of this run to write to a shared lock, renewed until it is released."""

    def __init__(self, store: SharedStore, stored: Stored, holder: Holder, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._lost: StoreFailed | None = None
        self._renewed_at = clock.monotonic()
        self.stored = _write_surely(store, stored, stored._replace(holder=holder))
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()

    def write(self, **changes: Any) -> None:
        """Write changed fields of `Stored`, which also renews the lease.

        Raises:
            StoreFailed: the write failed; the lease is then lost, and nothing is ever written again.
        """
        with self._mutex:
            if self._lost is not None:
                raise self._lost
            try:
                self._write(changes)
            except StoreFailed as error:
                self._lost = error
                raise
            except Exception as error:  # from a library: the content of the store is now unknown
                self._lost = StoreFailed(type(error).__name__)
                raise self._lost from error

    def _write(self, changes: dict[str, Any]) -> None:
        """Write, repeatedly if slow, until the lease has most of its time left."""
        for _ in range(_TRIES):
            assert self.stored.holder is not None
            now = self._clock.monotonic()
            is_late = now - self._renewed_at > LEASE.total_seconds()  # even if the clock was set back
            if is_late or self.stored.holder.is_dead(self._clock.now()):
                break
            holder = replace(self.stored.holder, renewed=iso_time(self._clock))
            after = self.stored._replace(**{"holder": holder, **changes})
            self.stored = _write_surely(self._store, self.stored, after)
            self._renewed_at = now
            if self.stored.holder is None or self._clock.monotonic() - now < _SLOW:
                return
        raise WrittenMeanwhile("this run did not renew its lease in time")

    def release(self) -> None:
        """Let other runs take the lock.

        A lost lease belongs to another run, or expires.
        """
        self._ended.set()
        self._renewing.join()
        with contextlib.suppress(StoreFailed):
            self.write(holder=None)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_EVERY):
            try:
                self.write()
            except StoreFailed:
                return  # the next line of the journal fails, so nothing more is sent


def _write_surely(store: SharedStore, before: Stored, after: Stored) -> Stored:
    """Write to the store; if that fails, read it, because only the answer may have been lost.

    If no other run has written, write once more, even what was written: the session that was lost may have kept others out.
    Raises as the first write.
    """
    try:
        return store.write(before, after)
    except WrittenMeanwhile:
        raise
    except StoreFailed:
        with contextlib.suppress(StoreFailed):
            found = store.read()
            if found.version == before.version or found._replace(version="") == after._replace(version=""):
                return store.write(found, after)
        raise


def iso_time(clock: Clock) -> str:
    """Return the current time in the format of a lease."""
    return clock.now().isoformat(timespec="seconds")
