"""Copying a lock to another place, as `lock pull` and `lock push` do."""

from __future__ import annotations

from smsby_deploy.errors import LockHeld, Refused, UsageError
from smsby_deploy.lock.archive import archive_content
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.store import LockStore


def copy_lock(source: LockStore, target: LockStore, command: str) -> Lock:
    """Make the lock at `target` that at `source`, and return it.

    Raises:
        UsageError: `source` records nothing.
        LockHeld: another run uses one of them.
        Refused: `target` has another lock, or a newer version of this one.
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
                "another lock is there, which records other sends",
                hint="choose another place; the two cannot be merged",
            )
        if there.serial > lock.serial:
            raise Refused(
                f"a newer version of this lock is there: serial {there.serial}, not {lock.serial}",
                hint="copy it the other way round",
            )
        if there.serial == lock.serial and there != lock:
            raise Refused(
                f"both locks are serial {lock.serial} and record different sends",
                hint="both were used since they were one; choose another place, they cannot be merged",
            )
        target.put_archive(archive_content(lock))
        target.replace(lock)
    return lock
