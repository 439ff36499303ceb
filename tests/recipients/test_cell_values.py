"""cell_values: values of databases and typed files as a CSV file would contain them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from smsby_deploy.recipients.cell_values import UnsupportedValue, text_rows


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
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), ""),
        (date(2026, 12, 1), "2026-12-01"),
        (time(9, 30), "09:30:00"),
        (datetime(2026, 12, 1, 10, tzinfo=UTC), "2026-12-01T10:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_rows_of_values(value: Any, text: str) -> None:
    """A value has the same text in a column of its type and in a mixed one."""
    assert text_rows([[value]]) == [[text]]
    assert text_rows([["x", value], [1, 2]]) == [["x", "1"], [text, "2"]]


@pytest.mark.parametrize("value", [b"bytes", [1], {"a": 1}, object()])
def test_rows_of_unsupported_values(value: object) -> None:
    """The error names the type and never shows the value."""
    with pytest.raises(UnsupportedValue, match=f"^{type(value).__name__}$"):
        text_rows([[value]])


@pytest.mark.parametrize("values", [["a", "b\0"], [None, "\0"], [1, "\0"]])
def test_rows_of_a_text_with_a_nul(values: list[object]) -> None:
    """No text may have one."""
    with pytest.raises(UnsupportedValue, match="NUL"):
        text_rows([values])
