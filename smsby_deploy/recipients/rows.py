"""Rows of recipients: blocks of rows with the same columns, and the line of each row."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress, groupby
from operator import itemgetter
from typing import NamedTuple
from unicodedata import normalize

from smsby_deploy.config.sources import Freshness, InlineRecipients, RecipientsFile, RowSource
from smsby_deploy.problems import Location
from smsby_deploy.wording import join_sentences, sentence

BLOCK_ROWS = 1000
LONGEST_VALUE = 10_000  # characters
LONGEST_LINE = 100_000  # of a text file; stops reading a file that never ends a line
LIKE_A_PHONE = re.compile(r"(?:\d\W*){6}")
_LONGEST_NAME = 100  # shown in a message
_PHONE_WORDS = ("phone", "tel", "тел", "mobile", "моб", "msisdn", "number", "номер")


class RecipientsError(Exception):
    """Recipients that cannot be read as rows.

    `line` is a line of their file, 0 for none, unless `location` names another place; `code` is the problem code.
    """

    def __init__(
        self, message: str, line: int = 0, *, code: str = "RECIPIENTS", location: Location | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.code = code
        self.location = location


class EmptyFile(RecipientsError):
    """A CSV file without even a header."""


@dataclass(slots=True)
class SourceFacts:
    """Findings about a source besides its rows, complete after the last row.

    `snapshot` is the sha256 of a query's columns and rows, `newest` the result of its `freshness` query, in UTC.
    `guessed_encoding` is that of a file that names none and is not certainly in any.
    """

    snapshot: str | None = None
    newest: datetime | None = None
    guessed_encoding: str | None = None


class DataAge(NamedTuple):
    """The time of a query's newest data, and how old it may be."""

    place: Location
    newest: datetime
    freshness: Freshness


class Block(NamedTuple):
    """Consecutive rows with the same columns.

    `values[c][i]` is the cell of column `c` in the row at `lines[i]`.

    `errors` are the unreadable rows among them, as (line, reason). `header_line` is the line of a CSV header. Inline
    recipients also have `texts`, their own texts, and `columns_at`, the columns at which they begin in the campaign file.
    If `is_typed`, values may be FalseText.
    """

    columns: tuple[str, ...]
    lines: Sequence[int]
    values: Sequence[Sequence[str]]
    errors: Sequence[tuple[int, str]] = ()
    header_line: int | None = None
    texts: Sequence[str | None] | None = None
    columns_at: Sequence[int] = ()
    is_typed: bool = False

    @property
    def cells(self) -> list[list[str]]:
        """The values row by row."""
        return list(map(list, zip(*self.values, strict=True)))


def block_of_rows(
    columns: tuple[str, ...],
    lines: Sequence[int],
    rows: Sequence[Collection[str]],
    errors: Sequence[tuple[int, str]] = (),
    header_line: int | None = None,
) -> Block:
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return Block(columns, lines, values, errors, header_line)


def group_rows(rows: Sequence[tuple[int, Mapping[str, str]]]) -> Iterator[Block]:
    """Group (line, values) rows into blocks with the same columns, in order; usually one block."""
    start = 0
    for columns, alike in groupby([tuple(row) for _, row in rows]):
        members = rows[start : start + len(list(alike))]
        start += len(members)
        lines = [line for line, _ in members]
        yield block_of_rows(columns, lines, [row.values() for _, row in members])._replace(is_typed=True)


def inline_blocks(audience: InlineRecipients) -> Iterator[Block]:
    """Yield the recipients of a campaign file, BLOCK_ROWS at a time; the phone comes last."""
    for first in range(0, len(audience.rows), BLOCK_ROWS):
        shapes = list(map(tuple, audience.rows[first : first + BLOCK_ROWS]))
        start, has_texts = first, any("text" in shape for shape in set(shapes))
        for names, count in _runs(shapes):
            rows, marks = audience.rows[start : start + count], audience.marks[start : start + count]
            start += count
            # Column by column: a tuple per row would trigger the garbage collector.
            lines, columns_at = zip(*marks, strict=True)
            columns = (*names, "phone")
            values = [list(map(itemgetter(name), rows)) for name in columns]
            texts = [row.get("text") for row in rows] if has_texts else [None] * count
            yield Block(columns, lines, values, texts=texts, columns_at=columns_at, is_typed=True)


