"""The rich console for reports, and tables that never wrap or cut a cell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from smsby_deploy.output.terminal import break_commands
from smsby_deploy.wording import remove_controls

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WIDTH = 80  # unless a terminal states its own
_GAP = 2  # blanks between the columns of a table


def make_console(stream: TextIO, *, color: bool) -> Console:
    """A console on `stream` that prints every text literally.

    It interprets no markup and no emoji names, and highlights nothing.
    """
    from rich.console import Console

    class CleanConsole(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*map(_clean, objects), **options)

    return CleanConsole(
        file=stream,
        width=None if stream.isatty() else _WIDTH,
        no_color=not color,
        force_terminal=None if color else False,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _clean(shown: object) -> object:
    """A line without control characters and commands; a table or a group unchanged."""
    from rich.text import Text

    if isinstance(shown, str):
        return break_commands(remove_controls(shown))
    if isinstance(shown, Text):
        shown.plain = break_commands(remove_controls(shown.plain))
    return shown


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


class Column(NamedTuple):
    """A column of text, or of numbers, which are right-aligned.

    If the table would be too wide, the `optional` columns with 1 are left out, then those with 2, and so on. A cell of the
    `may_overflow` column that does not fit even then gets a separate line; a table has at most one such column.
    """

    title: str
    is_number: bool = False
    optional: int = 0
    may_overflow: bool = False


class Row(NamedTuple):
    """`lead_style` is the style of the first cell, `style` that of the others."""

    cells: tuple[str, ...]
    lead_style: str = ""
    style: str = ""


def write_table(console: Console, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Write the table with its headings; nothing if it has no rows.

    Its lines fit into the console unless the columns that cannot overflow need more.
    """
    rows = list(rows)
    for line in table_lines(columns, rows, console.width) if rows else ():
        console.print(line, soft_wrap=True)


def table_lines(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[Text]:
    """Return the lines of a table with its headings.

    They are at most `width` wide, unless the columns that must not be cut need more.
    """
    head = Row(tuple(column.title for column in columns), "bold", "bold")
    everything = [head, *rows]
    flexible = next((i for i, column in enumerate(columns) if column.may_overflow), None)
    sizes = _column_sizes(everything, columns, flexible, width)
    for row in everything:
        if flexible is not None and len(row.cells[flexible]) > sizes[flexible]:
            yield from _overflow_lines(row, sizes, flexible, width)
            yield _line(row, columns, sizes, skip=range(flexible + 1))
        else:
            yield _line(row, columns, sizes)


def _column_sizes(
    rows: Sequence[Row], columns: Sequence[Column], flexible: int | None, width: int
) -> list[int]:
    """The width of each column; 0 for optional columns that do not fit."""
    wide = [max(len(row.cells[i]) for row in rows) for i in range(len(columns))]
    narrow = [0 if column.optional else size for size, column in zip(wide, columns, strict=True)]
    if flexible is not None:
        room = width - _total(narrow) + narrow[flexible]
        fitting = max(
            (len(row.cells[flexible]) for row in rows if len(row.cells[flexible]) <= room), default=0
        )
        wide[flexible] = narrow[flexible] = fitting
    for left_out in range(max(column.optional for column in columns)):
        sizes = [0 if 0 < one.optional <= left_out else size for size, one in zip(wide, columns, strict=True)]
        if _total(sizes) <= width:
            return sizes
    return narrow


def _total(sizes: Sequence[int]) -> int:
    shown = [size for size in sizes if size]
    return sum(shown) + _GAP * (len(shown) - 1)


def _overflow_lines(row: Row, sizes: Sequence[int], flexible: int, width: int) -> Iterator[Text]:
    """The cells up to the one that overflows.

    If that one is wider than the terminal, it breaks at its slash.
    """
    from rich.text import Text

    before = "".join(row.cells[i].ljust(sizes[i] + _GAP) for i in range(flexible) if sizes[i])
    line, cell = Text(before, style=row.lead_style), row.cells[flexible]
    first, slash, second = cell.partition("/")
    fits = len(before) + len(cell) <= width
    line.append(cell if fits else first + slash, style=row.style or "default")
    yield line
    if not fits:
        yield Text(" " * len(before) + second, style=row.style)


def _line(row: Row, columns: Sequence[Column], sizes: Sequence[int], skip: Sequence[int] = ()) -> Text:
    """One line of cells; those to `skip` are blank, as they are on the lines above."""
    from rich.text import Text

    cells = [
        " " * size if i in skip else cell.rjust(size) if column.is_number else cell.ljust(size)
        for i, (cell, column, size) in enumerate(zip(row.cells, columns, sizes, strict=True))
        if size or i in skip
    ]
    if not columns[-1].is_number:
        cells[-1] = cells[-1].rstrip()
    line = Text(cells[0], style=row.lead_style)
    for cell in cells[1:]:
        line.append(" " * _GAP + cell, style=row.style or "default")
    return line
