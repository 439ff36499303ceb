"""Messages to one phone: moderation, schedule, quick sends and codes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import NOON, Client


def _create(sms: Client, **fields: Any) -> int:
    number: int = sms.get("createSmsMessage", **{"message": "Hi", **fields}).json()["message_id"]
    return number


def test_single_message_is_sent_by_send_sms_only(sms: Client) -> None:
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
    assert sms.view("settings")["balance"] == "999.896"


def test_single_duplicate_is_refused_with_its_id(sms: Client) -> None:
    """The same text and sender is refused with the existing id, unless the sender or a setting differs."""
    number = _create(sms)
    again = sms.get("createSmsMessage", message="Hi")
    assert again.status_code == 400
    assert again.json() == {"error": f"The same message exists with ID={number}", "message_id": number}
    assert _create(sms, alphaname_id=1363) != number
    sms.control("settings", {"duplicates": False})
    assert _create(sms) not in (number, None)


def test_single_message_can_be_scheduled(sms: Client) -> None:
    """`time` is YYYY-MM-DD HH:MM in the zone of the account, and is returned in Unix seconds."""
    made = sms.get("createSmsMessage", message="Hi", time="2026-12-01 16:00").json()
    assert made["time"] == NOON.timestamp() + 3600
    sms.get("sendSMS", message_id=made["message_id"], phone="375291111111")
    assert sms.inbox()["375291111111"][0]["at"] == NOON.timestamp() + 3600


def test_single_message_is_not_sent_before_moderation(sms: Client) -> None:
    """Until the moderation is over the answers are `new` and `access denied`."""
    sms.control("settings", {"moderation": True, "moderation_delay": 60})
    number = _create(sms)
    assert sms.get("checkSMSMessageStatus", message_id=number).json() == {
        "status": "new",
        "parts": 1,
        "alphaname": "SYSTEM",
    }
    refused = sms.get("sendSMS", message_id=number, phone="375291111111")
    assert (refused.status_code, refused.json()) == (403, {"error": "access denied"})
    sms.control("clock", {"advance": 60})
    assert sms.get("checkSMSMessageStatus", message_id=number).json()["status"] == "moderated"
    assert sms.get("sendSMS", message_id=number, phone="375291111111").status_code == 200


def test_single_message_can_be_approved_manually(sms: Client) -> None:
    """With a negative delay a message waits for the control route."""
    sms.control("settings", {"moderation": True, "moderation_delay": -1})
    number = _create(sms)
    sms.control("clock", {"advance": 1e6})
    assert sms.get("getMessagesList").json()["result"][0]["status"] == "new"
    sms.control("moderate", {"message_id": number})
    assert sms.get("getMessagesList").json()["result"][0]["status"] == "moderated"
    assert requests.post(f"{sms.url}/_sandbox/moderate", json={"message_id": 1}, timeout=5).status_code == 404


def test_single_check_sms_reports_times(sms: Client) -> None:
    """checkSMS has 0 for an event that has not happened, and then Unix seconds."""
    sms.control("settings", {"fates": {"375291111111": "DELIVERED"}})
    number = sms.ok("sendQuickSMS", message="x", phone="375291111111")["sms_id"]
    seen = []
    for _ in range(3):
        seen.append(sms.get("checkSMS", sms_id=number).json())
        sms.control("clock", {"advance": 5})
    start = int(NOON.timestamp())
    assert [(one["sent"], one["delivered"], one["status"]) for one in seen] == [
        (0, 0, "NEW"),
        (start + 5, 0, "SENT"),
        (start + 5, start + 10, "DELIVERED"),
    ]
    missing = sms.get("checkSMS", sms_id=1)
    assert (missing.status_code, missing.json()) == (404, {"error": "not found"})


def test_single_quick_sms_and_its_cost(sms: Client) -> None:
    """The answer is the documented one; show_cost adds the cost."""
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"show_cost": "yes"},
        {"show_cost": 2},
        {"forwarding_message": 2},
        {"forwarding_message": 1, "forwarding_time": 4},
        {"vibername_id": "x"},
    ],
)
def test_single_quick_sms_that_is_refused_sends_nothing(sms: Client, wrong: dict[str, Any]) -> None:
    """A wrong parameter is found before the SMS is sent and charged."""
    answer = sms.post("sendQuickSMS", message="x", phone="375291111111", **wrong)
    assert (answer.status_code, answer.json()) == (400, {"error": "incorrect arguments"})
    assert sms.inbox() == {}
    assert sms.view("settings")["balance"] == "1000.00"


def test_single_quick_sms_refuses_a_wrong_sender(sms: Client) -> None:
    """The error has the words of the real service, and a missing sender is wrong if one is required."""
    wrong = sms.post("sendQuickSMS", message="x", phone="375291111111", alphaname_id="MyShop")
    assert (wrong.status_code, wrong.json()) == (400, {"error": "ошибка в буквенном имени"})
    sms.control("settings", {"require_alphaname": True})
    assert "error" in sms.post("sendQuickSMS", message="x", phone="375291111111").json()


@pytest.mark.parametrize(("minutes", "status"), [(4, 400), (5, 200), (60, 200), (61, 400)])
def test_single_forwarding_takes_5_to_60_minutes(sms: Client, minutes: int, status: int) -> None:
    """Forwarding takes 5 to 60 minutes, as documented."""
    params = {"message": "x", "phone": "375291111111", "forwarding_message": 1, "forwarding_time": minutes}
    assert sms.post("sendQuickSMS", **params, vibername_id=7).status_code == status


@pytest.mark.parametrize("method", ["sendOtpTelegram", "sendOtpWhatsApp"])
def test_single_code_has_1_to_16_digits(sms: Client, method: str) -> None:
    """A code of other than 1 to 16 digits is refused."""
    assert sms.ok(method, message="1234567890123456", phone="375291111111")["status"] == "NEW"
    assert sms.inbox()["375291111111"][0]["channel"] == method.removeprefix("sendOtp").lower()
    for code in ("12345678901234567", "12a", "", "١٢٣٤"):
        assert sms.post(method, message=code, phone="375291111111").status_code == 400
