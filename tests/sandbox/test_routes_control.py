"""The control routes of clock and settings."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Client


def test_control_route_sets_the_clock(sms: Client) -> None:
    """The time has an offset; the answer is the new reading."""
    reading = sms.control("clock", {"stop": True, "set": "2027-01-01T00:00:00+03:00", "advance": 60})
    assert reading == {
        "now": "2026-12-31T21:01:00+00:00",
        "unix": 1798750860.0,
        "offset": reading["offset"],
        "stopped": True,
    }
    assert sms.view("clock") == reading


@pytest.mark.parametrize(
    "given",
    [{}, None, {"set": "2027-01-01T00:00:00"}, {"set": 5}, {"advance": "x"}, {"advance": 1e99}, {"jump": 1}],
)
def test_control_route_refuses_invalid_clock_commands(sms: Client, given: Any) -> None:
    """The answer says why, and the clock does not move."""
    answer = requests.post(f"{sms.url}/_sandbox/clock", json=given, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert sms.view("clock")["offset"] == 0


def test_control_route_deletes_what_is_not_gone(sms: Client) -> None:
    """As a person does in the account: it is neither listed nor sent, and costs nothing; what is gone stays."""
    balance = float(sms.view("settings")["balance"])
    sms.bulk(schedule_time="2036-12-01T10:00:00")
    (number,) = [row["id"] for row in sms.get("getSMSMessages").json()["data"]]
    sms.control("delete", {"message_id": number})
    assert sms.get("getSMSMessages").status_code == 406
    assert float(sms.view("settings")["balance"]) == balance
    assert sms.view("inbox") == {}
    sms.bulk()
    (gone,) = [row["id"] for row in sms.get("getSMSMessages").json()["data"]]
    assert (
        requests.post(f"{sms.url}/_sandbox/delete", json={"message_id": gone}, timeout=5).status_code == 404
    )


@pytest.mark.parametrize(
    "given",
    [
        {"delay": -1},
        {"account_timezone": "Europe/Atlantis"},
        {"error_status": 503},
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
def test_control_route_refuses_invalid_settings(sms: Client, given: Any) -> None:
    """One invalid setting prevents all changes of the call."""
    before = sms.view("settings")
    body = {"list_lag": 5, **given} if isinstance(given, dict) else given
    assert requests.post(f"{sms.url}/_sandbox/settings", json=body, timeout=5).status_code == 400
    assert sms.view("settings") == before
