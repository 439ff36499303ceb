"""Messages made once and sent to one phone a call, quick sends, codes, moderation and paging."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import NOON, Client


def _create(sms: Client, **fields: Any) -> int:
    number: int = sms.get("createSmsMessage", **{"message": "Hi", **fields}).json()["message_id"]
    return number


def test_a_message_reaches_nobody_until_it_is_sent(sms: Client) -> None:
    """createSmsMessage answers as documented; sendSMS charges for each phone."""
    made = sms.get("createSmsMessage", name="shop", message="я" * 71, alphaname_id=0).json()
    assert made == {
        "status": "ok",
        "parts": 2,
        "len": 71,
        "message_id": 1173020,
        "alphaname": "system",
        "time": 0,
    }
    assert sms.inbox() == {}
    assert sms.names() == []
    assert sms.get("sendSMS", message_id=1173020, phone="375291111111").json() == {
        "sms_id": 2197871,
        "status": "NEW",
    }
    sms.get("sendSMS", message_id=1173020, phone="375292222222")
    (row,) = sms.get("getSMSMessages").json()["data"]
    assert (row["name"], row["count_phones"], row["parts"], row["cost"]) == ("shop", 2, "4", "0.10400")
    assert sms.look("settings")["balance"] == "999.896"


@pytest.mark.parametrize(("when", "names"), [("created", ["n"]), ("never", [])])
def test_whether_messages_are_listed_can_be_chosen(sms: Client, when: str, names: list[str]) -> None:
    """It is not documented; by default only those that went to somebody are."""
    sms.door("settings", {"list_messages": when})
    _create(sms, name="n")
    assert sms.names() == names


def test_the_same_message_is_refused_with_its_id(sms: Client) -> None:
    """The same text and sender; another sender, or the switch, makes it another message."""
    number = _create(sms)
    again = sms.get("createSmsMessage", message="Hi")
    assert again.status_code == 400
    assert again.json() == {"error": f"The same message exists with ID={number}", "message_id": number}
    assert _create(sms, alphaname_id=1363) != number
    sms.door("settings", {"duplicates": False})
    assert _create(sms) not in (number, None)


def test_a_message_may_be_scheduled(sms: Client) -> None:
    """`time` is YYYY-MM-DD HH:MM in the account's clock and comes back as unix seconds."""
    made = sms.get("createSmsMessage", message="Hi", time="2026-12-01 16:00").json()
    assert made["time"] == NOON.timestamp() + 3600
    sms.get("sendSMS", message_id=made["message_id"], phone="375291111111")
    assert sms.inbox()["375291111111"][0]["at"] == NOON.timestamp() + 3600


def test_what_is_not_moderated_is_not_sent(sms: Client) -> None:
    """`access denied` and `new` till the moderation is over."""
    sms.door("settings", {"moderation": True, "moderation_delay": 60})
    number = _create(sms)
    assert sms.get("checkSMSMessageStatus", message_id=number).json() == {
        "status": "new",
        "parts": 1,
        "alphaname": "SYSTEM",
    }
    refused = sms.get("sendSMS", message_id=number, phone="375291111111")
    assert (refused.status_code, refused.json()) == (403, {"error": "access denied"})
    sms.door("clock", {"advance": 60})
    assert sms.get("checkSMSMessageStatus", message_id=number).json()["status"] == "moderated"
    assert sms.get("sendSMS", message_id=number, phone="375291111111").status_code == 200


def test_moderation_by_hand(sms: Client) -> None:
    """With a negative delay a message waits for the door."""
    sms.door("settings", {"moderation": True, "moderation_delay": -1})
    number = _create(sms)
    sms.door("clock", {"advance": 1e6})
    assert sms.get("getMessagesList").json()["result"][0]["status"] == "new"
    sms.door("moderate", {"message_id": number})
    assert sms.get("getMessagesList").json()["result"][0]["status"] == "moderated"
    assert requests.post(f"{sms.url}/_sandbox/moderate", json={"message_id": 1}, timeout=5).status_code == 404


