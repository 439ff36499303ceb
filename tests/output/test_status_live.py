"""The status while it changes."""

from __future__ import annotations

import io

import pytest

from smsby_deploy.output.status_live import StatusDisplay, progress_line
from tests.output import examples


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("color", [True, False])
def test_display_redraws_in_place_at_a_terminal(monkeypatch: pytest.MonkeyPatch, color: bool) -> None:
    """The second report replaces the first, and both disappear before the final output."""
    monkeypatch.setenv("TERM", "xterm-256color")
    if color:
        monkeypatch.delenv("NO_COLOR")
    stream, notes = _Tty(), list[str]()
    with StatusDisplay(stream, color=color, currency="BYN", note=notes.append) as display:
        display.show(examples.status())
        display.show(examples.status())
    text = stream.getvalue()
    assert text.count("5 of 7 mailings settled") >= 2
    assert "\x1b[1A\x1b[2K" in text
    assert ("\x1b[32m" in text) == color
    assert notes == []


def test_display_writes_lines_to_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is redrawn where the cursor cannot move."""
    monkeypatch.setenv("TERM", "dumb")
    stream, notes = _Tty(), list[str]()
    with StatusDisplay(stream, color=True, currency=None, note=notes.append) as display:
        display.show(examples.status())
    assert (stream.getvalue(), len(notes)) == ("", 1)


def test_display_logs_only_what_changed() -> None:
    """Without a terminal a line is written once, and nothing is drawn."""
    notes: list[str] = []
    with StatusDisplay(io.StringIO(), color=False, currency=None, note=notes.append) as display:
        display.show(examples.status())
        display.show(examples.status())
    assert notes == [progress_line(examples.status())]
    assert notes[0].startswith("5 of 7 mailings settled, ")
