"""A lock that several machines share: a store has the truth, and the run that holds it works on a copy.

The copy is a lock file in a private folder. Each line of its journal, and each new version of the lock, is in the store
before the run goes on. A store takes a write only if it is still what the writer knows, so a run that lost the lock can
record nothing, and what cannot be recorded is not sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from smsby_deploy.clock import Clock
from smsby_deploy.errors import LockHeld, SmsbyDeployError
from smsby_deploy.fault_points import fault_point
from smsby_deploy.files import write_file
from smsby_deploy.lock.archive import Rekey
from smsby_deploy.lock.journal import Journal
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.store import LockStore, RunningApply

RENEW_EVERY = 10.0  # seconds
LEASE = timedelta(seconds=60)
_ASK_EVERY = 1.0  # seconds, while another run holds the lock


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that holds a shared lock; `id` is its own, `since` and `renewed` are ISO times."""

    id: str
    command: str
    pid: int
    host: str
    since: str
    renewed: str

    def __str__(self) -> str:
        return f"{self.command}, process {self.pid} on {self.host}, since {self.since}"

    def is_dead(self, now: datetime) -> bool:
        """Whether it has not renewed its lease in time."""
        return now - datetime.fromisoformat(self.renewed) > LEASE


class Stored(NamedTuple):
    """What a store has of one lock.

    `version` is another one after every write; it is empty before the first. `lock` is None before the first apply.
    `journal` and `archive` are lines.
    """

    version: str = ""
    holder: Holder | None = None
    lock: bytes | None = None
    journal: bytes = b""
    archive: bytes = b""


class StoreFailed(OSError):
    """A store did not take a write, or cannot be read."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.strerror = why


class WrittenMeanwhile(StoreFailed):
    """Another run wrote to the lock since it was read."""


class SharedStore(Protocol):
    """Where shared locks are kept; one object is one lock."""

    name: str  # for users

    def read(self) -> Stored:
        """Return what it has now.

        Raises:
            StoreFailed: it cannot be reached or read.
        """
        ...

    def write(self, before: Stored, after: Stored) -> Stored:
        """Replace `before`, which it must still have, by `after`; return that with its version.

        Raises:
            WrittenMeanwhile: it has another version than that of `before`.
            StoreFailed: it is not certain that it took the write.
        """
        ...

    def is_over(self, holder: Holder) -> bool:
        """Whether it knows that the run of `holder` has ended without a release."""
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
        datetime.fromisoformat(holder.since)
        datetime.fromisoformat(holder.renewed)
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreFailed("its note on who holds the lock is damaged") from error
    return holder


class Lease:
    """The right of this run to write to a shared lock, renewed until it is released."""

    def __init__(self, store: SharedStore, stored: Stored, holder: Holder, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._lost: StoreFailed | None = None
        self.stored = store.write(stored, stored._replace(holder=holder))
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()

    def write(self, **changes: Any) -> None:
        """Write changed fields of `Stored`, which also renews the lease.

        Raises:
            StoreFailed: it was not taken; the lease is lost then, and nothing is ever written again.
        """
        with self._mutex:
            if self._lost is not None:
                raise self._lost
            assert self.stored.holder is not None
            if self.stored.holder.is_dead(self._clock.now()):
                self._lost = WrittenMeanwhile("this run did not renew its lease in time")
                raise self._lost
            holder = replace(self.stored.holder, renewed=_time(self._clock))
            try:
                self.stored = self._store.write(
                    self.stored, self.stored._replace(**{"holder": holder, **changes})
                )
            except StoreFailed as error:
                self._lost = error
                raise

    def release(self) -> None:
        """Let other runs hold the lock.

        A lease that was lost belongs to another run, or ends by itself.
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


