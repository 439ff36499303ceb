"""Opening a lock at its place, and copying it to another place.

Apart from `places`, so that code which only names a place loads no lock. A store is imported when a lock is opened in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from smsby_deploy.errors import LockHeld, Refused, SmsbyDeployError, UsageError
from smsby_deploy.lock.places import GitPlace, LockPlace, PostgresPlace, SharedPlace

if TYPE_CHECKING:
    from smsby_deploy.lock.lease import SharedStore
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.lock.store import LockStore


def open_lock_at(place: LockPlace, project: str, root: Path) -> LockStore:
    """Return the lock at `place` of a project; opening it reads and writes nothing.

    `root` is the folder of the project.

    Raises:
        SmsbyDeployError: the store needs a variable that is not set, or a package that is not installed.
    """
    from smsby_deploy.lock.store import LockStore

    if place.shared is None:
        return LockStore(place.path, project, place.environment)
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.lock.shared import SharedLockStore

    shared = _open_shared(place.shared, f"{project}.{place.environment}", root)
    return SharedLockStore(place.path, project, place.environment, shared=shared, clock=SystemClock())


def copy_lock(source: LockStore, target: LockStore, command: str) -> Lock:
    """Make the lock at `target` that at `source`, and return it.

    Raises:
        UsageError: `source` records nothing.
        LockHeld: another run uses one of them.
        Refused: `target` has another lock, or a newer version of this one.
    """
    from smsby_deploy.lock.archive import archive_content

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


def _open_shared(place: SharedPlace, key: str, root: Path) -> SharedStore:
    if isinstance(place, GitPlace):
        from smsby_deploy.lock.git_store import GitStore

        return GitStore(root, place.remote, place.ref, key, os.environ)
    if isinstance(place, PostgresPlace):
        from smsby_deploy.lock.postgres_store import PostgresStore

        return PostgresStore(_value(place.url, place.url_env), key)
    from smsby_deploy.lock.s3_store import S3Store

    endpoint = None if place.endpoint_env is None else _value(place.endpoint, place.endpoint_env)
    return S3Store(place.url, endpoint, key, os.environ)


def _value(value: str | None, variable: str) -> str:
    if value is None:
        raise SmsbyDeployError(
            f"{variable} is not set, so the lock cannot be reached",
            hint=f"export {variable}=…, as `lock:` in smsby.yaml says",
        )
    return value
