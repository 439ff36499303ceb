"""Progress of long work: a bar on a terminal, otherwise a line from time to time.

With -q there is none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.clock import Clock
from smsby_deploy.output.terminal import clean, safe_line, write_line
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from smsby_deploy.output.json_log import JsonLog

_SECONDS_BETWEEN_LINES = 10.0  # often enough to see that it works, not so often that it fills a log
_WINDOW_SECONDS = 60.0  # the estimate looks back this far: sms.by may ask to slow down


class Progress:
    """Steps of work, and the recipients done in each. This one shows nothing."""

    def step(self, what: str, total: int | None = None) -> None:
        """Start the step `what`, with `total` recipients if their number is known."""

    def advance(self, recipients: int) -> None:
        """Count `recipients` more as done."""

    def tell(self, line: str) -> None:
        """Write a line that stays, above the bar."""

    def pause(self) -> None:
        """Draw nothing until the next step: something else needs the terminal."""


@contextmanager
def open_progress(
    stream: TextIO, *, color: bool, quiet: bool, clock: Clock, terminal: str = "", log: JsonLog | None = None
) -> Iterator[Progress]:
    """Show progress on `stream`, or as events in `log`.

    `terminal` is the TERM of the environment: a dumb terminal cannot redraw a line.
    """
    progress: Progress
    if quiet:
        progress = Progress()
    elif log is not None:
        progress = _Events(log, clock)
    elif stream.isatty() and terminal != "dumb":
        progress = _Bar(stream, clock, color=color)
    else:
        progress = _Lines(stream, clock)
    try:
        yield progress
    finally:
        progress.pause()


class _Estimate:
    """Estimates the seconds left of a step from its recent pace."""

    def __init__(self, clock: Clock, total: int | None) -> None:
        self._clock = clock
        self._total = total
        self._samples = deque([(clock.monotonic(), 0)])  # (time, done), at least a second apart

    def seconds_left(self, done: int) -> float | None:
        """Seconds until all are done, now that `done` are; None if that cannot be estimated yet."""
        now = self._clock.monotonic()
        samples = self._samples
        if now - samples[-1][0] >= 1:
            samples.append((now, done))
        while len(samples) > 2 and now - samples[0][0] > _WINDOW_SECONDS:
            samples.popleft()
        start, done_before = samples[0]
        if self._total is None or now - start < 1 or done <= done_before:
            return None
        return max(0, self._total - done) * (now - start) / (done - done_before)


def _time_left(seconds: float | None) -> str:
    """`40 s left`, `5 min left`, `2 h 10 min left`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min left" if hours else f"{minutes} min left"


def _done_text(done: int, total: int | None) -> str:
    """`1,500 of 2,000 recipients`."""
    return counted(done, "recipient") if total is None else f"{done:,} of {counted(total, 'recipient')}"


class _Counted(Progress, ABC):
    """Counts the progress of a step, and reports it every `interval` seconds."""

    interval = _SECONDS_BETWEEN_LINES

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reported_at = clock.monotonic()
        self._what = ""
        self._done = 0
        self._total: int | None = None
        self._estimate = _Estimate(clock, None)

    def step(self, what: str, total: int | None = None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._estimate = _Estimate(self._clock, total)

    def advance(self, recipients: int) -> None:
        self._done += recipients
        now = self._clock.monotonic()
        seconds_left = self._estimate.seconds_left(self._done)
        if now - self._reported_at >= self.interval:
            self._reported_at = now
            self._report(seconds_left)

    @abstractmethod
    def _report(self, seconds_left: float | None) -> None: ...


class _Lines(_Counted):
    def __init__(self, stream: TextIO, clock: Clock) -> None:
        super().__init__(clock)
        self._stream = stream

    def _report(self, seconds_left: float | None) -> None:
        left = _time_left(seconds_left)
        self.tell(f"{self._what}: {_done_text(self._done, self._total)}{left and ', ' + left}")

    def tell(self, line: str) -> None:
        write_line(safe_line(line), self._stream)


class _Events(_Counted):
    """Writes steps and progress as events.

    Lines are left out, because they repeat other events in words.
    """

    def __init__(self, log: JsonLog, clock: Clock) -> None:
        super().__init__(clock)
        self._log = log

    def step(self, what: str, total: int | None = None) -> None:
        super().step(what, total)
        self._log.write("info", "step", message=what, people_total=total)

    def _report(self, seconds_left: float | None) -> None:
        self._log.write(
            "info",
            "progress",
            message=self._what,
            people=self._done,
            people_total=self._total,
            seconds_left=None if seconds_left is None else round(seconds_left),
        )


class _Bar(_Counted):
    """A bar that disappears when the work is done; the lines written above it stay."""

    interval = 0.0

    def __init__(self, stream: TextIO, clock: Clock, *, color: bool) -> None:
        from rich.console import Console

        super().__init__(clock)
        self._console = Console(
            file=stream, force_terminal=True, no_color=not color, markup=False, emoji=False, highlight=False
        )
        self._bar: RichProgress | None = None

    def _make(self) -> RichProgress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        # Only a long address is cut: a bar that takes two lines cannot be redrawn in place.
        description = Column(no_wrap=True, overflow="ellipsis")
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=description),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[done]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def step(self, what: str, total: int | None = None) -> None:
        super().step(what, total)
        if self._bar is None:
            self._bar = self._make()
            self._bar.start()
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        self._bar.add_task(clean(what), total=total, done="", left="")

    def _report(self, seconds_left: float | None) -> None:
        if self._bar is not None:
            (task,) = self._bar.task_ids
            done, left = _done_text(self._done, self._total), _time_left(seconds_left)
            self._bar.update(task, completed=self._done, done=done, left=left)

    def tell(self, line: str) -> None:
        from smsby_deploy.output.console import write_sentence

        write_sentence(self._console, safe_line(line))

    def pause(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
