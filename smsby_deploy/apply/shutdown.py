"""What stops a run: a signal, or a freeze added to smsby.yaml while it runs.

The first signal, or a freeze, stops new calls; a second signal abandons the calls in flight.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

from smsby_deploy.clock import Clock
from smsby_deploy.config.environments import read_freeze
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.files import change_mark
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.plan.reasons import frozen
from smsby_deploy.smsby.retry import poll
from smsby_deploy.wording import sentence

# Seconds: the longest wait before signals are checked. A second signal may be delivered to another thread, and its
# handler runs only when this one wakes up.
SLICE = 0.1
_PATIENCE = 2.0  # seconds: an editor or a checkout may be writing the file just now


class StopSending(Exception):
    """Nothing more may be sent in this run; requests in flight are still recorded."""

    def __init__(self, error: str, exit_code: ExitCode) -> None:
        super().__init__(error)
        self.error = error
        self.exit_code = exit_code


class ShutdownSignal:
    """SIGINT, SIGTERM or a freeze during an apply; entering it installs the handlers.

    The first signal asks to stop once the requests in flight are recorded, the second not to wait for their answers. A
    freeze acts like a first signal; `freeze` returns its reason, empty if nothing is frozen.
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


class FreezeWatch:
    """Detects that `freeze` was added to the file at `path` during an apply.

    The file is read only when it has changed. A file that can no longer be read or is no longer valid stops the apply as
    well: a user in a hurry may have made a mistake while freezing it, and the next apply sends the rest.
    """

    def __init__(self, path: Path, environment: str, clock: Clock) -> None:
        self._path = path
        self._environment = environment
        self._clock = clock
        self._seen: tuple[int, ...] | None = None
        self._why = ""

    def why(self) -> str:
        """Return why nothing more may be sent; empty if sending may continue."""
        has_changed = self._seen is None or change_mark(self._path) != self._seen
        if not self._why and has_changed and (why := self._read()):
            self._why = with_code(ReasonCode.FROZEN, frozen(why))
        return self._why

    def _read(self) -> str:
        why = ""
        for _ in poll(_PATIENCE, clock=self._clock, pause=self._clock.sleep):
            self._seen = change_mark(self._path)  # before it is read, so that no later change is missed
            try:
                return read_freeze(self._path, self._environment)
            except SmsbyDeployError as error:
                why = error.summary
        return sentence("{file} has changed and is no longer valid: {why}", file=self._path.name, why=why)
