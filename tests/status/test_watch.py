from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.status.report import State, StatusReport
from smsby_deploy.status.since import read_since
from smsby_deploy.status.watch import watch_status
from tests.output import examples

NOW = datetime(2026, 12, 8, 12, tzinfo=UTC)


class CountingClock:
    """Sleeps in no time and remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def _report(waiting: int) -> StatusReport:
    state = State.SENDING if waiting else State.FINAL
    return StatusReport((examples.mailing("c/x", state, (9 - waiting, 0, 0, waiting)),))


def test_watching_slows_down_while_nothing_changes_and_ends_when_all_is_settled() -> None:
    """Pauses grow to a minute, start anew on a change; every report is shown, the last one returned."""
    reports = iter([*[_report(9)] * 12, _report(4), _report(4), _report(0)])
    clock = CountingClock()
    shown: list[StatusReport] = []
    last = watch_status(lambda previous: next(reports), shown.append, clock)
    assert last == _report(0)
    assert len(shown) == 15
    assert clock.slept[:3] == [3.0, 4.5, 6.75]
    assert clock.slept[10:13] == [60.0, 60.0, 3.0]


def test_each_look_is_given_the_one_before() -> None:
    """So that only what can have changed is asked."""
    reports = iter([_report(5), _report(0)])
    given: list[StatusReport | None] = []

    def collect(previous: StatusReport | None) -> StatusReport:
        given.append(previous)
        return next(reports)

    watch_status(collect, lambda report: None, CountingClock())
    assert given == [None, _report(5)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", "2026-12-01T12:00:00+00:00"),
        ("90min", "2026-12-08T10:30:00+00:00"),
        ("2026-12-01", "2026-12-01T00:00:00+03:00"),
        ("2026-12-01T10:00+01:00", "2026-12-01T10:00:00+01:00"),
    ],
)
def test_since_is_read_as_people_write_it(text: str, moment: str) -> None:
    """A date without an offset is in the account's clock."""
    assert read_since(text, now=NOW, zone="Europe/Minsk") == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["yesterday", "7", "2026-13-01", ""])
def test_what_is_no_time_is_wrong_usage(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError):
        read_since(text, now=NOW, zone="Europe/Minsk")
