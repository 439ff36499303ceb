"""Recipients in a database: the rows of a query.

SQLAlchemy streams them with a server-side cursor.
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

from smsby_deploy.clock import SystemClock
from smsby_deploy.config.sources import FalseText, Freshness, RecipientsQuery
from smsby_deploy.recipients.cell_values import UnsupportedValue, shorten_floats, text_columns
from smsby_deploy.recipients.database import connect, explained, find_deadline, kind_of, too_slow
from smsby_deploy.recipients.rows import (
    BLOCK_ROWS,
    Block,
    RecipientsError,
    SourceFacts,
    find_column,
    repeated_names,
    say_repeated,
)
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult

# Type codes of single-precision floats; other drivers do not report them.
_SINGLE_FLOAT = {"postgresql": 700, "mysql": 4, "mariadb": 4}

_NUMBERED = re.compile(r":\d+$")


def read_query(query: RecipientsQuery, facts: SourceFacts) -> Iterator[Block]:
    """Yield the rows of `query` in its order, BLOCK_ROWS at a time, numbered from 1.

    `facts` are complete after the last block. If `query.snapshot` is set, the whole result is fetched and compared
    with it before the first row is returned, so that nothing of a changed result is sent and no connection stays open
    meanwhile.

    Raises:
        RecipientsError: it cannot be read, its order has ties, or the result does not match `query.snapshot`.
    """
    if query.snapshot is None:
        yield from _hash_blocks(query, facts)
        return
    try:
        # A file without a name: no other process can open it, and it disappears with this one.
        with TemporaryFile("w+", encoding="utf-8") as spool:
            for block in _hash_blocks(query, facts):
                json.dump([block.columns, block.lines[0], block.values, _find_false(block.values)], spool)
                spool.write("\n")
            if facts.snapshot != query.snapshot:
                raise RecipientsError(
                    sentence("the result of the query has changed since the plan"), code="SQL"
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
        raise RecipientsError(message, code="SQL") from error


def _find_false(values: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Return the column and row of each false value, which JSON would turn into plain text."""
    return [
        (index, row)
        for index, column in enumerate(values)
        if FalseText in set(map(type, column))
        for row, cell in enumerate(column)
        if type(cell) is FalseText
    ]


def _hash_blocks(query: RecipientsQuery, facts: SourceFacts) -> Iterator[Block]:
    snapshot = hashlib.sha256()
    for block in _query_blocks(query, facts):
        if block.lines[0] == 1:
            snapshot.update(json.dumps(block.columns).encode())
        # Independent of the block size: all rows one after the other, each followed by a comma.
        snapshot.update(json.dumps(block.cells, separators=(",", ":"))[1:-1].encode() + b",")
        yield block
    facts.snapshot = snapshot.hexdigest()


def _query_blocks(query: RecipientsQuery, facts: SourceFacts) -> Iterator[Block]:
    with connect(query) as connection:
        if query.freshness is not None:
            facts.newest = _read_newest(connection, query, query.freshness)
        statement = query.sql.text.strip().rstrip(";")
        # A subquery cannot be another statement, and may have its own order and limit.
        wrapped = f"select * from (\n{statement}\n) smsby_rows"  # noqa: S608  # the project's own
        if query.order_by is not None:
            wrapped += f" order by {query.order_by}"
        with explained(query, query.sql):
            result = connection.exec_driver_sql(wrapped, execution_options={"yield_per": BLOCK_ROWS})
        columns = tuple(result.keys())
        names = columns
        if connection.dialect.name == "sqlite":  # it names a second column `name:1`
            names = tuple(_NUMBERED.sub("", name) for name in columns)
        if twice := repeated_names(names):
            raise RecipientsError(say_repeated(twice), code="SQL")
        order = OrderCheck(columns, None if query.may_tie else query.order_by)
        single = _single_floats(connection, result)
        first = 1
        # PostgreSQL's limit applies to each fetch from a cursor, so rows could arrive forever.
        deadline = find_deadline()
        partitions = result.partitions(BLOCK_ROWS)
        while True:
            with explained(query, query.sql):
                rows = next(partitions, None)
            if not rows:
                return
            if SystemClock().monotonic() > deadline:
                raise RecipientsError(too_slow(), code="SQL", location=query.sql.location)
            try:
                values = text_columns(
                    shorten_floats(column, "f") if index in single else column
                    for index, column in enumerate(zip(*rows, strict=True))
                )
            except UnsupportedValue as error:
                message = sentence(
                    "unsupported type of value ({kind}) in the column {column} of the query; leave the column out, or "
                    "cast it to text",
                    kind=str(error),
                    column=columns[error.column],
                )
                raise RecipientsError(message, first + error.row, code="SQL") from error
            lines = range(first, first + len(rows))
            block = Block(columns, lines, values, header_line=0, is_typed=True)
            order.check(block)
            yield block
            first = lines.stop


class OrderCheck:
    """Checks that `order_by` orders different rows without ties.

    Tied rows could come in a different order next time, and a partly sent mailing would not be recognized.
    """

    def __init__(self, columns: tuple[str, ...], order_by: str | None) -> None:
        self.order_by = order_by
        wanted = [find_column(columns, key.split()[0]) for key in (order_by or "").split(",") if key]
        known = [index for index in wanted if index is not None]
        self.key = itemgetter(*known) if known else None
        self.last: list[str] | None = None

    def check(self, block: Block) -> None:
        """Check a non-empty block; raises RecipientsError if rows tie."""
        if self.key is None:
            return
        rows = block.cells if self.last is None else [self.last, *block.cells]
        before = block.lines[0] if self.last is None else block.lines[0] - 1
        self.last = rows[-1]
        keys = [self.key(row) for row in rows]
        for index, tie in enumerate(map(eq, keys, islice(keys, 1, None))):
            if tie and rows[index] != rows[index + 1]:
                message = sentence(
                    "tied with the next row in `order_by: {order}`, so their order can change; add a column that orders "
                    "them",
                    order=self.order_by,
                )
                raise RecipientsError(message, before + index, code="ORDER")


def _single_floats(connection: Connection, result: CursorResult[Any]) -> frozenset[int]:
    """Return the indexes of single-precision floats, if the driver reports types."""
    code = _SINGLE_FLOAT.get(kind_of(connection.dialect))
    described = result.cursor.description if code and result.cursor else ()
    return frozenset(index for index, column in enumerate(described) if column[1] == code)


def _read_newest(connection: Connection, query: RecipientsQuery, freshness: Freshness) -> datetime:
    with explained(query, freshness.sql):
        # A server-side cursor takes a single query: a second statement after a `commit` could end the read-only transaction.
        # A subquery cannot be another statement, such as one that creates a file.
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
    except (ValueError, OverflowError):  # such as the year 1 in place of "never", which overflows in UTC
        message = sentence(
            "freshness: expected one date or time from its query, got nothing"
            if value is None
            else "freshness: expected one date or time from its query, got another value"
        )
        raise RecipientsError(message, code="FRESHNESS", location=freshness.sql.location) from None
