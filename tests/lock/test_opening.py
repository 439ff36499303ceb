"""opening: it connects to no store, and names a missing variable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.opening import open_lock_at
from smsby_deploy.lock.places import GitPlace, LockPlace, PostgresPlace, S3Place
from smsby_deploy.lock.shared import SharedLockStore


@pytest.mark.parametrize(
    ("shared", "name"),
    [
        (GitPlace("origin"), "refs/heads/smsby-lock of origin"),
        (PostgresPlace("A_URL", "postgresql://x"), "the database"),
        (S3Place("s3://b/p"), "s3://b/p"),
        (S3Place("s3://b/p", "A_URL", "http://127.0.0.1:9"), "s3://b/p"),
    ],
)
def test_open_lock_at_asks_no_store(
    tmp_path: Path, shared: GitPlace | PostgresPlace | S3Place, name: str
) -> None:
    """Opening a lock makes no connection, so that commands without a lock start without one."""
    lock = open_lock_at(LockPlace(tmp_path / "lock", "production", shared), "shop", tmp_path)
    assert isinstance(lock, SharedLockStore)
    assert lock._shared.name == name


@pytest.mark.parametrize("shared", [PostgresPlace("A_URL", None), S3Place("s3://b/p", "A_URL", None)])
def test_open_lock_at_needs_its_variable(tmp_path: Path, shared: PostgresPlace | S3Place) -> None:
    """A missing variable is named."""
    with pytest.raises(SmsbyDeployError, match="A_URL is not set"):
        open_lock_at(LockPlace(tmp_path / "lock", "production", shared), "shop", tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:password@host/x?a=b", ""])
def test_open_lock_at_needs_a_url_of_postgresql(tmp_path: Path, url: str) -> None:
    """A URL that is not of PostgreSQL is named by its variable and not shown."""
    place = LockPlace(tmp_path / "lock", "production", PostgresPlace("A_URL", url))
    with pytest.raises(SmsbyDeployError, match="A_URL is not the URL of a PostgreSQL database") as caught:
        open_lock_at(place, "shop", tmp_path)
    assert "password@host/x" not in caught.value.message


@pytest.mark.parametrize("url", ["secret-of-the-pipeline", "http://", "ftp://host", "http://a b"])
def test_open_lock_at_needs_a_url_of_s3(tmp_path: Path, url: str) -> None:
    """An invalid S3 URL is named by its variable, not shown, and not passed to the library."""
    place = LockPlace(tmp_path / "lock", "production", S3Place("s3://b/p", "A_URL", url))
    with pytest.raises(SmsbyDeployError, match="A_URL is not the URL of an S3 server") as caught:
        open_lock_at(place, "shop", tmp_path)
    assert url not in caught.value.message


@pytest.mark.parametrize(
    "url", ["postgres://h/d", "postgresql://h/d", "postgresql+psycopg://h/d", "host=h dbname=d"]
)
def test_open_lock_at_takes_every_url_of_postgresql(tmp_path: Path, url: str) -> None:
    """A URL of PostgreSQL is accepted in the forms of SQLAlchemy and libpq."""
    place = LockPlace(tmp_path / "lock", "production", PostgresPlace("A_URL", url))
    assert isinstance(open_lock_at(place, "shop", tmp_path), SharedLockStore)


@pytest.mark.parametrize(
    ("shared", "libraries", "store", "extra"),
    [
        (PostgresPlace("A_URL", "postgresql://h/d"), ("psycopg",), "postgres_store", "sql"),
        (S3Place("s3://b/p"), ("obstore", "obstore.exceptions"), "s3_store", "s3"),
    ],
)
def test_open_lock_at_names_the_package_that_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared: PostgresPlace | S3Place,
    libraries: tuple[str, ...],
    store: str,
    extra: str,
) -> None:
    """A missing package is named when a lock is opened or read, instead of an ImportError."""
    for library in libraries:
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"smsby_deploy.lock.{store}", raising=False)
    with pytest.raises(SmsbyDeployError, match=f"needs the extra `{extra}`") as caught:
        open_lock_at(LockPlace(tmp_path / "lock", "production", shared), "shop", tmp_path)
    assert caught.value.hint == f"pip install 'smsby-deploy[{extra}]'"
