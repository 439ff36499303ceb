"""Connections to the databases that recipients come from.

Transactions are read-only where the database supports it (PostgreSQL, MySQL, MariaDB, SQLite). Messages never contain
the URL of the database, its password or a long number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from smsby_deploy.config.declarations import RecipientsQuery, TextSource
from smsby_deploy.config.text_positions import place_in_text
from smsby_deploy.problems import Location
from smsby_deploy.recipients.rows import RecipientsError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_CONNECT_SECONDS = 10
_LONG_NUMBER = re.compile(r"\d(?:[\s()+-]*\d){6,}")
_FAILED_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)  # as PostgreSQL counts, from 1
_SECRET = re.compile(
    "pass|pwd|secret|token|key|connect", re.IGNORECASE
)  # names of secrets in the query part of a URL
# Drivers that know the setting `connect_timeout`; others fail at it.
_KNOWS_TIMEOUT = frozenset(
    {"psycopg", "psycopg2", "mysqldb", "pymysql", "mysqlconnector", "mariadbconnector"}
)
_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


@contextmanager
def connect(query: RecipientsQuery) -> Iterator[Connection]:
    """Open a connection that is read-only where the database supports it, and always rolled back.

    Raises:
        RecipientsError: SQLAlchemy or a driver is missing, the URL is not usable, or the database cannot be reached.
    """
    if query.url is None:
        message = f"the environment variable {query.url_env} is not set; set it to the URL of the database"
        raise RecipientsError(message, 0, "SQL")
    try:
        import sqlalchemy  # noqa: F401  # is it installed?
    except ModuleNotFoundError:
        message = (
            "reading a database requires SQLAlchemy, which is not installed: pip install 'smsby-deploy[sql]'"
        )
        raise RecipientsError(message, 0, "EXTRA") from None
    url = _read_url(query)
    with explained(query, query.sql):
        opened = _open(url, query)
    with opened as connection, explained(query, query.sql):
        # Without parameters, a per cent sign in the query is literal.
        connection = connection.execution_options(no_parameters=True)
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        elif connection.dialect.name in _READ_ONLY:
            connection.exec_driver_sql(_READ_ONLY[connection.dialect.name])
        yield connection


def _open(url: URL, query: RecipientsQuery) -> Connection:
    """Connect; a driver may raise any exception for a setting in the URL that it does not accept."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    try:
        dialect = url.get_dialect()
        if dialect.is_async:
            raise RecipientsError(
                f"the driver {dialect.driver} in {query.url_env} is asynchronous; name a synchronous one",
                0,
                "SQL",
            )
        settings = {"connect_timeout": _CONNECT_SECONDS} if dialect.driver in _KNOWS_TIMEOUT else {}
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=settings)
        return engine.connect()
    except (TypeError, ValueError) as error:
        message = (
            f"the driver does not accept the URL in {query.url_env} ({type(error).__name__}); correct it"
        )
        raise RecipientsError(message, 0, "SQL") from None


def _read_url(query: RecipientsQuery) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url((query.url or "").strip())
    except (ArgumentError, ValueError):
        message = f"{query.url_env} is not a database URL such as postgresql://user:password@host/database"
        raise RecipientsError(message, 0, "SQL") from None
    # With an unescaped @ in the password, the rest of it is taken for the host or the database, which drivers show.
    if url.get_backend_name() != "sqlite" and "@" in f"{url.host or ''}{url.database or ''}":
        message = f'{query.url_env}: unescaped "@" in the user name or password; encode it as %40'
        raise RecipientsError(message, 0, "SQL")
    if url.drivername in ("postgres", "postgresql"):
        # The driver of the extra `sql` also if neither is installed, so that the error names it.
        driver = "psycopg2" if find_spec("psycopg2") and not find_spec("psycopg") else "psycopg"
        return url.set(drivername=f"postgresql+{driver}")
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        path = Path(url.database)
        if not path.is_file():  # SQLite would create an empty database
            raise RecipientsError(f"the database file named by {query.url_env} does not exist", 0, "SQL")
        name = f"file:{quote(str(path.resolve()))}"
        return url.set(database=name).update_query_dict({"mode": "ro", "uri": "true"})
    return url


@contextmanager
def explained(query: RecipientsQuery, statement: TextSource) -> Iterator[None]:
    """Turn what SQLAlchemy and drivers raise into RecipientsError, at its place in `statement` if known."""
    from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except ModuleNotFoundError as error:
        how = "pip install 'smsby-deploy[sql]'" if error.name == "psycopg" else "install it with pip"
        message = f"the driver of this database, the Python module {error.name}, is not installed: {how}"
        raise RecipientsError(message, 0, "EXTRA") from None
    except NoSuchModuleError:
        message = (
            f"SQLAlchemy has no dialect for the URL in {query.url_env}; install the dialect of the database with pip, "
            "or correct the URL"
        )
        raise RecipientsError(message, 0, "EXTRA") from None
    except DBAPIError as error:
        text = str(error.orig)
        failed = _FAILED_LINE.search(text)
        place = _place(statement, int(failed[1]) - (statement is query.sql)) if failed else statement.location
        raise RecipientsError(f"database error: {_redact(text, query)}", 0, "SQL", place) from None
    except OSError as error:  # from drivers that use HTTP
        message = f"cannot reach the database ({type(error).__name__})"
        raise RecipientsError(message, 0, "SQL", statement.location) from None
    except SQLAlchemyError as error:
        text = f"cannot run the query: {_redact(str(error), query)}"
        raise RecipientsError(text, 0, "SQL", statement.location) from None


def _place(statement: TextSource, line: int) -> Location:
    """Return the place of line `line` of a statement, which is sent without surrounding blanks."""
    blank = len(statement.text) - len(statement.text.lstrip())
    lines = statement.text.strip().split("\n")
    if not 0 < line <= len(lines):
        return statement.location  # a line of the query around it
    offset = blank + sum(len(before) + 1 for before in lines[: line - 1])
    mark = place_in_text(statement, offset + len(lines[line - 1]) - len(lines[line - 1].lstrip()))
    return Location(statement.location.file, *mark) if mark else statement.location


def _redact(text: str, query: RecipientsQuery) -> str:
    """Return the first line of a driver's message without URL, password and phone numbers."""
    line: str = next((line for line in text.splitlines() if line.strip()), "nothing").strip()
    secrets: list[Any] = [query.url]
    url = _read_url(query)
    secrets += [
        value for name, values in url.normalized_query.items() if _SECRET.search(name) for value in values
    ]
    secrets += [url.password, quote(url.password or ""), url.render_as_string(hide_password=False)]
    for secret in filter(None, secrets):
        line = line.replace(str(secret), "***")
    return _LONG_NUMBER.sub("***", line)[:300]