def test_the_times_of_one_sms(sms: Client) -> None:
    """checkSMS: 0 for not yet, then unix seconds."""
    sms.door("settings", {"fates": {"375291111111": "DELIVERED"}})
    number = sms.ok("sendQuickSMS", message="x", phone="375291111111")["sms_id"]
    seen = []
    for _ in range(3):
        seen.append(sms.get("checkSMS", sms_id=number).json())
        sms.door("clock", {"advance": 5})
    start = int(NOON.timestamp())
    assert [(one["sent"], one["delivered"], one["status"]) for one in seen] == [
        (0, 0, "NEW"),
        (start + 5, 0, "SENT"),
        (start + 5, start + 10, "DELIVERED"),
    ]
    missing = sms.get("checkSMS", sms_id=1)
    assert (missing.status_code, missing.json()) == (404, {"error": "not found"})


def test_a_quick_sms_and_its_cost(sms: Client) -> None:
    """Documented answer; show_cost adds the cost."""
    assert sms.ok("sendQuickSMS", message="x", phone="+375291111111", alphaname_id="1363") == {
        "sms_id": 2197871,
        "status": "NEW",
        "parts": 1,
    }
    assert Decimal(sms.ok("sendQuickSMS", message="x", phone="375291111111", show_cost=1)["cost"]) == Decimal(
        "0.026"
    )
    assert [message["sender"] for message in sms.inbox()["375291111111"]] == [
        "MyShop",
        "System name (SMS.by)",
    ]
    assert sms.names() == []


def test_a_quick_sms_with_a_wrong_sender(sms: Client) -> None:
    """The words that the service was seen to use; a sender left out is one too, if it is required."""
    wrong = sms.post("sendQuickSMS", message="x", phone="375291111111", alphaname_id="MyShop")
    assert (wrong.status_code, wrong.json()) == (400, {"error": "ошибка в буквенном имени"})
    sms.door("settings", {"require_alphaname": True})
    assert "error" in sms.post("sendQuickSMS", message="x", phone="375291111111").json()


@pytest.mark.parametrize(("minutes", "status"), [(4, 400), (5, 200), (60, 200), (61, 400)])
def test_forwarding_takes_5_to_60_minutes(sms: Client, minutes: int, status: int) -> None:
    """Documented bounds."""
    params = {"message": "x", "phone": "375291111111", "forwarding_message": 1, "forwarding_time": minutes}
    assert sms.post("sendQuickSMS", **params, vibername_id=7).status_code == status


@pytest.mark.parametrize("method", ["sendOtpTelegram", "sendOtpWhatsApp"])
def test_a_code_is_one_to_sixteen_digits(sms: Client, method: str) -> None:
    """Anything else is refused."""
    assert sms.ok(method, message="1234567890123456", phone="375291111111")["status"] == "NEW"
    assert sms.inbox()["375291111111"][0]["channel"] == method.removeprefix("sendOtp").lower()
    for code in ("12345678901234567", "12a", "", "١٢٣٤"):
        assert sms.post(method, message=code, phone="375291111111").status_code == 400


def test_paging_walks_all_rows(sms: Client) -> None:
    """Offset and limit; a server that gives fewer than asked for is a switch."""
    phones = [f"37529{n:07}" for n in range(7)]
    sms.bulk(*phones)
    found: list[int] = []
    while page := sms.get(
        "getSmsDeliveryList", message_id=1173020, limit_offset=len(found), limit_rows=3
    ).json()["result"]:
        found += [row["phone"] for row in page]
    assert found == [int(phone) for phone in phones]
    sms.door("settings", {"max_rows": 2})
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


def test_statuses_of_a_delivery_list_are_in_lower_case(sms: Client) -> None:
    """As documented; and the phone is a number there."""
    sms.door("settings", {"fates": {"375291111111": "DELIVERED"}})
    sms.bulk("375291111111")
    sms.door("clock", {"advance": 10})
    assert sms.get("getSmsDeliveryList", message_id=1173020).json() == {
        "result": [{"phone": 375291111111, "status": "delivered", "d_sent": "2026-12-01 15:00:10"}]
    }
