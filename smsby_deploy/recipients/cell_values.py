"""Values of databases and of typed files as the text they stand for: a template sees what a CSV would have held."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

_EXACT = 2**53  # up to here a float holds every whole number


class UnsupportedValue(Exception):  # it says what it is
    """A value that is no text, number, date, time, truth value or nothing; its message names the kind."""


def rows_of(columns: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Columns of values, equally long, as rows of text. Nothing is empty, a whole float bears no point, dates are
    ISO 8601, decimals keep their digits.

    Raises:
        UnsupportedValue: a value is none of these.
    """
    return list(map(list, zip(*map(_texts_of, columns), strict=True)))


def _texts_of(values: Sequence[Any]) -> Sequence[str]:
    # A column is nearly always of one kind, and then no value needs a look of its own.
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
        if math.isnan(value):  # how data frames write nothing
            return ""
        # A column of phones with a gap in it comes out of a data frame as floats.
        return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
    if isinstance(value, Decimal):
        return "" if value.is_nan() else format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise UnsupportedValue(type(value).__name__)
