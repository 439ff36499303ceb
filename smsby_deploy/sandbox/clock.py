"""The clock of the sandbox: it can be moved, stopped and started."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smsby_deploy.clock import Clock


class MovableClock:
    """A Clock at an offset from `base`. Sleeping still takes real seconds."""

    def __init__(self, base: Clock, offset: float = 0.0) -> None:
        self._base = base
        self._offset = timedelta(seconds=offset)
        self._stopped: datetime | None = None

    @property
    def offset(self) -> float:
        """Seconds ahead of the base clock."""
        offset = self._stopped - self._base.now() if self._stopped else self._offset
        return offset.total_seconds()

    @property
    def is_stopped(self) -> bool:
        return self._stopped is not None

    def now(self) -> datetime:
        return self._stopped or self._base.now() + self._offset

    def monotonic(self) -> float:
        return self._base.monotonic()

    def sleep(self, seconds: float) -> None:
        self._base.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move by `seconds`; a stopped clock stays stopped."""
        self.set(self.now() + timedelta(seconds=seconds))

    def set(self, moment: datetime) -> None:
        """Move to `moment`, which is aware; a stopped clock stays stopped."""
        self._offset = moment - self._base.now()
        if self._stopped is not None:
            self._stopped = moment.astimezone(UTC)

    def stop(self) -> None:
        self._stopped = self.now()

    def run(self) -> None:
        """Continue from the present reading."""
        if self._stopped is not None:
            self._offset = self._stopped - self._base.now()
            self._stopped = None

    def reset(self) -> None:
        """Return to the time of the base clock."""
        self._stopped, self._offset = None, timedelta()
