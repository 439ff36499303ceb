"""A lock that several machines share: the store is authoritative, a run works on a copy.

The copy is a lock file in a private folder. Each line of its journal, and each new version of the lock, is in the store
before the run continues. A store accepts a write only if it still has the version that the writer knows, so a run that lost
the lock can record nothing, and what cannot be recorded is not sent. `lock pull` and `lock push` copy a lock out of such a
store and into it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from smsby_deploy.clock import Clock
from smsby_deploy.digest_key import DigestKey
from smsby_deploy.errors import LockDamaged, LockHeld, Refused, SmsbyDeployError, StoreUnavailable, UsageError
from smsby_deploy.fault_points import fault_point
from smsby_deploy.files import refuse_link, remove_file, write_file
from smsby_deploy.lock.archive import read_archive
from smsby_deploy.lock.journal import Journal, open_line
from smsby_deploy.lock.lease import (
    LEASE,
    Holder,
    Lease,
    SharedStore,
    Stored,
    StoreFailed,
    WrittenMeanwhile,
    iso_time,
)
from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.serialization import found_again, read_lock
from smsby_deploy.lock.store import LockStore, RunningApply

_ASK_EVERY = 1.0  # seconds, while another run holds the lock
_WATCHED = 20.0  # seconds without a renewal, by the clock of this machine, that prove that a lease is over
_BROKEN_CLOCK = timedelta(minutes=10)  # clocks differ by less, so an older lease needs no proof


class _Copy(LockStore):
    """A copy of a shared lock in a file; damage to it must be repaired in `shared`."""

    def __init__(self, path: Path, project: str, environment: str, *, shared: SharedStore) -> None:
        super().__init__(path, project, environment)
        self._shared = shared

    @property
    def _recovery(self) -> str:
        return (
            f"restore {self.project}.{self.environment} in {self._shared.name} from a backup; or delete it there, and run "
            f"`smsby-deploy lock push` with the last file of `lock pull`; {found_again(' since')}"
        )


class SharedLockStore(_Copy):
    """A lock in a shared store; while this run holds it, the copy at `path` is used."""

    def __init__(
        self, path: Path, project: str, environment: str, *, shared: SharedStore, clock: Clock
    ) -> None:
        super().__init__(path, project, environment, shared=shared)
        self._clock = clock
        self._lease: Lease | None = None

    def read(self) -> Lock:
        """Return the lock as LockStore.read does, from the store unless this run holds it.

        Raises:
            LockDamaged: the store has a damaged lock, or not the lock that this checkout used last.
            StoreUnavailable: the store cannot be read.
        """
        if self._lease is not None:
            return super().read()
        stored = self._read_shared()
        self._refuse_other_lock(stored)
        return self._read_stored(stored)

    def read_running(self) -> RunningApply | None:
        stored = self._read_shared()
        with self._explained("read"):
            if stored.holder is None or self._is_dead(stored.holder):
                return None
        before, after = self._read_stored(stored._replace(journal=b"")), self._read_stored(stored)
        return RunningApply.between(before, after, stored.holder.describe(self.zone))

    def has_leftover(self) -> bool:
        stored = self._read_shared()
        with self._explained("read"):
            return bool(stored.journal) and (stored.holder is None or self._is_dead(stored.holder))

    def clear(self) -> None:
        super().clear()
        self._write(lock=None, journal=b"", archive=b"")

    def replace(self, lock: Lock) -> None:
        """Write `lock` to the copy and to the store, and remove the journal from the store."""
        super().replace(lock)
        fault_point("shared.before-write")
        self._write(lock=self.path.read_bytes(), journal=b"")
        fault_point("shared.after-write")

    def append_to_archive(self, lock: Lock, addresses: Collection[str], at: str) -> int:
        count = super().append_to_archive(lock, addresses, at)
        self._write_archive()
        return count

    def rekey_archive(self, lock: Lock, old: DigestKey, new: DigestKey) -> None:
        super().rekey_archive(lock, old, new)
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
        try:
            self._lease.write(journal=self._lease.stored.journal + lines)
        except StoreFailed as error:
            raise type(error)(f"{self._shared.name}: {error.strerror}") from error
        fault_point("shared.after-mirror")

    def _write(self, **changes: Any) -> None:
        assert self._lease is not None
        try:
            self._lease.write(**changes)
        except StoreFailed as error:
            raise StoreUnavailable(
                f"cannot write the lock to {self._shared.name}: {error.strerror}",
                hint="nothing that was sent is lost: the journal there has it, and the next command folds it in",
            ) from error

    def _read_shared(self) -> Stored:
        with self._explained("read"):
            return self._shared.read()

    @contextlib.contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        """Turn a failure of the store into an error for users."""
        try:
            yield
        except StoreFailed as error:
            raise StoreUnavailable(
                f"cannot {verb} the lock in {self._shared.name}: {error.strerror}",
                hint="check the network and the permissions of this run, then run the command again",
            ) from error

    def _refuse_other_lock(self, stored: Stored) -> None:
        """Refuse a store that does not have the lock that this checkout used last.

        If that was deleted, the project would seem to have sent nothing. A copy that cannot be read proves nothing.
        """
        refuse_link(self.path)
        try:
            if self.path.read_bytes() == stored.lock:
                return
            lineage = self._read_content().lineage
        except (OSError, UnicodeDecodeError, LockDamaged):
            return
        if lineage not in (None, self._lineage_of(stored)):
            option = "" if self.environment == PRODUCTION else f"--env {self.environment} "
            command = f"smsby-deploy {option}lock push {shlex.quote(os.path.relpath(self.path))}"
            raise LockDamaged(
                f"{self._shared.name} does not have the lock that this checkout used last: it was deleted, or smsby.yaml "
                "names another place",
                hint=f"restore it from a backup, or with `{command}`; to begin a new lock on purpose, delete that file",
            )

    def _lineage_of(self, stored: Stored) -> str | None:
        """Return the lineage of the stored lock, or that in the journal of its first run."""
        if stored.lock is not None:
            return read_lock(stored.lock, self.path.name, self._recovery).lineage
        with contextlib.suppress(ValueError, KeyError):
            return str(open_line(stored.journal.partition(b"\n")[0], "")[0]["lineage"])
        return None

    def _read_stored(self, stored: Stored) -> Lock:
        """Return the lock with its journal folded in, read as from files."""
        with TemporaryDirectory(prefix="smsby-lock-") as folder:
            path = Path(folder) / self.path.name
            copy = _Copy(path, self.project, self.environment, shared=self._shared)
            _put(stored, copy)
            return replace(copy.read(), archive=stored.archive)

    @contextlib.contextmanager
    def _alone(self, timeout: float, command: str) -> Iterator[None]:
        with super()._alone(timeout, command):
            self._lease, is_continued = self._take(timeout, command)
            try:
                stored = self._lease.stored
                _put(_with_longer_journal(stored, self.journal_path) if is_continued else stored, self)
                yield
            finally:
                self._lease.release()
                self._lease = None

    def _take(self, timeout: float, command: str) -> tuple[Lease, bool]:
        """Return the lease once no living run has it; raises as `held`.

        Also return whether the previous run, which did not release it, used the same copy.
        """
        started = self._clock.monotonic()
        last = {_id_of(secret): secret for secret in self._last_secrets()}
        seen, since = "", started  # the version read last, and when it was first read
        while True:
            with self._explained("take"):
                stored, now = self._shared.read(), self._clock.monotonic()
                if stored.version != seen:
                    seen, since = stored.version, now
                mine = None if stored.holder is None else last.get(stored.holder.id)
                is_mine = mine is not None
                if is_mine or self._is_free(stored.holder, now - since):
                    self._refuse_other_lock(stored)
                    secret = uuid4().hex
                    self._note_secrets(secret, mine)
                    with contextlib.suppress(WrittenMeanwhile):  # another run was faster, or is not over yet
                        return Lease(
                            self._shared, stored, self._new_holder(secret, command), self._clock
                        ), is_mine
                is_over = is_mine or stored.holder is None or self._is_dead(stored.holder)
            if now - started >= (max(timeout, _WATCHED) if is_over else timeout):
                holder = (
                    stored.holder.describe(self.zone)
                    if stored.holder
                    else "one that has just taken or released it"
                )
                raise LockHeld(
                    f"another run holds the lock: {holder}",
                    hint="wait until it has ended; `apply` waits for it with --lock-timeout SECONDS; a run that has died "
                    f"loses the lock after {LEASE.total_seconds():.0f} s",
                )
            self._clock.sleep(_ASK_EVERY)

    def _is_free(self, holder: Holder | None, watched: float) -> bool:
        """Whether no living run holds the lock, which was not written for `watched` seconds.

        The clock of the holder may be wrong: if it is slow, the holder looks dead; if it is fast, it never does.
        """
        if holder is None or watched > LEASE.total_seconds() or self._shared.is_over(holder):
            return True
        now = self._clock.now()
        return holder.is_dead(now) and (watched >= _WATCHED or holder.is_dead(now - _BROKEN_CLOCK))

    @property
    def _lease_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lease")

    def _last_secrets(self) -> list[str]:
        """Return the secrets of the runs that used this copy last; no other run uses it now.

        The store has only their digests, so no file from a pull request can pass for the copy of a run.
        """
        refuse_link(self._lease_path)
        try:
            return self._lease_path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []

    def _note_secrets(self, secret: str, before: str | None) -> None:
        """Note the secret of this run, and that of the previous one, which may keep the lock."""
        try:
            text = secret if before is None else f"{secret}\n{before}"
            write_file(self._lease_path, text, is_private=True)
        except OSError as error:
            raise SmsbyDeployError(
                f"cannot write {self._lease_path}: {error.strerror}",
                hint="free disk space or fix permissions, then run the command again",
            ) from error

    def _is_dead(self, holder: Holder) -> bool:
        return holder.is_dead(self._clock.now()) or self._shared.is_over(holder)

    def _new_holder(self, secret: str, command: str) -> Holder:
        now = iso_time(self._clock)
        return Holder(_id_of(secret), command, os.getpid(), socket.gethostname(), now, now)


def _id_of(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _put(stored: Stored, copy: LockStore) -> None:
    """Make the files of `copy` match `stored`.

    Raises:
        SmsbyDeployError: they cannot be written.
    """
    files = {
        copy.path: stored.lock,
        copy.journal_path: stored.journal or None,
        copy.archive_path: stored.archive or None,
    }
    try:
        for path, content in files.items():
            if content is None:
                remove_file(path)
            else:
                path.write_bytes(content)
    except OSError as error:
        raise SmsbyDeployError(
            f"cannot write a copy of the lock to {copy.path.parent}: {error.strerror}",
            hint="free disk space or fix permissions, then run the command again; the shared lock is as it was",
        ) from error


def _with_longer_journal(stored: Stored, journal: Path) -> Stored:
    """Return `stored` with the journal of the copy, if that continues the stored one.

    Then the process or the network died before the store had the further lines.
    """
    try:
        local = journal.read_bytes()
    except FileNotFoundError:
        return stored
    return stored._replace(journal=local) if stored.journal and local.startswith(stored.journal) else stored


def copy_lock(source: LockStore, target: LockStore, command: str) -> Lock:
    """Copy the lock at `source` to `target`, and return it.

    Raises:
        UsageError: `source` records nothing.
        LockHeld: another run uses one of them.
        Refused: `target` has another lock or a newer version of this one, or records something that this one lacks.
    """
    running = source.read_running()
    if running is not None:
        raise LockHeld(f"another run holds the lock: {running.holder}", hint="wait until it has ended")
    lock = source.read()
    if lock.lineage is None:
        raise UsageError("there is no lock to copy", hint="the first apply creates it")
    with target.held(command=command) as held:
        there = held.lock
        if there.lineage not in (None, lock.lineage):
            raise Refused(
                "the target has another lock, which records other sends",
                hint="choose another place; the two cannot be merged",
            )
        if there.serial > lock.serial:
            raise Refused(
                f"the target has a newer version of this lock: serial {there.serial}, not {lock.serial}",
                hint="copy it in the other direction",
            )
        if (there.serial == lock.serial and there != lock) or _records_more(there, lock):
            raise Refused(
                f"the target (serial {there.serial}) records changes that this lock (serial {lock.serial}) lacks",
                hint="both were used since they diverged; choose another place, they cannot be merged",
            )
        target.put_archive(b"".join(line.text + b"\n" for line in read_archive(lock)))
        target.replace(lock)
    return lock


def _records_more(there: Lock, lock: Lock) -> bool:
    """Whether `there` has a run or a manual change that `lock` lacks, whatever their serials."""
    histories = ((there.applies, lock.applies), (there.resolutions, lock.resolutions))
    return any(known != ours[: len(known)] for known, ours in histories)
