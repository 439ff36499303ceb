"""The table of a plan at a terminal: a row a mailing, in as many lines as its width asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from smsby_deploy.output.console import when
from smsby_deploy.output.times import in_words
from smsby_deploy.plan.model import ActionKind, Plan
from smsby_deploy.texts.price import aligned

if TYPE_CHECKING:
    from rich.text import Text

SYMBOLS = {
    ActionKind.CREATE: ("+", "green"),
    ActionKind.UPLOAD: (">", "green"),
    ActionKind.RESUME: ("~", "yellow"),
    ActionKind.CONFIRM: ("^", "green"),
    ActionKind.ADOPT: ("&", "cyan"),
    ActionKind.NOOP: ("=", "dim"),
    ActionKind.ORPHAN: ("?", "dim"),
    ActionKind.BLOCKED: ("!", "bold red"),
}
_GAP = 2
_NUMBERS = 3  # the last columns, flush right


@dataclass(frozen=True, slots=True)
class _Row:
    """`cells`: when it goes out, how far away that is, people, parts, cost."""

    action: str
    style: str
    address: str
    cells: tuple[str, ...]


def plan_table(plan: Plan, width: int) -> Iterator[Text]:
    """The lines of the table, none wider than `width` as long as the numbers allow it.

    With room there is also the time till a mailing goes out. An address too long for its column stands on a line of its
    own, its numbers in their columns below it, so that no cell is ever wrapped or cut.
    """
    rows = [_Row("action", "bold", "mailing", ("when", "", "people", "parts", "cost")), *_rows(plan)]
    action = max(len(row.action) for row in rows)
    wide = _widths(rows)
    narrow = (wide[0], 0, *wide[2:])
    room = width - action - 2 * _GAP - _total(narrow)
    address = max((len(row.address) for row in rows if len(row.address) <= room), default=0)
    widths = wide if action + address + 2 * _GAP + _total(wide) <= width else narrow
    for row in rows:
        yield from _lines(row, action, address, widths, width)


def _rows(plan: Plan) -> Iterator[_Row]:
    now = datetime.fromisoformat(plan.created_at)
    costs = aligned([action.cost for action in plan.actions])
    for action, cost in zip(plan.actions, costs, strict=True):
        symbol, style = SYMBOLS[action.action]
        time = action.schedule_time
        span = in_words(datetime.fromisoformat(time) - now) if time else ""
        cells = (when(time), span, _count(action.recipients), _count(action.parts), cost)
        yield _Row(f"{symbol} {action.action}", style, action.address, cells)


def _widths(rows: Sequence[_Row]) -> tuple[int, ...]:
    return tuple(max(map(len, column)) for column in zip(*(row.cells for row in rows), strict=True))


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + _GAP * (len(shown) - 1)


def _lines(row: _Row, action: int, address: int, widths: Sequence[int], width: int) -> Iterator[Text]:
    """One line, or the address apart where it is longer than its column; wider than the terminal it breaks at its slash."""
    from rich.text import Text

    rest = "dim" if row.style == "dim" else "bold" if row.style == "bold" else ""
    line = Text(row.action.ljust(action + _GAP), style=row.style)
    if len(row.address) <= address:
        line.append(row.address.ljust(address + _GAP), style=rest or "default")
    else:
        fits = action + _GAP + len(row.address) <= width
        campaign, slash, name = row.address.partition("/")
        line.append(row.address if fits else campaign + slash, style=rest or "default")
        yield line
        if not fits:
            yield Text(" " * (action + _GAP) + name, style=rest)
        line = Text(" " * (action + address + 2 * _GAP))
    first = len(row.cells) - _NUMBERS
    cells = [
        cell.ljust(size) if index < first else cell.rjust(size)
        for index, (cell, size) in enumerate(zip(row.cells, widths, strict=True))
        if size
    ]
    line.append((" " * _GAP).join(cells), style=rest or "default")
    yield line


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
