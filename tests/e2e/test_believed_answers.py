"""What an answer says beside its proof is believed, too: the real command against a sandbox that contradicts itself."""

from __future__ import annotations

import json

from tests.e2e.conftest import Shop

_PHONES = ["375291234567", "375291234568"]
_SALE = (
    "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n"
    f"  - {{name: staff, recipients: {json.dumps(_PHONES)}, text: Closed}}\n"
)


def test_uuid_without_success_is_unknown(shop: Shop) -> None:
    """If the list does not show the mailing, it stays unknown; if it does, it was accepted."""
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
    """Laravel explains under message and errors; the outcome stays unknown, and phones are masked everywhere."""
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


def test_quick_sms_with_a_wrong_parameter_is_not_sent(shop: Shop) -> None:
    """The sandbox refuses it before it sends, as a refusal says."""
    done = shop.run(
        "api", "sendQuickSMS", "message=x", f"phone={_PHONES[0]}", "alphaname_id=0", "show_cost=yes", "--yes"
    )
    assert (done.code, shop.inbox()) == (1, {}), done.err
