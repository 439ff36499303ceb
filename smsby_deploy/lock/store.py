"""The lock file on disk: read with its journal, held by one run, replaced atomically."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NamedTuple, TextIO

from smsby_deploy.digest_key import DigestKey
from smsby_deploy.errors import LockDamaged, LockHeld, Refused, SmsbyDeployError, UsageError
from smsby_deploy.fault_points import fault_point
from smsby_deploy.files import refuse_link, remove_file, sync_folder, write_file
from smsby_deploy.lock.archive import append_archive, archive_path, rekey_archive
from smsby_deploy.lock.events import Event, fold
from smsby_deploy.lock.journal import Journal, read_journal, salvage
from smsby_deploy.lock.places import PRIVATE_FOLDER, PRODUCTION, journal_of
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.serialization import iter_lock, read_lock, recovery_of, write_lock
from smsby_deploy.lock.stored_mailings import new_mailings
from smsby_deploy.wording import time_text


class RunningApply(NamedTuple):
    """Another process's run that holds the lock; `begun` are the mailings it has begun."""

    holder: str
    begun: frozenset[str]

    @classmethod
    def between(cls, before: Lock, after: Lock, holder: str) -> RunningApply:
        """Return a run that has changed the lock from `before` to `after`, by its journal."""
        begun = (
            address for address, entry in after.mailings.items() if entry != before.mailings.get(address)
        )
        return cls(holder, frozenset(begun))