def find_inline(audience: InlineRecipients, line: int) -> int | None:
    """Return the index of the only recipient that begins on a line, or None."""
    index = bisect_left(audience.marks, (line, 0))
    found = [mark[0] for mark in audience.marks[index : index + 2]]
    return index if found[:1] == [line] and found[1:] != [line] else None


def _runs(shapes: Sequence[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield runs of rows with the same variables: the variables, and the number of rows."""
    variables = {shape: tuple(key for key in shape if key not in ("phone", "text")) for shape in set(shapes)}
    if len(variables) == 1:  # as nearly always
        yield variables[shapes[0]], len(shapes)
        return
    for names, alike in groupby(map(variables.__getitem__, shapes)):
        yield names, len(list(alike))


def has_short_lines(text: str) -> bool:
    """Whether no line of `text` exceeds the longest value.

    The check jumps from line end to line end, which costs next to nothing.
    """
    place, end = 0, len(text)
    while end - place > LONGEST_VALUE:
        place = text.rfind("\n", place, place + LONGEST_VALUE + 1) + 1 or end + 1
    return place <= end


def limit_values(block: Block) -> Block:
    """Move the rows of `block` with an overlong value to its errors."""
    if not any(column and max(map(len, column)) > LONGEST_VALUE for column in block.values):
        return block
    errors = {
        row: sentence(
            "the value of {column} has {count:character|characters}; at most {limit:,} are read: shorten it, or leave the "
            "column out",
            column=short_name(block.columns, index),
            count=len(cell),
            limit=LONGEST_VALUE,
        )
        for index, column in enumerate(block.values)
        for row, cell in enumerate(column)
        if len(cell) > LONGEST_VALUE
    }
    kept = [row not in errors for row in range(len(block.lines))]
    return block._replace(
        lines=list(compress(block.lines, kept)),
        values=[list(compress(column, kept)) for column in block.values],
        errors=[*block.errors, *((block.lines[row], why) for row, why in errors.items())],
        texts=None if block.texts is None else list(compress(block.texts, kept)),
        columns_at=list(compress(block.columns_at, kept)),
    )


def short_name(columns: Sequence[str], index: int) -> str:
    """Return a column's name for messages; its number if the name is long or may be a phone."""
    name = columns[index]
    if LIKE_A_PHONE.search(name) or len(name) > _LONGEST_NAME:
        return sentence("column {number}", number=index + 1)
    return name


def find_column(columns: Sequence[str], name: str) -> int | None:
    """Return the index of the column `name`: as written, else ignoring case and composition."""
    if name in columns:
        return columns.index(name)
    names = [normalize("NFC", column).casefold() for column in (name, *columns)]
    return names.index(names[0], 1) - 1 if names.count(names[0]) > 1 else None


def repeated_names(columns: Sequence[str]) -> list[str]:
    """Return the names that occur twice, ignoring case, sorted."""
    counts = Counter(name.casefold() for name in columns if name)
    return sorted({name for name in columns if counts[name.casefold()] > 1})


def say_repeated(names: Sequence[str]) -> str:
    """Return the message for column names that occur twice."""
    return sentence("duplicate column names: {names}", names=", ".join(names))


def is_header(columns: Sequence[str]) -> bool:
    """Whether a first line names columns; one that contains a phone is a recipient."""
    return not any(LIKE_A_PHONE.search(name) for name in columns)


def name_columns(columns: Sequence[str]) -> str:
    """Return `columns: …` for a message.

    If the first line contains a phone, it is a recipient and is not shown.
    """
    if not is_header(columns):
        return sentence("the first line is not a header; insert a line with the column names above it")
    return sentence("columns: {names}", names=", ".join(columns))


def missing_column(source: RowSource, columns: Sequence[str]) -> str:
    """Return the message for `columns` without the one that `source` names for phones."""
    missing = sentence("no column '{name}'", name=source.phone)
    message = join_sentences([missing, name_columns(columns)])
    if not (isinstance(source, RecipientsFile) and columns and is_header(columns)):
        return message
    likely = [name for name in columns if any(word in name.lower() for word in _PHONE_WORDS)]
    return sentence(
        "{message}; name the column: {{file: {file}, phone: {column}}}",
        message=message,
        file=source.name,
        column=(likely or columns)[0],
    )
