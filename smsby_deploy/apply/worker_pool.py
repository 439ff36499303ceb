"""Threads that make HTTP requests and do nothing else, and the signals that stop a run.

A first signal, or a freeze, stops new calls; a second signal abandons those that are in flight.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from smsby_deploy.clock import Clock
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.wording import sentence

Call = Callable[[], Outcome]

NO_THREADS = "the system allows no more threads"
# Seconds: the longest wait before signals are looked at. A second signal may be delivered to another thread, and its
# handler runs only when this one wakes up.
SLICE = 0.1
_WAKE = 0  # the number of no call
_NOTHING = Outcome(OutcomeKind.NOT_SENT)


class StopSending(Exception):
    """Nothing more may be sent in this run; what is in flight is still recorded."""

    def __init__(self, error: str, exit_code: ExitCode) -> None:
        super().__init__(error)
        self.error = error
        self.exit_code = exit_code


class ShutdownSignal:
    """SIGINT, SIGTERM or a freeze during an apply; entering it installs the handlers.

    The first signal asks to stop once the requests in flight are recorded, the second not to wait
    for their answers. A freeze asks for the same as a first signal: `freeze` returns why, empty if nothing is frozen.
    """

    def __init__(self, clock: Clock, freeze: Callable[[], str] = lambda: "") -> None:
        self.count = 0
        self._clock = clock
        self.freeze = freeze
        self._previous_handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    @property
    def is_requested(self) -> bool:
        return self.count > 0

    @property
    def is_urgent(self) -> bool:
        """Whether a second signal asked not to wait for answers."""
        return self.count > 1

    def must_stop(self) -> bool:
        """Return whether nothing more may be sent."""
        return self.is_requested or self.freeze() != ""

    def check(self) -> None:
        """Raise StopSending if a signal or a freeze asked to stop."""
        if self.is_requested:
            raise StopSending(sentence("stopped by a signal before it was sent"), ExitCode.FAILED)
        if why := self.freeze():
            raise StopSending(why, ExitCode.REFUSED)

    def pause(self, seconds: float) -> None:
        """Sleep for `seconds`, or until the first signal."""
        self._sleep(seconds, signals=1)

    def pause_until_urgent(self, seconds: float) -> None:
        """Sleep for `seconds`, or until the second signal."""
        self._sleep(seconds, signals=2)

    def _sleep(self, seconds: float, *, signals: int) -> None:
        end = self._clock.monotonic() + seconds
        while self.count < signals and (remaining := end - self._clock.monotonic()) > 0:
            self._clock.sleep(min(remaining, SLICE))


class WorkerPool:
    """Runs calls on threads that are started when they are needed.

    Only one thread may use a pool.
    `announce_shutdown` is called once, while an answer is waited for after a first signal.
    """

    def __init__(
        self, shutdown: ShutdownSignal, announce_shutdown: Callable[[], None] = lambda: None
    ) -> None:
        self._shutdown = shutdown
        self._announce_shutdown = announce_shutdown
        self._is_announced = False
        self._count = 0
        self._in_flight: list[int] = []
        self._threads = 0  # those that take calls; one that hangs behind an abandoned call is not counted
        self._calls: queue.SimpleQueue[tuple[int, Call] | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()

    def close(self) -> None:
        """Let every idle thread end."""
        for _ in range(self._threads):
            self._calls.put(None)

    def has_idle_thread(self) -> bool:
        """Return whether a call would start at once; starts another thread if necessary."""
        if len(self._in_flight) >= self._threads:
            try:
                threading.Thread(target=self._work, daemon=True).start()
            except RuntimeError:
                return False
            self._threads += 1
        return True

    def submit(self, call: Call) -> int:
        """Start `call` on an idle thread and return the number under which its outcome comes back."""
        self._count += 1
        self._in_flight.append(self._count)
        self._calls.put((self._count, call))
        return self._count

    def wake(self) -> None:
        """End the present `wait` or `pause`; may be called on any thread."""
        self._outcomes.put((_WAKE, _NOTHING))

    def pause(self, seconds: float) -> None:
        """Wait until `wake` is called, for at most `seconds`, while nothing is in flight."""
        self._next_outcome(seconds)

    def run(self, call: Call) -> Outcome:
        """Make one call, with nothing else in flight, and return its outcome."""
        if not self.has_idle_thread():
            return Outcome(OutcomeKind.NOT_SENT, error=NO_THREADS)
        self.submit(call)
        while True:
            if (answer := self.wait(SLICE)) is not None:
                return answer[1]

    def wait(self, seconds: float) -> tuple[int, Outcome] | None:
        """Return the next outcome and its number; None after `seconds`, or after a `wake`.

        After a second signal the oldest call is abandoned instead: its outcome is unknown.
        """
        answer = self._next_outcome(seconds)
        if answer is not None or not self._shutdown.is_requested or not seconds:
            return answer
        if not self._is_announced:
            # Without feedback users press Ctrl-C again, which abandons the calls in flight.
            self._is_announced = True
            self._announce_shutdown()
        if not self._shutdown.is_urgent:
            return None
        self._threads -= 1  # the abandoned thread keeps waiting, and must not hold up another call
        return self._in_flight.pop(0), _unknown("stopped by a second signal before the answer came")

    def _next_outcome(self, seconds: float) -> tuple[int, Outcome] | None:
        while True:
            try:
                number, outcome = self._outcomes.get(seconds > 0, seconds)
            except queue.Empty:
                return None
            if number == _WAKE and seconds > 0:
                return None
            if number in self._in_flight:  # otherwise it was abandoned before its answer came
                self._in_flight.remove(number)
                return number, outcome

    def _work(self) -> None:
        while job := self._calls.get():
            number, call = job
            try:
                self._outcomes.put((number, call()))
            except Exception as error:  # noqa: BLE001 - whatever broke, the request may have been sent
                self._outcomes.put((number, _unknown(f"{type(error).__name__} while sending")))


def _unknown(error: str) -> Outcome:
    return Outcome(OutcomeKind.UNKNOWN, error=error)
