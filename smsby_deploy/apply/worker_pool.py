"""SIGINT and SIGTERM while a request is in flight.

The first asks to stop: the request in flight is finished and recorded. The second stops waiting for its answer; an
answer that was already received is still recorded. Requests run in a thread of their own, so that no signal ever
cuts through a write.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType

from smsby_deploy.clock import Clock
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind

_SLICE = 0.1  # seconds: the longest time until a signal ends a pause


class Sender:
    """Runs requests and listens for the signals meanwhile. Use it as a context manager. `tell_waiting` is called once, by who
    waits for an answer after the first signal."""

    def __init__(self, tell_waiting: Callable[[], None] = lambda: None) -> None:
        self.stops = 0
        self._tell_waiting = tell_waiting
        self._is_told = False
        self._count = 0
        self._flying: list[int] = []
        self._workers = 0  # threads that answer to `_requests`
        self._requests: queue.SimpleQueue[tuple[int, Callable[[], Outcome]] | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[tuple[int, Outcome]] = queue.SimpleQueue()
        self._before: dict[int, object] = {}

    def __enter__(self) -> Sender:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for _ in range(self._workers):
            self._requests.put(None)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() itself returned

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1

    @property
    def is_stopping(self) -> bool:
        return self.stops > 0

    def pause(
        self, seconds: float, clock: Clock, *, until: int = 1, is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """Sleep, but no longer than until the signal number `until` came or it `is_over`."""
        end = clock.monotonic() + seconds
        while self.stops < until and not is_over() and (left := end - clock.monotonic()) > 0:
            clock.sleep(min(left, _SLICE))

    def send(self, request: Callable[[], Outcome]) -> Outcome:
        """The outcome of `request`, with nothing else in flight."""
        self.start(request)
        return self.wait()[1]

    def start(self, request: Callable[[], Outcome]) -> int:
        """Let `request` leave; the number under which `wait` tells its outcome."""
        self._count += 1
        key = self._count
        self._flying.append(key)
        if len(self._flying) > self._workers and not self._add_worker() and not self._workers:
            self._events.put((key, _not_sent("the system allows no thread more")))
            return key
        self._requests.put((key, request))
        return key

    def _add_worker(self) -> bool:
        try:
            threading.Thread(target=self._work, daemon=True).start()
        except RuntimeError:
            return False  # what waits for it is done by the others
        self._workers += 1
        return True

    def _work(self) -> None:
        """One request after the other, until there are no more."""
        while coming := self._requests.get():
            key, request = coming
            try:
                self._events.put((key, request()))
            except Exception as error:  # noqa: BLE001  # whatever broke, the request may have left
                self._events.put((key, _unknown(f"{type(error).__name__} while sending")))

    def wait(self) -> tuple[int, Outcome]:
        """The next outcome of what is in flight; unknown if a second signal came before its answer."""
        while True:
            try:
                # Not without a limit: a second signal right behind the first may be handed to another thread, and
                # its handler runs only when this one wakes up.
                key, outcome = self._events.get(timeout=_SLICE)
            except queue.Empty:
                if self.stops and not self._is_told:
                    self._is_told = True
                    self._tell_waiting()
                if self.stops < 2:
                    continue
                key, outcome = self._flying[0], _unknown("stopped by a second signal before the answer came")
                self._workers -= 1  # its thread waits on, nothing else is to wait behind it
            if key in self._flying:  # else its answer came after it was given up
                self._flying.remove(key)
                return key, outcome


def _unknown(error: str) -> Outcome:
    return Outcome(OutcomeKind.UNKNOWN, uuid=None, message_id=None, error=error, retry_after=None)


def _not_sent(error: str) -> Outcome:
    return Outcome(OutcomeKind.NOT_SENT, uuid=None, message_id=None, error=error, retry_after=None)
