"""Where a lock is: its place, opening it there, and copying it to another place.

The environment of a lock is part of names and digests, so this module is loaded long before any record.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.errors import LockHeld, Refused, SmsbyDeployError, UsageError

if TYPE_CHECKING:  # what only names a place loads no lock
    from smsby_deploy.lock.lease import SharedStore
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.lock.store import LockStore

PRIVATE_FOLDER = ".smsby"  # of a lock that is not committed
PRODUCTION = "production"
SANDBOX = "sandbox"  # the environment that is built in
LOCK_BRANCH = "refs/heads/smsby-lock"


def scope_of(project: str, environment: str | None) -> str:
    """Return the project as fingerprints and remote names have it.

    Environments may share an account, so that of every other than production is part of it.
    """
    return project if environment in (None, PRODUCTION) else f"{project}~{environment}"


class GitPlace(NamedTuple):
    """A branch of a remote that the checkout has."""

    remote: str
    ref: str = LOCK_BRANCH


class PostgresPlace(NamedTuple):
    """A database; `url` is the value of the variable `url_env`, None if it is not set."""

    url_env: str
    url: str | None


class S3Place(NamedTuple):
    """A bucket and a prefix, as `s3://bucket/prefix`.

    `endpoint` is the value of the variable `endpoint_env`; None without one, which means Amazon.
    """

    url: str
    endpoint_env: str | None = None
    endpoint: str | None = None


SharedPlace = GitPlace | PostgresPlace | S3Place


class LockPlace(NamedTuple):
    """The lock of an environment: a file, or a copy of one in a store that machines share."""

    path: Path
    environment: str = PRODUCTION
    shared: SharedPlace | None = None


def copy_name(environment: str) -> str:
    """Return where the copy of a shared lock is, as a path in the project."""
    return f"{PRIVATE_FOLDER}/{environment}.shared.lock.json"


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
