"""Tables at a terminal."""

from __future__ import annotations

from smsby_deploy.output.table import Column, Row, table_lines

_COLUMNS = (
    Column("who", may_overflow=True),
    Column("wait", is_optional=True),
    Column("count", is_number=True),
)


def _lines(width: int, *rows: tuple[str, ...]) -> list[str]:
    return [line.plain for line in table_lines(_COLUMNS, [Row(row) for row in rows], width)]


def test_table_lines_align_text_left_and_numbers_right() -> None:
    """Each column is as wide as its widest cell."""
    assert _lines(80, ("sale/vip", "2 d", "1,000"), ("a/b", "1 d", "7")) == [
        "who       wait  count",
        "sale/vip  2 d   1,000",
        "a/b       1 d       7",
    ]


def test_table_lines_leave_out_optional_columns_if_narrow() -> None:
    """Before anything is cut or wrapped."""
    assert _lines(16, ("sale/vip", "2 d", "1,000")) == ["who       count", "sale/vip  1,000"]


def test_table_lines_give_a_long_cell_its_own_line() -> None:
    """The numbers of all rows stay in their columns."""
    lines = _lines(20, ("campaign/mailing", "2 d", "1,000"), ("a/b", "1 d", "7"))
    assert lines == ["who  wait  count", "campaign/mailing", "     2 d   1,000", "a/b  1 d       7"]


def test_table_lines_break_a_cell_wider_than_the_terminal() -> None:
    """At its slash, so that both halves can still be read."""
    long = f"{'a' * 15}/{'b' * 15}"
    assert _lines(20, (long, "2 d", "1"))[1:3] == [f"{'a' * 15}/", "b" * 15]
