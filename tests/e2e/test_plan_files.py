"""A plan file is what was reviewed: it can be sent once, and is refused once any of it no longer holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Shop
from tests.e2e.trial import received, unknown

CAMPAIGN = """\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - name: vip
    recipients: {file: lists/vip.csv}
    text_file: templates/vip.j2
  - name: staff
    recipients: ["375291234561", "375291234562"]
    text: Closed shop
"""
OTHER = """\
version: 1
campaign: other
mailings:
  - name: one
    recipients: ["375291234569"]
    text: Other shop
"""


def _write(shop: Shop) -> None:
    shop.write(
        "smsby.yaml",
        "version: 1\nproject: shop\nsuppress: [lists/stop.csv]\n"
        "api: {requests_per_second: 1000, recipients_per_request: 2, reconcile_seconds: 0.2}\n",
    )
    shop.write("sale.yaml", CAMPAIGN)
    shop.write("other.yaml", OTHER)
    shop.write("lists/vip.csv", "phone,name\n375291111111,Anna\n375292222222,Boris\n")
    shop.write("lists/stop.csv", "phone\n375299999999\n")
    shop.write("templates/vip.j2", "{{ name }}, sale shop")


def _append(shop: Shop, name: str, text: str) -> None:
    shop.write(name, (shop.root / name).read_text(encoding="utf-8") + text)


def _in_plan(shop: Shop, change: Callable[[dict[str, object]], object]) -> None:
    path = shop.root / "plan.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


STALE: dict[str, Callable[[Shop], object]] = {
    "a comment in the campaign": lambda shop: _append(shop, "sale.yaml", "# really\n"),
    "a comment in smsby.yaml": lambda shop: _append(shop, "smsby.yaml", "# really\n"),
    "a blank line in a recipients file": lambda shop: _append(shop, "lists/vip.csv", "\n"),
    "a new recipient": lambda shop: _append(shop, "lists/vip.csv", "375293333333,Vera\n"),
    "the template": lambda shop: shop.write("templates/vip.j2", "{{ name }}, big sale shop"),
    "a mailing that is gone": lambda shop: shop.write("sale.yaml", CAMPAIGN.split("  - name: staff")[0]),
    "its lock entries": lambda shop: shop.run("apply", "--select", "sale/staff", "--auto-approve"),
    "edited": lambda shop: _in_plan(shop, lambda plan: plan.update(select=["other/*"])),
    "its seal cut out": lambda shop: _in_plan(shop, lambda plan: plan.pop("digest")),
    "truncated": lambda shop: shop.write("plan.json", (shop.root / "plan.json").read_text()[:-30]),
    "empty": lambda shop: shop.write("plan.json", ""),
    "of a later version": lambda shop: _in_plan(shop, lambda plan: plan.update(version=2)),
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE.keys())
def test_stale_plan_is_refused(shop: Shop, change: Callable[[Shop], object]) -> None:
    """A stale plan exits with 5, even if the lock is empty; nothing is sent, and the hint is to make a new plan."""
    _write(shop)
    assert shop.run("plan", "sale/*", "--out", "plan.json").code == 0
    change(shop)
    before = received(shop, "shop")
    refused = shop.run("apply", "plan.json", "--auto-approve")
    assert refused.code == 5, refused.err
    assert "make a new plan" in refused.err
    assert received(shop, "shop") == before


def test_plan_of_another_account_or_offline_is_refused(shop: Shop) -> None:
    """A plan that was made offline, or with the token of another account, is refused."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    assert shop.run("apply", "plan.json", env={"SMSBY_TOKEN": "another-secret-token"}).code == 5
    assert shop.run("plan", "--offline", "--out", "offline.json").code == 0
    refused = shop.run("apply", "offline.json")
    assert refused.code == 5
    assert "this plan was made offline" in refused.err
    assert "stale" not in refused.err
    assert not received(shop, "shop")


