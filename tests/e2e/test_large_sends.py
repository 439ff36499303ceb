"""What helps before a large send: `spread`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import PROJECT, Result, Shop
from tests.e2e.forked import CLOCK_AHEAD

_NOW = datetime.now(UTC)  # noqa: TID251
_TIME = (_NOW + timedelta(days=2)).replace(hour=9, minute=0, second=0, microsecond=0)
_MIDDLE = _TIME + timedelta(hours=1, minutes=30) - _NOW  # from now: between the second and the third chunk
_PHONES = [f"3752912345{number:02}" for number in range(6)]


def _write(shop: Shop, *, text: str = "Hello", spread: str = "3h", more: str = "", phones: int = 6) -> None:
    rows = ", ".join(f'"{phone}"' for phone in _PHONES[:phones])
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nschedule_time: {_TIME:%Y-%m-%dT%H:%M:%S}Z\ntimezone: UTC\n"
        f"mailings:\n  - {{name: vip, recipients: [{rows}], text: {text}, spread: {{over: {spread}}}{more}}}\n",
    )


def _later(shop: Shop, ahead: timedelta, *arguments: str) -> Result:
    return shop.run(*arguments, env={CLOCK_AHEAD: str(ahead.total_seconds())})


def _action(shop: Shop, ahead: timedelta = timedelta(0)) -> dict[str, Any]:
    (action,) = _later(shop, ahead, "plan", "--format", "json").json["actions"]
    return action  # type: ignore[no-any-return]


def _chunks(shop: Shop) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = shop.lock()["mailings"]["sale/vip"]["chunks"]
    return chunks


def test_spread_mailing_has_a_time_for_each_chunk(shop: Shop) -> None:
    """In plan, comment, requests, list, lock and status; it is gone only when its last chunk is."""
    _write(shop)
    times = [_TIME + timedelta(hours=hours) for hours in range(3)]
    pace = f"{_TIME:%Y-%m-%d} 09:00 UTC to 11:00: 3 chunks, one every 60 min, about 2 recipients per hour"
    for form in ("text", "markdown"):
        assert pace in shop.run("plan", "--format", form).out
    planned = shop.run("plan", "--out", "plan.json", "--format", "json").json["actions"][0]
    assert [datetime.fromisoformat(one["schedule_time"]) for one in planned["chunks"]] == times
    assert shop.run("apply", "plan.json").code == 0
    listed = shop.run("api", "getSMSMessages").json["data"]
    assert sorted(one["d_schedule"] for one in listed) == [time.timestamp() for time in times]
    assert [datetime.fromisoformat(one["schedule_time"]) for one in _chunks(shop)] == times

    again = shop.run("plan", "--format", "json").json
    assert ([one["reason"] for one in again["actions"]], again["problems"]) == (["scheduled, unchanged"], [])
    assert "scheduled, unchanged" in _action(shop, _MIDDLE)["reason"]
    assert "sent, unchanged" in _action(shop, _MIDDLE + timedelta(hours=1))["reason"]
    (status,) = shop.run("status", "--format", "json").json["mailings"]
    assert status["state"] == "scheduled"
    assert [datetime.fromisoformat(status["spread"][key]) for key in ("first", "last")] == [
        times[0],
        times[2],
    ]
    for form in ("text", "markdown", "html"):
        shown = shop.run("status", "--format", form).out
        assert "09:00 +00:00 to 11:00" in shown
        assert "3 chunks, one every 60 min" in shown


def test_changed_spread_is_a_change(shop: Shop) -> None:
    """Of what is scheduled; the rest of a mailing that is partly gone cannot be withdrawn, so nothing says so."""
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    _write(shop, spread="4h")
    action = _action(shop)
    assert (action["action"], action["reason_code"]) == ("blocked", "changed")
    assert f"sent from {_TIME:%Y-%m-%d} 09:00 UTC to 11:00" in action["reason"]
    assert "lock withdraw" in action["reason"]
    assert "lock withdraw" not in _action(shop, _MIDDLE)["reason"]
    refused = _later(shop, _MIDDLE, "lock", "withdraw", "sale/vip", "--anyway")
    assert (refused.code, "2 of the 3 chunks of sale/vip are gone" in refused.err) == (4, True)


@pytest.mark.parametrize("rail", ["quiet_hours: {from: '10:30', to: '12:00'}", "min_lead_minutes: 60"])
def test_guardrails_hold_for_every_chunk(shop: Shop, rail: str) -> None:
    """The last chunk in quiet hours blocks the mailing as the first would; so does one with too short a lead."""
    shop.write("smsby.yaml", f"{PROJECT}guardrails: {{{rail}}}\n")
    _write(shop)
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    ahead = _MIDDLE - timedelta(minutes=40) if "lead" in rail else timedelta(0)
    if "lead" in rail:
        assert shop.run("apply", "--auto-approve").code != 0
    action = _action(shop, ahead)
    assert (action["action"], action["reason_code"]) == ("blocked", "guardrail"), action
    assert "a chunk" in action["reason"]


def test_rest_of_a_spread_mailing_is_sent_in_its_own_time(shop: Shop) -> None:
    """After the first chunk is gone the others still go at their times; one whose time has passed only with max_late."""
    _write(shop)
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    assert [one["state"] for one in _chunks(shop)] == ["accepted", "rejected", "pending"]
    before = _later(shop, _MIDDLE - timedelta(hours=1), "plan", "--format", "json").json["actions"][0]
    assert (before["action"], before["recipients"]) == ("resume", 4)
    late = _action(shop, _MIDDLE)
    assert (late["action"], late["reason_code"]) == ("blocked", "expired")
    assert "10:00 UTC, has passed; with `max_late`" in late["reason"]

    _write(shop, more=", max_late: 2h")
    planned = _later(shop, _MIDDLE, "plan", "--format", "json").json
    assert [one["action"] for one in planned["actions"]] == ["resume"]
    assert [one["message"] for one in planned["problems"] if one["code"] == "LATE"] == [
        "the time of 1 chunk passed 30 min ago; it is sent at once, max_late allows 120 min"
    ]
    assert _later(shop, _MIDDLE, "apply", "--auto-approve").code == 0
    bodies = [call["params"]["messages"] for call in shop.calls() if call["method"].lower() == "sendbulksms"]
    times = [message.get("schedule_time") for messages in bodies[-2:] for message in messages]
    assert [time is not None and time.endswith("14:00:00") for time in times] == [False, True]
