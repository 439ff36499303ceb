"""If the lock is lost or outdated, or the files change meanwhile, nothing is sent again without a user's decision."""

from __future__ import annotations

import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PROJECT, Shop
from tests.e2e.trial import (
    PHONES,
    Case,
    adopt_after_losing_the_lock,
    apply,
    finish,
    lose_lock,
    planned_action,
    received,
    start,
)

THREE = Case("bulk", 3, plan_file=False)
LIST = Case("list", 1, plan_file=False)


def _edit(shop: Shop, old: str, new: str, name: str = "sale.yaml") -> None:
    path = shop.root / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _send_two_of_three(shop: Shop) -> None:
    """Crash an apply before its third request is sent."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {"SMSBY_FAULT": "kill:21"}).code == -signal.SIGKILL
    assert sum(received(shop, "shop").values()) == 4


@pytest.mark.parametrize("case", [THREE, LIST], ids=str)
def test_listed_mailing_is_adopted_without_a_lock(shop: Shop, case: Case) -> None:
    """If the lock is lost after everything was sent, the next apply records the mailing and sends nothing."""
    adopt_after_losing_the_lock(shop, case)
    assert all(chunk["message_id"] for e in shop.lock()["mailings"].values() for chunk in e["chunks"])


def test_question_before_an_adoption_says_nothing_is_sent(shop: Shop) -> None:
    """If an apply only records mailings, its question does not warn of sending."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    lose_lock(shop)
    adopted = shop.run("apply", stdin="yes\n")
    assert adopted.code == 0
    assert "Nothing is sent." in adopted.err
    assert "Send now?" not in adopted.err


@pytest.mark.parametrize("word", ["--sent", "--not-sent"])
def test_unlisted_chunk_is_unknown_without_a_lock(shop: Shop, word: str) -> None:
    """Without a lock the two listed chunks of three count as accepted, and the third waits for the user's decision."""
    _send_two_of_three(shop)
    lose_lock(shop)
    action, reason = planned_action(shop)
    assert (action, reason.split(":")[0]) == ("blocked", "unknown")
    assert "apply records it as unknown" in reason  # nothing to resolve before that
    assert shop.run("plan").code == 4
    assert shop.run("lock", "resolve", "sale/staff", word).code == 64
    assert apply(shop, THREE, {}).code == 6
    assert [c["state"] for c in shop.lock()["mailings"]["sale/staff"]["chunks"]] == ["accepted"] * 2 + [
        "unknown"
    ]
    assert sum(received(shop, "shop").values()) == 4
    before = shop.lock()
    for said in ((), ("--sent", "--not-sent")):  # neither option, or both: nothing is settled
        refused = shop.run("lock", "resolve", "sale/staff", *said)
        assert (refused.code, "say which one applies" in refused.err, shop.lock() == before) == (
            64,
            True,
            True,
        )
    settled = shop.run("lock", "resolve", "sale/staff", word, "--reason", "asked them")
    assert settled.code == 0 and "git add smsby.lock.json" in settled.err
    resolution = shop.lock()["resolutions"][-1]
    assert (resolution["address"], resolution["reason"]) == ("sale/staff", "asked them")
    assert resolution["by"] and datetime.fromisoformat(resolution["at"]).tzinfo is not None
    assert apply(shop, THREE, {}).code == 0
    counts = received(shop, "shop")
    assert set(counts.values()) == {1}
    assert len(counts) == (4 if word == "--sent" else 5)


def test_other_fingerprint_is_a_collision(shop: Shop) -> None:
    """If the lock is lost and the text changed, the listed mailing is a collision: it is ours, but differs from the files."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    lose_lock(shop)
    _edit(shop, "Closed", "Closed today")
    action, reason = planned_action(shop)
    assert (action, reason.split(":")[0]) == ("blocked", "collision")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 5
    _edit(shop, "name: staff", "name: staff, revision: 2")
    assert apply(shop, THREE, {}).code == 0
    assert sum(received(shop, "shop").values()) == 10


def test_other_checkout_adopts_what_was_sent(shop: Shop, tmp_path: Path) -> None:
    """Of two checkouts without a shared lock, the second adopts what the first sent."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    other = Shop(tmp_path / "other", shop.url)
    for name in ("smsby.yaml", "sale.yaml"):
        other.write(name, (shop.root / name).read_text(encoding="utf-8"))
    assert other.run("apply", "--auto-approve", "--format", "json").json["summary"]["adopted"] == 1
    assert sum(received(shop, "shop").values()) == 5


