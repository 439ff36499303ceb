"""One rich console, the same in every report: 80 columns wherever no terminal tells its width."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WIDTH = 80


def make_console(stream: TextIO, *, color: bool) -> Console:
    """A console on `stream` that takes every text literally: no markup, no emoji, no guessed highlights."""
    from rich.console import Console

    return Console(
        file=stream,
        width=None if stream.isatty() else _WIDTH,
        no_color=not color,
        force_terminal=None if color else False,
        markup=False,
        emoji=False,
        highlight=False,
    )


def is_plain(stream: TextIO, *, color: bool) -> bool:
    """Whether a console on `stream` writes lines as they are, whatever their style: nobody sees colours there."""
    forced = os.environ.keys() & {"FORCE_COLOR", "TTY_COMPATIBLE"}  # rich heeds them
    return not color or not (stream.isatty() or forced)


def clean(text: str) -> str:
    """`text` on one line and without control characters, which could redraw a reviewer's terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def when(schedule_time: str | None) -> str:
    """A schedule time as people read it: `2027-03-01 10:00 +03:00`, or `on apply`."""
    if schedule_time is None:
        return "on apply"
    clock, offset = schedule_time[:19].replace("T", " "), schedule_time[19:]
    return f"{clock.removesuffix(':00') if len(clock) == 19 else clock} {offset}".strip()


def number(value: object) -> str:
    """A count or a sum; `?` where only sms.by knows it."""
    return "?" if value is None else str(value)


def write_sentence(
    console: Console, text: str, style: str | None = None, *, lead: Text | None = None
) -> None:
    """`lead` in its own styles, then `text`: broken between words at a terminal's edge, what goes on set in a little, and
    on one line wherever else, for grep's sake.

    A command that people copy is no sentence: print it with `soft_wrap`.
    """
    from rich.text import Text

    before = lead or Text()
    whole = before.plain + text
    lines = [whole]
    if console.file.isatty():
        from textwrap import wrap

        indent = " " * (len(whole) - len(whole.lstrip()) + 2)
        lines = wrap(
            whole,
            console.width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        ) or [""]
    for index, line in enumerate(lines):
        shown = (
            Text(line, style=style or "")
            if index or lead is None
            else before + Text(line[len(before) :], style or "")
        )
        console.print(shown, soft_wrap=True)
