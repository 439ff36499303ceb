"""sendBulkSms, statusBulkSms, getSMSMessages, and what the account pays."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

import pytest
import requests

from smsby_deploy.sandbox.delivery_outcomes import fate_of
from smsby_deploy.sandbox.errors import Refusal
from smsby_deploy.sandbox.parts import count_parts
from tests.sandbox.conftest import NOON, PHONES, Client


def test_a_request_is_taken_whole_or_not_at_all(sms: Client) -> None:
    """One bad phone refuses the request, and nothing of it stays."""
    assert sms.bulk("375291111111", "12").json() == {"error": "incorrect phone number"}
    assert sms.inbox() == {}
    assert sms.get("getBalance").json()["result"][0]["balance"] == "1000.00000"


def test_the_uuid_is_of_version_1(sms: Client) -> None:
    """As in the documented sample."""
    assert uuid.UUID(sms.bulk().json()["uuid"]).version == 1


def test_the_list_shows_a_mailing_as_documented(sms: Client) -> None:
    """Field by field, numbers as text where the documentation has them so."""
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
def test_an_empty_list_is_406(sms: Client, style: int) -> None:
    """Documented: content not found. Also where there are mailings of the other type only."""
    sms.door("settings", {"error_status": style})
    assert sms.get("getSMSMessages").status_code == 406
    sms.bulk()
    assert sms.get("getSMSMessages", type="api").status_code == 200
    assert sms.get("getSMSMessages", type="WEB").status_code == 406


def test_the_balance_goes_down_by_the_parts(sms: Client) -> None:
    """A part costs `price`; what the balance does not pay is refused whole."""
    sms.bulk(text="я" * 71)  # two parts, two phones
    assert Decimal(sms.get("getBalance").json()["result"][0]["balance"]) == Decimal("999.896")
    sms.door("settings", {"balance": "0.05"})
    assert sms.bulk().json() == {"error": "limit exceeded"}
    assert sms.bulk("375291111111").status_code == 200
    assert sms.get("getLimit").json() == {"limit": 0}


def test_prices_go_by_the_longest_prefix(sms: Client) -> None:
    """Abroad may cost more."""
    sms.door("settings", {"price": "0.02", "prices": {"7": "0.10", "79": 0.2}})
    sms.bulk("375291111111", "71234567890", "79061234567")
    assert sms.get("getSMSMessages").json()["data"][0]["cost"] == "0.32000"


def test_statuses_are_empty_for_a_while_then_new_sent_and_final(sms: Client) -> None:
    """statusBulkSms knows nothing at first; each message then goes NEW, SENT, its fate."""
    delivered = next(p for p in (f"3752911111{n:02}" for n in range(99)) if fate_of(p) == "DELIVERED")
    number = sms.bulk(delivered).json()["uuid"]
    assert sms.ok("statusBulkSms", uuid=number) == []
    sms.door("settings", {"status_lag": 0})
    seen = []
    for _ in range(3):
        (mailing,) = sms.ok("statusBulkSms", uuid=number)
        seen.append((mailing["success"][0]["status"], mailing["success"][0]["status_time"][11:]))
        sms.door("clock", {"advance": 5})
    assert seen == [("NEW", "15:00:00.000000"), ("SENT", "15:00:05.000000"), ("DELIVERED", "15:00:10.000000")]
    assert sms.get("getSMSMessages").json()["data"][0]["sms_delivered"] == "1"
    assert sms.ok("statusBulkSms", uuid=str(uuid.uuid4())) == []


def test_the_fate_of_a_phone_is_always_the_same(sms: Client) -> None:
    """Two runs end alike; about nine of ten are delivered; a phone's fate can be chosen."""
    fates = [fate_of(f"37529{n:07}") for n in range(1000)]
    assert fates == [fate_of(f"37529{n:07}") for n in range(1000)]
    assert 860 < fates.count("DELIVERED") < 940
    assert {"UNDELIVERED", "SENT"} < set(fates)
    sms.door("settings", {"fates": {"375291111111": "EXPIRED"}})
    sms.bulk("375291111111")
    sms.door("clock", {"advance": 10})
    assert sms.inbox()["375291111111"][0]["status"] == "EXPIRED"


