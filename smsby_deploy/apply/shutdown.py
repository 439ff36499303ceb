"""How an apply ends early: StopSending, and the signals that ask for it."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

from smsby_deploy.clock import Clock
from smsby_deploy.exit_codes import ExitCode

_SLICE = 0.1  # seconds: the longest time until a signal ends a pause


class StopSending(Exception):
    """Nothing more may be sent in this run; what is in flight is still recorded."""

    def __init__(self, error: str, exit_code: ExitCode) -> None:
        super().__init__(error)
        self.error = error
        self.exit_code = exit_code


class ShutdownSignal:
    """SIGINT and SIGTERM during an apply; a context manager that installs the handlers.

    The first signal asks to stop once the requests in flight are recorded, the second not to wait
    for their answers.
    """

    def __init__(self, clock: Clock) -> None:
        self.count = 0
        self._clock = clock
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

    def check(self) -> None:
        """Raise StopSending if a signal asked to stop."""
        if self.is_requested:
            raise StopSending("stopped by a signal before it was sent", ExitCode.FAILED)

    def pause(self, seconds: float) -> None:
        """Sleep for `seconds`, or until the first signal."""
        self._sleep(seconds, signals=1)

    def pause_until_urgent(self, seconds: float) -> None:
        """Sleep for `seconds`, or until the second signal."""
        self._sleep(seconds, signals=2)

    def _sleep(self, seconds: float, *, signals: int) -> None:
        end = self._clock.monotonic() + seconds
        while self.count < signals and (remaining := end - self._clock.monotonic()) > 0:
            self._clock.sleep(min(remaining, _SLICE))
