"""The lock file on disk: read with its journal folded in, held by one run at a time, replaced atomically."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from smsby_deploy.errors import LockDamaged, LockHeld, SmsbyDeployError, UsageError
from smsby_deploy.fault_points import fault_point
from smsby_deploy.lock.journal import Journal, fold, read_journal, sync_folder
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.salvage import salvage
from smsby_deploy.lock.serialization import read_lock, write_lock

_RESCUE_HINT = "after a full disk, name the file that apply told: `smsby-deploy lock rescue FILE`"


class LockStore:
    """The lock of one project at `path`. Every file beside it begins with its name."""

    def __init__(self, path: Path, project: str) -> None:
        self.path = path
        self.project = project

    @property
    def journal_path(self) -> Path:
        return self.path.with_name(self.path.name + ".journal")

    @property
    def holder_path(self) -> Path:
        return self.path.with_name(self.path.name + ".holder")

    def read(self) -> Lock:
        """The lock, a left-over journal folded in; an empty one if neither file exists. Changes nothing on disk.

        Raises:
            LockDamaged: one of them can't be trusted.
        """
        lock = self._read_file()
        if self.journal_path.exists():
            try:
                return fold(lock, read_journal(self.journal_path))
            except (KeyError, IndexError, TypeError) as error:
                raise LockDamaged(
                    f"{self.journal_path.name} does not fit the lock: {error!r}",
                    hint="put back the lock file it was written with (git log shows it)",
                ) from error
        return lock

    def _read_file(self) -> Lock:
        try:
            lock = read_lock(self.path.read_text(encoding="utf-8"), self.path.name)
        except FileNotFoundError:
            lock = Lock(self.project)
        except UnicodeDecodeError as error:
            raise LockDamaged(
                f"{self.path.name} is damaged: it is not UTF-8",
                hint=f"restore it from git (git checkout -- {self.path.name})",
            ) from error
        if lock.project != self.project:
            raise LockDamaged(
                f"{self.path.name} belongs to the project {lock.project}, not to {self.project}",
                hint="name another file under `lock:` in smsby.yaml, or put the project's name back",
            )
        return lock

    @contextlib.contextmanager
    def held(self, timeout: float = 0.0, command: str = "apply") -> Iterator[HeldLock]:
        """Hold the lock, a left-over journal folded in.

        Raises:
            LockHeld: another run holds it, after `timeout` seconds of waiting.
            LockDamaged: the lock or the journal can't be trusted.
        """
        with self._alone(timeout, command):
            held = HeldLock(self)
            held.fold_in()
            yield held

    def salvage(self) -> list[str]:
        """Keep what can be read of a damaged journal, and move it aside; the addresses of which something is unknown now.

        Raises:
            UsageError: the journal is whole, or there is none.
            LockHeld, LockDamaged: another run holds the lock; the lock file itself is damaged.
        """
        with self._alone(0.0, "lock rescue"):
            lock = self._read_file()
            if self._is_journal_whole():
                raise UsageError("no journal is damaged: there is nothing to rescue", hint=_RESCUE_HINT)
            state, doubtful = salvage(lock, self.journal_path)
            _replace_file(self.path, write_lock(state), lambda text: _check_same(text, self.path.name, state))
            aside = self.journal_path.with_name(f"{self.journal_path.name}.damaged-{state.serial}")
            self.journal_path.rename(aside)
            sync_folder(self.path.parent)
            return doubtful

    def _is_journal_whole(self) -> bool:
        try:
            read_journal(self.journal_path)
        except FileNotFoundError:
            return True
        except LockDamaged:
            return False
        return True

    @contextlib.contextmanager
    def _alone(self, timeout: float, command: str) -> Iterator[None]:
        """One run at a time; freed by the system when the process dies, however it dies."""
        import filelock

        guard = filelock.FileLock(self.path.with_name(self.path.name + ".lock"), timeout=timeout)
        try:
            guard.acquire()
        except filelock.Timeout as error:
            raise LockHeld(
                f"another run holds the lock: {self.holder()}",
                hint="wait for it, or try again with --lock-timeout SECONDS",
            ) from error
        except OSError as error:
            raise SmsbyDeployError(
                f"the folder of {self.path.name} can't be written: {error.strerror}",
                hint="check its permissions",
            ) from error
        try:
            self.holder_path.write_text(
                json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "command": command}) + "\n"
            )
            yield
        finally:
            self.holder_path.unlink(missing_ok=True)
            guard.release()

    def holder(self) -> str:
        """Who holds the lock, in words."""
        try:
            about = json.loads(self.holder_path.read_text())
            return f"{about['command']}, process {about['pid']} on {about['host']}"
        except (OSError, ValueError, KeyError):
            return "a process that left no name"


class HeldLock:
    """The lock while this run holds it."""

    def __init__(self, store: LockStore) -> None:
        self.store = store
        self.lock = store.read()

    def fold_in(self) -> None:
        """Write a left-over journal into the lock file and remove it; the lock is on disk before the journal goes."""
        if not self.store.journal_path.exists():
            return
        self.lock = self.store.read()
        if self.lock.lineage is not None:
            _replace_file(
                self.store.path,
                write_lock(self.lock),
                lambda text: _check_same(text, self.store.path.name, self.lock),
            )
        fault_point("lock.before-journal-removed")
        self.store.journal_path.unlink()
        sync_folder(self.store.path.parent)
        fault_point("lock.after-journal-removed")

    def open_journal(self) -> Journal:
        return Journal(self.store.journal_path)


def _check_same(text: str, name: str, lock: Lock) -> None:
    """What was written must read back as it was meant, before it takes the place of the old."""
    if read_lock(text, name) != lock:
        raise LockDamaged(
            "the lock that was written does not read back", hint="nothing was replaced; try again"
        )


def _replace_file(path: Path, text: str, check: Callable[[str], None]) -> None:
    """Replace `path` by `text`, or leave it as it was: temp file beside it, read back, fsync, rename, fsync of the folder."""
    temporary = path.with_name(path.name + ".new")
    fault_point("lock.before-write")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        check(temporary.read_text(encoding="utf-8"))
        fault_point("lock.before-rename")
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SmsbyDeployError(
            f"the lock can't be written: {error.strerror or error}",
            hint="nothing is lost: it stands in the journal beside the lock, and the next command folds it in",
        ) from error
    fault_point("lock.after-rename")
