"""Senders and lists that the account does not have are errors in the files, reported once per location."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.lock.store import LockStore
from tests.e2e.conftest import PROJECT, Shop
from tests.e2e.forked import CLOCK_AHEAD

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
    """Three mailings with an unknown sender from one line give one error; the plan is printed and nothing is sent."""
    shop.write("news.yaml", _CAMPAIGN)
    plan = shop.run("plan", "--format", "json")
    assert plan.code == 3
    assert len(plan.json["actions"]) == 4
    shown = [
        (problem["code"], problem["address"], problem["line"], problem["column"])
        for problem in plan.json["problems"]
        if problem["severity"] == "error"
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
    """A bad phone is reported with its line and column, also as one of two on a line; a row of a file has column 1."""
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


_DIGITS = """\
version: 1
campaign: news
mailings:
  - {{name: one, list: "{list}", text: Hi}}
  - {{name: two, alphaname: "{alphaname}", recipients: ["375291234567"], text: Hi}}
"""


def test_digits_never_mean_a_name_silently(shop: Shop) -> None:
    """An id that is also the name of another list or sender is an error; an id that does not exist is read as a name."""
    shop.settings(alphanames={"0": "System name", "1363": "1364", "1364": "Kvetka", "9": "7777"})
    made = shop.run("api", "createSubscriberList", "name=3434").json["result"]["list_id"]
    other = shop.run("api", "createSubscriberList", "name=77").json["result"]["list_id"]
    shop.write("news.yaml", _DIGITS.format(list=3434, alphaname=1364))
    plan = shop.run("plan", "--format", "json")
    assert plan.code == 3
    found = {problem["code"]: problem["message"] for problem in plan.json["problems"]}
    assert set(found) == {"AMBIGUOUS_LIST", "AMBIGUOUS_ALPHANAME"}
    assert all(text in found["AMBIGUOUS_LIST"] for text in ("3434 (Newsletter)", f"{made} (3434)"))
    assert all(text in found["AMBIGUOUS_ALPHANAME"] for text in ("1364 (Kvetka)", "1363 (1364)"))
    assert shop.run("apply", "--auto-approve").code == 3
    shop.write("news.yaml", _DIGITS.format(list=77, alphaname=7777))
    plan = shop.run("plan", "--format", "json")
    assert plan.code == 0
    one, two = plan.json["actions"]
    assert one["list"] == {"name": "77", "id": other}
    assert (two["list"], two["alphaname"]) == (None, {"name": "7777", "id": 9})


def test_offline_plan_shows_lists_as_written(shop: Shop) -> None:
    """An offline plan shows lists as written, without their ids, and cannot be applied."""
    shop.write(
        "news.yaml", "version: 1\ncampaign: news\nmailings: [{name: one, list: Newsletter, text: Hi}]\n"
    )
    plan = shop.run("plan", "--offline", "--out", "plan.json", "--format", "json")
    assert (plan.code, plan.json["actions"][0]["list"]) == (0, {"name": "Newsletter", "id": None})
    assert "contact list Newsletter (id unknown)" in shop.run("plan", "--offline").out
    assert shop.run("apply", "plan.json", "--auto-approve").code == 5


def test_project_with_a_phone_as_its_name_can_be_ended(shop: Shop) -> None:
    """With a phone as the project's name nothing is sent, but mailings that wait in its lock can be withdrawn."""
    time = datetime.now(UTC) + timedelta(days=2)  # noqa: TID251  # the commands use the real clock, or one that is ahead of it
    head = f"version: 1\ncampaign: news\nschedule_time: {time:%Y-%m-%dT%H:%M:%S}Z\n"
    mailing = (
        "  - {name: one, recipients: ['375291234567'], text: Hi, release: {before: 12h, at_latest: 20m}}\n"
    )
    shop.write("smsby.yaml", PROJECT)
    shop.write("news.yaml", f"{head}mailings:\n{mailing}")
    assert shop.run("apply", "--auto-approve").code == 0
    path, name = shop.root / "smsby.lock.json", "shop-291234567"
    shop.write("smsby.lock.json", write_lock(replace(LockStore(path, "shop").read(), project=name)))
    shop.write("smsby.yaml", PROJECT.replace("project: shop", f"project: {name}"))
    is_open = {CLOCK_AHEAD: str(40 * 3600.0)}
    for command in (("validate",), ("plan",), ("apply", "--auto-approve"), ("apply", "--due")):
        refused = shop.run(*command, env=is_open)
        assert refused.code == 3, (command, refused.out, refused.err)
        assert "phone number" in refused.out + refused.err, command
    for command in (("status",), ("lock", "list"), ("lock", "withdraw", "news/one")):
        assert shop.run(*command).code == 0, command
    assert shop.lock()["mailings"]["news/one"]["state"] == "withdrawn"
    assert shop.inbox() == {}
