"""What was applied before, from the lock: when, by which plan and commit, how much."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TextIO

from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.console import clean, make_console
from smsby_deploy.output.markdown import escape, table_row

_COLUMNS = ("when", "who", "plan", "commit", "mailings", "people", "tool")


def history_document(lock: Lock) -> dict[str, Any]:
    """`{"applies": [{"at", "plan", "commit", "tool", "mailings", "recipients", "by"}]}`, the newest first."""
    return {
        "applies": [
            {
                "at": run.at,
                "plan": run.plan,
                "commit": run.commit,
                "tool": run.tool,
                "mailings": run.mailings,
                "recipients": run.recipients,
                "by": run.by,
            }
            for run in reversed(lock.applies)
        ]
    }


def write_history(lock: Lock, stream: TextIO, *, color: bool) -> None:
    """A line an apply, the newest first."""
    from rich.table import Table

    console = make_console(stream, color=color)
    if not lock.applies:
        console.print("nothing was applied yet")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        table.add_column(
            name,
            justify="right" if name in ("mailings", "people") else "left",
            no_wrap=name != "who",
            overflow="fold",
        )
    for run in reversed(lock.applies):
        table.add_row(*(clean(cell) for cell in _cells(run)))
    console.print(table)


def history_markdown(lock: Lock) -> str:
    """The same as a table."""
    lines = [table_row(_COLUMNS), "|---|---|---|---|---:|---:|---|\n"]
    lines += [table_row([escape(cell) for cell in _cells(run)]) for run in reversed(lock.applies)]
    return "".join(lines) if lock.applies else "Nothing was applied yet.\n"


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
