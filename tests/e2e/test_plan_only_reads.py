"""`plan` cannot send, seen from the sandbox."""

from __future__ import annotations

import requests

from smsby_deploy.smsby.methods import METHODS
from tests.e2e.conftest import Shop

CAMPAIGN = """\
version: 1
campaign: sale
alphaname: MyShop
mailings:
  - name: new
    recipients: ["375291111111"]
    text: привет
  - name: list
    list: Newsletter
    text: привет
"""


def test_plan_only_asks(shop: Shop) -> None:
    """`plan` only reads, before and after an apply, even for a list whose size only a sending method reports."""
    shop.write("sale.yaml", CAMPAIGN)
    assert shop.run("plan").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    before = len(_calls(shop))
    assert before > 0
    shop.write("sale.yaml", CAMPAIGN.replace("name: new", "name: newer"))
    assert shop.run("plan", "--out", "plan.json", "--format", "json").code in (0, 4)
    assert shop.run("status").code == 0
    asked = _calls(shop)[before:]
    assert asked
    assert not [name for name in asked if METHODS[name].sends]


def _calls(shop: Shop) -> list[str]:
    answer = requests.get(f"{shop.url}/_sandbox/requests", timeout=5).json()
    return [call["method"] for call in answer]
