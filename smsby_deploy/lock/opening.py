"""Opens a lock at its place: a file, a git branch, PostgreSQL or S3.

This is separate from `places`, so that code that only names a place does not load the lock. A store is imported only when a
lock is opened in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.places import GitPlace, LockPlace, PostgresPlace, SharedPlace

if TYPE_CHECKING:
    from smsby_deploy.lock.lease import SharedStore
    from smsby_deploy.lock.store import LockStore


def open_lock_at(place: LockPlace, project: str, root: Path) -> LockStore:
    """Return a project's lock at `place`; opening it reads and writes nothing.

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


def _open_shared(place: SharedPlace, key: str, root: Path) -> SharedStore:
    if isinstance(place, GitPlace):
        from smsby_deploy.lock.git_store import GitStore

        return GitStore(root, place.remote, place.ref, key, os.environ)
    if isinstance(place, PostgresPlace):
        with _extra("sql", "PostgreSQL"):
            from smsby_deploy.lock.postgres_store import PostgresStore

        return PostgresStore(_postgres_url(place), key)
    with _extra("s3", "S3"):
        from smsby_deploy.lock.s3_store import S3Store

    endpoint = None if place.endpoint_env is None else _value(place.endpoint, place.endpoint_env)
    if endpoint is not None and not re.fullmatch(r"https?://[\w.\[][\w.~:\[\]/-]*", endpoint):
        raise SmsbyDeployError(
            f"{place.endpoint_env} is not the URL of an S3 server, so the lock cannot be reached",
            hint="write it as https://host",
        )
    return S3Store(place.url, endpoint, key)


@contextmanager
def _extra(name: str, store: str) -> Iterator[None]:
    """If the import of a store's library fails, name the extra of this package that has it."""
    try:
        yield
    except ImportError as error:
        raise SmsbyDeployError(
            f"a lock in {store} needs the extra `{name}`", hint=f"pip install 'smsby-deploy[{name}]'"
        ) from error


def _postgres_url(place: PostgresPlace) -> str:
    from smsby_deploy.lock.postgres_store import URL_STARTS

    url = _value(place.url, place.url_env)
    is_dsn = "://" not in url and "=" in url  # host=… dbname=…, which libpq accepts
    if not (is_dsn or url.startswith(URL_STARTS)):
        raise SmsbyDeployError(
            f"{place.url_env} is not the URL of a PostgreSQL database, so the lock cannot be reached",
            hint="write it as postgresql://user:password@host/database",
        )
    return url


def _value(value: str | None, variable: str) -> str:
    if value is None:
        raise SmsbyDeployError(
            f"{variable} is not set, so the lock cannot be reached",
            hint=f"export {variable}=…, as `lock:` in smsby.yaml says",
        )
    return value
