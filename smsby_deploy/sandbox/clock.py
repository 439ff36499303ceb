"""The sandbox's clock: it runs with another one, and can be moved and stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smsby_deploy.clock import Clock


class MovableClock:
    """A Clock at an offset from `base`; what is waited for is still waited for in real seconds."""

    def __init__(self, base: Clock, offset: float = 0.0) -> None:
        self._base = base
        self._offset = timedelta(seconds=offset)
        self._stopped: datetime | None = None

    @property
    def offset(self) -> float:
        """Seconds ahead of the base clock."""
        return (
            (self.now() - self._base.now()).total_seconds() if self._stopped else self._offset.total_seconds()
        )

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
        """Move to `moment`, aware."""
        self._offset = moment - self._base.now()
        if self._stopped is not None:
            self._stopped = moment.astimezone(UTC)

    def stop(self) -> None:
        self._stopped = self.now()

    def run(self) -> None:
        """Go on from where it stands."""
        if self._stopped is not None:
            self._offset = self._stopped - self._base.now()
            self._stopped = None

    def reset(self) -> None:
        """Back to the base clock."""
        self._stopped, self._offset = None, timedelta()