def test_late_opt_out_does_not_make_a_plan_stale(shop: Shop) -> None:
    """A late opt-out is the one difference a reviewed plan allows: it is reported, and that phone gets nothing."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    _append(shop, "lists/stop.csv", "375292222222\n375291234561\n375291234562\n")
    done = shop.run("apply", "plan.json", "--format", "json")
    assert done.code == 0, done.err
    assert "3 recipients opted out since this plan was made" in done.err
    assert {line.split(":")[0] for line in received(shop, "shop")} == {"375291111111", "375291234569"}
    mailings = {mailing["address"]: mailing for mailing in done.json["mailings"]}
    assert mailings["sale/vip"]["recipients"] == 1
    assert mailings["sale/staff"]["recipients"] == 0
    assert shop.run("plan", "--detailed-exitcode").code == 0


def test_withdrawn_opt_out_makes_a_plan_stale(shop: Shop) -> None:
    """A withdrawn opt-out makes a plan stale, since more recipients would be reached than were reviewed."""
    _write(shop)
    _append(shop, "lists/stop.csv", "375292222222\n")
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("lists/stop.csv", "phone\n375299999999\n")
    refused = shop.run("apply", "plan.json")
    assert refused.code == 5
    assert "more recipients" in refused.err


def test_exchanged_opt_outs_make_a_plan_stale(shop: Shop) -> None:
    """Exchanged opt-outs make a plan stale even if their number is the same: one recipient was not reviewed."""
    _write(shop)
    _append(shop, "lists/stop.csv", "375291234561\n")
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.write("lists/stop.csv", "phone\n375299999999\n375291234562\n")
    refused = shop.run("apply", "plan.json")
    assert refused.code == 5
    assert "1 of its recipients had opted out, or was left out" in refused.err
    assert not received(shop, "shop")


def test_plan_covers_only_its_own_addresses(shop: Shop) -> None:
    """A campaign outside the plan can change or be sent without making the plan stale, and the plan does not send it."""
    _write(shop)
    assert shop.run("plan", "sale/*", "--out", "plan.json").code == 0
    shop.write("other.yaml", OTHER.replace("Other", "Another"))
    assert shop.run("apply", "--select", "other/one", "--auto-approve").code == 0
    assert shop.run("apply", "plan.json").code == 0
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_plan_of_another_lock_is_refused(shop: Shop) -> None:
    """A plan is refused if the lock was deleted and started anew, which gives it another lineage."""
    _write(shop)
    assert shop.run("apply", "--select", "other/one", "--auto-approve").code == 0
    assert shop.run("plan", "--out", "plan.json").code == 0
    (shop.root / "smsby.lock.json").unlink()
    assert shop.run("apply", "--select", "other/one", "--auto-approve").code == 0
    refused = shop.run("apply", "plan.json")
    assert refused.code == 5
    assert sum(received(shop, "shop").values()) == 1


def test_plan_does_not_send_what_it_shows_as_blocked(shop: Shop) -> None:
    """A mailing that was blocked in the reviewed plan is not sent, even if nothing blocks it any more: exit code 4."""
    _write(shop)
    _append(shop, "smsby.yaml", "guardrails: {max_recipients: 1}\n")
    assert shop.run("plan", "--out", "plan.json").code == 4
    assert shop.run("apply", "plan.json").code == 4
    assert sum(received(shop, "shop").values()) == 1  # the mailing to one recipient
    assert shop.run("apply", "plan.json").code == 5  # the plan is used up


def test_plan_is_applied_until_all_of_it_is_sent(shop: Shop) -> None:
    """A plan file can be continued after exit 7, 6 and `lock resolve`, until all is sent once; then it is used up."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.fault(method="sendBulkSms", mode="429", when="before", times=9)
    failed = shop.run("apply", "plan.json")
    assert failed.code == 7, failed.err
    assert "smsby-deploy apply plan.json" in failed.out
    assert not received(shop, "shop")
    shop.clear_faults()
    shop.fault(method="sendBulkSms", mode="reset", when="before", nth=2)
    assert shop.run("apply", "plan.json").code == 6
    assert shop.run("apply", "plan.json").code == 6
    assert shop.run("lock", "resolve", unknown(shop)[0], "--not-sent").code == 0
    done = shop.run("apply", "plan.json")
    assert done.code == 0, done.err
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5
    assert shop.run("apply", "plan.json").code == 5


def test_plan_is_checked_again_under_the_lock(shop: Shop) -> None:
    """If the files change while an apply waits for another run, the changed files count."""
    _write(shop)
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.fault(method="sendBulkSms", mode="slow", when="before", seconds=1.5)
    first = shop.start("apply", "--select", "other/one", "--auto-approve")
    shop.wait_until(lambda: (shop.root / "smsby.lock.json.holder").exists())
    second = shop.start("apply", "plan.json", "--lock-timeout", "30")
    _append(shop, "sale.yaml", "# changed while it waited\n")
    assert first.finish().code == 0
    assert second.finish().code == 5
    assert sum(received(shop, "shop").values()) == 1
