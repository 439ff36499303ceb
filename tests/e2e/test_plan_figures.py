"""A plan's figures count what this apply sends, not what was sent before."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import PROJECT, Shop

_RECIPIENTS = ["375291234567", "375291234568", "375291234569", "375291234570", "375291234571"]


def _campaign(text: str = "Hi", revision: int = 1) -> str:
    return (
        f"version: 1\ncampaign: sale\nrevision: {revision}\nmailings:\n"
        f"  - name: vip\n    recipients: {json.dumps(_RECIPIENTS)}\n    text: {text}\n"
    )


def _send_first_chunk(shop: Shop) -> None:
    """Send to the first two of five recipients; after that sms.by accepts no more."""
    shop.write("sale.yaml", _campaign())
    shop.fault(method="sendBulkSms", mode="429", nth=2, times=100, retry_after="0")
    assert shop.run("apply", "--auto-approve").code == 6
    shop.clear_faults()


@pytest.mark.parametrize("change", ["body: form, ", "via"])
def test_partly_sent_mailing_keeps_its_body_and_via(shop: Shop, change: str) -> None:
    """A partly sent mailing with another `body` or `via` is blocked until restored, even if the chunks are the same."""
    _send_first_chunk(shop)
    if change == "via":
        shop.write("sale.yaml", _campaign() + "    via: single\n")
    else:
        shop.write("smsby.yaml", PROJECT.replace("api: {", "api: {" + change))
    (action,) = shop.run("plan", "--format", "json").json["actions"]
    assert (action["action"], action["reason"].partition(":")[0]) == ("blocked", "changed")
    shop.write("smsby.yaml", PROJECT)
    shop.write("sale.yaml", _campaign())
    assert shop.run("plan", "--format", "json").json["actions"][0]["action"] == "resume"


def test_plan_that_cannot_be_applied_suggests_no_apply(shop: Shop) -> None:
    """A plan made offline or of invalid files can be saved for review, and suggests no apply."""
    shop.write("sale.yaml", _campaign())
    for more in (["--offline"], []):
        if not more:
            shop.write("sale.yaml", _campaign(text='"{{ missing }}"'))
        saved = shop.run("plan", "--out", "plan.json", *more)
        assert saved.code == (0 if more else 3)
        assert "cannot be applied" in saved.err
        assert "smsby-deploy apply plan.json" not in saved.err + saved.out
        assert shop.run("apply", "plan.json").code == 5


def test_abandoned_rest_leaves_the_budget(shop: Shop) -> None:
    """The unsent rest of an abandoned mailing does not count toward the budget."""
    shop.write("smsby.yaml", PROJECT + "guardrails: {budget: 0.13}\n")
    _send_first_chunk(shop)
    assert shop.run("lock", "abandon", "sale/vip").code == 0
    other = _campaign().replace("sale", "other").replace(json.dumps(_RECIPIENTS), json.dumps(_RECIPIENTS[:3]))
    shop.write("other.yaml", other)
    planned = shop.run("plan")
    assert (planned.code, "+ create  other/vip" in planned.out) == (0, True), planned.out


def test_resumed_mailing_counts_only_the_rest(shop: Shop) -> None:
    """A resumed mailing counts only its rest, so it passes a limit that its total exceeds."""
    shop.write("smsby.yaml", PROJECT + "guardrails: {max_cost: 0.13, budget: 0.13}\n")
    _send_first_chunk(shop)
    shop.write("smsby.yaml", PROJECT + "guardrails: {max_cost: 0.08, budget: 0.13}\n")
    plan = shop.run("plan", "--format", "json")
    assert plan.code == 0, plan.err
    (action,) = plan.json["actions"]
    assert action["action"] == "resume"
    assert (action["recipients"], action["parts"], action["cost"]) == (3, 3, "0.078")
    assert action["encoding"] == {"gsm7": 3, "ucs2": 0}
    assert action["audience"]["final"] == 5
    assert [chunk["recipients"] for chunk in action["chunks"]] == [2, 2, 1]
    summary = plan.json["summary"]
    assert (summary["recipients"], summary["parts"], summary["cost"]) == (3, 3, "0.078")
    assert shop.run("apply", "--auto-approve").code == 0
    assert len(shop.inbox()) == 5
    assert shop.lock()["mailings"]["sale/vip"]["recipients"] == 5
