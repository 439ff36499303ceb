"""Recipients in a database: the rows of a query, read through SQLAlchemy. Needs the extra `sql`.

Read in a transaction that can't write where the database knows such (PostgreSQL, MySQL, MariaDB, SQLite) and is rolled
back everywhere; by a cursor on the server's side, so that memory stays flat. Nothing said of an error holds the address
of the database, its password or a long number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from importlib.util import find_spec
from itertools import islice
from operator import eq, itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Freshness, RecipientsQuery, TextSource
from smsby_deploy.config.text_positions import place_in_text
from smsby_deploy.problems import Location
from smsby_deploy.recipients.cell_values import UnsupportedValue, rows_of
from smsby_deploy.recipients.csv_dialect import RecipientsError
from smsby_deploy.recipients.rows import Block, block_of_rows, find_column
from smsby_deploy.recipients.sources import SourceFacts

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_CONNECT_SECONDS = 10
_LONG_NUMBER = re.compile(r"\d(?:[\s()+-]*\d){6,}")
_NUMBERED = re.compile(r":\d+$")
_FAILED_LINE = re.compile(r"^LINE (\d+):", re.MULTILINE)  # PostgreSQL's own count, from 1
_SECRET = re.compile("pass|pwd|secret|token|key|connect", re.IGNORECASE)  # of what a URL's query names
# Drivers that know this setting; another one fails at it.
_KNOWS_TIMEOUT = frozenset(
    {"psycopg", "psycopg2", "mysqldb", "pymysql", "mysqlconnector", "mariadbconnector"}
)
_FIRST = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


def read_query(query: RecipientsQuery, size: int, facts: SourceFacts) -> Iterator[Block]:
    """The rows of `query` in its order, at most `size` a block, counted from 1. At their end `facts` are complete.

    If `query.snapshot` is set, the whole result is fetched and compared with it before the first row is given: so no
    row of a result that changed leaves, and no connection waits for what is done with the rows.

    Raises:
        RecipientsError: it can't be read, its order is open, or it is another result than `query.snapshot`.
    """
    if query.snapshot is None:
        yield from _hash_blocks(query, size, facts)
        return
    try:
        # A file without a name: nobody else can open it, and it is gone with this process.
        with TemporaryFile("w+", encoding="utf-8") as spool:
            for block in _hash_blocks(query, size, facts):
                json.dump([block.columns, block.lines[0], block.cells], spool)
                spool.write("\n")
            if facts.snapshot != query.snapshot:
                raise RecipientsError("the result of its query changed since it was planned", 0, "SQL")
            spool.seek(0)
            for line in spool:
                columns, first, cells = json.loads(line)
                yield block_of_rows(tuple(columns), range(first, first + len(cells)), cells, header_line=0)
    except OSError as error:
        raise RecipientsError(f"no room for the rows of its query: {error.strerror}", 0, "SQL") from error


def _hash_blocks(query: RecipientsQuery, size: int, facts: SourceFacts) -> Iterator[Block]:
    snapshot = hashlib.sha256()
    for block in _query_blocks(query, size, facts):
        if block.lines[0] == 1:
            snapshot.update(json.dumps(block.columns).encode())
        # Whatever the blocks' size: the rows of all, one after the other, each followed by a comma.
        snapshot.update(json.dumps(block.cells, separators=(",", ":"))[1:-1].encode() + b",")
        yield block
    facts.snapshot = snapshot.hexdigest()


def _query_blocks(query: RecipientsQuery, size: int, facts: SourceFacts) -> Iterator[Block]:
    with _connect(query) as connection:
        if query.freshness is not None:
            facts.newest = _read_newest(connection, query, query.freshness)
        statement = query.sql.text.strip().rstrip(";")
        # In parentheses it can be nothing but a query, and may have an order and a limit of its own.
        wrapped = f"select * from (\n{statement}\n) smsby_rows order by {query.order_by}"  # noqa: S608  # it is the project's
        with _explained(query, query.sql):
            result = connection.exec_driver_sql(wrapped, execution_options={"yield_per": size})
        columns = tuple(result.keys())
        names = columns
        if connection.dialect.name == "sqlite":  # it calls the second one `name:1`
            names = tuple(_NUMBERED.sub("", name) for name in columns)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise RecipientsError(f"its query names a column twice: {', '.join(twice)}", 0, "SQL")
        order = _OrderCheck(columns, query.order_by)
        first = 1
        partitions = result.partitions(size)
        while True:
            with _explained(query, query.sql):
                rows = next(partitions, None)
            if not rows:
                return
            try:
                cells = rows_of(zip(*rows, strict=True))
            except UnsupportedValue as error:
                raise _not_plain(columns, rows, first) from error
            order.look_at(cells, first)
            yield block_of_rows(columns, range(first, first + len(cells)), cells, header_line=0)
            first += len(cells)


def _not_plain(columns: tuple[str, ...], rows: Sequence[Sequence[Any]], first: int) -> RecipientsError:
    """What is said of the first value among `rows`, the first of which is the `first` of all, that has no text."""
    for line, row in enumerate(rows, first):
        for name, value in zip(columns, row, strict=True):
            try:
                rows_of([[value]])
            except UnsupportedValue as error:
                message = (
                    f"its query gives a value that is not plain ({error}) as {name}: "
                    "leave that column out, or cast it to text"
                )
                return RecipientsError(message, line, "SQL")
    raise AssertionError("all of them are plain")


class _OrderCheck:
    """Whether `order_by` tells all rows apart. Rows that it does not could come in another order the next time, and
    then a mailing that was sent in part would not be known again."""

    def __init__(self, columns: tuple[str, ...], order_by: str) -> None:
        self.order_by = order_by
        wanted = [find_column(columns, key.split()[0]) for key in order_by.split(",")]
        known = [index for index in wanted if index is not None]
        self.key = itemgetter(*known) if known else None
        self.last: list[str] | None = None

    def look_at(self, cells: list[list[str]], first: int) -> None:
        rows = cells if self.last is None else [self.last, *cells]
        before = first if self.last is None else first - 1
        self.last = cells[-1]
        if self.key is None:
            return
        keys = [self.key(row) for row in rows]
        for index, tie in enumerate(map(eq, keys, islice(keys, 1, None))):
            if tie and rows[index] != rows[index + 1]:
                message = (
                    f"`order_by: {self.order_by}` does not tell it from the row below, so their order can change; "
                    "add a column that does"
                )
                raise RecipientsError(message, before + index, "ORDER")


def _read_newest(connection: Connection, query: RecipientsQuery, freshness: Freshness) -> datetime:
    with _explained(query, freshness.sql):
        # By a cursor on the server's side, which takes one query and nothing else: a `commit` before a second statement
        # would end the transaction that only reads.
        result = connection.exec_driver_sql(
            freshness.sql.text.strip().rstrip(";"), execution_options={"stream_results": True}
        )
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
    except ValueError:
        found = "nothing" if value is None else "something else"
        message = f"freshness: its query is to give one date or time, here is {found}"
        raise RecipientsError(message, 0, "FRESHNESS", freshness.sql.location) from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(freshness.timezone))
    return value.astimezone(UTC)


@contextmanager
def _connect(query: RecipientsQuery) -> Iterator[Connection]:
    """A connection that can't write where that can be asked for; what it did is rolled back."""
    if query.url is None:
        message = f"the variable {query.url_env} is not set: it is to hold the address of the database"
        raise RecipientsError(message, 0, "SQL")
    try:
        import sqlalchemy  # noqa: F401  # whether it is there
    except ModuleNotFoundError:
        message = (
            "databases are read through SQLAlchemy, which is not installed: pip install 'smsby-deploy[sql]'"
        )
        raise RecipientsError(message, 0, "EXTRA") from None
    url = _read_url(query)
    with _explained(query, query.sql):
        opened = _open(url, query)
    with opened as connection, _explained(query, query.sql):
        # A per cent sign is one: nothing is put into the text.
        connection = connection.execution_options(no_parameters=True)
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        elif connection.dialect.name in _FIRST:
            connection.exec_driver_sql(_FIRST[connection.dialect.name])
        yield connection


