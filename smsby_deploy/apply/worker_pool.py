"""Threads that make HTTP requests and do nothing else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from smsby_deploy.apply.shutdown import SLICE, ShutdownSignal
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind

Call = Callable[[], Outcome]

NO_THREADS = "the system allows no more threads"
_WAKE = 0  # not the number of any call
_NOTHING = Outcome(OutcomeKind.NOT_SENT)


class WorkerPool:
    """Runs calls on threads that are started on demand.

    Only one thread may use a pool. `announce_shutdown` is called once, if a first signal arrives and an answer is awaited.
    """

    def __init__(
        self, shutdown: ShutdownSignal, announce_shutdown: Callable[[], None] = lambda: None
    ) -> None:
        self._shutdown = shutdown
        self._announce_shutdown = announce_shutdown
        self._is_announced = False
        self._count = 0
        self._in_flight: list[int] = []
        self._threads = 0  # that take calls; excludes those stuck in an abandoned call
        self._calls: queue.SimpleQueue[tuple[int, Call] | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()

    def close(self) -> None:
        """End every idle thread."""
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
        """Start `call` on an idle thread and return the number by which to match its outcome."""
        self._count += 1
        self._in_flight.append(self._count)
        self._calls.put((self._count, call))
        return self._count

    def wake(self) -> None:
        """End the current `wait` or `pause`; may be called from any thread."""
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
        self._threads -= 1  # the abandoned thread keeps waiting and must not hold up other calls
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
