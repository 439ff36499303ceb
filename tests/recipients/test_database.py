"""Connections to databases: what errors show, and which settings apply. test_sql.py has real databases."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest
from sqlalchemy.engine import default
from sqlalchemy.exc import DBAPIError

from smsby_deploy.clock import SystemClock
from smsby_deploy.config.sources import HiddenText, RecipientsQuery, TextSource
from smsby_deploy.problems import Location
from smsby_deploy.recipients.database import connect, explained, kind_of
from smsby_deploy.recipients.rows import RecipientsError

_AT = Location("sale.yaml", 6, 12)
_SQL = TextSource("select id from clients where citty = 1", _AT)
_URL = HiddenText("mysql://reader:secret@crm.internal/crm")
_QUERY = RecipientsQuery(_SQL, "sql:sale/vip", "CRM_URL", _URL, "id", "phone", _AT)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "Can't connect to MySQL server on 'crm.internal' (Connection refused)",
            "Can't connect to MySQL server on '…' (",
        ),
        ("Access denied for user 'reader'@'crm.internal'", "Access denied for user '…'@'…'"),
        ("Unknown column 'citty' in 'where clause'", "Unknown column 'citty' in '…'"),
    ],
)
def test_error_of_mysql_shows_no_host(said: str, shown: str) -> None:
    """A MySQL error is shown without its host, though drivers put a number and an apostrophe into the message."""
    with pytest.raises(RecipientsError) as caught, explained(_QUERY, _QUERY.sql):
        raise DBAPIError("", None, Exception(2003, said))
    assert str(caught.value).startswith(f"database error: {shown}")


def test_mariadb_is_recognized_behind_a_url_of_mysql() -> None:
    """MariaDB is recognized behind a MySQL URL: its time limit has another name, and every query would fail."""
    dialect = default.DefaultDialect()
    assert kind_of(dialect) == "default"
    dialect.name, dialect.is_mariadb = "mysql", True  # type: ignore[attr-defined]
    assert kind_of(dialect) == "mariadb"


@pytest.fixture
def hung() -> Iterator[tuple[RecipientsQuery, list[Callable[[], object]]]]:
    """A query of a server that makes the calls in a list and then ends each connection; each adds a call to `bool`."""
    calls: list[Callable[[], object]] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                for call in list(calls):
                    call()
                calls.append(bool)
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        url = f"postgresql://127.0.0.1:{port}/crm?sslmode=disable&gssencmode=disable"
        yield _QUERY._replace(url=HiddenText(url)), calls
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_database_that_does_not_answer_is_asked_once_a_minute(
    hung: tuple[RecipientsQuery, list[Callable[[], object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not answer is asked once a minute, not by each mailing; one that refuses is asked by each."""
    query, calls = hung
    time = [1000.0]
    monkeypatch.setattr(SystemClock, "monotonic", lambda self: time[0])

    def ask(line: int) -> int:
        """Try again, and return the number of connections so far."""
        mailing = query._replace(sql=query.sql._replace(location=Location("sale.yaml", line)))
        with pytest.raises(RecipientsError, match="database error: ") as caught, connect(mailing):
            pass
        assert caught.value.location == mailing.sql.location
        return calls.count(bool)

    assert [ask(1), ask(2)] == [1, 2]
    calls.append(lambda: time.append(time.pop() + 10))
    assert [ask(3), ask(4), ask(5)] == [3, 3, 3]
    time[0] += 59
    assert ask(6) == 3
    time[0] += 1
    assert ask(7) == 4
