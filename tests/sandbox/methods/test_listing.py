"""Senders, mailings, messages and deliveries as lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import NOON, Client


def _create(sms: Client, **fields: Any) -> int:
    number: int = sms.get("createSmsMessage", **{"message": "Hi", **fields}).json()["message_id"]
    return number


def test_listing_shows_a_mailing_as_documented(sms: Client) -> None:
    """Every documented field is present, with numbers as text where the documentation has them so."""
    sms.bulk(name="Notification")
    (row,) = sms.get("getSMSMessages").json()["data"]
    assert row == {
        "id": 1173020,
        "name": "Notification",
        "d_create": int(NOON.timestamp()),
        "d_schedule": int(NOON.timestamp()),
        "type": "API",
        "parts": "2",
        "count_phones": 2,
        "status": "NEW",
        "sms_delivered": "0",
        "cost": "0.05200",
        "alphaname": "MyShop",
    }


@pytest.mark.parametrize("style", [200, 400])
def test_listing_without_mailings_is_http_406(sms: Client, style: int) -> None:
    """Without mailings of a type the list is the documented HTTP 406."""
    sms.control("settings", {"error_status": style})
    assert sms.get("getSMSMessages").status_code == 406
    sms.bulk()
    assert sms.get("getSMSMessages", type="api").status_code == 200
    assert sms.get("getSMSMessages", type="WEB").status_code == 406


def test_listing_can_lag_and_truncate_names(sms: Client) -> None:
    """A mailing may be listed late and with a truncated name."""
    sms.control("settings", {"list_lag": 60, "name_limit": 5})
    sms.bulk(name="a long name")
    assert sms.names() == []
    sms.control("clock", {"advance": 60})
    assert sms.names() == ["a lon"]


@pytest.mark.parametrize(("when", "names"), [("created", ["n"]), ("never", [])])
def test_listing_of_single_messages_is_a_setting(sms: Client, when: str, names: list[str]) -> None:
    """A mailing can be listed late and with a truncated name."""
    sms.control("settings", {"list_messages": when})
    _create(sms, name="n")
    assert sms.names() == names


def test_listing_pages_have_all_rows(sms: Client) -> None:
    """Offset and limit select rows, and a setting makes pages shorter than requested."""
    phones = [f"37529{n:07}" for n in range(7)]
    sms.bulk(*phones)
    found: list[int] = []
    while page := sms.get(
        "getSmsDeliveryList", message_id=1173020, limit_offset=len(found), limit_rows=3
    ).json()["result"]:
        found += [row["phone"] for row in page]
    assert found == [int(phone) for phone in phones]
    sms.control("settings", {"max_rows": 2})
    assert (
        len(sms.get("getSmsDeliveryList", message_id=1173020, limit_offset=0, limit_rows=3).json()["result"])
        == 2
    )
    assert len(sms.get("getSmsDeliveryList", message_id=1173020).json()["result"]) == 2
    assert sms.get("getSmsDeliveryList", message_id=1173020, limit_offset=1).status_code == 400
    for number in range(3):
        _create(sms, message=f"text {number}")
    page = sms.get("getMessagesList", limit_offset=2, limit_rows=2).json()["result"]
    assert [(row["message"], row["d_create"]) for row in page] == [("text 2", "2026-12-01 15:00:00")]


def test_listing_of_deliveries_is_in_lower_case(sms: Client) -> None:
    """As documented, the status is in lower case and the phone a number."""
    sms.control("settings", {"fates": {"375291111111": "DELIVERED"}})
    sms.bulk("375291111111")
    sms.control("clock", {"advance": 10})
    assert sms.get("getSmsDeliveryList", message_id=1173020).json() == {
        "result": [{"phone": 375291111111, "status": "delivered", "d_sent": "2026-12-01 15:00:10"}]
    }


def test_listing_of_senders_is_written_as_php_does(sms: Client) -> None:
    """A map is a list if its keys are 0, 1, 2 … or if it is empty."""
    assert sms.get("getAlphanames").json() == {
        "0": "System name (SMS.by)",
        "1363": "MyShop",
        "1364": "Kvetka",
    }
    assert sms.get("getAlphanameId", name="Kvetka").json() == {"id": 1364}
    assert sms.get("getAlphanameId", name="Stranger").json() == {"error": "not found"}
    sms.control("settings", {"alphanames": {"0": "System name (SMS.by)"}})
    assert sms.get("getAlphanames").json() == ["System name (SMS.by)"]
    sms.control("settings", {"alphanames": {}})
    assert sms.get("getAlphanames").json() == []
