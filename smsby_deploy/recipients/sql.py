"""Recipients in a database: the rows of a query, read through SQLAlchemy. Requires the extra `sql`.

Rows are read through a server-side cursor, so that memory does not grow with the result.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from itertools import islice
from operator import eq, itemgetter
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Freshness, RecipientsQuery
from smsby_deploy.recipients.cell_values import UnsupportedValue, rows_of
from smsby_deploy.recipients.rows import Block, RecipientsError, block_of_rows, find_column
from smsby_deploy.recipients.sources import SourceFacts
from smsby_deploy.recipients.sql_connection import connect, explained

if TYPE_CHECKING:
    from sqlalchemy import Connection

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
                json.dump([block.columns, block.lines[0], block.cells], spool)
                spool.write("\n")
            if facts.snapshot != query.snapshot:
                raise RecipientsError("the result of the query has changed since the plan", 0, "SQL")
            spool.seek(0)
            for line in spool:
                columns, first, cells = json.loads(line)
                yield block_of_rows(tuple(columns), range(first, first + len(cells)), cells, header_line=0)
    except OSError as error:
        raise RecipientsError(f"cannot store the rows of the query: {error.strerror}", 0, "SQL") from error


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
        wrapped = f"select * from (\n{statement}\n) smsby_rows order by {query.order_by}"  # noqa: S608  # the project's own
        with explained(query, query.sql):
            result = connection.exec_driver_sql(wrapped, execution_options={"yield_per": size})
        columns = tuple(result.keys())
        names = columns
        if connection.dialect.name == "sqlite":  # which calls a second column `name:1`
            names = tuple(_NUMBERED.sub("", name) for name in columns)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise RecipientsError(f"duplicate column names in the query: {', '.join(twice)}", 0, "SQL")
        order = _OrderCheck(columns, query.order_by)
        first = 1
        partitions = result.partitions(size)
        while True:
            with explained(query, query.sql):
                rows = next(partitions, None)
            if not rows:
                return
            try:
                cells = rows_of(zip(*rows, strict=True))
            except UnsupportedValue as error:
                raise _not_plain(columns, rows, first) from error
            order.check(cells, first)
            yield block_of_rows(columns, range(first, first + len(cells)), cells, header_line=0)
            first += len(cells)


def _not_plain(columns: tuple[str, ...], rows: Sequence[Sequence[Any]], first: int) -> RecipientsError:
    """Return the error for the first unsupported value; the first of `rows` is row `first` of the result."""
    for line, row in enumerate(rows, first):
        for name, value in zip(columns, row, strict=True):
            try:
                rows_of([[value]])
            except UnsupportedValue as error:
                message = (
                    f"unsupported type of value ({error}) in the column {name} of the query; "
                    "leave the column out, or cast it to text"
                )
                return RecipientsError(message, line, "SQL")
    raise AssertionError("all values are supported")


class _OrderCheck:
    """Checks that `order_by` orders different rows without ties.

    Tied rows could come in another order the next time, and then a partly sent mailing would not be recognized.
    """

    def __init__(self, columns: tuple[str, ...], order_by: str) -> None:
        self.order_by = order_by
        wanted = [find_column(columns, key.split()[0]) for key in order_by.split(",")]
        known = [index for index in wanted if index is not None]
        self.key = itemgetter(*known) if known else None
        self.last: list[str] | None = None

    def check(self, cells: list[list[str]], first: int) -> None:
        rows = cells if self.last is None else [self.last, *cells]
        before = first if self.last is None else first - 1
        self.last = cells[-1]
        if self.key is None:
            return
        keys = [self.key(row) for row in rows]
        for index, tie in enumerate(map(eq, keys, islice(keys, 1, None))):
            if tie and rows[index] != rows[index + 1]:
                message = (
                    f"tied with the next row in `order_by: {self.order_by}`, so their order can change; "
                    "add a column that orders them"
                )
                raise RecipientsError(message, before + index, "ORDER")


def _read_newest(connection: Connection, query: RecipientsQuery, freshness: Freshness) -> datetime:
    with explained(query, freshness.sql):
        # A server-side cursor takes a single query: with a `commit` and a second statement, it could end the read-only
        # transaction.
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
        found = "nothing" if value is None else "another value"
        message = f"freshness: expected one date or time from its query, got {found}"
        raise RecipientsError(message, 0, "FRESHNESS", freshness.sql.location) from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(freshness.timezone))
    return value.astimezone(UTC)
