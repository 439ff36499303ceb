"""Gone mailings: what their files may become once they were sent."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import PROJECT, Shop

_SALE = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: lists/vip.csv}
    text: "Hi, {{ name }}. {% include 'footer.j2' %}"
  - name: staff
    recipients: ["375291234569"]
    text_file: texts/staff.j2
"""


def _send(shop: Shop) -> None:
    shop.write("smsby.yaml", f"{PROJECT}defaults: {{alphaname: MyShop}}\n")
    shop.write("templates/footer.j2", "Shop")
    shop.write("lists/vip.csv", "phone,name\n375291234567,Anna\n375291234568,Boris\n")
    shop.write("texts/staff.j2", "Closed")
    shop.write("sale.yaml", _SALE)
    sent = shop.run("apply", "--auto-approve")
    assert sent.code == 0, sent.err


def _plan(shop: Shop, code: int = 0) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The actions by address, and the problems."""
    result = shop.run("plan", "--format", "json")
    assert result.code == code, result.err
    actions = {one["address"]: one["reason_code"] or one["action"] for one in result.json["actions"]}
    return actions, result.json["problems"]


def test_shared_files_make_no_gone_mailing_changed(shop: Shop) -> None:
    """A footer and `defaults` are notes; its own text, in either file, is a change."""
    _send(shop)
    shop.write("templates/footer.j2", "Our shop")
    shop.write("smsby.yaml", f"{PROJECT}defaults: {{alphaname: Kvetka}}\n")
    actions, problems = _plan(shop)
    assert actions == {"sale/vip": "noop", "sale/staff": "noop"}
    assert [(one["severity"], one["code"], one["address"]) for one in problems] == [
        ("note", "CHANGED_SHARED", "sale/vip"),
        ("note", "CHANGED_SHARED", "sale/staff"),
    ]
    shop.write("texts/staff.j2", "Closed on Sunday")
    assert _plan(shop, 4)[0] == {"sale/vip": "noop", "sale/staff": "changed"}
    shop.write("texts/staff.j2", "Closed")
    shop.write("sale.yaml", _SALE.replace("Hi,", "Hello,"))
    assert _plan(shop, 4)[0] == {"sale/vip": "changed", "sale/staff": "noop"}