def test_older_lock_records_what_is_listed(shop: Shop) -> None:
    """With an outdated lock, everything that is listed is recorded and not sent."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before")
    assert apply(shop, THREE, {}).code == 6
    older = (shop.root / "smsby.lock.json").read_bytes()
    assert apply(shop, THREE, {}).code == 0
    (shop.root / "smsby.lock.json").write_bytes(older)
    assert planned_action(shop)[0] == "adopt"
    assert apply(shop, THREE, {}).code == 0
    assert set(received(shop, "shop").values()) == {1}


def test_older_lock_makes_unlisted_chunks_unknown(shop: Shop) -> None:
    """If the lock was wrong about one chunk, a chunk that the lagging list lacks is unknown."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before")
    assert apply(shop, THREE, {}).code == 6
    older = (shop.root / "smsby.lock.json").read_bytes()
    shop.fault(method="sendBulkSms", nth=2, mode="lag", when="after", seconds=600)
    assert apply(shop, THREE, {}).code == 0
    (shop.root / "smsby.lock.json").write_bytes(older)
    assert planned_action(shop)[1].startswith("unknown")
    assert apply(shop, THREE, {}).code == 6
    assert set(received(shop, "shop").values()) == {1}
    assert shop.run("lock", "resolve", "sale/staff", "--sent").code == 0
    assert apply(shop, THREE, {}).code == 0
    assert sum(received(shop, "shop").values()) == 5


def test_premature_not_sent_sends_nothing_twice(shop: Shop) -> None:
    """After a premature `--not-sent`, the list is read again directly before the request, so nothing is sent twice."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="reset", when="after")
    shop.fault(method="sendBulkSms", nth=2, mode="lag", when="after", seconds=1)
    assert apply(shop, THREE, {}).code == 6
    assert shop.run("lock", "resolve", "sale/staff", "--not-sent").code == 0
    shop.wait_until(lambda: "2 of 3" in planned_action(shop)[1])
    assert apply(shop, THREE, {}).code == 0
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_request_of_another_checkout_stops_the_mailing(shop: Shop) -> None:
    """If the first chunk is listed only directly before our request, the mailing stops."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {"SMSBY_FAULT": "kill:13"}).code == -signal.SIGKILL
    lose_lock(shop)
    # The first answer is stale, as if the plan had been made before; the second lists the chunk.
    shop.fault(
        method="getSMSMessages", mode="error", status=406, nth=1, when="before", text="Content not found"
    )
    done = apply(shop, THREE, {})
    assert done.code == 6, done.err
    states = [chunk["state"] for chunk in shop.lock()["mailings"]["sale/staff"]["chunks"]]
    assert states == ["accepted", "unknown", "unknown"]
    assert sum(received(shop, "shop").values()) == 2


