"""The rich console that every report is written to."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from smsby_deploy.output.console import is_plain, make_console, write_sentence


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 40 columns that does not force colors."""
    monkeypatch.setenv("COLUMNS", "40")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


SENTENCE = "sale/vip: changed: the text differs from the one that was sent"


def test_write_sentence_wraps_at_a_terminal() -> None:
    """Between words, with an indent; no line is longer than the terminal."""
    stream = Terminal()
    write_sentence(make_console(stream, color=False), SENTENCE)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 40
    assert lines[1].startswith("  ")


def test_write_sentence_stays_whole_elsewhere() -> None:
    """grep finds a sentence only on one line."""
    stream = io.StringIO()
    write_sentence(make_console(stream, color=False), SENTENCE, "red", lead=Text("> "))
    assert stream.getvalue() == f"> {SENTENCE}\n"


def test_make_console_prints_literally() -> None:
    """Square brackets and emoji names of a text have no effect."""
    stream = io.StringIO()
    make_console(stream, color=False).print("[bold]x[/bold] :smile: 12")
    assert stream.getvalue() == "[bold]x[/bold] :smile: 12\n"


def test_make_console_has_80_columns_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report does not depend on the terminal of the user who wrote it."""
    monkeypatch.setenv("COLUMNS", "200")
    assert make_console(io.StringIO(), color=False).width == 80


def test_is_plain_unless_color_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal, and where an environment variable forces colors."""
    assert is_plain(io.StringIO(), color=True)
    assert is_plain(Terminal(), color=False)
    assert not is_plain(Terminal(), color=True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not is_plain(io.StringIO(), color=True)
