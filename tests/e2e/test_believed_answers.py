"""What an answer says besides its proof counts, too: the real command against a sandbox that contradicts itself."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.conftest import Shop

_PHONES = ["375291234567", "375291234568"]
_SALE = (
    "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
    f"  - {{name: staff, recipients: {json.dumps(_PHONES)}, text: Closed}}\n"
)
_SINGLE = _SALE.replace("name: staff,", "name: staff, via: single,")
_LETTER = (
    "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
    "  - {name: staff, list: Newsletter, text: Closed, schedule_time: 2036-12-01T10:00:00}\n"
)
_OTHER_MESSAGE = {
    "parts": ({"parts": 3}, "parts: intended 1, sms.by reports 3"),
    "sender": ({"alphaname": "Kvetka"}, "alphaname: intended MyShop, sms.by reports Kvetka"),
    "time": (
        {"time": 2111032800},
        "d_schedule: intended none, to be sent at once, sms.by reports 2036-11-23T",
    ),
}


def test_uuid_without_success_is_unknown(shop: Shop) -> None:
    """A uuid without success is accepted if the list shows the mailing, and unknown if not."""
    shop.write("sale.yaml", _SALE)
    shop.fault(
        method="sendBulkSms", mode="answer", body={"uuid": "cc9c8043", "success": "ERROR", "message": "no"}
    )
    done = shop.run("apply", "--auto-approve", "--format", "json")
    (mailing,) = done.json["mailings"]
    assert (done.code, mailing["outcome"], mailing["uuids"]) == (6, "unknown", []), done.err
    assert 'success "ERROR" instead of "OK": no' in mailing["error"]
    assert shop.run("lock", "resolve", "sale/staff", "--not-sent").code == 0
    shop.fault(method="sendBulkSms", mode="other-values", values={"success": "ERROR"})
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (0, "sent"), done.err
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == dict.fromkeys(_PHONES, 1)


def test_words_of_a_422_are_shown_and_recorded(shop: Shop) -> None:
    """The message and errors of a 422 are shown and recorded; the outcome is unknown, and phones are masked everywhere."""
    shop.write("sale.yaml", _SALE)
    body = {
        "message": "The given data was invalid.",
        "errors": {"messages.0.delivery_list.1": [f"{_PHONES[1]} is not a phone of secret-token."]},
    }
    shop.fault(method="sendBulkSms", mode="answer", status=422, body=body)
    done = shop.run("apply", "--auto-approve", "--format", "json")
    (mailing,) = done.json["mailings"]
    assert (done.code, mailing["outcome"]) == (6, "unknown"), done.err
    words = "HTTP 422: The given data was invalid. messages.0.delivery_list.1: 37529*****68 is not a phone of"
    (chunk,) = shop.lock()["mailings"]["sale/staff"]["chunks"]
    assert all(words in text for text in (mailing["error"], chunk["error"], done.err))
    assert shop.inbox() == {}


@pytest.mark.parametrize(
    ("via", "method", "mode"),
    [
        ("bulk", "sendBulkSms", "error"),
        ("bulk", "sendBulkSms", "500"),
        ("single", "createSmsMessage", "error"),
        ("single", "sendSMS", "error"),
        ("single", "sendSMS", "500"),
    ],
)
def test_text_that_an_error_quotes_is_hidden(shop: Shop, via: str, method: str, mode: str) -> None:
    """A text that an error of sms.by quotes, whole or truncated, is hidden in the lock, the log and the result."""
    rows = [{"phone": phone, "name": "Annushka"} for phone in _PHONES]
    text = "'{{ name }}, your order is ready'"
    mailing = f"{{name: m, via: {via}, recipients: {json.dumps(rows)}, text: {text}}}"
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n  - {mailing}\n")
    quoted = 'not allowed: "Annushka, your order is ready", "Annushka, your ord…"'
    shop.fault(method=method, mode=mode, text=quoted)
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert done.code in (1, 6), done.err
    shown = 'not allowed: "<hidden>", "<hidden>…"'
    assert shown in done.json["mailings"][0]["error"]
    assert shown in shop.lock()["mailings"]["sale/m"]["chunks"][0]["error"]
    assert "Annushka" not in done.out + done.err + (shop.root / "smsby.lock.json").read_text("utf-8")


def test_quick_sms_with_a_wrong_parameter_is_not_sent(shop: Shop) -> None:
    """A quick SMS with a parameter that the documentation rules out is not sent."""
    done = shop.run(
        "api", "sendQuickSMS", "message=x", f"phone={_PHONES[0]}", "alphaname_id=0", "show_cost=yes", "--yes"
    )
    assert (done.code, shop.inbox(), shop.calls()) == (64, {}, []), done.err


def _blocked(shop: Shop, *words: str) -> None:
    """Apply twice: both times nothing is sent and the reason is reported."""
    for _ in range(2):
        done = shop.run("apply", "--auto-approve", "--format", "json")
        (mailing,) = done.json["mailings"]
        assert (done.code, mailing["outcome"]) == (4, "skipped"), done.err
        assert all(word in mailing["error"] for word in words), mailing["error"]
    assert not any(call["method"] == "sendSMS" for call in shop.calls())
    assert not any(call["params"].get("confirm") == 1 for call in shop.calls())
    assert shop.inbox() == {}


@pytest.mark.parametrize(("values", "words"), _OTHER_MESSAGE.values(), ids=_OTHER_MESSAGE)
def test_message_that_differs_is_not_sent(shop: Shop, values: dict[str, Any], words: str) -> None:
    """Every run compares parts, sender and time of createSmsMessage before its first sendSMS."""
    shop.write("sale.yaml", _SINGLE)
    shop.settings(duplicates=False)
    shop.fault(method="createSmsMessage", mode="other-values", values=values, times=9)
    _blocked(shop, words)
    shop.clear_faults()
    assert shop.run("apply", "--auto-approve").code == 0
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == dict.fromkeys(_PHONES, 1)


@pytest.mark.parametrize("values", [{"time": 2111032800}, {"parts": 3}], ids=["time", "parts"])
def test_refused_message_is_not_sent_as_a_duplicate(shop: Shop, values: dict[str, Any]) -> None:
    """A rejected message is not sent even if sms.by then reports it as an existing one, without saying what was wrong."""
    shop.write("sale.yaml", _SINGLE)
    shop.fault(method="createSmsMessage", mode="other-values", values=values)
    assert shop.run("apply", "--auto-approve").code == 4
    shop.write("more.yaml", _SINGLE.replace("sale", "more"))
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, shop.inbox()) == (1, {}), done.err
    for mailing in done.json["mailings"]:
        assert "which differs from the review: change the text" in mailing["error"]


def test_message_in_another_time_zone_is_not_sent(shop: Shop) -> None:
    """If createSmsMessage read the time on another clock, nothing is sent: phones would get it three hours late."""
    shop.write("sale.yaml", _SINGLE.replace("text:", "schedule_time: 2036-12-01T10:00:00, text:"))
    shop.settings(timezones={"time": "UTC"}, duplicates=False)
    _blocked(
        shop,
        "intended 2036-12-01T10:00:00+03:00, sms.by reports 2036-12-01T13:00:00+03:00",
        "account_timezone",
    )


def test_existing_message_with_more_parts_is_not_sent(shop: Shop) -> None:
    """A message whose status reports more parts than planned is not sent, by the first apply or by the next."""
    shop.write("sale.yaml", _SINGLE)
    shop.fault(method="checkSMSMessageStatus", mode="other-values", values={"parts": 2}, times=9)
    _blocked(shop, "parts: intended 1, sms.by reports 2")


def test_message_with_fewer_parts_is_sent_with_a_warning(shop: Shop) -> None:
    """A message with fewer parts costs less than reviewed, so it is sent, with a warning and a log event."""
    shop.write("sale.yaml", _SINGLE.replace("Closed", "x" * 161))
    shop.fault(method="createSmsMessage", mode="other-values", values={"parts": 1})
    done = shop.run("--log-format", "json", "apply", "--auto-approve")
    assert done.code == 0, done.err
    (event,) = [one for one in map(json.loads, done.err.splitlines()) if one["event"] == "REMOTE_DIFFERS"]
    assert "parts: intended 2, sms.by reports 1" in event["message"]
    assert len(shop.inbox()) == 2


def test_system_name_may_be_reported_under_any_name(shop: Shop) -> None:
    """A message of the sender 0 may be reported under any of the system's documented names."""
    shop.write("sale.yaml", _SINGLE.replace("MyShop", "0"))
    shop.fault(method="createSmsMessage", mode="other-values", values={"alphaname": "SMS.by"})
    done = shop.run("apply", "--auto-approve")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("method", "values", "words"),
    [
        ("confirmSendMessageByList", {"parts": "75"}, "parts: intended 25, sms.by reports 75"),
        ("getSMSMessages", {"alphaname": "Kvetka"}, "alphaname: intended MyShop, sms.by reports Kvetka"),
        (
            "getSMSMessages",
            {"d_schedule": 2111659200},
            "d_schedule: intended 2036-12-01T10:00:00+03:00, sms.by",
        ),
    ],
)
def test_draft_that_differs_is_not_confirmed(
    shop: Shop, method: str, values: dict[str, Any], words: str
) -> None:
    """Parts, sender and time of a draft are compared before confirm=1; a draft that differs stays for a later apply."""
    shop.write("sale.yaml", _LETTER)
    shop.fault(method=method, mode="other-values", values=values, times=99)
    _blocked(shop, words, "is not confirmed")
    shop.clear_faults()
    assert shop.run("apply", "--auto-approve").code == 0
    assert [call["method"] for call in shop.calls()].count("sendSmsList") == 1


def test_draft_in_another_time_zone_is_not_confirmed(shop: Shop) -> None:
    """If sms.by read d_schedule on another clock, the draft is not confirmed."""
    shop.write("sale.yaml", _LETTER)
    shop.settings(timezones={"d_schedule": "UTC"})
    _blocked(shop, "sms.by reports 2036-12-01T13:00:00+03:00", "account_timezone")


def test_draft_without_a_time_is_due_in_the_next_minute(shop: Shop) -> None:
    """A draft without a time gets the next full minute: d_schedule has no seconds, and must not be in the past."""
    shop.write("sale.yaml", _LETTER.replace(", schedule_time: 2036-12-01T10:00:00", ""))
    assert shop.run("apply", "--auto-approve").code == 0
    (call,) = [call for call in shop.calls() if call["method"] == "sendSmsList"]
    due = datetime.fromisoformat(call["params"]["d_schedule"]).replace(tzinfo=ZoneInfo("Europe/Minsk"))
    assert 0 <= due.timestamp() - call["at"] <= 60
