"""Values that sms.by reports differently from the intended ones, in the result of apply and in every plan."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Shop

_RECIPIENTS = '["375291234567", "375291234568", "375291234569"]'


def _campaign(name: str = "vip", time: str = "2036-12-01T10:00:00") -> str:
    return (
        f"version: 1\ncampaign: sale\nalphaname: MyShop\nschedule_time: {time}\nmailings:\n"
        f"  - {{name: {name}, recipients: {_RECIPIENTS}, text: Hi}}\n"
    )


def _warnings(shop: Shop) -> list[dict[str, Any]]:
    problems = shop.run("plan", "--format", "json").json["problems"]
    return [problem for problem in problems if problem["code"] == "REMOTE_DIFFERS"]


def test_different_time_is_reported_by_every_plan(shop: Shop) -> None:
    """A different time is one warning even for two chunks, and is compared with the applied time, not with the files."""
    shop.settings(account_timezone="UTC")
    shop.write("sale.yaml", _campaign())
    message = "d_schedule: intended 2036-12-01T10:00:00+03:00, sms.by reports 2036-12-01T13:00:00+03:00"
    applied = shop.run("apply", "--auto-approve")
    assert applied.code == 0
    assert applied.err.count("REMOTE_DIFFERS") == 1
    assert message in applied.err
    assert [one["message"] for one in _warnings(shop)] == [message]
    shop.write("sale.yaml", _campaign(time="2036-12-02T10:00:00"))
    assert [one["message"] for one in _warnings(shop)] == [message]
    shop.write("sale.yaml", _campaign(name="other"))
    (gone,) = _warnings(shop)
    assert (gone["address"], gone["file"], gone["message"]) == ("sale/vip", None, message)
