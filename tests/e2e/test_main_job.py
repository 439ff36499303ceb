"""validate, plan, apply and status with the real command, against the sandbox in another process."""

from __future__ import annotations

import json

import requests

from tests.e2e.campaigns import TO_A_LIST
from tests.e2e.conftest import Shop

CAMPAIGN = """\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - name: vip
    recipients: {file: lists/vip.csv}
    text: "{{ name }}, скидка {{ discount }}%"
  - name: staff
    recipients: ["+375291234567", {phone: "375297654321"}]
    text: Shop is closed until noon
"""
VIP = "phone,name,discount\n375291111111,Анна,10\n375292222222,Борис,15\n80293333333,Вера,20\n"


def _write(shop: Shop) -> None:
    shop.write("sale.yaml", CAMPAIGN)
    shop.write("lists/vip.csv", VIP)


def test_main_job_sends_each_recipient_once(shop: Shop) -> None:
    """A mailing is reviewed, sent to each recipient once, recorded and reported; a second plan has nothing to do."""
    _write(shop)
    assert shop.run("validate").code == 0
    planned = shop.run("plan", "--out", "plan.json", "--format", "json", "--detailed-exitcode")
    assert planned.code == 2, planned.err
    assert planned.json["summary"]["recipients"] == 5
    assert planned.json["summary"]["cost"] == "0.13"
    applied = shop.run("apply", "plan.json", "--auto-approve", "--format", "json")
    assert applied.code == 0, applied.err
    assert applied.json["summary"]["sent"] == 2
    inbox = shop.inbox()
    assert {phone: len(messages) for phone, messages in inbox.items()} == dict.fromkeys(
        ["375291111111", "375292222222", "375293333333", "375291234567", "375297654321"], 1
    )
    assert inbox["375293333333"][0]["text"] == "Вера, скидка 20%"
    assert shop.run("plan", "--detailed-exitcode").code == 0
    again = shop.run("apply", "--auto-approve", "--format", "json")
    assert again.json["summary"] == {
        "sent": 0,
        "held": 0,
        "adopted": 0,
        "confirmed": 0,
        "skipped": 2,
        "rejected": 0,
        "unknown": 0,
    }
    assert all(len(messages) == 1 for messages in shop.inbox().values())
    status = shop.run("status", "--format", "json")
    assert status.code == 0, status.err
    for mailing in status.json["mailings"]:
        counted = sum(mailing[k] for k in ("delivered", "undelivered", "sent", "pending"))
        assert counted + sum(mailing["other"].values()) == mailing["recipients"]
    lock = (shop.root / "smsby.lock.json").read_text()
    assert "375291111111" not in lock
    assert "скидка" not in lock


def test_mailings_of_one_campaign_share_a_request(shop: Shop) -> None:
    """The last chunk of a mailing and the next mailing share a request and its uuid if they fit into one."""
    shop.write(
        "smsby.yaml",
        (shop.root / "smsby.yaml")
        .read_text()
        .replace("recipients_per_request: 2", "recipients_per_request: 9"),
    )
    _write(shop)
    applied = shop.run("apply", "--auto-approve", "--format", "json")
    assert applied.code == 0, applied.err
    assert len({uuid for mailing in applied.json["mailings"] for uuid in mailing["uuids"]}) == 1


def test_plan_is_used_once(shop: Shop) -> None:
    """A second apply of a plan file is refused, even if the lock was empty before."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    assert shop.run("apply", "plan.json").code == 0
    assert shop.run("apply", "plan.json").code == 5


def test_plan_goes_stale_with_its_inputs(shop: Shop) -> None:
    """One more byte in an input makes the plan stale, and nothing is sent."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("lists/vip.csv", VIP + "\n")
    refused = shop.run("apply", "plan.json")
    assert refused.code == 5
    assert "lists/vip.csv has changed" in refused.err
    assert shop.inbox() == {}


def test_edited_plan_is_refused(shop: Shop) -> None:
    """A plan file that was edited does not match its digest."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    document = json.loads((shop.root / "plan.json").read_text())
    document["actions"][0]["recipients"] = 1
    shop.write("plan.json", json.dumps(document))
    assert shop.run("apply", "plan.json").code == 5


def test_list_is_drafted_and_confirmed(shop: Shop) -> None:
    """A list mailing makes one draft and confirms it, with the figures that sms.by reports."""
    shop.write("news.yaml", TO_A_LIST)
    applied = shop.run("apply", "--auto-approve", "--format", "json")
    assert applied.code == 0, applied.err
    assert applied.json["mailings"][0]["recipients"] == 25
    assert shop.run("plan", "--detailed-exitcode").code == 0
    calls = requests.get(f"{shop.url}/_sandbox/requests", timeout=5).text
    assert calls.count('"sendSmsList"') == 1 or calls.lower().count("sendsmslist") >= 1


def test_accepted_request_with_a_lost_answer_is_found(shop: Shop) -> None:
    """A request whose answer was lost is recognized by its name at sms.by, and not repeated."""
    _write(shop)
    shop.fault(method="sendBulkSms", nth=1, when="after", mode="reset")
    applied = shop.run("apply", "--auto-approve", "--format", "json")
    assert applied.code == 0, applied.err
    assert all(len(messages) == 1 for messages in shop.inbox().values())
    assert len(shop.inbox()) == 5


def test_lost_request_is_unknown_until_resolved(shop: Shop) -> None:
    """A request that did not arrive is unknown: exit code 6, blocked until it is resolved, then sent once."""
    _write(shop)
    shop.fault(method="sendBulkSms", nth=1, when="before", mode="reset")
    applied = shop.run("apply", "--auto-approve", "--format", "json")
    assert applied.code == 6, applied.err
    assert shop.run("plan").code == 4
    assert shop.run("lock", "resolve", "sale/vip", "--not-sent", "--reason", "looked at sms.by").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert {len(messages) for messages in shop.inbox().values()} == {1}
    assert len(shop.inbox()) == 5
    assert shop.lock()["resolutions"][0]["reason"] == "looked at sms.by"


def test_lost_lock_is_adopted(shop: Shop) -> None:
    """After a lost lock, what sms.by lists is recorded and not sent again."""
    _write(shop)
    assert shop.run("apply", "--auto-approve").code == 0
    (shop.root / "smsby.lock.json").unlink()
    planned = shop.run("plan", "--format", "json")
    assert {action["action"] for action in planned.json["actions"]} == {"adopt"}
    applied = shop.run("apply", "--auto-approve", "--format", "json")
    assert applied.code == 0, applied.err
    assert applied.json["summary"]["adopted"] == 2
    assert {len(messages) for messages in shop.inbox().values()} == {1}


def test_late_opt_out_is_honored(shop: Shop) -> None:
    """A phone that opts out after the review gets nothing, and the plan is not stale."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [lists/out.csv]\n")
    shop.write("lists/out.csv", "phone\n375299999999\n")
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("lists/out.csv", "phone\n375299999999\n375292222222\n")
    applied = shop.run("apply", "plan.json")
    assert applied.code == 0, applied.err
    assert "375292222222" not in shop.inbox()
    assert shop.run("plan", "--detailed-exitcode").code == 0
