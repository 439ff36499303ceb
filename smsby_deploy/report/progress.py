"""How far long work is: a bar on a terminal, a plain line now and then anywhere else, nothing with -q."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from smsby_deploy.clock import Clock
from smsby_deploy.report.console import clean, write_sentence
from smsby_deploy.report.json_log import JsonLog

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_LINE_SECONDS = 10.0  # where no bar can be drawn: often enough to see that it lives, too seldom to fill a log


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
        shown = _Bar(stream, color=color)
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


class _Lines:
    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._told_at = clock.monotonic()
        self._what = ""
        self._done = 0
        self._total: int | None = None

    def step(self, what: str, total: int | None = None) -> None:
        self._what, self._total, self._done = what, total, 0

    def advance(self, people: int) -> None:
        self._done += people
        now = self._clock.monotonic()
        if now - self._told_at >= _LINE_SECONDS:
            self._told_at = now
            of = "" if self._total is None else f" of {self._total:,}"
            self.tell(f"{self._what}: {self._done:,}{of} people")

    def tell(self, line: str) -> None:
        self._stream.write(clean(line) + "\n")
        self._stream.flush()

    def pause(self) -> None: ...


class _Events:
    """Steps, and how far each is now and then. Lines are not for machines: they hear the events themselves."""

    def __init__(self, log: JsonLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._told_at = clock.monotonic()
        self._what = ""
        self._done = 0
        self._total: int | None = None

    def step(self, what: str, total: int | None = None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._log.write("info", "step", message=what, people_total=total)

    def advance(self, people: int) -> None:
        self._done += people
        now = self._clock.monotonic()
        if now - self._told_at >= _LINE_SECONDS:
            self._told_at = now
            facts = {"people": self._done, "people_total": self._total}
            self._log.write("info", "progress", message=self._what, **facts)

    def tell(self, line: str) -> None: ...

    def pause(self) -> None: ...


class _Bar:
    """The bar is gone when the work is done; what was told stays."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        from rich.console import Console

        self._console = Console(
            file=stream, force_terminal=True, no_color=not color, markup=False, emoji=False, highlight=False
        )
        self._bar: RichProgress | None = None

    def _make(self) -> RichProgress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        return Progress(
            SpinnerColumn(),
            # A long address is cut here and nowhere else: a bar of two lines can't be redrawn in place.
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
            ),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[people]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
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
        self._bar.add_task(clean(what), total=total, people="")

    def advance(self, people: int) -> None:
        if self._bar is None or not self._bar.tasks:
            return
        (task,) = self._bar.tasks
        done = int(task.completed) + people
        of = "" if task.total is None else f" of {int(task.total):,}"
        self._bar.update(task.id, advance=people, people=f"{done:,}{of} people")

    def tell(self, line: str) -> None:
        write_sentence(self._console, clean(line))

    def pause(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
