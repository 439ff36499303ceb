"""RetryPolicy and poll: when a request is repeated, and when it is left to the next run.

Retry-After is tested with the transport.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smsby_deploy.smsby.retry import (
    READ_RETRIES,
    SEND_RETRIES,
    RetryPolicy,
    poll,
    read_clock_lead,
    when_to_retry,
    with_wait,
)
from tests.smsby.conftest import FakeClock


def test_retry_policy_doubles_the_pause() -> None:
    """Pauses start at half a second and double until the tries are used up."""
    pauses = [RetryPolicy(tries=5).pause_after(tries, None) for tries in range(1, 6)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, None]


@pytest.mark.parametrize(
    ("asked", "pause"), [(0.0, 0.0), (7.0, 7.0), (60.0, 60.0), (61.0, None), (3600.0, None)]
)
def test_retry_policy_honors_retry_after(asked: float, pause: float | None) -> None:
    """Retry-After replaces the backoff, and over a minute ends the retries."""
    for policy in (READ_RETRIES, SEND_RETRIES):
        assert policy.pause_after(1, asked) == pause
        assert policy.pause_after(policy.tries, asked) is None


def test_poll_looks_at_once_and_at_the_deadline() -> None:
    """Pauses grow up to five seconds, and the last look is exactly at the deadline."""
    clock = FakeClock()
    looks = []
    for _ in poll(20, clock=clock, pause=clock.sleep):
        looks.append(clock.monotonic())
    began = looks[0]
    assert [look - began for look in looks] == [0, 0.25, 0.75, 1.75, 3.75, 7.75, 12.75, 17.75, 20]


def test_poll_of_no_time_looks_once() -> None:
    """With a deadline of zero seconds there is one look and no pause."""
    clock = FakeClock()
    assert sum(1 for _ in poll(0, clock=clock, pause=clock.sleep)) == 1
    assert not clock.slept


@pytest.mark.parametrize(
    ("retry_after", "when", "is_long"),
    [
        (None, "later", False),
        (0.0, "in 0 s", False),
        (60.0, "in 60 s", False),
        (60.5, "in 2 min", True),
        (3600.0, "in 1 h", True),
        (7501.0, "in 2 h 6 min", True),
        (86_400.0, "in 24 h", True),
        (86_401.0, "in more than a day", True),
        (999_999_999.0, "in more than a day", True),
    ],
)
def test_long_retry_after_is_named(retry_after: float | None, when: str, is_long: bool) -> None:
    """A long Retry-After is rounded up, and an absurd one is only called long."""
    assert when_to_retry(retry_after) == when
    said = f"busy; sms.by says to try again {when}" if is_long else "busy"
    assert with_wait("busy", retry_after) == said


_NOW = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "lead"),
    [
        ({"Date": "Tue, 01 Dec 2026 06:00:00 GMT"}, timedelta(hours=1)),
        ({"Date": "Tue, 01 Dec 2026 07:05:00 GMT"}, timedelta(minutes=-5)),
        ({"Date": "Tue, 01 Dec 2026 06:00:00 GMT", "Age": "3600"}, None),
        ({"Date": "today"}, None),
        ({"Date": ""}, None),
        ({}, None),
    ],
)
def test_clock_lead_is_read(headers: dict[str, str], lead: timedelta | None) -> None:
    assert read_clock_lead(headers, _NOW) == lead
