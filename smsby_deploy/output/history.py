"""Past applies, from the lock: when, by whom, by which plan and commit, how many recipients."""

from __future__ import annotations

from datetime import datetime
from typing import TextIO

from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.console import make_console
from smsby_deploy.output.markdown import escape, table_row
from smsby_deploy.output.table import Column, Row, table_lines
from smsby_deploy.output.values import clean

_COLUMNS = (
    Column("when"),
    Column("who", may_overflow=True),
    Column("plan"),
    Column("commit"),
    Column("mailings", is_number=True),
    Column("recipients", is_number=True),
    Column("tool"),
)
_NOTHING = "nothing has been applied yet"


def write_history(lock: Lock, stream: TextIO, *, color: bool) -> None:
    """Write a table of the applies, the latest first."""
    console = make_console(stream, color=color)
    if not lock.applies:
        console.print(_NOTHING)
        return
    rows = [Row(tuple(map(clean, _cells(run)))) for run in reversed(lock.applies)]
    for line in table_lines(_COLUMNS, rows, console.width):
        console.print(line, soft_wrap=True)


def history_markdown(lock: Lock) -> str:
    """The same table as Markdown."""
    if not lock.applies:
        return f"{_NOTHING.capitalize()}.\n"
    rulers = ["---:" if column.is_number else "---" for column in _COLUMNS]
    lines = [table_row([column.title for column in _COLUMNS]), f"|{'|'.join(rulers)}|\n"]
    lines += [table_row([escape(cell) for cell in _cells(run)]) for run in reversed(lock.applies)]
    return "".join(lines)


def _cells(run: Apply) -> tuple[str, ...]:
    at = datetime.fromisoformat(run.at)
    return (
        f"{at:%Y-%m-%d %H:%M} {'UTC' if run.at.endswith('+00:00') else run.at[-6:]}",
        run.by or "-",
        run.plan,
        (run.commit or "-")[:7],
        f"{run.mailings:,}",
        f"{run.recipients:,}",
        run.tool.removeprefix("smsby-deploy "),
    )
