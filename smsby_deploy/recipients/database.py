"""Connections to the databases of recipients and opt-outs, through SQLAlchemy.

Requires the extra `sql`.

Transactions are read-only and statements have a time limit where the database supports it (PostgreSQL, MySQL, MariaDB,
SQLite). Messages never contain the database's URL, its password, a value or a long number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from sqlite3 import SQLITE_LIMIT_ATTACHED
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from smsby_deploy.clock import SystemClock
from smsby_deploy.config.sources import RecipientsQuery, TextSource
from smsby_deploy.config.yaml_places import place_in_text
from smsby_deploy.privacy import hide_secrets
from smsby_deploy.problems import Location
from smsby_deploy.recipients.rows import RecipientsError
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Dialect

_CONNECT_SECONDS = 10
_SLOW = 1.0  # seconds: a failure that takes longer means a database that does not answer
_PAUSE = 60.0  # seconds before such a database is asked again: a run may have hundreds of mailings
_FAILED_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)  # as PostgreSQL counts, from 1
# Names of secrets in the query part of a URL.
_SECRET = re.compile("pass|pwd|secret|token|key|connect", re.IGNORECASE)
# Drivers that accept `connect_timeout`; others reject it.
_KNOWS_TIMEOUT = frozenset(
    {"psycopg", "psycopg2", "mysqldb", "pymysql", "mysqlconnector", "mariadbconnector"}
)
_STATEMENT_SECONDS = 600  # a slower query would hold up every plan
_SQLITE_STEPS = 100_000  # of SQLite's virtual machine between two checks of the clock
_SETTINGS = {
    "postgresql": ("SET statement_timeout = '{seconds}s'",),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_execution_time = {seconds}000"),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_statement_time = {seconds}"),
    "sqlite": ("PRAGMA query_only = ON",),
}
# By URL, and by statement if that timed out: the error to repeat, and until when.
_unanswered: dict[tuple[str, ...], tuple[float, RecipientsError]] = {}
# A quoted name or value in a database message. The apostrophe of `can't` does not open a quote.
_QUOTED = re.compile(r"""(?<!\w)(["'`«])([^"'`»]*)(["'`»])""")


@contextmanager
def connect(query: RecipientsQuery) -> Iterator[Connection]:
    """Open a connection that is always rolled back, and read-only where that is supported.

    A database that failed to answer in time is not asked again for a minute; otherwise each mailing would wait as long.

    Raises:
        RecipientsError: SQLAlchemy or a driver is missing, the URL is unusable, or the database cannot be reached.
    """
    if query.url is None:
        message = sentence(
            "the environment variable {variable} is not set; set it to the URL of the database",
            variable=query.url_env,
        )
        raise RecipientsError(message, code="SQL")
    try:
        import sqlalchemy  # noqa: F401  # is it installed?
    except ModuleNotFoundError:
        message = sentence(
            "reading a database requires SQLAlchemy, which is not installed: pip install 'smsby-deploy[sql]'"
        )
        raise RecipientsError(message, code="EXTRA") from None
    url = _read_url(query)
    key = (query.url, query.sql.text)
    with _remembering(query, key[:1], _SLOW), explained(query, query.sql):
        opened = _open(url, query)
    with opened as connection, _remembering(query, key, _STATEMENT_SECONDS), explained(query, query.sql):
        # Without parameters, a per cent sign in the query is literal.
        connection = connection.execution_options(no_parameters=True)
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        elif connection.dialect.name == "sqlite":
            _limit_sqlite(connection)
        for statement in _SETTINGS.get(kind_of(connection.dialect), ()):
            connection.exec_driver_sql(statement.format(seconds=_STATEMENT_SECONDS))
        yield connection


@contextmanager
def _remembering(query: RecipientsQuery, key: tuple[str, ...], patience: float) -> Iterator[None]:
    """Raise the error remembered under `key`, if any.

    An error that takes at least `patience` seconds to occur is remembered for a minute.
    """
    clock = SystemClock()
    begun = clock.monotonic()
    until, failure = _unanswered.get(key, (0.0, None))
    if failure is not None and begun < until:
        raise RecipientsError(failure.message, code=failure.code, location=query.sql.location)
    try:
        yield
    except RecipientsError as error:
        ended = clock.monotonic()
        if ended - begun >= patience:
            _unanswered[key] = (ended + _PAUSE, error)
        raise


def kind_of(dialect: Dialect) -> str:
    """Return the dialect's name; MariaDB is recognized even behind a MySQL URL, as is common."""
    return "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name


def _limit_sqlite(connection: Connection) -> None:
    """Make SQLite abort a query at its deadline and refuse ATTACH, which could create a file."""
    driver: Any = connection.connection.driver_connection
    deadline = find_deadline()
    driver.set_progress_handler(lambda: SystemClock().monotonic() > deadline, _SQLITE_STEPS)
    driver.setlimit(SQLITE_LIMIT_ATTACHED, 0)


def _open(url: URL, query: RecipientsQuery) -> Connection:
    """Connect; a driver may raise any exception for a setting it does not accept."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    try:
        dialect = url.get_dialect()
        if dialect.is_async:
            raise RecipientsError(
                sentence(
                    "the driver {driver} in {variable} is asynchronous; name a synchronous one",
                    driver=dialect.driver,
                    variable=query.url_env,
                ),
                code="SQL",
            )
        settings = {"connect_timeout": _CONNECT_SECONDS} if dialect.driver in _KNOWS_TIMEOUT else {}
        options: dict[str, Any] = {}
        if dialect.name == "postgresql":  # a number in JSON keeps its digits
            options["json_deserializer"] = partial(json.loads, parse_float=Decimal)
        engine = create_engine(
            url, poolclass=NullPool, hide_parameters=True, connect_args=settings, **options
        )
        return engine.connect()
    except (TypeError, ValueError) as error:
        message = sentence(
            "the driver does not accept the URL in {variable} ({why}); correct it",
            variable=query.url_env,
            why=type(error).__name__,
        )
        raise RecipientsError(message, code="SQL") from None


def _read_url(query: RecipientsQuery) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url((query.url or "").strip())
    except (ArgumentError, ValueError):
        message = sentence(
            "{variable} is not a database URL such as postgresql://user:password@host/database",
            variable=query.url_env,
        )
        raise RecipientsError(message, code="SQL") from None
    # After an unescaped @ in a password, the rest is taken for the host or the database, which drivers print.
    if url.get_backend_name() != "sqlite" and "@" in f"{url.host or ''}{url.database or ''}":
        message = sentence(
            '{variable}: unescaped "@" in the user name or password; encode it as %40', variable=query.url_env
        )
        raise RecipientsError(message, code="SQL")
    if url.drivername in ("postgres", "postgresql"):
        # If neither is installed, name the driver of the extra `sql`, so that the error does.
        driver = "psycopg2" if find_spec("psycopg2") and not find_spec("psycopg") else "psycopg"
        return url.set(drivername=f"postgresql+{driver}")
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        path = Path(url.database)
        if not path.is_file():  # SQLite would create an empty database
            message = sentence("the database file named by {variable} does not exist", variable=query.url_env)
            raise RecipientsError(message, code="SQL")
        name = f"file:{quote(str(path.resolve()))}"
        return url.set(database=name).update_query_dict({"mode": "ro", "uri": "true"})
    return url


@contextmanager
def explained(query: RecipientsQuery, statement: TextSource) -> Iterator[None]:
    """Turn exceptions of SQLAlchemy and drivers into RecipientsError.

    The error is located in `statement` where possible.
    """
    from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except ModuleNotFoundError as error:
        how = (
            "pip install 'smsby-deploy[sql]'" if error.name == "psycopg" else sentence("install it with pip")
        )
        message = sentence(
            "the driver of this database, the Python module {name}, is not installed: {how}",
            name=error.name,
            how=how,
        )
        raise RecipientsError(message, code="EXTRA") from None
    except NoSuchModuleError:
        message = sentence(
            "SQLAlchemy has no dialect for the URL in {variable}; install the dialect of the database with pip, or correct "
            "the URL",
            variable=query.url_env,
        )
        raise RecipientsError(message, code="EXTRA") from None
    except DBAPIError as error:
        text = _said(error.orig)
        failed = _FAILED_LINE.search(text)
        place = _place(statement, int(failed[1]) - 1) if failed else statement.location
        message = sentence("database error: {why}", why=_redact(text, query))
        raise RecipientsError(message, code="SQL", location=place) from None
    except OSError as error:  # from drivers that use HTTP
        message = sentence("cannot reach the database ({why})", why=type(error).__name__)
        raise RecipientsError(message, code="SQL", location=statement.location) from None
    except SQLAlchemyError as error:
        message = sentence("cannot run the query: {why}", why=_redact(str(error), query))
        raise RecipientsError(message, code="SQL", location=statement.location) from None


def _said(error: BaseException | None) -> str:
    """Return the message of a driver's exception, without MySQL's leading error number."""
    match error.args if error else ():
        case (int(), str(message)):
            return message
    return str(error)


def _place(statement: TextSource, line: int) -> Location:
    """Locate line `line` of a statement in its file; it is sent without surrounding blanks."""
    blank = len(statement.text) - len(statement.text.lstrip())
    lines = statement.text.strip().split("\n")
    if not 0 < line <= len(lines):
        return statement.location  # a line of the wrapping query
    offset = blank + sum(len(before) + 1 for before in lines[: line - 1])
    mark = place_in_text(statement, offset + len(lines[line - 1]) - len(lines[line - 1].lstrip()))
    return Location(statement.location.file, *mark) if mark else statement.location


def _redact(text: str, query: RecipientsQuery) -> str:
    """Return the first line of a driver's message without URL, password and phone numbers."""
    line: str = next((line for line in text.splitlines() if line.strip()), "nothing").strip()
    secrets: list[str | None] = [query.url]
    url = _read_url(query)
    secrets += [
        value for name, values in url.normalized_query.items() if _SECRET.search(name) for value in values
    ]
    secrets += [url.password, quote(url.password or ""), url.render_as_string(hide_password=False)]
    authored = f"{query.sql.text}\n{query.order_by}\n{query.freshness.sql.text if query.freshness else ''}"
    line = _QUOTED.sub(lambda found: found[0] if found[2] in authored else f"{found[1]}…{found[3]}", line)
    if line == "interrupted" or "statement timeout" in line:  # the wording of SQLite and PostgreSQL
        return too_slow()
    return hide_secrets(line, secrets)[:300]


def find_deadline() -> float:
    """Return the deadline, on the monotonic clock, of a query that starts now."""
    return SystemClock().monotonic() + _STATEMENT_SECONDS


def too_slow() -> str:
    """Return the message for a query that ran past its deadline."""
    return sentence(
        "the query took longer than {limit} seconds; make it faster, or query a table made for it",
        limit=_STATEMENT_SECONDS,
    )