@pytest.mark.parametrize(
    "answer",
    [{"mode": "empty"}, {"mode": "empty", "status": 204}, {"mode": "html"}, {"mode": "html", "status": 406}]
    + [{"mode": "error", "status": status, "text": "limit exceeded"} for status in (200, 406)]
    + [{"mode": "error", "status": 406, "text": ""}],
    ids=lambda answer: "-".join(map(str, answer.values())),
)
def test_spoilt_list_makes_no_mailing_new(shop: Shop, answer: dict[str, Any]) -> None:
    """After a lost lock, a list that is no documented form of "no mailings" stops plan and apply, and nothing is sent."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    lose_lock(shop)
    shop.fault(method="getSMSMessages", nth=1, times=99, when="before", **answer)
    assert shop.run("plan").code == 7
    assert apply(shop, THREE, {}).code == 7
    assert set(received(shop, "shop").values()) == {1}


def test_renamed_mailing_is_moved_and_not_sent(shop: Shop) -> None:
    """A renamed mailing with the same text and recipients is a collision; `lock move` keeps its record."""
    start(shop, THREE, "shop")
    assert apply(shop, THREE, {}).code == 0
    _edit(shop, "name: staff", "name: team")
    actions = {a["address"]: a for a in shop.run("plan", "--format", "json").json["actions"]}
    assert actions["sale/staff"]["action"] == "orphan"
    assert actions["sale/team"]["reason"].startswith("collision")
    assert "lock move sale/staff sale/team" in actions["sale/team"]["reason"]
    assert apply(shop, THREE, {}).code == 4
    moved = shop.run("lock", "move", "sale/staff", "sale/team")
    assert moved.code == 0 and "git add smsby.lock.json" in moved.err
    assert planned_action(shop)[0] == "noop"
    assert sum(received(shop, "shop").values()) == 5


def test_renamed_and_reordered_mailing_is_a_collision(shop: Shop) -> None:
    """A renamed mailing is recognized even if its rows have another order and spelling."""
    text = "text: '{{ name }}, {{ discount }}% shop'"
    start(shop, THREE, "shop")
    shop.write("vip.csv", "phone,name,discount\n375291234567,Anna,10\n375291234568,Boris,15\n")
    shop.write(
        "sale.yaml",
        f"version: 1\ncampaign: sale\nmailings:\n  - {{name: m1, recipients: {{file: vip.csv}}, {text}}}\n",
    )
    assert apply(shop, THREE, {}).code == 0
    shop.write("vip.csv", "phone,name,discount\n8 029 123-45-68,Boris,15\n+375291234567,Anna,10\n")
    assert planned_action(shop)[0] == "noop"
    planned = shop.run("plan", "--format", "json")
    assert not planned.json["problems"]
    _edit(shop, "campaign: sale", "campaign: autumn")
    planned = shop.run("plan", "--format", "json")
    actions = {a["address"]: a for a in planned.json["actions"]}
    assert (planned.code, actions["sale/m1"]["action"]) == (4, "orphan")
    assert (actions["autumn/m1"]["action"], actions["autumn/m1"]["reason_code"]) == ("blocked", "collision")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 2
    assert shop.run("lock", "move", "sale/m1", "autumn/m1").code == 0
    assert planned_action(shop)[0] == "noop"


@pytest.mark.parametrize("case", [THREE, LIST], ids=str)
def test_renamed_project_is_a_collision(shop: Shop, case: Case) -> None:
    """A renamed project is refused by its lock; with another lock, the list shows the mailing under its old name."""
    start(shop, case, "shop")
    assert apply(shop, case, {}).code == 0
    sent = received(shop, "shop")
    settings = (shop.root / "smsby.yaml").read_text()
    shop.write("smsby.yaml", settings.replace("project: shop", "project: store"))
    assert "restore the project's name" in shop.run("plan").err
    shop.write("smsby.yaml", settings.replace("project: shop", "project: store\nlock: other.lock.json"))
    action, reason = planned_action(shop)
    assert (action, "under the project shop" in reason) == ("blocked", True)
    assert shop.run("apply", "--auto-approve").code == 4
    assert received(shop, "shop") == sent
    _edit(shop, "campaign: sale", "campaign: sale\nrevision: 2")
    action, reason = planned_action(shop)
    # A list mailing is listed with the next whole minute as its time.
    is_ahead = case is LIST and "in the account at sms.by before" in reason
    assert action == ("blocked" if is_ahead else "create")


def test_renamed_project_with_a_scheduled_mailing(shop: Shop) -> None:
    """No revision of a renamed project is sent beside its scheduled mailing, and the reason says what to delete."""
    mailing = "  - {name: vip, recipients: ['375291234567'], text: Hi}\n"
    campaign = f"version: 1\ncampaign: sale\nschedule_time: 2036-12-01T10:00:00\nmailings:\n{mailing}"
    shop.write("smsby.yaml", PROJECT)
    shop.write("sale.yaml", campaign)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("smsby.yaml", f"{PROJECT}lock: other.lock.json\n".replace("project: shop", "project: store"))
    for revision, code in ((1, "collision"), (2, "scheduled")):
        shop.write("sale.yaml", campaign.replace("mailings:", f"revision: {revision}\nmailings:"))
        (action,) = shop.run("plan", "--format", "json").json["actions"]
        assert action["reason_code"] == code
        assert "delete `sale/vip shop#" in action["reason"]
        assert "raise" not in action["reason"]
        assert shop.run("apply", "--auto-approve").code == 4
    assert len(shop.run("api", "getSMSMessages").json["data"]) == 1
    shop.delete_all()
    assert shop.run("apply", "--auto-approve").code == 0


@pytest.mark.parametrize("case", [THREE, LIST], ids=str)
def test_renamed_mailing_without_a_lock_is_a_collision(shop: Shop, case: Case) -> None:
    """Without a lock a renamed mailing is a collision; it is adopted under its old name, and then moved."""
    start(shop, case, "shop")
    assert apply(shop, case, {}).code == 0
    sent = received(shop, "shop")
    old = next(iter(shop.lock()["mailings"]))
    new = old.replace("sale/", "autumn/")
    _edit(shop, "campaign: sale", "campaign: autumn")
    assert shop.run("lock", "move", old, new).code == 0
    assert planned_action(shop)[0] == "noop"
    lose_lock(shop)
    action, reason = planned_action(shop)
    assert (action, f"lock move {old} {new}" in reason) == ("blocked", True)
    assert shop.run("apply", "--auto-approve").code == 4
    assert received(shop, "shop") == sent
    _edit(shop, "campaign: autumn", "campaign: sale")
    assert shop.run("apply", "--auto-approve").code == 0
    _edit(shop, "campaign: sale", "campaign: autumn\nrevision: 2")
    lose_lock(shop)
    action, reason = planned_action(shop)
    # A list mailing is listed with the next whole minute as its time.
    is_ahead = case is LIST and "will be sent at" in reason
    assert action == ("blocked" if is_ahead else "create")
    _edit(shop, "\nrevision: 2", "")
    assert planned_action(shop)[0] == "blocked"
    assert received(shop, "shop") == sent


def test_copy_of_a_moved_mailing_is_a_warning(shop: Shop) -> None:
    """A copy of a moved mailing is only a warning: sms.by has the original's former name, and the lock explains it."""
    text = "text: Hi shop, recipients: ['375291234567']"
    campaign = "version: 1\ncampaign: sale\nmailings:\n  - {{name: {name}, {text}}}\n"
    start(shop, THREE, "shop")
    shop.write("sale.yaml", campaign.format(name="may", text=text))
    assert apply(shop, THREE, {}).code == 0
    assert shop.run("lock", "move", "sale/may", "sale/june").code == 0
    for revision in (1, 2):
        copy = f"  - {{name: july, revision: {revision}, {text}}}\n"
        shop.write("sale.yaml", campaign.format(name="june", text=text) + copy)
        planned = shop.run("plan", "--format", "json")
        assert [one["action"] for one in planned.json["actions"]] == ["noop", "create"]
        assert [one["code"] for one in planned.json["problems"]] == ["SAME_TEXT"]


