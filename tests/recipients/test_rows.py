"""Blocks of rows: grouped by columns, and columns found by name."""

from __future__ import annotations

from itertools import pairwise
from unicodedata import normalize
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.sources import InlineRecipients
from smsby_deploy.problems import Location
from smsby_deploy.recipients import rows as blocks_of_rows
from smsby_deploy.recipients.rows import (
    block_of_rows,
    find_column,
    group_rows,
    inline_blocks,
    name_columns,
    repeated_names,
)

_AT = Location("sale.yaml", 5, 5)


def test_block_of_rows_is_stored_by_column() -> None:
    """`cells` returns the rows of a block, and a block without rows has empty columns."""
    block = block_of_rows(("phone", "name"), [2, 3], [["1", "A"], ["2", "B"]])
    assert block.values == [("1", "2"), ("A", "B")]
    assert block.cells == [["1", "A"], ["2", "B"]]
    assert block_of_rows(("phone", "name"), [], []).values == [(), ()]


@given(st.lists(st.sampled_from([("phone",), ("phone", "name"), ("name", "phone")]), max_size=12))
def test_group_rows_keeps_order_and_lines(shapes: list[tuple[str, ...]]) -> None:
    """Every row is in one block, in order, and neighbours with other columns are in different blocks."""
    rows = [(line, {name: f"{name}{line}" for name in shape}) for line, shape in enumerate(shapes, 1)]
    blocks = list(group_rows(rows))
    again = [
        (line, dict(zip(block.columns, cells, strict=True)))
        for block in blocks
        for line, cells in zip(block.lines, block.cells, strict=True)
    ]
    assert again == rows
    assert all(one.columns != other.columns for one, other in pairwise(blocks))


def test_inline_blocks_put_the_phone_last() -> None:
    """A recipient's own text is not a column, and no block is longer than BLOCK_ROWS."""
    written = [
        {"phone": "1", "name": "A"},
        {"phone": "2", "name": "B", "text": "Hi"},
        {"phone": "3", "name": "C"},
    ]
    recipients = InlineRecipients(written, _AT, [(line, 5) for line in range(6, 9)])
    with patch.object(blocks_of_rows, "BLOCK_ROWS", 2):
        first, second = inline_blocks(recipients)
    assert first.columns == ("name", "phone")
    assert first.cells == [["A", "1"], ["B", "2"]]
    assert (first.texts, list(first.lines)) == ([None, "Hi"], [6, 7])
    assert second.cells == [["C", "3"]]


@pytest.mark.parametrize(("name", "index"), [("Phone", 1), ("phone", 0), ("PHONE", 0), ("mail", None)])
def test_find_column_prefers_the_exact_name(name: str, index: int | None) -> None:
    """A column is found by its exact name, or else the first that differs only in case or composition."""
    assert find_column(["phone", "Phone"], name) == index
    assert find_column(["id", normalize("NFD", "Мобильный")], "мобильный") == 1


def test_repeated_names_ignores_case_and_gaps() -> None:
    """A name is repeated in any case and with any gaps, but columns without a name are not repeated."""
    assert repeated_names(["", "Phone", "phone", "", "name"]) == ["Phone", "phone"]


def test_name_columns_shows_no_recipient() -> None:
    """A file without a header begins with a phone, which must not be printed."""
    assert name_columns(["tel", "name"]) == "columns: tel, name"
    assert "29" not in name_columns(["+375 (29) 123-45-67", "Anna"])


@given(lengths=st.lists(st.integers(0, 25), max_size=12), tail=st.integers(0, 25))
def test_has_short_lines_looks_at_every_line(lengths: list[int], tail: int) -> None:
    """A long line is found whatever precedes it, and whether or not the last one ends."""
    text = "".join("x" * length + "\n" for length in lengths) + "x" * tail
    with patch.object(blocks_of_rows, "LONGEST_VALUE", 10):
        assert blocks_of_rows.has_short_lines(text) == all(len(line) <= 10 for line in text.split("\n"))


def test_limit_values_keeps_the_other_rows_with_all_they_have() -> None:
    """Rows without overlong values are kept complete, even if several are on one line."""
    texts, long = [None, "own", "last"], "x" * (blocks_of_rows.LONGEST_VALUE + 1)
    block = blocks_of_rows.Block(
        ("name", "phone"), [4, 4, 5], [["a", long, "c"], ["1", "2", "3"]], [], None, texts, [1, 9, 2]
    )
    limited = blocks_of_rows.limit_values(block)
    assert (limited.lines, limited.cells) == ([4, 5], [["a", "1"], ["c", "3"]])
    assert (limited.texts, limited.columns_at) == ([None, "last"], [1, 2])
    ((line, why),) = limited.errors
    assert line == 4
    assert why.startswith("the value of name has 10,001 characters")
