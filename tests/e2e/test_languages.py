"""Texts by language with the real command: one mailing, each recipient in their own language."""

from __future__ import annotations

from tests.e2e.conftest import Shop

_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: vip.csv}
    language: lang
    text_file: {ru: ru.j2, be: be.j2}
"""


def test_each_recipient_reads_their_language(shop: Shop) -> None:
    """Each recipient gets their own language; an unknown one is an error at its row, and a changed text a changed mailing."""
    shop.write("ru.j2", "{{ name }}, скидка")
    shop.write("be.j2", "{{ name }}, зніжка")
    shop.write(
        "vip.csv", "phone,name,lang\n375291111111,Anna,ru\n375292222222,Ales,BE\n375293333333,Kim,de\n"
    )
    shop.write("sale.yaml", _CAMPAIGN)
    refused = shop.run("plan")
    assert refused.code == 3
    assert "vip.csv:4:1: error LANGUAGE sale/vip: unknown language in the column 'lang'" in refused.out
    shop.write("sale.yaml", _CAMPAIGN.replace("be.j2}", "be.j2, default: ru}"))
    plan = shop.run("plan", "--format", "json", "--out", "plan.json").json
    assert plan["actions"][0]["languages"] == {"ru": 2, "be": 1}
    assert set(plan["inputs"]) >= {"ru.j2", "be.j2"}
    said = shop.run("plan").out
    assert "sale/vip: 3 rows → 3 recipients (ru 2, be 1)\n" in said
    assert "1 recipient with no text in their language gets the ru text" in said
    sampled = shop.run("render", "sale/vip").out
    assert "language ru" in sampled
    assert "language be" in sampled
    comment = shop.run("plan", "--format", "markdown").out
    assert "language <code>be</code> | 1" in comment
    assert "****, зніжка" in comment
    assert shop.run("apply", "plan.json").code == 0
    inbox = {phone: [one["text"] for one in messages] for phone, messages in shop.inbox().items()}
    assert inbox == {
        "375291111111": ["Anna, скидка"],
        "375292222222": ["Ales, зніжка"],
        "375293333333": ["Kim, скидка"],
    }
    assert shop.run("recipients", "sale/vip").out.count("accepted") == 3
    shop.write("be.j2", "{{ name }}, вялікая зніжка")
    assert shop.run("plan", "--format", "json").json["actions"][0]["reason_code"] == "changed"