def test_renamed_mailing_of_which_a_chunk_is_listed(shop: Shop) -> None:
    """Without a lock a renamed mailing is a collision even if only some of its chunks were sent."""
    _send_two_of_three(shop)
    lose_lock(shop)
    _edit(shop, "campaign: sale", "campaign: autumn")
    assert planned_action(shop)[0] == "blocked"
    assert shop.run("apply", "--auto-approve").code == 4
    assert sum(received(shop, "shop").values()) == 4


def test_copied_campaign_is_a_warning(shop: Shop) -> None:
    """A copied campaign file with a new name is a warning in the plan, with the number of recipients in both."""
    start(shop, THREE, "shop")
    copy = (shop.root / "sale.yaml").read_text(encoding="utf-8").replace("campaign: sale", "campaign: copy")
    shop.write("sale (copy).yaml", copy)
    planned = shop.run("plan", "--format", "json")
    assert (planned.code, planned.json["summary"]["create"]) == (0, 2)
    found = [(p["code"], p["address"], p["message"]) for p in planned.json["problems"]]
    found = [one for one in found if one[0] != "OVERLAP"]
    assert [(code, address) for code, address, _ in found] == [
        ("SAME_TEXT", "copy/staff"),
        ("SAME_TEXT", "sale/staff"),
    ]
    assert "same text, sender and recipients as sale/staff" in found[0][2]
    assert "5 recipients are in both" in found[0][2]


@pytest.mark.parametrize(
    ("words", "count"),
    [("apply --auto-approve", 2), ("apply --auto-approve -q --log-format json", 2), ("apply plan.json", 0)],
)
def test_warnings_of_a_plan_without_review(shop: Shop, words: str, count: int) -> None:
    """An apply without a question shows the plan's warnings before it sends; a reviewed plan file does not repeat them."""
    start(shop, THREE, "shop")
    copy = (shop.root / "sale.yaml").read_text(encoding="utf-8").replace("campaign: sale", "campaign: copy")
    shop.write("sale (copy).yaml", copy)
    assert shop.run("plan", "--out", "plan.json").code == 0
    done = shop.run(*words.split())
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if "SAME_TEXT" in line]
    assert len(lines) == count
    assert lines == done.err.splitlines()[: len(lines)]


@pytest.mark.parametrize("limit", [19, 15, 10, 6, 5, 4, 1])
def test_short_remote_name_is_a_warning(limit: int, shop: Shop) -> None:
    """A short name at sms.by could be this mailing or any other: a warning, except for a mailing that is on record."""
    start(shop, THREE, "shop")
    shop.settings(name_limit=limit)
    assert apply(shop, THREE, {}).code == 0
    assert "REMOTE_NAME" not in shop.run("plan").out
    lose_lock(shop)
    planned = shop.run("plan")
    listed = "sale/staff"[:limit]
    assert f"warning REMOTE_NAME sale/staff: sms.by lists a mailing named “{listed}" in planned.out
    imported = shop.run("import", "sale/staff", *(f"--message-id={one['id']}" for one in _listed(shop)))
    assert imported.code == 0, imported.err
    assert planned_action(shop)[0] == "noop"


