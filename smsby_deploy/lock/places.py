"""Where a lock is: in a file, or in a store that several machines share.

The environment of a lock is part of names and digests, so this module is loaded long before any record.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PRIVATE_FOLDER = ".smsby"  # of a lock that is not committed
PRODUCTION = "production"
SANDBOX = "sandbox"  # the built-in environment
LOCK_BRANCH = "refs/heads/smsby-lock"


def scope_of(project: str, environment: str | None) -> str:
    """Return the project as it appears in fingerprints and remote names.

    Environments may share an account, so any environment other than production is part of it.
    """
    return project if environment in (None, PRODUCTION) else f"{project}~{environment}"


class GitPlace(NamedTuple):
    """A branch of a remote of the checkout."""

    remote: str
    ref: str = LOCK_BRANCH


class PostgresPlace(NamedTuple):
    """A database; `url` is the value of the variable `url_env`; None if it is not set."""

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
    """The lock of an environment: a file, or a copy of one in a shared store."""

    path: Path
    environment: str = PRODUCTION
    shared: SharedPlace | None = None

    @property
    def has_files(self) -> bool:
        """Whether there is a lock or a journal, or a link in place of one."""
        return any(os.path.lexists(path) for path in (self.path, journal_of(self.path)))


def journal_of(path: Path) -> Path:
    """Return the path of a run's journal, next to the lock at `path`."""
    return path.with_name(f"{path.name}.journal")


def private_file(lock: Path, kind: str) -> Path:
    """Return the path of a file in which this machine keeps private data about a lock."""
    folder = lock.parent if lock.parent.name == PRIVATE_FOLDER else lock.parent / PRIVATE_FOLDER
    return folder / f"{lock.name}.{kind}"


def copy_name(environment: str) -> str:
    """Return the path of the copy of a shared lock, within the project."""
    return f"{PRIVATE_FOLDER}/{environment}.shared.lock.json"
