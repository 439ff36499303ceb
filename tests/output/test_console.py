"""The terminal: the console and its tables."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from smsby_deploy.output.console import Column, Row, is_plain, make_console, table_lines, write_sentence


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a terminal of 40 columns that does not force colors."""
    monkeypatch.setenv("COLUMNS", "40")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


SENTENCE = "sale/vip: changed: the text differs from the one that was sent"


def test_write_sentence_wraps_at_a_terminal() -> None:
    """A sentence wraps between words with an indent, and no line is longer than the terminal."""
    stream = Terminal()
    write_sentence(make_console(stream, color=False), SENTENCE)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 40
    assert lines[1].startswith("  ")


def test_write_sentence_stays_whole_elsewhere() -> None:
    """Outside a terminal a sentence stays on one line, where grep finds it."""
    stream = io.StringIO()
    write_sentence(make_console(stream, color=False), SENTENCE, "red", lead=Text("> "))
    assert stream.getvalue() == f"> {SENTENCE}\n"


def test_make_console_prints_literally() -> None:
    """Square brackets and emoji names of a text have no effect."""
    stream = io.StringIO()
    make_console(stream, color=False).print("[bold]x[/bold] :smile: 12")
    assert stream.getvalue() == "[bold]x[/bold] :smile: 12\n"


def test_make_console_has_80_columns_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets 80 columns, whatever the terminal of its user."""
    monkeypatch.setenv("COLUMNS", "200")
    assert make_console(io.StringIO(), color=False).width == 80


def test_is_plain_unless_color_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colors are shown at a terminal, or if an environment variable forces them."""
    assert is_plain(io.StringIO(), color=True)
    assert is_plain(Terminal(), color=False)
    assert not is_plain(Terminal(), color=True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not is_plain(io.StringIO(), color=True)


_COLUMNS = (
    Column("who", may_overflow=True),
    Column("wait", optional=1),
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
    """Optional columns are left out before anything is truncated or wrapped."""
    assert _lines(16, ("sale/vip", "2 d", "1,000")) == ["who       count", "sale/vip  1,000"]


def test_table_lines_give_a_long_cell_its_own_line() -> None:
    """A long cell gets its own line, so that the numbers of all rows stay in their columns."""
    lines = _lines(20, ("campaign/mailing", "2 d", "1,000"), ("a/b", "1 d", "7"))
    assert lines == ["who  wait  count", "campaign/mailing", "     2 d   1,000", "a/b  1 d       7"]


def test_table_lines_break_a_cell_wider_than_the_terminal() -> None:
    """A cell wider than the terminal is broken at its slash, so that both halves can be read."""
    long = f"{'a' * 15}/{'b' * 15}"
    assert _lines(20, (long, "2 d", "1"))[1:3] == [f"{'a' * 15}/", "b" * 15]
