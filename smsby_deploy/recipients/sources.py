"""Rows from a text file, a database or Parquet files, through one interface.

Values of databases and Parquet files become the text that a CSV file would contain.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from smsby_deploy.config.declarations import Audience, RecipientsParquet, RecipientsQuery, RowSource
from smsby_deploy.problems import Location, Problem
from smsby_deploy.recipients.rows import Block
from smsby_deploy.recipients.text_files import read_text_file


@dataclass(slots=True)
class SourceFacts:
    """What reading a query finds besides its rows, complete after the last row.

    `snapshot` is the sha256 of its columns and rows, `newest` the time that the `freshness` query returned, in UTC.
    """

    snapshot: str | None = None
    newest: datetime | None = None


def read_source(source: RowSource, size: int, facts: SourceFacts) -> Iterator[Block]:
    """Yield the rows of `source`, at most `size` per block.

    Raises:
        RecipientsError: the rows cannot be read.
    """
    if isinstance(source, RecipientsQuery):
        from smsby_deploy.recipients.sql import read_query

        return read_query(source, size, facts)
    if isinstance(source, RecipientsParquet):
        from smsby_deploy.recipients.parquet import read_parquet

        return read_parquet(source, size)
    return read_text_file(source, size)


def place_rows(audience: Audience, problem: Problem) -> Problem:
    """Move a problem in the rows of a query or of Parquet files to a place that a user can open.

    Before, the location of `problem` counts such rows as if they were lines of one file.
    """
    place = problem.location
    if isinstance(audience, RecipientsQuery):
        numbered = re.compile(re.escape(audience.name) + r":(\d+)")
        message = numbered.sub(r"row \1 of the query", problem.message)
        if place is None or place.file != audience.name:
            return replace(problem, message=message)
        if place.line:
            message = f"row {place.line} of the query: {message}"
        return replace(problem, message=message, location=audience.location)
    if isinstance(audience, RecipientsParquet):
        from smsby_deploy.recipients.parquet import find_row

        numbered = re.compile(re.escape(audience.name) + r":(\d+)")
        message = numbered.sub(
            lambda found: "{}:{}".format(*find_row(audience, int(found[1]))), problem.message
        )
        if place is None or place.file != audience.name:
            return replace(problem, message=message)
        if not place.line:
            return replace(problem, message=message, location=audience.location)
        file, row = find_row(audience, place.line)
        return replace(problem, message=message, location=Location(file, row))
    return problem


_EXACT = 2**53  # a float represents every integer up to here


class UnsupportedValue(Exception):
    """A value that is not text, a number, a date, a time, a boolean or null; the message names its type."""


def rows_of(columns: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Return columns of equal length as rows of text.

    Null becomes empty, an integral float has no decimal point, dates and times are ISO 8601, decimals keep their digits.

    Raises:
        UnsupportedValue: a value has another type.
    """
    return list(map(list, zip(*map(_texts_of, columns), strict=True)))


def _texts_of(values: Sequence[Any]) -> Sequence[str]:
    # Nearly every column has a single type, and then its values need not be inspected one by one.
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    if kinds == {int}:
        return list(map(str, values))
    return [value if type(value) is str else _text_of(value) for value in values]


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str | UUID):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):  # a missing value in a data frame
            return ""
        # A data frame turns a column of phones with a gap into floats.
        return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
    if isinstance(value, Decimal):
        return "" if value.is_nan() else format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise UnsupportedValue(type(value).__name__)
