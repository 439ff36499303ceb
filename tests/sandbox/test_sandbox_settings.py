"""The settings of the sandbox."""

from __future__ import annotations

from datetime import datetime

from tests.sandbox.conftest import Client


def test_settings_price_of_the_longest_prefix(sms: Client) -> None:
    """`prices` can set other prices for other countries."""
    sms.control("settings", {"price": "0.02", "prices": {"7": "0.10", "79": 0.2}})
    sms.bulk("375291111111", "71234567890", "79061234567")
    assert sms.get("getSMSMessages").json()["data"][0]["cost"] == "0.32000"


def test_settings_time_zone_of_one_parameter(sms: Client) -> None:
    """The zones of dates are not documented and may differ between parameters."""
    sms.control("settings", {"timezones": {"schedule_time": "UTC"}})
    sms.bulk(schedule_time="2026-12-02T10:00:00")
    row = sms.get("getSMSMessages").json()["data"][0]
    assert row["d_schedule"] == datetime.fromisoformat("2026-12-02T10:00:00+00:00").timestamp()
