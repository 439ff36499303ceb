"""The rich console that every report is written to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WIDTH = 80  # unless a terminal states its own


def make_console(stream: TextIO, *, color: bool) -> Console:
    """A console on `stream` that prints every text literally: no markup, no emoji, no highlighting."""
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
    """Whether a console on `stream` would write lines unchanged, whatever their style."""
    is_forced = os.environ.keys() & {"FORCE_COLOR", "TTY_COMPATIBLE"}  # rich honors them
    return not color or not (stream.isatty() or is_forced)


def write_sentence(
    console: Console, text: str, style: str | None = None, *, lead: Text | None = None
) -> None:
    """Write `lead` in its own styles, then `text`.

    At a terminal the line is wrapped between words, with an indent; elsewhere it stays whole, so that grep finds it.
    Commands that users copy must not be wrapped: print them with `soft_wrap`.
    """
    from rich.text import Text

    before = lead or Text()
    for index, line in enumerate(_wrap(console, before.plain + text)):
        styled = Text(line if index else line[len(before) :], style=style or "")
        console.print(styled if index else before + styled, soft_wrap=True)


def _wrap(console: Console, line: str) -> list[str]:
    if not console.file.isatty():
        return [line]
    from textwrap import wrap

    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(
        line,
        console.width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    ) or [""]
