"""A shared lock in PostgreSQL: one row for the lock, one for each write of its journal.

An advisory lock makes it exclusive. The advisory lock belongs to a session, so the server knows at once when a run has died.
The first write creates the tables.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any, TypeVar
from uuid import uuid4

import psycopg

from smsby_deploy.lock.lease import (
    Holder,
    Stored,
    StoreFailed,
    WrittenMeanwhile,
    holder_document,
    read_holder,
)

_TABLES = """
select pg_advisory_xact_lock(hashtextextended('smsby-deploy tables', 0));
create table if not exists smsby_lock (
  name text primary key, version text not null, holder text not null, document bytea, archive bytea not null);
create table if not exists smsby_lock_journal (
  name text not null, position bigint not null, lines bytea not null, primary key (name, position));
"""
_FIND_TABLE = (
    "select to_regclass('smsby_lock') is not null, "
    "(select min(relnamespace::regnamespace::text) from pg_class where relname = 'smsby_lock')"
)
_READ = (  # in one statement: between two, a run could fold its journal into the lock
    "select version, holder, document, archive, (select coalesce(string_agg(lines, ''::bytea order by position), ''::bytea) "
    "from smsby_lock_journal journal where journal.name = lock.name) from smsby_lock lock where name = %s"
)
_INSERT = (
    "insert into smsby_lock (name, version, holder, document, archive) values (%s, %s, %s, %s, %s) "
    "on conflict do nothing"
)
_UPDATE = (
    "update smsby_lock set version = %s, holder = %s, document = case when %s then %s else document end, "
    "archive = case when %s then archive else ''::bytea end || %s where name = %s and version = %s"
)
_APPEND = (
    "insert into smsby_lock_journal (name, position, lines) "
    "select %s, coalesce(max(position), 0) + 1, %s from smsby_lock_journal where name = %s"
)
_CLEAR = "delete from smsby_lock_journal where name = %s"
_TAKE = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
# Behind a pooler, other runs can get the session that took it; servers other than PostgreSQL only claim that it was taken.
_HAS_TAKEN = "select exists (select from pg_locks where locktype = 'advisory' and granted and pid = %s)"
_LET_GO = "select pg_advisory_unlock(hashtextextended(%s, 0))"
# A machine that is asleep or gone does not end its session; the server must, so that the advisory lock becomes free.
_SET_IDLE_TIMEOUT = "select set_config('idle_session_timeout', '60s', false)"  # between two transactions
_HAS_IDLE_TIMEOUT = 140000  # the first version of PostgreSQL that supports it
_DRIVER = "postgresql+psycopg://"  # as SQLAlchemy writes it
URL_STARTS = ("postgresql://", "postgres://", _DRIVER)
_TIMEOUT = 30  # seconds
_PATIENCE = 60.0  # seconds for a transaction: a server that hangs does not enforce its own limits
# An intent must outlive a crash of the server, even if its own setting is to confirm before it writes to disk.
_SETTINGS = (
    f"set statement_timeout = '{_TIMEOUT}s'; set idle_in_transaction_session_timeout = '60s'; "
    "set synchronous_commit = on"
)
# Without these settings, a connection that is silently cut would hold up a run for a quarter of an hour.
_ALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_REFUSED_LOGIN = re.compile(r"FATAL:\s+(.{1,200})")
_Result = TypeVar("_Result")


class PostgresStore:
    """The lock `key` in the database at `url`, whose password is never shown."""

    def __init__(self, url: str, key: str) -> None:
        self.name = "the database"
        self._url = url.replace(_DRIVER, "postgresql://", 1) if url.startswith(_DRIVER) else url
        self._key = key
        self._connection: Any = None
        self._is_locked = False  # whether this session has the advisory lock

    def read(self) -> Stored:
        """Return the lock in the database as it is now; raises StoreFailed."""
        return self._transact(self._read)

    def write(self, before: Stored, after: Stored) -> Stored:
        """Replace the row if it has the version of `before`; raises as `SharedStore.write`."""
        written = after._replace(version=uuid4().hex)
        try:
            self._transact(lambda cursor: self._write(cursor, before, written))
        except StoreFailed:
            self._close()  # releases the advisory lock, if this session took it
            raise
        if written.holder is None:
            self._close()  # releases the advisory lock
        return written

    def is_over(self, holder: Holder) -> bool:
        """Whether no other session has the advisory lock of `holder`; this one does not keep it."""
        return self._transact(self._is_over)

    def _is_over(self, cursor: Any) -> bool:
        if self._is_locked:
            return True
        if is_over := self._take(cursor):  # a command that only asks must not keep it
            cursor.execute(_LET_GO, (self._lock_name,))
            self._is_locked = False
        return is_over

    @property
    def _lock_name(self) -> str:
        return f"smsby-deploy {self._key}"

    def _read(self, cursor: Any) -> Stored:
        row = cursor.execute(_READ, (self._key,)).fetchone() if _has_table(cursor) else None
        if row is None:
            return Stored()
        version, holder, document, archive, journal = row
        return Stored(version, read_holder(holder), document, journal, archive)

    def _write(self, cursor: Any, before: Stored, after: Stored) -> None:
        if after.holder is not None and not self._take(cursor):
            raise WrittenMeanwhile("another run holds it")
        holder = holder_document(after.holder)
        if before.version:
            document = (after.lock != before.lock, after.lock)
            archive = (after.archive.startswith(before.archive), after.archive.removeprefix(before.archive))
            values = (after.version, holder, *document, *archive, self._key, before.version)
            cursor.execute(_UPDATE, values)
        else:
            if not _has_table(cursor):  # `create table` needs the right to create even if it exists
                cursor.execute(_TABLES)
            cursor.execute(_INSERT, (self._key, after.version, holder, after.lock, after.archive))
        if cursor.rowcount != 1:
            raise WrittenMeanwhile("another run has written to it")
        if not after.journal.startswith(before.journal) or not after.journal:
            cursor.execute(_CLEAR, (self._key,))
        if lines := after.journal.removeprefix(before.journal) if after.journal else b"":
            cursor.execute(_APPEND, (self._key, lines, self._key))

    def _take(self, cursor: Any) -> bool:
        """Whether this session has the advisory lock.

        Raises:
            StoreFailed: the server does not tell sessions apart.
        """
        if self._is_locked or not cursor.execute(_TAKE, (self._lock_name,)).fetchone()[0]:
            return self._is_locked
        server = cursor.connection.info
        if not cursor.execute(_HAS_TAKEN, (server.backend_pid,)).fetchone()[0]:
            cursor.execute(_LET_GO, (self._lock_name,))
            raise StoreFailed(
                "it does not tell sessions apart, as behind a pooler; the URL must name the PostgreSQL server itself"
            )
        if server.server_version >= _HAS_IDLE_TIMEOUT:
            cursor.execute(_SET_IDLE_TIMEOUT)
        self._is_locked = True
        return True

    def _transact(self, work: Callable[[Any], _Result]) -> _Result:
        """Run `work` with a cursor in its own transaction; returns its result, raises as `write`."""
        try:
            is_new = self._connection is None
            if is_new:
                self._connection = psycopg.connect(self._url, connect_timeout=_TIMEOUT, **_ALIVE)
            with _limited(self._connection):
                if is_new:
                    self._connection.execute(_SETTINGS)
                    self._connection.commit()
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    return work(cursor)
        except psycopg.Error as error:
            self._close()
            raise StoreFailed(_why(error)) from error

    def _close(self) -> None:
        connection, self._connection, self._is_locked = self._connection, None, False
        if connection is not None:
            with suppress(Exception):
                connection.close()


@contextmanager
def _limited(connection: Any) -> Iterator[None]:
    """Cut a connection on which the server does not answer; psycopg would wait forever."""
    timer = Timer(_PATIENCE, _cut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _cut(connection: Any) -> None:
    with suppress(Exception):  # the connection is already closed
        wire = socket.socket(fileno=connection.fileno())
        try:
            wire.shutdown(socket.SHUT_RDWR)
        finally:
            wire.detach()  # the connection closes it


def _why(error: Any) -> str:
    """Say why psycopg failed: the server's answer to the login, or else the kind of failure.

    Other texts are left out, because they may repeat a part of the URL.
    """
    kind = type(error).__name__
    if error.sqlstate:
        return f"{kind} (SQLSTATE {error.sqlstate})"
    if isinstance(error, psycopg.ProgrammingError):  # before it has asked the server
        return "its URL is invalid; special characters in a password must be percent-encoded"
    refused = _REFUSED_LOGIN.search(str(error))
    return refused[1] if refused else f"no connection ({kind})"


def _has_table(cursor: Any) -> bool:
    """Whether the tables exist; StoreFailed if this role cannot see them.

    Such tables would otherwise count as empty.
    """
    is_seen, schema = cursor.execute(_FIND_TABLE).fetchone()
    if schema is not None and not is_seen:
        raise StoreFailed(
            f"its tables are in the schema {schema}, which this role may not use, or which is not in its search_path"
        )
    return bool(is_seen)