class SharedLockStore(LockStore):
    """A lock in a shared store, whose copy at `path` is used while this run holds it."""

    def __init__(
        self, path: Path, project: str, environment: str, *, shared: SharedStore, clock: Clock
    ) -> None:
        super().__init__(path, project, environment)
        self._shared = shared
        self._clock = clock
        self._lease: Lease | None = None

    def read(self) -> Lock:
        if self._lease is not None:
            return super().read()
        return self._read_stored(self._read_shared())

    def read_running(self) -> RunningApply | None:
        stored = self._read_shared()
        with self._explained("read"):
            if stored.holder is None or self._is_dead(stored.holder):
                return None
        before, after = self._read_stored(stored._replace(journal=b"")), self._read_stored(stored)
        begun = {a for a, entry in after.mailings.items() if entry != before.mailings.get(a)}
        return RunningApply(str(stored.holder), frozenset(begun))

    def replace(self, lock: Lock) -> None:
        """Write `lock` to the copy and to the store, where the journal goes with it."""
        super().replace(lock)
        fault_point("shared.before-write")
        self._write(lock=self.path.read_bytes(), journal=b"")
        fault_point("shared.after-write")

    def append_to_archive(self, lock: Lock, addresses: Collection[str], at: str) -> int:
        count = super().append_to_archive(lock, addresses, at)
        self._write_archive()
        return count

    def rekey_archive(self, lock: Lock, rekey: Rekey, key_id: str | None) -> None:
        super().rekey_archive(lock, rekey, key_id)
        self._write_archive()

    def put_archive(self, content: bytes) -> None:
        super().put_archive(content)
        self._write_archive()

    def _write_archive(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._write(archive=self.archive_path.read_bytes())

    def new_journal(self) -> Journal:
        return Journal(self.journal_path, self._mirror)

    def _mirror(self, lines: bytes) -> None:
        """Write new lines of the journal to the store; raises StoreFailed."""
        assert self._lease is not None
        fault_point("shared.before-mirror")
        self._lease.write(journal=self._lease.stored.journal + lines)
        fault_point("shared.after-mirror")

    def _write(self, **changes: Any) -> None:
        assert self._lease is not None
        try:
            self._lease.write(**changes)
        except StoreFailed as error:
            raise SmsbyDeployError(
                f"cannot write the lock to {self._shared.name}: {error.strerror}",
                hint="nothing is lost: the journal there has it all, and the next command folds it in",
            ) from error

    def _read_shared(self) -> Stored:
        with self._explained("read"):
            return self._shared.read()

    @contextlib.contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        """Raise a failure of the store as an error for users."""
        try:
            yield
        except StoreFailed as error:
            raise SmsbyDeployError(
                f"cannot {verb} the lock in {self._shared.name}: {error.strerror}",
                hint="check the network and the permissions of this run, then run the command again",
            ) from error

    def _read_stored(self, stored: Stored) -> Lock:
        """Return the lock with its journal folded in, as the file store reads them."""
        with TemporaryDirectory(prefix="smsby-lock-") as folder:
            copy = LockStore(Path(folder) / self.path.name, self.project, self.environment)
            _put(stored, copy)
            return replace(copy.read(), archive=stored.archive)

    @contextlib.contextmanager
    def _alone(self, timeout: float, command: str) -> Iterator[None]:
        with super()._alone(timeout, command):
            self._lease = self._take(timeout, command)
            try:
                _put(_with_longer_journal(self._lease.stored, self.journal_path), self)
                yield
            finally:
                self._lease.release()
                self._lease = None

    def _take(self, timeout: float, command: str) -> Lease:
        """Return the lease once no living run has it; raises as `held`."""
        deadline = self._clock.monotonic() + timeout
        while True:
            with self._explained("take"):
                stored = self._shared.read()
                if (
                    stored.holder is None
                    or self._is_dead(stored.holder)
                    or stored.holder.id == self._last_id()
                ):
                    holder = self._new_holder(command)
                    write_file(self._lease_path, holder.id)
                    with contextlib.suppress(WrittenMeanwhile):  # another run was faster
                        return Lease(self._shared, stored, holder, self._clock)
                    continue
            if self._clock.monotonic() >= deadline:
                raise LockHeld(
                    f"another run holds the lock: {stored.holder}",
                    hint="wait until it has ended, or run the command with --lock-timeout SECONDS; a run that has died "
                    f"loses the lock after {LEASE.total_seconds():.0f} s",
                )
            self._clock.sleep(_ASK_EVERY)

    @property
    def _lease_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lease")

    def _last_id(self) -> str:
        """Return the holder that used this copy last, which has ended: no other run uses it now."""
        try:
            return self._lease_path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def _is_dead(self, holder: Holder) -> bool:
        return holder.is_dead(self._clock.now()) or self._shared.is_over(holder)

    def _new_holder(self, command: str) -> Holder:
        now = _time(self._clock)
        return Holder(uuid4().hex, command, os.getpid(), socket.gethostname(), now, now)


def _put(stored: Stored, copy: LockStore) -> None:
    """Make the files of `copy` what is stored."""
    files = {
        copy.path: stored.lock,
        copy.journal_path: stored.journal or None,
        copy.archive_path: stored.archive or None,
    }
    for path, content in files.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)


def _with_longer_journal(stored: Stored, journal: Path) -> Stored:
    """Return `stored` with the journal of the copy, if that is the same and has more lines.

    The process died, or the network, before the store had them.
    """
    try:
        local = journal.read_bytes()
    except FileNotFoundError:
        return stored
    return stored._replace(journal=local) if stored.journal and local.startswith(stored.journal) else stored


def _time(clock: Clock) -> str:
    return clock.now().isoformat(timespec="seconds")