@pytest.mark.parametrize(("zone", "hour"), [("Europe/Minsk", 7), ("UTC", 10)])
def test_a_schedule_is_read_in_the_accounts_clock(sms: Client, zone: str, hour: int) -> None:
    """Ten o'clock is seven in UTC for a Minsk account; nothing is delivered before."""
    sms.door("settings", {"account_timezone": zone})
    sms.bulk("375291111111", schedule_time="2026-12-02T10:00:00")
    (row,) = sms.get("getSMSMessages").json()["data"]
    assert row["d_schedule"] == datetime.fromisoformat(f"2026-12-02T{hour:02}:00:00+00:00").timestamp()
    sms.door("clock", {"set": f"2026-12-02T{hour:02}:00:04+00:00"})
    assert sms.inbox()["375291111111"][0]["status"] == "NEW"
    sms.door("clock", {"advance": 1})
    assert sms.inbox()["375291111111"][0]["status"] == "SENT"


def test_one_date_can_have_a_zone_of_its_own(sms: Client) -> None:
    """The zones of the textual dates are not documented; they need not be the same."""
    sms.door("settings", {"timezones": {"schedule_time": "UTC"}})
    sms.bulk(schedule_time="2026-12-02T10:00:00")
    row = sms.get("getSMSMessages").json()["data"][0]
    assert row["d_schedule"] == datetime.fromisoformat("2026-12-02T10:00:00+00:00").timestamp()


@pytest.mark.parametrize(
    "when",
    ["2026-12-02 10:00", "2026-12-02T10:00:00+03:00", "2026-12-02T10:00", "2026-02-30T10:00:00", "soon"],
)
def test_a_date_that_is_not_written_as_documented_is_refused(sms: Client, when: str) -> None:
    """An offset would be silently misread otherwise."""
    assert sms.bulk(schedule_time=when).json() == {"error": "incorrect arguments"}


def test_a_name_of_the_sender_is_no_id(sms: Client) -> None:
    """The most common mistake of clients."""
    assert "Wrong alphaname" in sms.bulk(alphaname_id="MyShop").json()["error"]
    assert sms.bulk(alphaname_id="0").status_code == 200


def test_lags_and_limits_of_the_list(sms: Client) -> None:
    """A mailing may come late into the list, and its name may be cut."""
    sms.door("settings", {"list_lag": 60, "name_limit": 5})
    sms.bulk(name="a long name")
    assert sms.names() == []
    sms.door("clock", {"advance": 60})
    assert sms.names() == ["a lon"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 459, 3),
        ("a" * 460, 4),
        ("a" * 628, 4),
        ("a" * 629, 5),
        ("a" * 942, 6),
        ("a" * 943, 7),
        ("a" * 1530, 10),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 201, 3),
        ("я" * 252, 4),
        ("я" * 253, 5),
        ("я" * 378, 6),
        ("я" * 379, 7),
        ("я" * 670, 10),
        ("[" * 80, 1),
        ("[" * 81, 2),
        ("[" * 1000, 10),
        ("~" * 160, 1),
    ],
)
def test_parts_follow_the_providers_table(text: str, parts: int) -> None:
    """The test vectors of the provider's own counter."""
    assert count_parts(text) == parts


@pytest.mark.parametrize("text", ["a" * 1531, "я" * 671])
def test_over_ten_parts_is_refused(text: str) -> None:
    """With the provider's own words."""
    with pytest.raises(Refusal, match="Message is too long"):
        count_parts(text)


def test_the_inbox_of_one_phone(sms: Client) -> None:
    """A big inbox need not be read whole."""
    sms.bulk()
    answer = requests.get(f"{sms.url}/_sandbox/inbox", {"phone": PHONES[0]}, timeout=5).json()
    assert list(answer) == [PHONES[0]]
    assert answer[PHONES[0]][0] | {"id": 0, "message_id": 0} == {
        "id": 0,
        "message_id": 0,
        "text": "Hi",
        "sender": "MyShop",
        "mailing": "one",
        "at": NOON.timestamp(),
        "parts": 1,
        "channel": "sms",
        "status": "NEW",
        "status_at": NOON.timestamp(),
    }
