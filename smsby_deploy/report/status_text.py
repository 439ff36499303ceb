"""What became of the mailings, for people and for a pull request."""

from __future__ import annotations

from typing import TextIO

from smsby_deploy.report.console import clean, escape_markdown, make_console, number, when
from smsby_deploy.status.model import MailingStatus, StatusReport

_COLUMNS = ("people", "delivered", "undelivered", "sent", "pending", "other", "cost")
_COLORS = {"final": "green", "unknown": "bold red", "rejected": "red", "partial": "yellow"}


def write_status(report: StatusReport, stream: TextIO, *, color: bool) -> None:
    """Write one block a mailing: its state and time, below it the counts that are not zero."""
    from rich.text import Text

    console = make_console(stream, color=color)
    if not report.mailings:
        console.print("the lock records no mailing yet")
    for mailing in report.mailings:
        line = Text(f"{mailing.state:<9} ", style=_COLORS.get(mailing.state, ""))
        line.append(f"{mailing.address}  {_when(mailing)}", style="default")
        console.print(line, soft_wrap=True)
        console.print(f"          {_counts(mailing)}", soft_wrap=True)


def status_markdown(report: StatusReport) -> str:
    """The statuses as a table."""
    if not report.mailings:
        return "The lock records no mailing yet.\n"
    lines = [
        "| state | mailing | when | " + " | ".join(_COLUMNS) + " |",
        "|---|---|---|" + "---:|" * len(_COLUMNS),
    ]
    for mailing in report.mailings:
        cells = [
            mailing.state.value,
            mailing.address,
            _when(mailing),
            *map(str, (mailing.recipients, mailing.delivered, mailing.undelivered)),
            *map(str, (mailing.sent, mailing.pending)),
            _other(mailing),
            number(mailing.cost),
        ]
        lines.append("| " + " | ".join(escape_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _when(mailing: MailingStatus) -> str:
    return when(mailing.schedule_time) if mailing.schedule_time else "at once"


def _counts(mailing: MailingStatus) -> str:
    known = {
        "delivered": mailing.delivered,
        "undelivered": mailing.undelivered,
        "sent": mailing.sent,
        "pending": mailing.pending,
    }
    told = [f"{count} {name}" for name, count in known.items() if count]
    if mailing.other:
        told.append(_other(mailing))
    cost = "" if mailing.cost is None else f"; cost {mailing.cost}"
    return f"{mailing.recipients} people: {', '.join(told) or 'none'}{cost}"


def _other(mailing: MailingStatus) -> str:
    return ", ".join(f"{count} {clean(name)}" for name, count in sorted(mailing.other.items()))
