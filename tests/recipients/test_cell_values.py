"""cell_values: values of databases and typed files as a CSV file would contain them."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.recipients.cell_values import UnsupportedValue, shorten_floats, text_columns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Анна", "Анна"),
        (375291234567, "375291234567"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (375291234567.0, "375291234567"),
        (0.5, "0.5"),
        (float("nan"), ""),
        (float("inf"), "inf"),
        (1e300, "1e+300"),
        (0.00001, "0.00001"),
        (Decimal("-Infinity"), "-inf"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), ""),
        (date(2026, 12, 1), "2026-12-01"),
        (time(9, 30), "09:30:00"),
        (datetime(2026, 12, 1, 10, tzinfo=UTC), "2026-12-01T10:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_columns_of_values(value: Any, text: str) -> None:
    """A value has the same text in a column of its type and in a mixed one."""
    assert text_columns([[value], ["x", value], [1, 2]]) == [[text], ["x", text], ["1", "2"]]


@pytest.mark.parametrize(
    ("precision", "written", "text"),
    [
        ("f", 19.99, "19.99"),
        ("f", 0.0, "0"),
        ("f", -123456.79, "-123456.79"),
        ("f", 2.0**24, "16777216"),
        ("f", 375291234567.0, "3.75291249e+11"),
        ("f", math.nan, ""),
        ("f", math.inf, "inf"),
        ("e", 19.98, "19.98"),
        ("e", 2.0**11, "2048"),
        ("e", 60000.0, "6.00000000e+04"),
    ],
)
def test_short_floats_print_what_was_stored(precision: Literal["e", "f"], written: float, text: str) -> None:
    """A float prints as it was stored; one that may have lost digits, such as a phone, is no number any more."""
    (stored,) = struct.unpack(precision, struct.pack(precision, written))
    assert text_columns([shorten_floats([stored, None], precision)]) == [[text, ""]]


@given(st.floats(width=32, min_value=-(2.0**24), max_value=2.0**24))
def test_short_decimals_are_the_number_that_was_stored(value: float) -> None:
    """A shortened decimal is still the single-precision number that was stored."""
    (short,) = shorten_floats([value], "f")
    assert struct.pack("f", short) == struct.pack("f", value)


@pytest.mark.parametrize("value", [b"bytes", [1], {"a": 1}, object()])
def test_columns_of_unsupported_values(value: object) -> None:
    """A value of an unsupported type is an error that names the type and not the value."""
    with pytest.raises(UnsupportedValue, match=f"^{type(value).__name__}$"):
        text_columns([[value]])


@pytest.mark.parametrize("values", [["a", "b\0"], [None, "\0"], [1, "\0"]])
def test_columns_of_a_text_with_a_nul(values: list[object]) -> None:
    """A text with a NUL is an error."""
    with pytest.raises(UnsupportedValue, match="NUL"):
        text_columns([values])
