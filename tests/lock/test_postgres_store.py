"""A lock in PostgreSQL: sessions and permissions. test_shared_stores.py has what all stores guarantee."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import create_engine

from smsby_deploy.lock import postgres_store
from smsby_deploy.lock.lease import Holder, Stored, StoreFailed, WrittenMeanwhile
from smsby_deploy.lock.postgres_store import PostgresStore
from tests.databases import PASSWORD, Database

_AT = "2026-11-02T09:00:00+00:00"
_HOLDER = Holder("a", "apply", 1, "ci", _AT, _AT)


def test_postgres_store_knows_that_a_session_has_ended(postgres: Database) -> None:
    """A dead run's session frees the lock at once, and a living run's keeps it."""
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
    """A role that can only read finds an empty lock if there are no tables."""
    assert PostgresStore(postgres.url, "k").read() == Stored()
    assert postgres.one("select to_regclass('smsby_lock')") is None


def test_postgres_store_shows_no_password(postgres: Database) -> None:
    """Neither the password in the URL nor a server message, which may repeat it, is shown."""
    wrong = postgres.url.replace(PASSWORD, "geheim")
    with pytest.raises(StoreFailed, match="password authentication failed") as caught:
        PostgresStore(wrong, "k").read()
    assert "geheim" not in str(caught.value)


def test_postgres_store_says_that_its_url_is_invalid() -> None:
    """A URL that cannot be parsed, as with a % in the password, is no matter of the network, and is not shown."""
    with pytest.raises(StoreFailed, match=r"^its URL is invalid; special characters in a password") as caught:
        PostgresStore("postgresql://shop:ge%heim@127.0.0.1/db", "k").read()
    assert "heim" not in str(caught.value)


def test_postgres_store_keeps_nothing_after_a_question(postgres: Database) -> None:
    """A query leaves no session behind, so that `status --watch` sees the end of a run and the next one gets the lock."""
    mine, watching = PostgresStore(postgres.url, "k"), PostgresStore(postgres.url, "k")
    held = mine.write(Stored(), Stored(holder=_HOLDER))
    mine._close()
    assert watching.is_over(_HOLDER)
    assert watching.is_over(_HOLDER)
    PostgresStore(postgres.url, "k").write(held, held)


def test_postgres_store_lets_a_silent_session_end(postgres: Database) -> None:
    """The server ends a silent session, even within a transaction, so a sleeping machine does not keep the lock."""
    store = PostgresStore(postgres.url, "k")
    store.write(Stored(), Stored(holder=_HOLDER))
    for name in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        shown = store._transact(lambda cursor, name=name: cursor.execute(f"show {name}").fetchone()[0])
        assert shown == "1min"


def test_postgres_store_refuses_a_pooler(pooled: str) -> None:
    """A connection pooler is refused: the next run could get the session that holds the lock."""
    with pytest.raises(StoreFailed, match="does not tell sessions apart"):
        PostgresStore(pooled, "k").write(Stored(), Stored(holder=_HOLDER))
    assert PostgresStore(pooled, "k").read() == Stored()


def test_postgres_store_waits_for_no_server_that_hangs(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs is not waited for, even if its machine still acknowledges packets."""
    monkeypatch.setattr(postgres_store, "_PATIENCE", 0.2)
    store = PostgresStore(postgres.url, "k")
    held = store.write(Stored(), Stored(holder=_HOLDER))
    backend = store._transact(lambda cursor: cursor.execute("select pg_backend_pid()").fetchone()[0])
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreFailed, match="no connection"):
            store.write(held, held._replace(journal=b"1\n"))
    finally:
        os.kill(backend, signal.SIGCONT)


def test_postgres_store_waits_for_no_login_that_hangs(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts the login and then hangs is not waited for."""
    monkeypatch.setattr(postgres_store, "_PATIENCE", 0.2)
    monkeypatch.setattr(postgres_store, "_SETTINGS", "select pg_sleep(20)")
    with pytest.raises(StoreFailed, match="no connection"):
        PostgresStore(postgres.url, "k").read()


def test_postgres_store_waits_until_a_write_is_on_disk(postgres: Database) -> None:
    """A server that confirms a commit before it is on disk does so for no write of a lock: a crash would lose an intent."""
    postgres.run("alter role shop set synchronous_commit = off")
    try:
        store = PostgresStore(postgres.url, "k")
        assert store._transact(lambda cursor: cursor.execute("show synchronous_commit").fetchone()[0]) == "on"
    finally:
        postgres.run("alter role shop reset synchronous_commit")


def test_postgres_store_needs_no_right_to_create(postgres: Database) -> None:
    """The role described in docs/locks.md can write a lock."""
    PostgresStore(postgres.url, "other").write(Stored(), Stored(lock=b"{}"))
    postgres.run("create role smsby login password 'x'", "grant usage on schema public to smsby")
    postgres.run("grant select, insert, update on smsby_lock to smsby")
    postgres.run("grant select, insert, delete on smsby_lock_journal to smsby")
    user = postgres.url.partition("://")[2].partition("@")[0]
    store = PostgresStore(postgres.url.replace(user, "smsby:x", 1), "k")
    held = store.write(Stored(), Stored(holder=_HOLDER, journal=b"1\n"))
    store.write(held, held._replace(holder=None, lock=b"{}", journal=b""))
    assert PostgresStore(postgres.url, "k").read().lock == b"{}"


def test_postgres_store_is_not_empty_without_a_right(postgres: Database) -> None:
    """If the role may not read the tables it is an error, not an empty lock, which would send everything again."""
    PostgresStore(postgres.url, "k").write(Stored(), Stored(lock=b"{}"))
    postgres.run("alter role shop set search_path = elsewhere")
    try:
        with pytest.raises(StoreFailed, match="its tables are in the schema public"):
            PostgresStore(postgres.url, "k").read()
    finally:
        postgres.run("alter role shop reset search_path")


def test_postgres_store_reads_one_moment(postgres: Database) -> None:
    """If a run folds its journal into the lock while another one reads, that sees the state before or after it."""
    run = PostgresStore(postgres.url, "k")
    held = run.write(Stored(), Stored(holder=_HOLDER, lock=b"old", journal=b"1\n"))
    engine = create_engine(postgres.url)
    with ThreadPoolExecutor(1) as pool, engine.connect() as connection:
        connection.exec_driver_sql("lock table smsby_lock_journal in access exclusive mode")
        reading = pool.submit(PostgresStore(postgres.url, "k").read)
        while not postgres.one("select count(*) from pg_locks where not granted"):
            assert not reading.done()
        connection.exec_driver_sql("update smsby_lock set document = 'new'")
        connection.exec_driver_sql("delete from smsby_lock_journal")
        connection.commit()
        assert reading.result(30)[2:4] in ((held.lock, held.journal), (b"new", b""))
    engine.dispose()


def test_postgres_store_is_created_by_many_at_once(postgres: Database) -> None:
    """Simultaneous first applies of several projects create the tables once."""
    start = Barrier(4)

    def write(key: str) -> Stored:
        store = PostgresStore(postgres.url, key)
        store.read()
        start.wait()
        return store.write(Stored(), Stored(lock=b"{}"))

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(write, "abcd"))) == 4
