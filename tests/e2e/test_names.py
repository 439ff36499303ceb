"""Senders and lists that the account does not have are errors in the files, reported once for each place."""

from __future__ import annotations

from tests.e2e.conftest import PROJECT, Shop

_CAMPAIGN = """\
version: 1
campaign: news
alphaname: MyShp
mailings:
  - {name: one, recipients: ["375291234567"], text: Hi}
  - {name: two, recipients: ["375291234568"], text: Hi}
  - {name: three, list: Newsleter, text: Hi}
  - {name: four, alphaname: Kvtka, list: 999, text: Hi}
"""


def test_unknown_name_is_reported_once_with_a_suggestion(shop: Shop) -> None:
    """Three mailings with a sender from one line give one error; the plan is printed and nothing is sent."""
    shop.write("news.yaml", _CAMPAIGN)
    plan = shop.run("plan", "--format", "json")
    assert plan.code == 3
    assert len(plan.json["actions"]) == 4
    shown = [
        (problem["code"], problem["address"], problem["line"], problem["column"])
        for problem in plan.json["problems"]
    ]
    assert shown == [
        ("UNKNOWN_ALPHANAME", None, 3, 12),
        ("UNKNOWN_LIST", "news/three", 7, 25),
        ("UNKNOWN_ALPHANAME", "news/four", 8, 29),
        ("UNKNOWN_LIST", "news/four", 8, 42),
    ]
    messages = [problem["message"] for problem in plan.json["problems"]]
    assert "did you mean MyShop?" in messages[0]
    assert "did you mean Newsletter?" in messages[1]
    assert "did you mean Kvetka?" in messages[2]
    assert shop.run("apply", "--auto-approve").code == 3
    assert shop.inbox() == {}


def test_bad_phone_has_its_line_and_column(shop: Shop) -> None:
    """Two phones on one line have their own columns; a row of a file has column 1."""
    shop.write("smsby.yaml", PROJECT)
    shop.write("list.csv", "phone\n375291234567\n12\n")
    shop.write(
        "news.yaml",
        "version: 1\ncampaign: news\nmailings:\n"
        '  - {name: one, recipients: ["11", "375291234567", "13"], text: Hi}\n'
        "  - {name: two, recipients: {file: list.csv}, text: Hi}\n",
    )
    problems = shop.run("validate", "--format", "json").json["problems"]
    assert [(one["code"], one["file"], one["line"], one["column"]) for one in problems] == [
        ("PHONE", "news.yaml", 4, 30),
        ("PHONE", "news.yaml", 4, 52),
        ("PHONE", "list.csv", 3, 1),
    ]
