"""The movable clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.clock import MovableClock


class _Ticking(SystemClock):
    def __init__(self) -> None:
        self.moment = datetime(2026, 12, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def test_clock_keeps_running_after_a_move() -> None:
    """It keeps its distance to the base clock."""
    base = _Ticking()
    clock = MovableClock(base)
    clock.advance(3600)
    base.moment += timedelta(seconds=5)
    assert clock.now() == datetime(2026, 12, 1, 1, 0, 5, tzinfo=UTC)
    assert clock.offset == 3600


def test_clock_can_be_stopped_moved_and_started() -> None:
    """A stopped clock can be moved, and continues from there."""
    base = _Ticking()
    clock = MovableClock(base)
    clock.stop()
    base.moment += timedelta(seconds=5)
    clock.advance(60)
    assert clock.now() == datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    clock.run()
    base.moment += timedelta(seconds=1)
    assert clock.now() == datetime(2026, 12, 1, 0, 1, 1, tzinfo=UTC)
    assert not clock.is_stopped
    clock.reset()
    assert clock.now() == base.moment
