"""Values of databases and Parquet files as the text that a CSV file would contain."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from smsby_deploy.config.sources import FalseText

_EXACT = 2**53  # a float represents every integer up to here
_EXACT_SHORT = {"e": 2**11, "f": 2**24}  # the same for half and single precision
_KEPT_DIGITS = {"e": 3, "f": 6}
_PACK = {"e": struct.Struct("e").pack, "f": struct.Struct("f").pack}


class UnsupportedValue(Exception):
    """A value of an unsupported type; the message names the type.

    Supported are text, numbers, dates, times, booleans and null. `column` and `row` locate the value, from 0.
    """

    def __init__(self, kind: str, column: int = 0, row: int = 0) -> None:
        super().__init__(kind)
        self.column = column
        self.row = row


def text_columns(columns: Iterable[Sequence[Any]]) -> list[Sequence[str]]:
    """Return columns of values as columns of text.

    Null becomes empty, an integral float has no decimal point, dates and times are ISO 8601, decimals keep their digits,
    and an infinite number is `inf`, which no text can print.

    Raises:
        UnsupportedValue: a value has another type.
    """
    texts = []
    for index, values in enumerate(columns):
        try:
            texts.append(_texts_of(values))
        except UnsupportedValue:
            raise _first_unsupported(values, index) from None
    return texts


def _first_unsupported(values: Sequence[Any], column: int) -> UnsupportedValue:
    for row, value in enumerate(values):
        try:
            _texts_of([value])
        except UnsupportedValue as error:
            return UnsupportedValue(str(error), column, row)
    raise AssertionError("all values are supported")


def shorten_floats(values: Iterable[float | None], precision: Literal["e", "f"]) -> list[float | str | None]:
    """Return the shortest decimals for floats of half (e) or single (f) precision.

    For example 19.99, not 19.989999771118164.

    An integer too large for the precision may differ from the one that was stored, and be another subscriber's phone. It
    becomes a text such as `3.75291249e+11`, which is neither a phone nor printable.
    """
    return [
        value if value is None or not math.isfinite(value) else _shorten(value, precision) for value in values
    ]


def _shorten(value: float, precision: Literal["e", "f"]) -> float | str:
    if abs(value) > _EXACT_SHORT[precision]:
        return f"{value:.8e}"  # enough digits to distinguish any two
    pack = _PACK[precision]
    stored = pack(value)
    # This many digits are always exact, so the search starts there; trailing zeros are not written.
    decimals = (float(f"{value:.{digits}g}") for digits in range(_KEPT_DIGITS[precision], 10))
    return next(decimal for decimal in decimals if pack(decimal) == stored)


def _texts_of(values: Sequence[Any]) -> Sequence[str]:
    # Nearly every column has a single type, and then its values need not be inspected one by one.
    kinds = set(map(type, values))
    if str in kinds and "\0" in "".join(value for value in values if type(value) is str):
        raise UnsupportedValue("text with a NUL character")
    if kinds == {str}:
        return values
    if kinds == {int}:
        texts = list(map(str, values))
        return texts if all(values) else [text if text != "0" else FalseText(text) for text in texts]
    return [value if type(value) is str else _typed_text_of(value) for value in values]


def _typed_text_of(value: Any) -> str:
    text = _text_of(value)
    return FalseText(text) if text and not value else text


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
        if value.is_integer() and abs(value) <= _EXACT:
            return str(int(value))
        return format(Decimal(repr(value)), "f") if 0 < abs(value) < 1 else repr(value)
    if isinstance(value, Decimal):
        if value.is_infinite():
            return repr(float(value))
        return "" if value.is_nan() else format(value, "f")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise UnsupportedValue(type(value).__name__)
