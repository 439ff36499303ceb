"""sendBulkSms and statusBulkSms."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

import pytest

from smsby_deploy.sandbox.models import default_outcome
from tests.sandbox.conftest import Client


def test_bulk_request_is_accepted_completely_or_refused(sms: Client) -> None:
    """One invalid phone refuses the whole request, and none of it is stored."""
    assert sms.bulk("375291111111", "12").json() == {"error": "incorrect phone number"}
    assert sms.inbox() == {}
    assert sms.get("getBalance").json()["result"][0]["balance"] == "1000.00000"


def test_bulk_uuid_has_version_1(sms: Client) -> None:
    """The uuid has the version of the documented sample."""
    assert uuid.UUID(sms.bulk().json()["uuid"]).version == 1


def test_bulk_charges_for_parts(sms: Client) -> None:
    """A part costs `price`; a request that the balance does not cover is refused completely."""
    sms.bulk(text="я" * 71)  # two parts, two phones
    assert Decimal(sms.get("getBalance").json()["result"][0]["balance"]) == Decimal("999.896")
    sms.control("settings", {"balance": "0.05"})
    assert sms.bulk().json() == {"error": "limit exceeded"}
    assert sms.bulk("375291111111").status_code == 200
    assert sms.get("getLimit").json() == {"limit": 0}


def test_bulk_status_is_empty_then_new_sent_and_final(sms: Client) -> None:
    """statusBulkSms is empty at first; each message is then NEW, SENT and in its final status."""
    delivered = next(p for p in (f"3752911111{n:02}" for n in range(99)) if default_outcome(p) == "DELIVERED")
    number = sms.bulk(delivered).json()["uuid"]
    assert sms.ok("statusBulkSms", uuid=number) == []
    sms.control("settings", {"status_lag": 0})
    seen = []
    for _ in range(3):
        (mailing,) = sms.ok("statusBulkSms", uuid=number)
        seen.append((mailing["success"][0]["status"], mailing["success"][0]["status_time"][11:]))
        sms.control("clock", {"advance": 5})
    assert seen == [("NEW", "15:00:00.000000"), ("SENT", "15:00:05.000000"), ("DELIVERED", "15:00:10.000000")]
    assert sms.get("getSMSMessages").json()["data"][0]["sms_delivered"] == "1"
    assert sms.ok("statusBulkSms", uuid=str(uuid.uuid4())) == []


@pytest.mark.parametrize(("zone", "hour"), [("Europe/Minsk", 7), ("UTC", 10)])
def test_bulk_schedule_is_in_the_zone_of_the_account(sms: Client, zone: str, hour: int) -> None:
    """Ten o'clock in Minsk is seven o'clock UTC, and no message is delivered before it."""
    sms.control("settings", {"account_timezone": zone})
    sms.bulk("375291111111", schedule_time="2026-12-02T10:00:00")
    (row,) = sms.get("getSMSMessages").json()["data"]
    assert row["d_schedule"] == datetime.fromisoformat(f"2026-12-02T{hour:02}:00:00+00:00").timestamp()
    sms.control("clock", {"set": f"2026-12-02T{hour:02}:00:04+00:00"})
    assert sms.inbox()["375291111111"][0]["status"] == "NEW"
    sms.control("clock", {"advance": 1})
    assert sms.inbox()["375291111111"][0]["status"] == "SENT"


@pytest.mark.parametrize(
    "when",
    ["2026-12-02 10:00", "2026-12-02T10:00:00+03:00", "2026-12-02T10:00", "2026-02-30T10:00:00", "soon"],
)
def test_bulk_refuses_an_undocumented_date_format(sms: Client, when: str) -> None:
    """An undocumented date format, such as one with an offset, is refused instead of misread."""
    assert sms.bulk(schedule_time=when).json() == {"error": "incorrect arguments"}


def test_bulk_refuses_the_name_of_a_sender(sms: Client) -> None:
    """The name of a sender instead of its id, the most common mistake of clients, is refused."""
    assert "Wrong alphaname" in sms.bulk(alphaname_id="MyShop").json()["error"]
    assert sms.bulk(alphaname_id="0").status_code == 200
