"""Progress of long work."""

from __future__ import annotations

import io
import json

from smsby_deploy.clock import SystemClock
from smsby_deploy.output.json_log import JsonLog
from smsby_deploy.output.progress import open_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_at_a_terminal() -> None:
    """The bar shows progress and the time left, and a line written meanwhile stays whole."""
    stream, clock = Terminal(), SystemClock()
    with open_progress(stream, color=False, quiet=False, clock=clock) as progress:
        progress.step("sending", 2000)
        clock.sleep(30)
        progress.advance(1500)
        progress.tell("sale/vip: 1500 recipients: accepted")
    drawn = stream.getvalue()
    assert "sending" in drawn
    assert "1,500 of 2,000 recipients" in drawn
    assert "10 s left" in drawn
    assert "sale/vip: 1500 recipients: accepted\n" in drawn
    assert drawn.rstrip().endswith(("\x1b[?25h", "\x1b[2K", "\x1b[1A\x1b[2K")), (
        "the cursor is back, the bar is gone"
    )


def test_progress_is_a_line_every_ten_seconds() -> None:
    """Outside a terminal there is a line every ten seconds with the step's count, without escape sequences."""
    stream, clock = io.StringIO(), SystemClock()
    with open_progress(stream, color=True, quiet=False, clock=clock) as progress:
        progress.step("reading sale/vip")
        progress.advance(1000)
        clock.sleep(9)
        progress.advance(1000)
        clock.sleep(1)
        progress.advance(500)
        progress.advance(500)
        progress.step("sending", 5000)
        clock.sleep(10)
        progress.advance(2000)
    assert stream.getvalue() == (
        "reading sale/vip: 2,500 recipients\nsending: 2,000 of 5,000 recipients, 15 s left\n"
    )


def test_progress_estimates_by_the_last_minute() -> None:
    """The time left is estimated from the last minute, whatever the pace before."""
    lines, clock = io.StringIO(), SystemClock()
    with open_progress(lines, color=False, quiet=False, clock=clock) as progress:
        progress.step("sending", 10_000)
        for recipients, seconds in ((5000, 60), (60, 30), (60, 40), (60, 10)):
            clock.sleep(seconds)
            progress.advance(recipients)
    assert [line.rpartition(", ")[2] for line in lines.getvalue().splitlines()] == [
        "1 min left", "41 min left", "54 min left", "33 min left"
    ]  # fmt: skip


def test_progress_events_have_the_seconds_left() -> None:
    """The seconds left are a number, which is left out while it cannot be estimated."""
    stream, clock = io.StringIO(), SystemClock()
    log = JsonLog(stream, clock)
    with open_progress(stream, color=False, quiet=False, clock=clock, log=log) as progress:
        progress.step("sending", 5000)
        clock.sleep(10)
        progress.advance(2000)
    step, written = map(json.loads, stream.getvalue().splitlines())
    assert "seconds_left" not in step
    assert written["seconds_left"] == 15


def test_progress_is_lines_at_a_dumb_terminal() -> None:
    """A terminal that cannot redraw a line gets no control characters."""
    stream = Terminal()
    with open_progress(stream, color=True, quiet=False, clock=SystemClock(), terminal="dumb") as progress:
        progress.step("reading")
        progress.tell("written")
    assert stream.getvalue() == "written\n"


def test_progress_is_silent_with_quiet() -> None:
    """With -q there is neither a bar nor a line, at a terminal or elsewhere."""
    stream = Terminal()
    with open_progress(stream, color=True, quiet=True, clock=SystemClock()) as progress:
        progress.step("sending", 10)
        progress.advance(10)
        progress.tell("written")
    assert stream.getvalue() == ""


def test_progress_lines_have_no_control_characters() -> None:
    """Control characters from a file are replaced by blanks."""
    stream = Terminal()
    with open_progress(stream, color=False, quiet=False, clock=SystemClock(), terminal="dumb") as progress:
        progress.tell("a\x1b[2Jb")
    assert stream.getvalue() == "a [2Jb\n"
