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

_STOP = object()
_SLICE = 0.1  # seconds: the longest time until a signal ends a pause


class Sender:
    """Runs one request at a time and listens for the signals meanwhile. Use it as a context manager."""

    def __init__(self) -> None:
        self.stops = 0
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._before: dict[int, object] = {}

    def __enter__(self) -> Sender:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() itself returned

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1
        self._events.put(_STOP)

    @property
    def is_stopping(self) -> bool:
        return self.stops > 0

    def pause(self, seconds: float, clock: Clock, *, until: int = 1) -> None:
        """Sleep, but no longer than until the signal number `until` came."""
        end = clock.monotonic() + seconds
        while self.stops < until and (left := end - clock.monotonic()) > 0:
            clock.sleep(min(left, _SLICE))

    def send(self, request: Callable[[], Outcome]) -> Outcome:
        """The outcome of `request`; unknown if a second signal came before its answer."""

        def run() -> None:
            try:
                self._events.put(request())
            except Exception as error:  # noqa: BLE001  # whatever broke, the request may have left
                self._events.put(_unknown(f"{type(error).__name__} while sending"))

        threading.Thread(target=run, daemon=True).start()
        while True:
            try:
                # Not without a limit: a second signal right behind the first may be handed to another thread, and
                # its handler runs only when this one wakes up.
                event = self._events.get(timeout=_SLICE)
            except queue.Empty:
                continue
            if isinstance(event, Outcome):
                return event
            if self.stops >= 2 and self._events.empty():
                return _unknown("stopped by a second signal before the answer came")


def _unknown(error: str) -> Outcome:
    return Outcome(OutcomeKind.UNKNOWN, uuid=None, message_id=None, error=error, retry_after=None)