def _listed(shop: Shop) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shop.run("api", "getSMSMessages").json["data"]
    return rows


def test_truncated_remote_name_is_a_collision(shop: Shop) -> None:
    """A truncated name has no fingerprint and could be this mailing, so nothing is sent."""
    start(shop, THREE, "shop")
    shop.settings(name_limit=20)
    assert apply(shop, THREE, {}).code == 0
    assert planned_action(shop)[0] == "noop"
    lose_lock(shop)
    assert planned_action(shop)[1].startswith("collision")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 5


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("smsby.yaml", '"recipients_per_request": 2', '"recipients_per_request": 3'),
        ("sale.yaml", f'"{PHONES[3]}", "{PHONES[4]}"', f'"{PHONES[4]}", "{PHONES[3]}"'),
        ("sale.yaml", f'"{PHONES[4]}"', '"375291111111"'),
        ("sale.yaml", "Closed", "Open"),
        ("smsby.yaml", '"requests_per_second"', '"body": "form", "requests_per_second"'),
    ],
    ids=["chunk-size", "row-order", "recipient", "text", "body"],
)
def test_change_after_a_partial_send_blocks(shop: Shop, name: str, old: str, new: str) -> None:
    """A mailing that changed after it was partly sent is blocked; once its files are restored, the rest is sent."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="error", when="before")
    assert apply(shop, THREE, {}).code == 6
    _edit(shop, old, new, name)
    assert planned_action(shop)[1].startswith("changed")
    assert apply(shop, THREE, {}).code == 4
    assert sum(received(shop, "shop").values()) == 2
    _edit(shop, new, old, name)
    finish(shop, THREE, "put back")
    assert set(received(shop, "shop").values()) == {1}
    assert sum(received(shop, "shop").values()) == 5


def test_unknown_mailing_cannot_be_removed(shop: Shop) -> None:
    """An unknown mailing cannot be removed from the lock, since it could then be sent twice."""
    start(shop, THREE, "shop")
    shop.fault(method="sendBulkSms", nth=2, mode="reset", when="before")
    assert apply(shop, THREE, {}).code == 6
    removed = shop.run("lock", "remove", "sale/staff")
    assert removed.code == 64
    assert "lock resolve sale/staff" in removed.err
    assert shop.run("lock", "show", "sale/staff").json["state"] == "unknown"


def test_text_moved_to_another_mailing_without_a_lock(shop: Shop) -> None:
    """Without a lock, a text that moved to another mailing of the same recipients is not sent to them again."""
    campaign = """\
version: 1
campaign: sale
mailings:
  - {name: vip, recipients: {file: buyers.csv}, text: Winter sale}
"""
    shop.write("sale.yaml", campaign)
    shop.write("buyers.csv", "phone\n375291234567\n375297654321\n")
    assert shop.run("apply", "--auto-approve").code == 0
    lose_lock(shop)
    moved = campaign.replace("Winter sale", "Spring sale")
    shop.write(
        "sale.yaml", f"{moved}  - {{name: gold, recipients: {{file: buyers.csv}}, text: Winter sale}}\n"
    )
    actions = {one["address"]: one for one in shop.run("plan", "--format", "json").json["actions"]}
    assert (actions["sale/gold"]["action"], actions["sale/gold"]["reason_code"]) == ("blocked", "collision")
    assert actions["sale/vip"]["action"] == "blocked"
    assert shop.run("apply", "--auto-approve").code == 4
    assert {text["text"] for texts in shop.inbox().values() for text in texts} == {"Winter sale"}


def test_copied_mailing_without_a_lock_is_no_rename(shop: Shop) -> None:
    """Without a lock a copy of a listed mailing is a warning, not a rename, as the original is still in the files."""
    campaign = (
        "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: ['375291234567'], text: Hi}\n"
    )
    shop.write("sale.yaml", campaign)
    assert shop.run("apply", "--auto-approve").code == 0
    lose_lock(shop)
    shop.write("sale.yaml", f"{campaign}  - {{name: copy, recipients: ['375291234567'], text: Hi}}\n")
    plan = shop.run("plan", "--format", "json").json
    assert [one["action"] for one in plan["actions"]] == ["adopt", "create"]
    assert "SAME_TEXT" in {problem["code"] for problem in plan["problems"]}
