"""A clock that differs from that of sms.by is reported."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smsby_deploy.lock.binding import Binding
from smsby_deploy.plan.clock_check import find_wrong_clock
from smsby_deploy.smsby.client import ReadClient
from tests.apply.fake_smsby import FakeTransport
from tests.plan.examples import FixedClock

_MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("lead", "service", "said"),
    [
        (None, "https://app.sms.by", ""),
        (2 * _MINUTE, "https://app.sms.by", ""),
        (-2 * _MINUTE, "https://app.sms.by", ""),
        (3 * _MINUTE, "https://app.sms.by", "differs from that of sms.by by 3 minutes;"),
        (-180 * _MINUTE, "https://app.sms.by", "differs from that of sms.by by 180 minutes;"),
        (-180 * _MINUTE, "http://127.0.0.1:8025", ""),
    ],
)
def test_wrong_clock_is_reported(lead: timedelta | None, service: str, said: str) -> None:
    """Beyond two minutes; a sandbox on this machine may have any time."""
    transport = FakeTransport(FixedClock())
    transport.clock_lead = lead
    found = [
        one.message
        for one in find_wrong_clock(ReadClient(transport), Binding("production", service, "a" * 12))
    ]
    assert [said in message for message in found] == [True] * bool(said)
