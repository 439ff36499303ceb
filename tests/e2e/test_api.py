"""`smsby-deploy api` in its own process, against the sandbox."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Shop

PHONE = "375291111111"


def api(shop: Shop, *arguments: str) -> Any:
    done = shop.run("api", *arguments)
    assert done.code == 0, done.err
    return done.json


def test_api_sends_nothing_without_yes(shop: Shop) -> None:
    """A method that sends requires --yes."""
    refused = shop.run("api", "sendQuickSMS", f"phone={PHONE}", "message=hi", "alphaname_id=0")
    assert refused.code == 64
    assert shop.inbox() == {}


def test_api_quick_sms_arrives_once(shop: Shop) -> None:
    """sendQuickSMS sends one message and prints the answer."""
    quick = ["sendQuickSMS", f"phone={PHONE}", "message=привет", "alphaname_id=0", "--yes"]
    assert api(shop, *quick)["sms_id"] > 0
    assert [sms["text"] for sms in shop.inbox()[PHONE]] == ["привет"]


def test_api_does_not_repeat_a_lost_quick_sms(shop: Shop) -> None:
    """After a lost answer the message has arrived, and the command reports an unknown outcome without repeating it."""
    shop.fault(method="sendQuickSMS", when="after", mode="reset")
    lost = shop.run("api", "sendQuickSMS", f"phone={PHONE}", "message=hi", "alphaname_id=0", "--yes")
    assert (lost.code, lost.out) == (6, "")
    assert PHONE not in lost.err
    assert len(shop.inbox()[PHONE]) == 1


def test_api_makes_a_message_and_sends_it_to_phones(shop: Shop) -> None:
    """createSmsMessage, then sendSMS for each phone."""
    made = api(shop, "createSmsMessage", "message=привет", "alphaname_id=1363", "--yes")
    message_id = f"message_id={made['message_id']}"
    assert shop.inbox() == {}
    api(shop, "checkSMSMessageStatus", message_id)
    sent = api(shop, "sendSMS", message_id, f"phone={PHONE}", "--yes")
    assert api(shop, "checkSMS", f"sms_id={sent['sms_id']}")["sms_id"] == sent["sms_id"]
    assert [row["phone"] for row in api(shop, "getSmsDeliveryList", message_id)["result"]] == [int(PHONE)]
    listed = [row["message_id"] for row in api(shop, "getMessagesList")["result"]]
    assert made["message_id"] in listed
    again = shop.run("api", "createSmsMessage", "message=привет", "alphaname_id=1363", "--yes")
    assert (again.code, again.out) == (1, "")
    assert "createSmsMessage: The same message exists" in again.err


def test_api_makes_fills_and_sends_to_a_list(shop: Shop) -> None:
    """A list can be created, filled with contacts, drafted and confirmed."""
    list_id = api(shop, "createSubscriberList", "name=Friends")["result"]["list_id"]
    shop.write("in.json", f'{{"list_id": {list_id}, "field_names": ["phone"], "data": [["{PHONE}"]]}}')
    assert api(shop, "importContacts", "--input", "in.json")["result"]["inserted"] == 1
    assert list_id in [row["list_id"] for row in api(shop, "getSubscriberLists")["result"]]
    shop.write(
        "send.json",
        f'{{"name": "n", "message": "hi", "d_schedule": "2020-01-01 10:00", "list_id": {list_id}, "alphaname_id": 0}}',
    )
    draft = api(shop, "sendSmsList", "--input", "send.json", "--yes")["result"]["message_id"]
    assert shop.inbox() == {}
    api(shop, "confirmSendMessageByList", f"message_id={draft}", "confirm=0")
    assert shop.inbox() == {}
    api(shop, "confirmSendMessageByList", f"message_id={draft}", "confirm=1", "--yes")
    assert list(shop.inbox()) == [PHONE]


def test_api_reads_the_account_and_its_mailings(shop: Shop) -> None:
    """Balance, limit, alphanames, lists and mailings are printed as JSON."""
    assert api(shop, "getSMSMessages") == []
    assert api(shop, "getBalance")["currency"] == "BYN"
    assert api(shop, "getLimit")["limit"] > 0
    assert api(shop, "getAlphanameId", "name=MyShop")["id"] == 1363
    missing = shop.run("api", "getAlphanameId", "name=Unknown")
    assert (missing.code, missing.out) == (1, "")
    assert "not found" in missing.err


def test_api_sends_a_code_by_messenger(shop: Shop) -> None:
    """sendOtpTelegram and sendOtpWhatsApp send a code."""
    for method in ("sendOtpTelegram", "sendOtpWhatsApp"):
        assert api(shop, method, f"phone={PHONE}", "message=0042", "--yes")["sms_id"] > 0
    assert shop.run("api", "sendOtpTelegram", f"phone={PHONE}", "message=code", "--yes").code == 64