class LockStore:
    """The lock of one environment of a project, stored at `path`.

    The names of all files next to it start with the name of the lock file.
    """

    def __init__(self, path: Path, project: str, environment: str = PRODUCTION) -> None:
        self.path = path
        self.project = project
        self.environment = environment
        self.zone: tzinfo = UTC  # in which the times of other runs are shown
        self._known: tuple[bytes, Lock] | None = None  # the file as last read or written, by its sha256

    @property
    def journal_path(self) -> Path:
        """The journal of a running or interrupted run."""
        return journal_of(self.path)

    @property
    def archive_path(self) -> Path:
        """The file of the mailings that were moved out of the lock; see archive.py."""
        return archive_path(self.path)

    @property
    def holder_path(self) -> Path:
        """A note on which process holds the lock."""
        return self.path.with_name(self.path.name + ".holder")

    @property
    def _recovery(self) -> str:
        is_private = self.path.parent.name == PRIVATE_FOLDER
        return recovery_of(self.path.name, self.environment, is_private=is_private)

    def read(self) -> Lock:
        """Return the lock with any leftover journal folded in, without writing anything.

        It is empty if there is no file.

        Raises:
            LockDamaged: one of the files is damaged, or they do not belong together.
            Refused: it is the lock of another environment.
        """
        refuse_link(self.journal_path)
        events: list[Event] = []
        with contextlib.suppress(FileNotFoundError):
            events = read_journal(self.journal_path)
        # After the journal, which a run that ends meanwhile folds into it and removes.
        lock = self._read_file()
        try:
            return fold(lock, events)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise LockDamaged(
                f"{self.journal_path.name} does not match the lock: {error!r}",
                hint="restore the lock file it was written with (git log shows it)",
            ) from error

    def read_running(self) -> RunningApply | None:
        """Return the run that holds the lock now; None if there is none."""
        if not self.holder_path.exists() or not self._is_held():
            return None
        return RunningApply.between(self._read_file(), self.read(), self.describe_holder())

    def has_leftover(self) -> bool:
        """Return whether a run that is over left a journal to be folded in."""
        return self.journal_path.exists() and not self._is_held()

    def _is_held(self) -> bool:
        """Return whether a living process holds the lock.

        A holder file alone may be left over from a crash.
        """
        import filelock

        guard = filelock.FileLock(self.path.with_name(self.path.name + ".lock"), timeout=0)
        try:
            guard.acquire()
        except filelock.Timeout:
            return True
        except OSError:
            return False
        guard.release()
        return False

    def _read_file(self) -> Lock:
        refuse_link(self.path)
        try:
            lock = self._read_content()
        except FileNotFoundError:
            lock = Lock(self.project, archive=self.archive_path)
        except UnicodeDecodeError as error:
            raise LockDamaged(
                f"{self.path.name} is damaged: not UTF-8",
                hint=self._recovery,
            ) from error
        if lock.project != self.project:
            raise LockDamaged(
                f"{self.path.name} belongs to project {lock.project}, not {self.project}",
                hint="restore the project's name: under another one, nothing that was sent is recognized and it "
                "could be sent again; only another project needs another `lock:`",
            )
        return self._in_environment(lock)

    def _read_content(self) -> Lock:
        """Return the lock in the file; the same object while the file is the same."""
        with self.path.open("rb") as file:
            digest = file_digest(file, "sha256").digest()
            if self._known is None or self._known[0] != digest:
                lock = read_lock(file, self.path.name, self._recovery)
                self._known = (digest, replace(lock, archive=self.archive_path))
        return self._known[1]

    def replace(self, lock: Lock) -> None:
        """Write `lock`, and check that it reads back the same before it replaces the file.

        The text on disk is compared with the text to write; the mailings that have changed since the file was read are also
        read back.
        """
        digest = sha256()

        def write(file: TextIO) -> None:
            for piece in iter_lock(lock):
                digest.update(piece)
                file.buffer.write(piece)

        def check(written: Path) -> None:
            known = frozenset(self._known[1].applies) if self._known else frozenset()
            applies = tuple(apply for apply in lock.applies if apply not in known)
            part = replace(lock, mailings=dict(new_mailings(lock.mailings)), applies=applies)
            with written.open("rb") as file:
                is_written = file_digest(file, "sha256").digest() == digest.digest()
            if not is_written or read_lock(write_lock(part), self.path.name) != part:
                raise LockDamaged(
                    "the written lock does not read back as the same lock",
                    hint="nothing was replaced; run the command again",
                )
            fault_point("lock.before-rename")

        fault_point("lock.before-write")
        try:
            write_file(self.path, write, check=check)
        except OSError as error:
            raise SmsbyDeployError(
                f"cannot write the lock file: {error.strerror or error}",
                hint=(
                    "nothing is lost: the journal next to the lock has all of it, and the next command "
                    "folds it in"
                ),
            ) from error
        fault_point("lock.after-rename")
        self._known = (digest.digest(), lock)

    def _in_environment(self, lock: Lock) -> Lock:
        """Return `lock` as that of this environment; an empty lock belongs to none."""
        recorded = lock.environment or PRODUCTION
        if not lock.is_empty and recorded != self.environment:
            raise Refused(
                f"{self.path.name} records the mailings of the environment {recorded}, not of {self.environment}",
                hint="give each environment in smsby.yaml its own `lock:`",
            )
        return lock if recorded == self.environment else replace(lock, environment=self.environment)

    def append_to_archive(self, lock: Lock, addresses: Collection[str], at: str) -> int:
        """Append mailings of `lock` durably, and return how many lines the archive has then.

        Raises:
            LockDamaged: the archive is damaged.
            SmsbyDeployError: it cannot be written.
        """
        return append_archive(lock, self.archive_path, addresses, at)

    def rekey_archive(self, lock: Lock, old: DigestKey, new: DigestKey) -> None:
        """Replace the digests in the archive of `lock`; raises as `archive.rekey_archive`."""
        rekey_archive(lock, self.archive_path, old, new)

    def put_archive(self, content: bytes) -> None:
        """Replace the archive by `content`, unless that is empty."""
        if content:
            write_file(self.archive_path, content.decode())

    def clear(self) -> None:
        """Delete the lock and its archive."""
        remove_file(self.path)
        remove_file(self.archive_path)
        sync_folder(self.path.parent)

    def new_journal(self) -> Journal:
        """Return a new journal for the run that holds the lock."""
        return Journal(self.journal_path)

    @contextlib.contextmanager
    def held(self, timeout: float = 0.0, command: str = "apply") -> Iterator[HeldLock]:
        """Hold the lock for one `command`, with any leftover journal folded in.

        Wait for it up to `timeout` seconds.

        Raises:
            LockHeld: another run holds the lock.
            LockDamaged: the lock or the journal is damaged.
        """
        with self._alone(timeout, command):
            held = HeldLock(self)
            held.fold_in()
            yield held

    def salvage(self) -> list[str]:
        """Recover what can be read of a damaged journal and move it aside.

        Return the addresses with unknown chunks.

        Raises:
            UsageError: the journal is intact, or there is none.
            LockHeld: another run holds the lock.
            LockDamaged: the lock file itself is damaged.
        """
        with self._alone(0.0, "lock rescue"):
            lock = self._read_file()
            if self._is_journal_intact():
                raise UsageError(
                    "the journal is not damaged: nothing to rescue",
                    hint="after a full disk, pass the file that apply named: `smsby-deploy lock rescue FILE`",
                )
            state, doubtful = salvage(lock, self.journal_path)
            self.replace(state)
            aside = self.journal_path.with_name(f"{self.journal_path.name}.damaged-{state.serial}")
            self.journal_path.rename(aside)
            sync_folder(self.path.parent)
            return doubtful

    def _is_journal_intact(self) -> bool:
        try:
            read_journal(self.journal_path)
        except FileNotFoundError:
            return True
        except LockDamaged:
            return False
        return True

    @contextlib.contextmanager
    def _alone(self, timeout: float, command: str) -> Iterator[None]:
        """Keep other runs out.

        The operating system releases the lock when the process dies, however it dies.
        """
        import filelock

        if self.path.parent.name == PRIVATE_FOLDER:
            refuse_link(self.path.parent)
            make_private_folder(self.path.parent)
        guarded = self.path.with_name(self.path.name + ".lock")
        for path in (self.path, self.journal_path, self.archive_path, self.holder_path, guarded):
            refuse_link(path)
        guard = filelock.FileLock(guarded, timeout=timeout)
        try:
            guard.acquire()
            self._note_holder(command)
        except filelock.Timeout as error:
            raise LockHeld(
                f"another run holds the lock: {self.describe_holder()}",
                hint="wait until it has ended; `apply` waits for it with --lock-timeout SECONDS",
            ) from error
        except OSError as error:
            guard.release()
            raise SmsbyDeployError(
                f"cannot write to the directory of {self.path.name}: {error.strerror}",
                hint="check its permissions",
            ) from error
        try:
            yield
        finally:
            remove_file(self.holder_path)
            guard.release()

    def _note_holder(self, command: str) -> None:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command}
        write_file(self.holder_path, json.dumps(holder) + "\n")

    def describe_holder(self) -> str:
        """Return the command, process and host that hold the lock, and since when, if known."""
        try:
            about = json.loads(self.holder_path.read_text(encoding="utf-8"))
            begun = datetime.fromtimestamp(int(self.holder_path.stat().st_mtime), self.zone)
            since = time_text(begun, has_seconds=True)
            return f"{about['command']}, process {about['pid']} on {about['host']}, since {since}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "an unknown process"


def make_private_folder(folder: Path) -> None:
    """Create a folder that git ignores, by a file in it.

    Errors are ignored; whatever needs the folder then fails.
    """
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        with (folder / ".gitignore").open("x", encoding="utf-8") as file:
            file.write("*\n")


class HeldLock:
    """The lock while this run holds it."""

    def __init__(self, store: LockStore) -> None:
        self.store = store
        self.lock = store.read()

    def fold_in(self) -> None:
        """Fold any journal into the lock file, and remove it once the lock is on disk."""
        if not self.store.journal_path.exists():
            return
        self.lock = self.store.read()
        if self.lock.lineage is not None:
            self.store.replace(self.lock)
        fault_point("lock.before-journal-removed")
        remove_file(self.store.journal_path)
        sync_folder(self.store.path.parent)
        fault_point("lock.after-journal-removed")

    def start_anew(self) -> None:
        """Delete the lock, because mailings that a sandbox has forgotten need no record."""
        self.store.clear()
        self.lock = self.store.read()

    def open_journal(self) -> Journal:
        """Return a new journal; its file is created with the first line."""
        return self.store.new_journal()
