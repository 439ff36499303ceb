"""The status report as terminal text. Lines with numbers fit into 80 columns.

With --watch it is redrawn in place at a terminal; elsewhere each change is one line.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from textwrap import wrap
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.output.console import make_console
from smsby_deploy.output.terminal import safe_line
from smsby_deploy.output.translation import ENGLISH, Translator
from smsby_deploy.status.status_report import MailingStatus, OtherKind, State, StatusReport, StatusStep
from smsby_deploy.wording import counted, join_sentences, sentence

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

_COLORS = {
    State.FINAL: "green",
    State.UNKNOWN: "bold red",
    State.REJECTED: "red",
    State.PARTIAL: "yellow",
    State.SENDING: "cyan",
}
_BAR_WIDTH = 27
_WIDTH = 80
_INDENT = " " * 10
# How each kind of recipient is drawn: as a block, and as a letter if the encoding has no blocks.
_KINDS = (
    ("delivered", "█", "#", "green"),
    ("undelivered", "▓", "x", "red"),
    ("sent", "▒", "+", "cyan"),
    ("pending", "░", ".", "dim"),
    ("later", "·", "-", "dim"),
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
    """Write a block per mailing, the totals and the next command.

    `program` starts that command; None leaves it out.
    """
    console = make_console(stream, color=color)
    if not report.mailings:
        console.print("no mailings: the lock records none that match")
        return
    symbols = _symbols(stream)
    t = ENGLISH.aligning(mailing.cost for mailing in report.mailings)
    for mailing in report.mailings:
        price = f"{t.money(mailing.cost)} {currency or ''}".rstrip() if mailing.cost is not None else ""
        _write_mailing(mailing, report, console, price, symbols)
    console.print()
    console.print(status_totals_line(report, currency, t), style="bold", soft_wrap=True)
    if ahead := ahead_line(report):
        console.print(ahead, soft_wrap=True)
    if report.running:
        console.print(running_line(report), style="cyan", soft_wrap=True)
    if not any(mailing.by_kind["later"] for mailing in report.mailings):
        del symbols["later"]
    legend = (f"{symbol} {OtherKind.LATER if kind == 'later' else kind}" for kind, symbol in symbols.items())
    console.print("  ".join(legend), style="dim", soft_wrap=True)
    if program is not None and report.next_step is not None:
        console.print(f"next: {_next_command(report, report.next_step, program)}", soft_wrap=True)


def _symbols(stream: TextIO) -> dict[str, str]:
    """How `stream` can draw each kind of recipient."""
    try:
        "".join(block for _, block, _, _ in _KINDS).encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return {kind: letter for kind, _, letter, _ in _KINDS}
    return {kind: block for kind, block, _, _ in _KINDS}


def _write_mailing(
    mailing: MailingStatus, report: StatusReport, console: Console, price: str, symbols: Mapping[str, str]
) -> None:
    _write_heading(mailing, report, console)
    if mailing.recipients:
        from rich.text import Text

        line = Text(_INDENT).append_text(_bar(mailing, symbols))
        noun = "recipient " if mailing.recipients == 1 else "recipients"
        line.append(f" {ENGLISH.share(mailing.delivered, mailing.recipients):>6}")
        line.append(f" {mailing.recipients:>9,} {noun}{price and f' {price:>14}'}".rstrip())
        console.print(line, soft_wrap=True)
    for counts in wrap(counts_line(mailing), _WIDTH - len(_INDENT)):
        console.print(f"{_INDENT}{counts}", soft_wrap=True)
    for difference in mailing.details.differences:
        console.print(f"{_INDENT}! {safe_line(difference.text)}", style="yellow", soft_wrap=True)
    for decision in mailing.decisions:
        console.print(f"{_INDENT}{safe_line(decision)}", soft_wrap=True)
    for warning in mailing.warnings:
        console.print(f"{_INDENT}! {safe_line(warning)}", style="yellow", soft_wrap=True)


def _write_heading(mailing: MailingStatus, report: StatusReport, console: Console) -> None:
    """The state, the address and the time, on two lines if they do not fit on one."""
    from rich.text import Text

    heading = Text(f"{mailing.state:<9} ", style=_COLORS.get(mailing.state, ""))
    heading.append(mailing.name, style="default")
    when = schedule_line(mailing, report)
    if len(heading.plain) + 2 + len(when) <= console.width:
        console.print(heading.append(f"  {when}", style="default"), soft_wrap=True)
    else:
        console.print(heading, soft_wrap=True)
        console.print(f"{_INDENT}{when}", soft_wrap=True)


def _bar(mailing: MailingStatus, symbols: Mapping[str, str]) -> Text:
    """A bar in which every kind that occurs has at least one cell.

    The largest kind gets the rest.
    """
    from rich.text import Text

    counts = mailing.by_kind
    total = sum(counts.values())
    cells = {name: max(1, count * _BAR_WIDTH // total) if count else 0 for name, count in counts.items()}
    largest = max(counts, key=lambda name: counts[name])
    cells[largest] += _BAR_WIDTH - sum(cells.values())
    bar = Text()
    for name, _, _, style in _KINDS:
        bar.append(symbols[name] * cells[name], style=style)
    return bar


def _next_command(report: StatusReport, step: StatusStep, program: str) -> str:
    return {
        StatusStep.RESOLVE_UNKNOWN: (
            f"`{program} plan` looks for it at sms.by; if it stays unknown,\n"
            "      look in the account and record what you found:\n"
            f"      {program} lock resolve {report.first_unknown} --sent|--not-sent"
        ),
        StatusStep.PLAN_THE_REST: f"`{program} plan` shows what can be done about the rest",
        StatusStep.WATCH: f"`{program} status --watch` waits until every {_what_is_watched(report)} is final",
    }[step]


def _what_is_watched(report: StatusReport) -> str:
    """The noun for what a watch waits for; it does not wait for a hand-over or a verdict."""
    waits = any(mailing.state is State.WAITING for mailing in report.mailings)
    return "message that was sent" if waits else "mailing"


def status_totals_line(report: StatusReport, currency: str | None, t: Translator = ENGLISH) -> str:
    """`8 mailings: 2,753 of 3,054 recipients delivered (90.1%), 157.404 BYN`.

    The recipients are those who may have got it by now; `ahead_line` counts those of later mailings and waves.
    """
    totals = report.totals
    cost = f", {t.money(totals.cost)} {currency or ''}".rstrip() if totals.cost is not None else ""
    delivered = t.gettext(
        "{count:,} of {recipients:recipient|recipients} delivered ({share})",
        count=totals.delivered,
        recipients=totals.due,
        share=t.share(totals.delivered, totals.due),
    )
    if not totals.due and (totals.ahead or totals.later or totals.withdrawn):
        delivered = t.gettext("nothing to deliver yet" if totals.ahead or totals.later else "withdrawn")
    return f"{t.gettext('{count:mailing|mailings}', count=totals.mailings)}: {delivered}{cost}"


def ahead_line(report: StatusReport) -> str:
    """`12 recipients scheduled for later; 180 recipients in later waves`; empty without any."""
    scheduled, later = report.totals.scheduled, report.totals.later
    lines = []
    if scheduled:
        lines.append(sentence("{count:recipient|recipients} scheduled for later", count=scheduled))
    lines += [sentence("{count:recipient|recipients} in later waves", count=later)] if later else []
    return join_sentences(lines) if lines else ""


def running_line(report: StatusReport) -> str:
    """`in progress: another run holds the lock: apply, process 7 on host`."""
    return sentence("in progress: another run holds the lock: {run}", run=safe_line(report.running))


def counts_line(mailing: MailingStatus) -> str:
    """`1,100 delivered, 80 undelivered, 15 Odd`.

    Only counts above zero are shown; undocumented words are verbatim.
    """
    counts = mailing.by_kind
    del counts["other"], counts["later"]
    known = [f"{count:,} {name}" for name, count in counts.items() if count]
    other = [f"{count:,} {safe_line(name)}" for name, count in sorted(mailing.other.items())]
    nothing = "no recipients" if mailing.state is State.FINAL else "no recipients yet"
    return ", ".join([*known, *other]) or nothing


def schedule_line(mailing: MailingStatus, report: StatusReport, t: Translator = ENGLISH) -> str:
    """`Tue 1 Dec 2026 10:00 +03:00, 2 h ago`; `at once` without a schedule.

    The span is relative to the time of the report.
    """
    if mailing.schedule_time is None:
        return t.gettext("at once")
    moment = datetime.fromisoformat(mailing.schedule_time)
    time = f"{t.day_and_time(moment)} {mailing.schedule_time[19:]}".strip()
    if mailing.details.spread is not None:
        time = t.gettext("{first} to {last}", first=time, last=mailing.details.spread.until)
    if not report.made_at:
        return time
    return f"{time}, {t.span(moment - datetime.fromisoformat(report.made_at))}"


def resolve_line(report: StatusReport) -> str:
    """What to do about the first mailing whose outcome is unknown; empty without any."""
    if report.first_unknown is None:
        return ""
    return sentence(
        "`smsby-deploy plan` looks for {address} at sms.by; if its outcome stays unknown, look in the account and record "
        "what you found with `smsby-deploy lock resolve {address} --sent` or `--not-sent`",
        address=report.first_unknown,
    )


class _TerminalBuffer(io.StringIO):
    """Collects what a terminal would get, colors included."""

    def isatty(self) -> bool:
        return True


class StatusDisplay(AbstractContextManager["StatusDisplay"]):
    """Shows reports in place at a terminal; elsewhere notes each change.

    `note` gets a line for each change.
    """

    def __init__(
        self, stream: TextIO, *, color: bool, currency: str | None, note: Callable[[str], None]
    ) -> None:
        self._stream, self._color, self._currency, self._note = stream, color, currency, note
        self._live: Live | None = None
        self._last_line = ""
        self.shown: StatusReport | None = None

    def __enter__(self) -> StatusDisplay:
        from rich.console import Console

        # Not `make_console`: with --no-color that one behaves as if there were no terminal, and nothing is redrawn.
        console = Console(
            file=self._stream, no_color=not self._color, markup=False, emoji=False, highlight=False
        )
        if console.is_terminal and not console.is_dumb_terminal:
            from rich.live import Live

            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, report: StatusReport) -> None:
        """Show `report` in place of the previous one."""
        self.shown = report
        if self._live is not None:
            self._live.update(self._draw(report), refresh=True)
            return
        line = progress_line(report)
        if report.mailings and line != self._last_line:
            self._note(line)
            self._last_line = line

    def _draw(self, report: StatusReport) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        buffer = _TerminalBuffer()
        write_status(report, buffer, color=self._color, currency=self._currency, program=None)
        totals = report.totals
        bar = ProgressBar(total=max(1, totals.recipients), completed=totals.settled_recipients, width=60)
        # The most important lines come first: a low terminal cuts off the end.
        head = Text(f"{progress_line(report)}; press Ctrl-C to stop waiting")
        return Group(head, bar, Text(), Text.from_ansi(buffer.getvalue()))


def progress_line(report: StatusReport) -> str:
    """`3 of 7 mailings settled, 82.0% of 1,267 recipients`."""
    totals = report.totals
    share = ENGLISH.share(totals.settled_recipients, totals.recipients)
    mailings, recipients = counted(totals.mailings, "mailing"), counted(totals.recipients, "recipient")
    return f"{totals.settled:,} of {mailings} settled, {share} of {recipients}"
