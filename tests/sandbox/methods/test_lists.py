"""Contact lists, drafts and their confirmation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Client


def _draft(sms: Client, **fields: Any) -> int:
    given = {"list_id": 3434, "message": "Hi", "alphaname_id": 1363, "name": "news", **fields}
    number: int = sms.ok("sendSmsList", **given)["result"]["message_id"]
    return number


def _balance(sms: Client) -> Decimal:
    return Decimal(sms.get("getBalance").json()["result"][0]["balance"])


def test_lists_draft_sends_and_costs_nothing(sms: Client) -> None:
    """confirm=0 describes the draft, and it is listed as DRAFT."""
    number = _draft(sms)
    described = sms.ok("confirmSendMessageByList", message_id=number, confirm=0)["result"]
    assert described == {
        "message_id": number,
        "status": "DRAFT",
        "count_phones": 25,
        "parts": "25",
        "cost": "0.65000",
    }
    assert sms.inbox() == {}
    assert _balance(sms) == 1000
    assert sms.get("getSMSMessages").json()["data"][0]["status"] == "DRAFT"


def test_lists_confirmed_draft_is_charged_once(sms: Client) -> None:
    """A second confirm=1 changes nothing."""
    number = _draft(sms)
    for _ in range(2):
        assert sms.ok("confirmSendMessageByList", message_id=number, confirm=1)["result"]["status"] == "NEW"
    assert _balance(sms) == Decimal("999.35")
    assert len(sms.inbox()) == 25


def test_lists_insufficient_funds_keep_the_draft(sms: Client) -> None:
    """The error is a documented HTTP 400; the draft can be confirmed later."""
    number = _draft(sms)
    sms.control("settings", {"balance": 0})
    refused = sms.post("confirmSendMessageByList", message_id=number, confirm=1)
    assert (refused.status_code, refused.json()) == (400, {"error": "Insufficient funds to continue"})
    assert sms.inbox() == {}
    sms.control("settings", {"balance": 1})
    sms.ok("confirmSendMessageByList", message_id=number, confirm=1)
    assert len(sms.inbox()) == 25


def test_lists_draft_keeps_its_schedule(sms: Client) -> None:
    """d_schedule is YYYY-MM-DD HH:MM in the zone of the account."""
    number = _draft(sms, d_schedule="2026-12-02 10:00")
    sms.ok("confirmSendMessageByList", message_id=number, confirm=1)
    assert sms.get("getSMSMessages").json()["data"][0]["d_schedule"] == 1796194800
    wrong = sms.post("sendSmsList", list_id=3434, message="Hi", d_schedule="2026-12-02T10:00:00")
    assert wrong.json() == {"error": "incorrect arguments"}


def test_lists_are_created_filled_and_mailed_to(sms: Client) -> None:
    """A known phone is updated instead of added again."""
    number = sms.ok("createSubscriberList", name="VIP")["result"]["list_id"]
    assert {"list_id": number, "name": "VIP"} in sms.ok("getSubscriberLists")["result"]
    rows = [["375291111111", "Анна"], ["375292222222", "Борис"], ["12", "?"], ["+375291111111", "Ganna"]]
    answer = sms.ok("importContacts", list_id=number, field_names=["phone", "name"], data=rows)
    assert answer["result"] == {
        "inserted": 2,
        "updated": 1,
        "invalid": 1,
        "log": [{"index": 2, "error_message": "incorrect phone number"}],
    }
    contacts = next(one for one in sms.view("lists") if one["list_id"] == number)["contacts"]
    assert {contact["phone"]: contact["name"] for contact in contacts} == {
        "375291111111": "Ganna",
        "375292222222": "Борис",
    }
    draft = _draft(sms, list_id=number)
    assert sms.ok("confirmSendMessageByList", message_id=draft, confirm=0)["result"]["count_phones"] == 2


def test_lists_import_accepts_brackets(sms: Client) -> None:
    """The documented form is field_names[i] and data[row][col] in the query."""
    query: dict[str, Any] = {
        "token": "t",
        "list_id": 3435,
        "field_names[0]": "phone",
        "field_names[1]": "name",
        "data[0][0]": "375291111111",
        "data[0][1]": "A",
        "data[1][0]": "375292222222",
    }
    answer = requests.post(f"{sms.url}/api/v2/importContacts", params=query, timeout=5).json()
    assert answer["result"] == {"inserted": 2, "updated": 0, "invalid": 0}


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["phone"], 501),
        (["phone"], 0),
        (["name"], 1),
        (["phone", *(f"f{n}" for n in range(31))], 1),
    ],
)
def test_lists_import_has_the_documented_limits(sms: Client, names: list[str], rows: int) -> None:
    """500 contacts, 30 custom fields, and phone or email among the names."""
    data = [[f"37529{n:07}"] for n in range(rows)]
    refused = sms.post("importContacts", list_id=3434, field_names=names, data=data)
    assert refused.json() == {"error": "incorrect arguments"}
