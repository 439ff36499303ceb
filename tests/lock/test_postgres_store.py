"""A lock in PostgreSQL: sessions and permissions. test_shared_stores.py has what all stores guarantee."""

from __future__ import annotations

import pytest

from smsby_deploy.lock.postgres_store import PostgresStore
from smsby_deploy.lock.shared import Holder, Stored, StoreFailed, WrittenMeanwhile
from tests.databases import PASSWORD, Database

_AT = "2026-11-02T09:00:00+00:00"
_HOLDER = Holder("a", "apply", 1, "ci", _AT, _AT)


def test_postgres_store_knows_that_a_session_has_ended(postgres: Database) -> None:
    """A run that died frees the lock at once, and one that is alive keeps it."""
    mine, other = PostgresStore(postgres.url, "k"), PostgresStore(postgres.url, "k")
    held = mine.write(Stored(), Stored(holder=_HOLDER))
    assert not other.is_over(_HOLDER)
    with pytest.raises(WrittenMeanwhile):
        other.write(held, held)
    postgres.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'postgres'"
    )
    other = PostgresStore(postgres.url, "k")
    assert other.is_over(_HOLDER)
    other.write(held, held._replace(holder=_HOLDER))
    with pytest.raises(StoreFailed):
        mine.write(held, held._replace(journal=b"1\n"))
    assert PostgresStore(postgres.url, "k").read().journal == b""


def test_postgres_store_reads_without_the_right_to_create(postgres: Database) -> None:
    """A role that only reads finds an empty lock where there are no tables."""
    assert PostgresStore(postgres.url, "k").read() == Stored()
    assert postgres.one("select to_regclass('smsby_lock')") is None


def test_postgres_store_shows_no_password(postgres: Database) -> None:
    """Neither that of the URL nor a text of the server, which may repeat it."""
    wrong = postgres.url.replace(PASSWORD, "geheim")
    with pytest.raises(StoreFailed) as caught:
        PostgresStore(wrong, "k").read()
    assert "geheim" not in str(caught.value)
