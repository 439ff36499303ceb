"""The status while it changes: redrawn in place at a terminal, one line per change elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.output.status_text import write_status
from smsby_deploy.output.values import share_text
from smsby_deploy.status.report import StatusReport
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live


class _TerminalBuffer(io.StringIO):
    """Collects what a terminal would get, colors included."""

    def isatty(self) -> bool:
        return True


class StatusDisplay(AbstractContextManager["StatusDisplay"]):
    """Shows reports in place if `stream` is a terminal; otherwise passes `note` a line for each change."""

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
    share = share_text(totals.settled_recipients, totals.recipients)
    mailings, recipients = counted(totals.mailings, "mailing"), counted(totals.recipients, "recipient")
    return f"{totals.settled:,} of {mailings} settled, {share} of {recipients}"
