"""What became of the mailings, for people at a terminal and for a pull request. 80 columns hold every line of numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.output.console import clean, make_console
from smsby_deploy.output.markdown import Piece, escape, fit, table_row
from smsby_deploy.output.times import day_and_clock, in_words
from smsby_deploy.privacy import mask_phones
from smsby_deploy.status.report import MailingStatus, State, StatusReport
from smsby_deploy.texts.price import aligned, money
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLORS = {"final": "green", "unknown": "bold red", "rejected": "red", "partial": "yellow", "sending": "cyan"}
_BAR = 30
_COLUMNS = 80
_INDENT = " " * 10
# What each kind of people is drawn as, where the terminal knows blocks and where it does not.
_KINDS = (
    ("delivered", "█", "#", "green"),
    ("undelivered", "▓", "x", "red"),
    ("sent", "▒", "+", "cyan"),
    ("pending", "░", ".", "dim"),
    ("other", "?", "?", "yellow"),
)


def write_status(
    report: StatusReport,
    stream: TextIO,
    *,
    color: bool,
    currency: str | None = None,
    program: str | None = "smsby-deploy",
) -> None:
    """A block a mailing: its state and time, a bar with share, people and cost, the counts that are not zero.

    `program` begins the command that comes next; None tells none.
    """
    console = make_console(stream, color=color)
    if not report.mailings:
        console.print("no mailing to tell of: the lock records none, or none that was asked for")
        return
    plain = not _can_draw(stream)
    costs = aligned([mailing.cost for mailing in report.mailings])
    for mailing, cost in zip(report.mailings, costs, strict=True):
        told = f"{cost} {currency or ''}".rstrip()
        _write_mailing(mailing, report, console, plain=plain, cost=told)
    _write_totals(report, console, plain=plain, currency=currency)
    following = None if program is None else _next(report, program)
    if following is not None:
        console.print(f"next: {following}", soft_wrap=True)


def _can_draw(stream: TextIO) -> bool:
    try:
        "█▓▒░".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _write_mailing(
    mailing: MailingStatus, report: StatusReport, console: Console, *, plain: bool, cost: str
) -> None:
    from rich.text import Text

    state = Text(f"{mailing.state:<9} ", style=_COLORS.get(mailing.state, ""))
    when = when_words(mailing, report)
    if len(state.plain) + len(mailing.address) + 2 + len(when) <= console.width:
        console.print(state.append(f"{mailing.address}  {when}", style="default"), soft_wrap=True)
    else:
        console.print(state.append(mailing.address, style="default"), soft_wrap=True)
        console.print(f"{_INDENT}{when}", soft_wrap=True)
    if mailing.recipients:
        line = Text(_INDENT)
        line.append_text(_bar(counts_of(mailing), plain=plain))
        line.append(f" {share(mailing.delivered, mailing.recipients):>6}")
        line.append(f" {mailing.recipients:>9,} people")
        if mailing.cost is not None:
            line.append(f" {cost:>14}")
        console.print(line, soft_wrap=True)
    for line_of_counts in wrap(told_counts(mailing), _COLUMNS - len(_INDENT)):
        console.print(f"{_INDENT}{line_of_counts}", soft_wrap=True)
    for difference in mailing.details.differences:
        told = difference.text
        console.print(f"{_INDENT}! {mask_phones(clean(told))}", style="yellow", soft_wrap=True)


def _write_totals(report: StatusReport, console: Console, *, plain: bool, currency: str | None) -> None:
    console.print()
    console.print(totals_line(report, currency), style="bold", soft_wrap=True)
    legend = "  ".join(f"{ascii_ if plain else block} {name}" for name, block, ascii_, _ in _KINDS)
    console.print(legend, style="dim", soft_wrap=True)


def _next(report: StatusReport, program: str) -> str | None:
    states = {mailing.state for mailing in report.mailings}
    lost = next((mailing.address for mailing in report.mailings if mailing.state is State.UNKNOWN), None)
    if lost is not None:
        told = f"{program} lock resolve {lost} --sent|--not-sent"
        return f"look at sms.by, then say what you found:\n      {told}"
    if states & {State.PARTIAL, State.REJECTED, State.DRAFT}:
        return f"`{program} plan` tells what can be done about the rest"
    if not report.is_settled:
        return f"`{program} status --watch` waits until everything is final"
    return None


def totals_line(report: StatusReport, currency: str | None) -> str:
    """`8 mailings: 2,753 of 3,054 people delivered (90.1%), 157.404 BYN`."""
    people = sum(mailing.recipients for mailing in report.mailings)
    delivered = sum(mailing.delivered for mailing in report.mailings)
    costs = [mailing.cost for mailing in report.mailings if mailing.cost is not None]
    cost = f", {money(sum(costs, Decimal(0)))} {currency or ''}".rstrip() if costs else ""
    count = counted(len(report.mailings), "mailing")
    told = counted(people, "person", "people")
    return f"{count}: {delivered:,} of {told} delivered ({share(delivered, people)}){cost}"


def counts_of(mailing: MailingStatus) -> dict[str, int]:
    """People by kind, in the order of the bars; they add up to the recipients."""
    return {
        "delivered": mailing.delivered,
        "undelivered": mailing.undelivered,
        "sent": mailing.sent,
        "pending": mailing.pending,
        "other": sum(mailing.other.values()),
    }


def told_counts(mailing: MailingStatus) -> str:
    """`1,100 delivered, 80 undelivered, 15 Odd`: what is not zero, unknown words verbatim but on one line."""
    counts = counts_of(mailing)
    del counts["other"]
    told = [f"{count:,} {name}" for name, count in counts.items() if count]
    told += [f"{count:,} {mask_phones(clean(name))}" for name, count in sorted(mailing.other.items())]
    return ", ".join(told) or "nobody yet"


def when_words(mailing: MailingStatus, report: StatusReport) -> str:
    """`Tue 1 Dec 2026 10:00 +03:00, 2 h ago`, or `at once`; seen from when the report was made."""
    if mailing.schedule_time is None:
        return "at once"
    moment = datetime.fromisoformat(mailing.schedule_time)
    told = f"{day_and_clock(moment)} {mailing.schedule_time[19:]}".strip()
    if not report.made_at:
        return told
    return f"{told}, {in_words(moment - datetime.fromisoformat(report.made_at))}"


def share(part: int, whole: int) -> str:
    """A percentage that never rounds up to all: `99.9 %` of a million less one; `-` of nobody."""
    if not whole:
        return "-"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10}%"


def _bar(counts: dict[str, int], *, plain: bool) -> Text:
    """Every kind that is not empty takes at least one cell; the largest gives way."""
    from rich.text import Text

    total = sum(counts.values())
    cells = {name: max(1, count * _BAR // total) if count else 0 for name, count in counts.items()}
    largest = max(counts, key=lambda name: counts[name])
    cells[largest] += _BAR - sum(cells.values())
    bar = Text()
    for name, block, ascii_, style in _KINDS:
        bar.append((ascii_ if plain else block) * cells[name], style=style)
    return bar


def status_markdown(report: StatusReport, currency: str | None = None) -> str:
    """The sum and a table of the statuses that fit into a comment; nothing from a user's file is live in it."""
    if not report.mailings:
        return "The lock records no mailing yet.\n"
    kinds = [kind[0] for kind in _KINDS]
    costs = aligned([mailing.cost for mailing in report.mailings])
    pieces = [
        Piece(f"**{escape(totals_line(report, currency))}**\n\n"),
        Piece(table_row(["State", "Mailing", "When", "People", *map(str.capitalize, kinds), "Cost"])),
        Piece("|---|---|---|" + "---:|" * (len(kinds) + 2) + "\n"),
    ]
    for mailing, cost in zip(report.mailings, costs, strict=True):
        counts = counts_of(mailing)
        other = ", ".join(f"{count:,} {escape(name)}" for name, count in sorted(mailing.other.items()))
        cells = [
            mailing.state.value,
            escape(mailing.address),
            escape(when_words(mailing, report)),
            f"{mailing.recipients:,}",
            *(f"{counts[kind]:,}" for kind in kinds[:-1]),
            other or "0",
            cost,
        ]
        pieces.append(Piece(table_row(cells), 2, "mailing"))
    for mailing in report.mailings:
        for one in mailing.details.differences:
            told = one.text
            line = f"- ⚠️ **{escape(mailing.address)}** {escape(told)}\n"
            pieces += [] if pieces[-1].name == "difference" else [Piece("\n")]
            pieces.append(Piece(line, 1, "difference"))
    return fit(pieces, rest="`status --format json` tells all of it.")
