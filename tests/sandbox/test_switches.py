"""The clock and the settings, as doors and as code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.clock import MovableClock
from tests.sandbox.conftest import Client


class _Ticking(SystemClock):
    def __init__(self) -> None:
        self.moment = datetime(2026, 12, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def test_a_moved_clock_runs_on() -> None:
    """It keeps its distance to the base clock."""
    base = _Ticking()
    clock = MovableClock(base)
    clock.advance(3600)
    base.moment += timedelta(seconds=5)
    assert clock.now() == datetime(2026, 12, 1, 1, 0, 5, tzinfo=UTC)
    assert clock.offset == 3600


def test_a_stopped_clock_stands_still_and_goes_on_from_there() -> None:
    """It can be moved while it stands."""
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


def test_the_clock_can_be_set_through_its_door(sms: Client) -> None:
    """To a moment with an offset; the answer tells where it stands."""
    told = sms.door("clock", {"stop": True, "set": "2027-01-01T00:00:00+03:00", "advance": 60})
    assert told == {
        "now": "2026-12-31T21:01:00+00:00",
        "unix": 1798750860.0,
        "offset": told["offset"],
        "stopped": True,
    }
    assert sms.look("clock") == told


@pytest.mark.parametrize(
    "given",
    [{}, None, {"set": "2027-01-01T00:00:00"}, {"set": 5}, {"advance": "x"}, {"advance": 1e99}, {"jump": 1}],
)
def test_a_clock_is_not_moved_by_nonsense(sms: Client, given: Any) -> None:
    """And says why."""
    answer = requests.post(f"{sms.url}/_sandbox/clock", json=given, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sms.look("clock")["offset"] == 0


@pytest.mark.parametrize(
    "given",
    [
        {"delay": -1},
        {"account_timezone": "Europe/Atlantis"},
        {"error_status": 500},
        {"balance": "much"},
        {"balance": "NaN"},
        {"moderation": "yes"},
        {"rate_limit": -1},
        {"wrap": "createSmsMessage"},
        {"alphanames": ["x"]},
        {"colour": "red"},
        ["delay"],
    ],
)
def test_a_setting_that_can_not_be_changes_nothing(sms: Client, given: Any) -> None:
    """Also not those beside it."""
    before = sms.look("settings")
    body = {"list_lag": 5, **given} if isinstance(given, dict) else given
    assert requests.post(f"{sms.url}/_sandbox/settings", json=body, timeout=5).status_code == 400
    assert sms.look("settings") == before


def test_senders_as_php_writes_them(sms: Client) -> None:
    """A map whose keys are 0, 1, 2 … is a list, an empty one too."""
    assert sms.get("getAlphanames").json() == {
        "0": "System name (SMS.by)",
        "1363": "MyShop",
        "1364": "Kvetka",
    }
    assert sms.get("getAlphanameId", name="Kvetka").json() == {"id": 1364}
    assert sms.get("getAlphanameId", name="Nobody").json() == {"error": "not found"}
    sms.door("settings", {"alphanames": {"0": "System name (SMS.by)"}})
    assert sms.get("getAlphanames").json() == ["System name (SMS.by)"]
    sms.door("settings", {"alphanames": {}})
    assert sms.get("getAlphanames").json() == []
