"""The next plan and apply use what doctor has learned: the real command against a sandbox that differs from the document."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Shop

_PHONES = ["375291234567", "375291234568"]
_SALE = (
    "version: 1\ncampaign: sale\nmailings:\n"
    f"  - {{name: staff, recipients: {json.dumps(_PHONES)}, text: Closed}}\n"
)
_LATER = _SALE.replace("mailings:", "schedule_time: 2036-12-01T10:00:00\nmailings:")


def _facts(shop: Shop) -> dict[str, Any]:
    document = json.loads((shop.root / "smsby.facts.json").read_text("utf-8"))
    (account,) = document["accounts"].values()
    facts: dict[str, Any] = account["facts"]
    return facts


def test_doctor_finds_the_call_styles_that_apply_then_uses(shop: Shop) -> None:
    """If a service reads forms only, doctor finds that, and apply can then use contact lists and reports."""
    call_styles = {
        "getSubscriberLists": "post-query",
        "confirmSendMessageByList": "post-query",
        "sendSmsList": "post-query",
    }
    shop.settings(strict=True, call_styles=call_styles)
    shop.write(
        "sale.yaml",
        "version: 1\ncampaign: sale\nalphaname: MyShop\nmailings:\n  - {name: all, list: Newsletter, text: Hi}\n",
    )
    refused = shop.run("plan")
    assert refused.code == 7, refused.err
    assert "`smsby-deploy doctor` finds out where" in refused.err
    found = shop.run("doctor")
    assert found.code == 0, found.err
    assert _facts(shop)["places"]["value"] == call_styles
    done = shop.run("apply", "--auto-approve")
    assert done.code == 0, done.err
    assert sum(map(len, shop.inbox().values())) == 25


def test_doctor_makes_500_a_rejection(shop: Shop) -> None:
    """A 500 is an unknown outcome until doctor has learned that it is a rejection."""
    shop.settings(error_status=500, refuses=[_PHONES[1]])
    shop.write("sale.yaml", _SALE)
    assert shop.run("doctor").code == 0
    assert _facts(shop)["refusal_at_500"]["value"] is True
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (1, "rejected"), done.err
    (shop.root / "smsby.facts.json").unlink()
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (6, "unknown"), done.err


def test_doctor_blocks_what_has_a_time(shop: Shop) -> None:
    """If doctor finds requests on another clock, a mailing with a time is not sent until the setting is corrected."""
    shop.settings(account_timezone="UTC")
    shop.write("sale.yaml", _SALE)
    shop.write("later.yaml", _LATER.replace("sale", "later").replace("Closed", "Open"))
    found = shop.run("doctor", "--ask")
    assert found.code == 4, found.err
    assert "  no  clock of `time` in createSmsMessage: UTC+00:00" in found.out
    plan = shop.run("plan", "--format", "json")
    actions = {one["address"]: (one["action"], one["reason_code"]) for one in plan.json["actions"]}
    assert actions == {"sale/staff": ("create", None), "later/staff": ("blocked", "facts")}
    assert plan.code == 4
    shop.write(
        "smsby.yaml",
        (shop.root / "smsby.yaml").read_text().replace("api: {", "api: {account_timezone: UTC, "),
    )
    assert shop.run("doctor").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == dict.fromkeys(_PHONES, 2)


def test_doctor_believes_an_account_without_mailings(shop: Shop) -> None:
    """doctor learns a service's form of "no mailings", and only that form counts."""
    shop.settings(empty_list="null")
    shop.write("sale.yaml", _SALE)
    assert shop.run("plan").code == 7
    assert shop.run("doctor").code == 0
    assert shop.run("plan").code == 0
    shop.settings(empty_list="list")
    assert shop.run("plan").code == 7


def test_capped_list_proves_nothing_without_a_lock(shop: Shop) -> None:
    """If sms.by cuts its list and the lock is lost, mailings that the list lacks are blocked, not sent again."""
    shop.settings(list_cap=10)
    mailings = "".join(f"  - {{name: m{n}, recipients: ['{_PHONES[0]}'], text: hi {n}}}\n" for n in range(12))
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n{mailings}")
    assert shop.run("apply", "--auto-approve").code == 0
    assert shop.run("doctor").code == 4
    (shop.root / "smsby.lock.json").unlink()
    plan = shop.run("plan", "--format", "json")
    codes = [one["reason_code"] for one in plan.json["actions"] if one["action"] == "blocked"]
    assert codes == ["facts", "facts"], plan.out  # the listed ones are adopted
    assert shop.run("apply", "--auto-approve").code == 4
    assert len(shop.inbox()[_PHONES[0]]) == 12


def test_doctor_finds_a_slow_list_that_apply_then_waits_for(shop: Shop) -> None:
    """If doctor finds that listing takes longer than reconcile_seconds, apply waits that long, and finds a lost answer."""
    shop.write("sale.yaml", _SALE)
    assert shop.run("doctor").code == 0
    path = shop.root / "smsby.facts.json"
    document = json.loads(path.read_text("utf-8"))
    (account,) = document["accounts"].values()
    lag = {
        "state": "known",
        "value": 2.0,
        "learned_at": "2036-11-01T00:00:00+00:00",
        "method": "getSMSMessages",
    }
    account["facts"]["listing_lag"] = lag
    path.write_text(json.dumps(document), encoding="utf-8")
    shop.settings(list_lag=1)
    shop.fault(method="sendBulkSms", mode="reset", when="after")
    done = shop.run("apply", "--auto-approve", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (0, "sent"), done.err
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == dict.fromkeys(_PHONES, 1)


def test_doctor_sends_one_sms_and_never_again(shop: Shop) -> None:
    """doctor sends at most one SMS: a lost answer exits with 6 and what to check, and the free findings are saved."""
    shop.fault(method="sendBulkSms", mode="reset", when="after")
    lost = shop.run("doctor", "--to", _PHONES[0])
    assert lost.code == 6, lost.out + lost.err
    assert "it is not repeated; look for smsby-deploy doctor " in lost.err
    assert {phone: len(messages) for phone, messages in shop.inbox().items()} == {_PHONES[0]: 1}
    assert "currency" in _facts(shop)
    assert _PHONES[0] not in lost.out + lost.err + (shop.root / "smsby.facts.json").read_text("utf-8")