def _open(url: URL, query: RecipientsQuery) -> Connection:
    """A connection. A driver that fails at a setting of the address raises whatever it likes."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    try:
        dialect = url.get_dialect()
        if dialect.is_async:
            raise RecipientsError(
                f"the driver {dialect.driver} in {query.url_env} is asynchronous: name another one", 0, "SQL"
            )
        settings = {"connect_timeout": _CONNECT_SECONDS} if dialect.driver in _KNOWS_TIMEOUT else {}
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=settings)
        return engine.connect()
    except (TypeError, ValueError) as error:
        message = f"the address in {query.url_env} does not suit its driver ({type(error).__name__}): mend it"
        raise RecipientsError(message, 0, "SQL") from None


def _read_url(query: RecipientsQuery) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url((query.url or "").strip())
    except (ArgumentError, ValueError):
        message = (
            f"{query.url_env} holds no address of a database; one is postgresql://user:password@host/database"
        )
        raise RecipientsError(message, 0, "SQL") from None
    # Whoever writes a password as it is has the rest of it in the host's name, or the database's: drivers would show it.
    if url.get_backend_name() != "sqlite" and "@" in f"{url.host or ''}{url.database or ''}":
        message = f"the address in {query.url_env} holds an @ too many: in a name or password write it as %40"
        raise RecipientsError(message, 0, "SQL")
    if url.drivername in ("postgres", "postgresql"):
        # The extra's driver, also where neither is installed: then that one is named as missing.
        driver = "psycopg2" if find_spec("psycopg2") and not find_spec("psycopg") else "psycopg"
        return url.set(drivername=f"postgresql+{driver}")
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        path = Path(url.database)
        if not path.is_file():  # SQLite would make an empty one
            raise RecipientsError(f"the database that {query.url_env} names is not there", 0, "SQL")
        name = f"file:{quote(str(path.resolve()))}"
        return url.set(database=name).update_query_dict({"mode": "ro", "uri": "true"})
    return url


@contextmanager
def _explained(query: RecipientsQuery, said: TextSource) -> Iterator[None]:
    """What SQLAlchemy and drivers raise becomes RecipientsError, at the place in `said` if it is known."""
    from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except ModuleNotFoundError as error:
        how = "pip install 'smsby-deploy[sql]'" if error.name == "psycopg" else "install it with pip"
        message = f"the driver of this database, Python's module {error.name}, is not installed: {how}"
        raise RecipientsError(message, 0, "EXTRA") from None
    except NoSuchModuleError:
        message = (
            f"SQLAlchemy has no dialect for the address in {query.url_env}: install that of its database with pip, "
            "or mend the address"
        )
        raise RecipientsError(message, 0, "EXTRA") from None
    except DBAPIError as error:
        text = str(error.orig)
        failed = _FAILED_LINE.search(text)
        place = _place(said, int(failed[1]) - (said is query.sql)) if failed else said.location
        raise RecipientsError(f"the database says: {_harmless(text, query)}", 0, "SQL", place) from None
    except OSError as error:  # of drivers that speak HTTP
        message = f"the database can't be reached ({type(error).__name__})"
        raise RecipientsError(message, 0, "SQL", said.location) from None
    except SQLAlchemyError as error:
        text = f"the query can't be run: {_harmless(str(error), query)}"
        raise RecipientsError(text, 0, "SQL", said.location) from None


def _place(said: TextSource, line: int) -> Location:
    """Where the `line`th line of a statement, sent without blank at its ends, stands in its file."""
    blank = len(said.text) - len(said.text.lstrip())
    lines = said.text.strip().split("\n")
    if not 0 < line <= len(lines):
        return said.location  # of what was put around it
    offset = blank + sum(len(before) + 1 for before in lines[: line - 1])
    mark = place_in_text(said, offset + len(lines[line - 1]) - len(lines[line - 1].lstrip()))
    return Location(said.location.file, *mark) if mark else said.location


def _harmless(text: str, query: RecipientsQuery) -> str:
    """The first line of a driver's message without what must not be shown: address, password, people."""
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
