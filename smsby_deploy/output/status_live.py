"""The status while it changes: redrawn in place at a terminal, a line a change elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.output.status_text import share, write_status
from smsby_deploy.status.report import SETTLED, StatusReport

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live


class _Terminal(io.StringIO):
    """Text for a terminal that is not written yet: it has colours."""

    def isatty(self) -> bool:
        return True


class StatusDisplay(AbstractContextManager["StatusDisplay"]):
    """Shows reports on `stream` in place if it is a terminal, else tells `note` one line whenever something changed."""

    def __init__(
        self, stream: TextIO, *, color: bool, currency: str | None, note: Callable[[str], None]
    ) -> None:
        self._stream, self._color, self._currency, self._note = stream, color, currency, note
        self._live: Live | None = None
        self._told = ""
        self.shown: StatusReport | None = None  # the last one

    def __enter__(self) -> StatusDisplay:
        from rich.console import Console

        # Redrawing is no colour: it stays with --no-color, which `make_console` takes for no terminal at all.
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
        """Show `report` instead of the one before."""
        self.shown = report
        if self._live is not None:
            self._live.update(self._draw(report), refresh=True)
            return
        told = progress_line(report)
        if report.mailings and told != self._told:
            self._note(told)
            self._told = told

    def _draw(self, report: StatusReport) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        buffer = _Terminal()
        write_status(report, buffer, color=self._color, currency=self._currency, program=None)
        people, settled = _progress(report)
        bar = ProgressBar(total=max(1, people), completed=settled, width=60)
        # What does not fit a low terminal is cut at the end, so what matters most while waiting comes first.
        head = Text(f"{progress_line(report)}; Ctrl-C ends the wait")
        return Group(head, bar, Text(), Text.from_ansi(buffer.getvalue()))


def progress_line(report: StatusReport) -> str:
    """`3 of 7 mailings settled, 82.0% of 1,267 people`."""
    people, settled = _progress(report)
    done = sum(mailing.state in SETTLED for mailing in report.mailings)
    return f"{done} of {len(report.mailings)} mailings settled, {share(settled, people)} of {people:,} people"


def _progress(report: StatusReport) -> tuple[int, int]:
    people = sum(mailing.recipients for mailing in report.mailings)
    waiting = sum(m.sent + m.pending for m in report.mailings if m.state not in SETTLED)
    return people, people - waiting
