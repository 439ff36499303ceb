"""How far long work is: a bar on a terminal, a plain line now and then anywhere else, nothing with -q."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from smsby_deploy.clock import Clock
from smsby_deploy.output.console import clean, write_sentence
from smsby_deploy.output.json_log import JsonLog
from smsby_deploy.privacy import mask_phones

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_LINE_SECONDS = 10.0  # where no bar can be drawn: often enough to see that it lives, too seldom to fill a log
_WINDOW = 60.0  # seconds back: the pace changes where sms.by asks to slow down


class _Estimate:
    """How many seconds are left of a step, by its pace of late."""

    def __init__(self, clock: Clock, total: int | None) -> None:
        self._clock = clock
        self._total = total
        self._samples = deque([(clock.monotonic(), 0)])  # when how many were done, a second apart or more

    def left(self, done: int) -> float | None:
        """Seconds till all are done, now that `done` are; None where that can't be told yet."""
        now = self._clock.monotonic()
        samples = self._samples
        if now - samples[-1][0] >= 1:
            samples.append((now, done))
        while len(samples) > 2 and now - samples[0][0] > _WINDOW:
            samples.popleft()
        began, before = samples[0]
        if self._total is None or now - began < 1 or done <= before:
            return None
        return max(0, self._total - done) * (now - began) / (done - before)


def _in_words(seconds: float | None) -> str:
    """`40 s left`, `5 min left`, `2 h 10 min left`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min left" if hours else f"{minutes} min left"


class Progress(Protocol):
    """Steps of work, people done in each. Lines told meanwhile stand above the bar."""

    def step(self, what: str, total: int | None = None) -> None:
        """The step `what` begins, with `total` people to do, if that is known."""
        ...

    def advance(self, people: int) -> None:
        """So many people more are done."""
        ...

    def tell(self, line: str) -> None:
        """Write a line that stays."""
        ...

    def pause(self) -> None:
        """Draw nothing till the next step: something else needs the terminal."""
        ...


@contextmanager
def open_progress(
    stream: TextIO,
    *,
    color: bool,
    quiet: bool,
    clock: Clock,
    terminal: str = "",
    log: JsonLog | None = None,
) -> Iterator[Progress]:
    """Progress on `stream`, or as events in `log`. `terminal` is the TERM of the environment: a dumb one can't redraw
    a line."""
    shown: Progress
    if quiet:
        shown = _Nothing()
    elif log is not None:
        shown = _Events(log, clock)
    elif stream.isatty() and terminal != "dumb":
        shown = _Bar(stream, clock, color=color)
    else:
        shown = _Lines(stream, clock)
    try:
        yield shown
    finally:
        shown.pause()


class _Nothing:
    def step(self, what: str, total: int | None = None) -> None: ...

    def advance(self, people: int) -> None: ...

    def tell(self, line: str) -> None: ...

    def pause(self) -> None: ...


class _Seldom:
    """Counts what is done of a step, and tells it now and then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_at = clock.monotonic()
        self._what = ""
        self._done = 0
        self._total: int | None = None
        self._estimate = _Estimate(clock, None)

    def step(self, what: str, total: int | None = None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._estimate = _Estimate(self._clock, total)

    def advance(self, people: int) -> None:
        self._done += people
        now = self._clock.monotonic()
        left = self._estimate.left(self._done)
        if now - self._told_at >= _LINE_SECONDS:
            self._told_at = now
            self._tell_done(left)

    def _tell_done(self, left: float | None) -> None:
        raise NotImplementedError

    def pause(self) -> None: ...


class _Lines(_Seldom):
    def __init__(self, stream: TextIO, clock: Clock) -> None:
        super().__init__(clock)
        self._stream = stream

    def _tell_done(self, left: float | None) -> None:
        of = "" if self._total is None else f" of {self._total:,}"
        told = _in_words(left)
        self.tell(f"{self._what}: {self._done:,}{of} people{told and ', ' + told}")

    def tell(self, line: str) -> None:
        self._stream.write(mask_phones(clean(line)) + "\n")
        self._stream.flush()


class _Events(_Seldom):
    """Steps, and how far each is now and then. Lines are not for machines: they hear the events themselves."""

    def __init__(self, log: JsonLog, clock: Clock) -> None:
        super().__init__(clock)
        self._log = log

    def step(self, what: str, total: int | None = None) -> None:
        super().step(what, total)
        self._log.write("info", "step", message=what, people_total=total)

    def _tell_done(self, left: float | None) -> None:
        self._log.write(
            "info",
            "progress",
            message=self._what,
            people=self._done,
            people_total=self._total,
            seconds_left=None if left is None else round(left),
        )

    def tell(self, line: str) -> None: ...


class _Bar:
    """The bar is gone when the work is done; what was told stays."""

    def __init__(self, stream: TextIO, clock: Clock, *, color: bool) -> None:
        from rich.console import Console

        self._console = Console(
            file=stream, force_terminal=True, no_color=not color, markup=False, emoji=False, highlight=False
        )
        self._bar: RichProgress | None = None
        self._clock = clock
        self._estimate = _Estimate(clock, None)

    def _make(self) -> RichProgress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        return Progress(
            SpinnerColumn(),
            # A long address is cut here and nowhere else: a bar of two lines can't be redrawn in place.
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
            ),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[people]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def step(self, what: str, total: int | None = None) -> None:
        if self._bar is None:
            self._bar = self._make()
            self._bar.start()
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        self._bar.add_task(clean(what), total=total, people="", left="")
        self._estimate = _Estimate(self._clock, total)

    def advance(self, people: int) -> None:
        if self._bar is None or not self._bar.tasks:
            return
        (task,) = self._bar.tasks
        done = int(task.completed) + people
        of = "" if task.total is None else f" of {int(task.total):,}"
        left = _in_words(self._estimate.left(done))
        self._bar.update(task.id, advance=people, people=f"{done:,}{of} people", left=left)

    def tell(self, line: str) -> None:
        write_sentence(self._console, mask_phones(clean(line)))

    def pause(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
