"""Recipients in a database: the rows of a query, read through SQLAlchemy.

Requires the extra `sql`.
Rows are read through a server-side cursor, so that memory does not grow with the result.

Transactions are read-only, and statements limited in time, where the database supports it (PostgreSQL, MySQL, MariaDB,
SQLite). Messages never contain the database's URL, its password, a value or a long number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from importlib.util import find_spec
from pathlib import Path
from sqlite3 import SQLITE_LIMIT_ATTACHED
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from smsby_deploy.clock import SystemClock
from smsby_deploy.config.sources import FalseText, Freshness, RecipientsQuery, TextSource
from smsby_deploy.config.yaml_places import place_in_text
from smsby_deploy.privacy import hide_secrets
from smsby_deploy.problems import Location
from smsby_deploy.recipients.cell_values import UnsupportedValue, shorten_floats, text_rows
from smsby_deploy.recipients.order_check import OrderCheck
from smsby_deploy.recipients.rows import (
    Block,
    RecipientsError,
    SourceFacts,
    block_of_rows,
    repeated_names,
)
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult

_CONNECT_SECONDS = 10
_FAILED_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)  # as PostgreSQL counts, from 1
_SECRET = re.compile(
    "pass|pwd|secret|token|key|connect", re.IGNORECASE
)  # names of secrets in the query part of a URL
# Drivers that know the setting `connect_timeout`; others fail at it.
_KNOWS_TIMEOUT = frozenset(
    {"psycopg", "psycopg2", "mysqldb", "pymysql", "mysqlconnector", "mariadbconnector"}
)
_STATEMENT_SECONDS = 600  # a query of a campaign that takes longer holds up every plan
_SQLITE_STEPS = 100_000  # of SQLite's virtual machine between two looks at the clock
_SETTINGS = {
    "postgresql": ("SET statement_timeout = '{seconds}s'",),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_execution_time = {seconds}000"),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION max_statement_time = {seconds}"),
    "sqlite": ("PRAGMA query_only = ON",),
}
# The type codes of floats of single precision; other drivers do not tell.
_SINGLE_FLOAT = {"postgresql": 700, "mysql": 4, "mariadb": 4}
_QUOTED = re.compile(r"""(["'`«])([^"'`»]*)(["'`»])""")  # in a message of a database: a name or a value


@contextmanager
def connect(query: RecipientsQuery) -> Iterator[Connection]:
    """Open a connection that is always rolled back.

    It is read-only where the database supports that.

    Raises:
        RecipientsError: SQLAlchemy or a driver is missing, the URL is not usable, or the database cannot be reached.
    """
    if query.url is None:
        message = sentence(
            "the environment variable {variable} is not set; set it to the URL of the database",
            variable=query.url_env,
        )
        raise RecipientsError(message, 0, "SQL")
    try:
        import sqlalchemy  # noqa: F401  # is it installed?
    except ModuleNotFoundError:
        message = sentence(
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
        elif connection.dialect.name == "sqlite":
            _limit_sqlite(connection)
        for statement in _SETTINGS.get(connection.dialect.name, ()):
            connection.exec_driver_sql(statement.format(seconds=_STATEMENT_SECONDS))
        yield connection


def _limit_sqlite(connection: Connection) -> None:
    """Let SQLite end a query after its time, and attach no other file, which it might create."""
    driver: Any = connection.connection.driver_connection
    deadline = SystemClock().monotonic() + _STATEMENT_SECONDS
    driver.set_progress_handler(lambda: SystemClock().monotonic() > deadline, _SQLITE_STEPS)
    driver.setlimit(SQLITE_LIMIT_ATTACHED, 0)


def _open(url: URL, query: RecipientsQuery) -> Connection:
    """Connect to the database.

    A driver may raise any exception for a setting in the URL that it does not accept.
    """
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
                0,
                "SQL",
            )
        settings = {"connect_timeout": _CONNECT_SECONDS} if dialect.driver in _KNOWS_TIMEOUT else {}
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=settings)
        return engine.connect()
    except (TypeError, ValueError) as error:
        message = sentence(
            "the driver does not accept the URL in {variable} ({why}); correct it",
            variable=query.url_env,
            why=type(error).__name__,
        )
        raise RecipientsError(message, 0, "SQL") from None


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
        raise RecipientsError(message, 0, "SQL") from None
    # With an unescaped @ in the password, the rest of it is taken for the host or the database, which drivers show.
    if url.get_backend_name() != "sqlite" and "@" in f"{url.host or ''}{url.database or ''}":
        message = sentence(
            '{variable}: unescaped "@" in the user name or password; encode it as %40', variable=query.url_env
        )
        raise RecipientsError(message, 0, "SQL")
    if url.drivername in ("postgres", "postgresql"):
        # The driver of the extra `sql` also if neither is installed, so that the error names it.
        driver = "psycopg2" if find_spec("psycopg2") and not find_spec("psycopg") else "psycopg"
        return url.set(drivername=f"postgresql+{driver}")
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        path = Path(url.database)
        if not path.is_file():  # SQLite would create an empty database
            message = sentence("the database file named by {variable} does not exist", variable=query.url_env)
            raise RecipientsError(message, 0, "SQL")
        name = f"file:{quote(str(path.resolve()))}"
        return url.set(database=name).update_query_dict({"mode": "ro", "uri": "true"})
    return url


@contextmanager
def explained(query: RecipientsQuery, statement: TextSource) -> Iterator[None]:
    """Turn exceptions of SQLAlchemy and drivers into RecipientsError.

    The error has its place in `statement` if that is known.
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
        raise RecipientsError(message, 0, "EXTRA") from None
    except NoSuchModuleError:
        message = sentence(
            "SQLAlchemy has no dialect for the URL in {variable}; install the dialect of the database with pip, or correct "
            "the URL",
            variable=query.url_env,
        )
        raise RecipientsError(message, 0, "EXTRA") from None
    except DBAPIError as error:
        text = str(error.orig)
        failed = _FAILED_LINE.search(text)
        place = _place(statement, int(failed[1]) - 1) if failed else statement.location
        message = sentence("database error: {why}", why=_redact(text, query))
        raise RecipientsError(message, 0, "SQL", place) from None
    except OSError as error:  # from drivers that use HTTP
        message = sentence("cannot reach the database ({why})", why=type(error).__name__)
        raise RecipientsError(message, 0, "SQL", statement.location) from None
    except SQLAlchemyError as error:
        message = sentence("cannot run the query: {why}", why=_redact(str(error), query))
        raise RecipientsError(message, 0, "SQL", statement.location) from None


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
    secrets: list[str | None] = [query.url]
    url = _read_url(query)
    secrets += [
        value for name, values in url.normalized_query.items() if _SECRET.search(name) for value in values
    ]
    secrets += [url.password, quote(url.password or ""), url.render_as_string(hide_password=False)]
    authored = f"{query.sql.text}\n{query.order_by}\n{query.freshness.sql.text if query.freshness else ''}"
    line = _QUOTED.sub(lambda found: found[0] if found[2] in authored else f"{found[1]}…{found[3]}", line)
    if line == "interrupted" or "statement timeout" in line:  # as SQLite and PostgreSQL say it
        return _too_slow()
    return hide_secrets(line, secrets)[:300]


def _too_slow() -> str:
    return sentence(
        "the query took longer than {limit} seconds; make it faster, or query a table made for it",
        limit=_STATEMENT_SECONDS,
    )


_NUMBERED = re.compile(r":\d+$")


def read_query(query: RecipientsQuery, size: int, facts: SourceFacts) -> Iterator[Block]:
    """Yield the rows of `query` in its order, at most `size` per block, numbered from 1.

    `facts` are complete after the last block. If `query.snapshot` is set, the whole result is fetched and compared
    with it before the first row is returned, so that nothing of a changed result is sent and no connection stays open
    meanwhile.

    Raises:
        RecipientsError: it cannot be read, its order has ties, or the result is not that of `query.snapshot`.
    """
    if query.snapshot is None:
        yield from _hash_blocks(query, size, facts)
        return
    try:
        # A file without a name: no other process can open it, and it disappears with this one.
        with TemporaryFile("w+", encoding="utf-8") as spool:
            for block in _hash_blocks(query, size, facts):
                json.dump([block.columns, block.lines[0], block.values, _find_false(block.values)], spool)
                spool.write("\n")
            if facts.snapshot != query.snapshot:
                raise RecipientsError(
                    sentence("the result of the query has changed since the plan"), 0, "SQL"
                )
            spool.seek(0)
            for line in spool:
                columns, first, values, false = json.loads(line)
                for column, row in false:
                    values[column][row] = FalseText(values[column][row])
                lines = range(first, first + len(values[0]))
                yield Block(tuple(columns), lines, values, header_line=0, is_typed=True)
    except OSError as error:
        message = sentence("cannot store the rows of the query: {why}", why=error.strerror)
        raise RecipientsError(message, 0, "SQL") from error


def _find_false(values: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """The columns and rows of the values that are false, which JSON would turn into plain text."""
    return [
        (index, row)
        for index, column in enumerate(values)
        if FalseText in set(map(type, column))
        for row, cell in enumerate(column)
        if type(cell) is FalseText
    ]


def _hash_blocks(query: RecipientsQuery, size: int, facts: SourceFacts) -> Iterator[Block]:
    snapshot = hashlib.sha256()
    for block in _query_blocks(query, size, facts):
        if block.lines[0] == 1:
            snapshot.update(json.dumps(block.columns).encode())
        # Independent of the block size: all rows one after the other, each followed by a comma.
        snapshot.update(json.dumps(block.cells, separators=(",", ":"))[1:-1].encode() + b",")
        yield block
    facts.snapshot = snapshot.hexdigest()


def _query_blocks(query: RecipientsQuery, size: int, facts: SourceFacts) -> Iterator[Block]:
    with connect(query) as connection:
        if query.freshness is not None:
            facts.newest = _read_newest(connection, query, query.freshness)
        statement = query.sql.text.strip().rstrip(";")
        # As a subquery it cannot be another statement, and may have an order and a limit of its own.
        wrapped = f"select * from (\n{statement}\n) smsby_rows"  # noqa: S608  # the project's own
        if query.order_by is not None:
            wrapped += f" order by {query.order_by}"
        with explained(query, query.sql):
            result = connection.exec_driver_sql(wrapped, execution_options={"yield_per": size})
        columns = tuple(result.keys())
        names = columns
        if connection.dialect.name == "sqlite":  # which calls a second column `name:1`
            names = tuple(_NUMBERED.sub("", name) for name in columns)
        if twice := repeated_names(names):
            message = sentence("duplicate column names in the query: {names}", names=", ".join(twice))
            raise RecipientsError(message, 0, "SQL")
        order = OrderCheck(columns, None if query.may_tie else query.order_by)
        single = _single_floats(connection, result)
        first = 1
        # PostgreSQL limits each fetch from a cursor by itself, so rows could come for ever.
        deadline = SystemClock().monotonic() + _STATEMENT_SECONDS
        partitions = result.partitions(size)
        while True:
            with explained(query, query.sql):
                rows = next(partitions, None)
            if not rows:
                return
            if SystemClock().monotonic() > deadline:
                raise RecipientsError(_too_slow(), 0, "SQL", query.sql.location)
            try:
                values = zip(*rows, strict=True)
                cells = text_rows(
                    shorten_floats(column, "f") if index in single else column
                    for index, column in enumerate(values)
                )
            except UnsupportedValue as error:
                message = sentence(
                    "unsupported type of value ({kind}) in the column {column} of the query; leave the column out, or "
                    "cast it to text",
                    kind=str(error),
                    column=columns[error.column],
                )
                raise RecipientsError(message, first + error.row, "SQL") from error
            order.check(cells, first)
            yield block_of_rows(
                columns, range(first, first + len(cells)), cells, header_line=0, is_typed=True
            )
            first += len(cells)


def _single_floats(connection: Connection, result: CursorResult[Any]) -> frozenset[int]:
    """Return the columns of floats of single precision, where the driver tells."""
    code = _SINGLE_FLOAT.get(connection.dialect.name)
    described = result.cursor.description if code and result.cursor else ()
    return frozenset(index for index, column in enumerate(described) if column[1] == code)


def _read_newest(connection: Connection, query: RecipientsQuery, freshness: Freshness) -> datetime:
    with explained(query, freshness.sql):
        # A server-side cursor takes a single query: with a `commit` and a second statement, it could end the read-only
        # transaction.
        # As a subquery it cannot be another statement, such as one that creates a file.
        wrapped = f"select * from (\n{freshness.sql.text.strip().rstrip(';')}\n) smsby_freshness"  # noqa: S608
        result = connection.exec_driver_sql(wrapped, execution_options={"stream_results": True})
        row = result.fetchone()
        result.close()
    value = row[0] if row else None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if not isinstance(value, datetime):
            raise ValueError
        if value.tzinfo is None:
            value = value.replace(tzinfo=ZoneInfo(freshness.timezone))
        return value.astimezone(UTC)
    except (ValueError, OverflowError):  # such as the year 1 for never, which is another year in UTC
        message = sentence(
            "freshness: expected one date or time from its query, got nothing"
            if value is None
            else "freshness: expected one date or time from its query, got another value"
        )
        raise RecipientsError(message, 0, "FRESHNESS", freshness.sql.location) from None
