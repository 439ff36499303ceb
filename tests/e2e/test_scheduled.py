"""Mailings that sms.by has accepted for later: a change, and the next revision."""

from __future__ import annotations

import re
from typing import Any

from tests.e2e.campaigns import SCHEDULED
from tests.e2e.conftest import PROJECT, Shop


def _write(shop: Shop, text: str, revision: int = 1) -> None:
    shop.write("sale.yaml", SCHEDULED.format(text=text, revision=revision))


def _plan(shop: Shop, code: int) -> dict[str, Any]:
    result = shop.run("plan", "--format", "json")
    assert result.code == code, result.err
    (action,) = result.json["actions"]
    return action  # type: ignore[no-any-return]


def test_changed_mailing_that_is_not_gone_says_how_to_delete_it(shop: Shop) -> None:
    """A change or new revision of a scheduled mailing is not sent; the reason has its time, and its name and id at sms.by."""
    _write(shop, "Hi")
    assert shop.run("apply", "--auto-approve").code == 0
    mark = shop.lock()["mailings"]["sale/vip"]["chunks"][0]["fingerprint"]
    (number,) = [row["id"] for row in shop.run("api", "getSMSMessages").json["data"]]
    place = f"delete `sale/vip shop#{mark}` (id {number}) in the account"

    _write(shop, "Hello")
    changed = _plan(shop, 4)
    assert changed["reason_code"] == "changed"
    assert "and will send at 2036-12-01 10:00" in changed["reason"]
    assert place in changed["reason"]
    assert "revision" not in changed["reason"]

    _write(shop, "Hello", revision=2)
    raised = _plan(shop, 4)
    assert raised["reason_code"] == "scheduled"
    assert place in raised["reason"]
    assert shop.run("apply", "--auto-approve").code == 4
    (shop.root / "smsby.lock.json").unlink()
    lost = _plan(shop, 4)
    assert lost["reason_code"] == "scheduled"
    assert (
        f"sms.by lists `sale/vip shop#{mark}` (id {number}), which the lock does not have" in lost["reason"]
    )
    assert re.search(r"it will be sent at \S+ \S+ \+03, and", lost["reason"])
    assert shop.run("apply", "--auto-approve").code == 4
    assert len(shop.run("api", "getSMSMessages").json["data"]) == 1


def test_withdrawn_mailing_that_is_still_listed_is_a_warning(shop: Shop) -> None:
    """If sms.by still lists what `--anyway` withdrew, a plan warns once: raised or renamed, but not once it is gone."""
    _write(shop, "Hi")
    assert shop.run("apply", "--auto-approve").code == 0
    assert shop.run("lock", "withdraw", "sale/vip", "--anyway").code == 0

    def warnings() -> list[str]:
        problems = shop.run("plan", "--format", "json").json["problems"]
        return [one["message"] for one in problems if one["code"] == "NOT_CANCELLED"]

    assert not warnings()  # the mailing is blocked, and its reason says the same
    for text in (
        SCHEDULED.format(text="Hi", revision=2),
        SCHEDULED.format(text="Hi", revision=1).replace("vip", "best"),
        SCHEDULED.format(text="Hi", revision=1).replace("{name: vip,", "{name: vip, cancelled: why,"),
    ):
        shop.write("sale.yaml", text)
        (warning,) = warnings()
        assert "still lists it and will send it at 2036-12-01 10:00" in warning
        assert "delete `sale/vip shop#" in warning
    shop.delete_all()
    assert not warnings()


def test_lower_revision_is_not_sent_beside_a_listed_one(shop: Shop) -> None:
    """If the lock is lost and the files go back to a lower revision, the higher one is a collision, scheduled or sent."""
    _write(shop, "Hi", revision=2)
    assert shop.run("apply", "--auto-approve").code == 0
    (shop.root / "smsby.lock.json").unlink()
    _write(shop, "Hi")
    lost = _plan(shop, 4)
    assert lost["reason_code"] == "collision"
    assert (
        "sms.by has revision 2 of it, the file says 1: restore the lock, or delete `sale/vip r2"
        in lost["reason"]
    )
    assert shop.run("apply", "--auto-approve").code == 4
    shop.delete_all()
    for revision, code in ((2, 0), (1, 4), (3, 0)):
        shop.write(
            "sale.yaml", SCHEDULED.format(text="Hi", revision=revision).replace("schedule_time", "# time")
        )
        assert shop.run("apply", "--auto-approve").code == code
        (shop.root / "smsby.lock.json").unlink(missing_ok=True)
    _write(shop, "Hi")
    assert "or raise `revision` above 3 to send it again" in _plan(shop, 4)["reason"]


def test_imported_mailing_is_deleted_under_its_listed_name(shop: Shop) -> None:
    """A mailing that was imported after its text changed has another name at sms.by than the lock would give it."""
    _write(shop, "Hi")
    assert shop.run("apply", "--auto-approve").code == 0
    (row,) = shop.run("api", "getSMSMessages").json["data"]
    (shop.root / "smsby.lock.json").unlink()
    _write(shop, "Hello")
    assert shop.run("import", "sale/vip", "--message-id", str(row["id"])).code == 0
    _write(shop, "Hi")
    assert f"delete `{row['name']}` (id {row['id']}) in the account" in _plan(shop, 4)["reason"]


def test_renamed_mailing_that_is_not_gone_is_not_sent_beside_it(shop: Shop) -> None:
    """A scheduled mailing is not sent again after a rename and a raised revision, until it is deleted."""
    _write(shop, "Hi")
    assert shop.run("apply", "--auto-approve").code == 0
    (number,) = [row["id"] for row in shop.run("api", "getSMSMessages").json["data"]]
    lock = (shop.root / "smsby.lock.json").read_text("utf-8")
    for revision, code in [(1, "collision"), (2, "scheduled")]:
        shop.write("sale.yaml", SCHEDULED.format(text="Hi", revision=revision).replace("vip", "best"))
        plan = shop.run("plan", "--format", "json").json
        assert not plan["problems"]  # what to delete is said once
        reason = {one["address"]: one for one in plan["actions"]}
        assert reason["sale/best"]["reason_code"] == code
        assert "will be sent at 2036-12-01 10:00" in reason["sale/best"]["reason"]
        assert f"(id {number}) in the account" in reason["sale/best"]["reason"]
        assert "lock withdraw sale/vip" in reason["sale/best"]["reason"]
        assert "revision" not in reason["sale/best"]["reason"]
        assert shop.run("apply", "--auto-approve").code == 4
    (shop.root / "smsby.lock.json").unlink()
    assert _plan(shop, 4)["reason_code"] == "scheduled"
    shop.write("sale.yaml", SCHEDULED.format(text="Hi", revision=1).replace("vip", "best"))
    lost = _plan(shop, 4)
    assert lost["reason_code"] == "collision"
    assert f"(id {number}) in the account at sms.by before 2036-12-01 10:00" in lost["reason"]
    assert "revision" not in lost["reason"]
    assert shop.run("apply", "--auto-approve").code == 4
    assert len(shop.run("api", "getSMSMessages").json["data"]) == 1

    shop.write("smsby.lock.json", lock)
    shop.delete_all()
    assert shop.run("lock", "withdraw", "sale/vip").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert [row["name"].partition(" shop#")[0] for row in shop.run("api", "getSMSMessages").json["data"]] == [
        "sale/best"
    ]


def test_overdue_mailing_fails_no_plan_of_others(shop: Shop) -> None:
    """An overdue mailing is a warning in plan and apply, and an error only if it alone is selected."""
    _write(shop, "Hi")
    shop.write(
        "old.yaml", SCHEDULED.format(text="Old", revision=1).replace("sale", "old").replace("2036", "2020")
    )
    assert shop.run("plan", "--out", "plan.json").code == 0
    applied = shop.run("apply", "plan.json", "--auto-approve", "--format", "json")
    assert applied.code == 0, applied.err
    outcomes = {one["address"]: one["outcome"] for one in applied.json["mailings"]}
    assert outcomes == {"old/vip": "skipped", "sale/vip": "sent"}
    again = shop.run("plan", "--format", "json")
    assert again.code == 0
    assert {one["code"] for one in again.json["problems"]} == {"EXPIRED"}
    assert shop.run("plan", "old/vip", "--out", "old.json").code == 4
    assert shop.run("apply", "old.json", "--auto-approve").code == 4


def test_status_shows_every_revision_that_is_not_final(shop: Shop) -> None:
    """status shows an earlier revision next to the latest one in every format, as long as its deliveries are open."""
    shop.settings(delay=3600)
    for revision, text in ((1, "Hi"), (2, "Hello")):
        shop.write(
            "sale.yaml", SCHEDULED.format(text=text, revision=revision).replace("schedule_time", "# time")
        )
        assert shop.run("apply", "--auto-approve").code == 0
    shown = shop.run("status", "--format", "json")
    assert shown.code == 0, shown.err
    rows = [(one["address"], one["revision"], one["state"]) for one in shown.json["mailings"]]
    assert rows == [("sale/vip", 1, "sending"), ("sale/vip", 2, "sending")]
    for form, name in (
        ("text", "sale/vip r1"),
        ("markdown", "sale/vip r1"),
        ("html", "sale/vip r1"),
        ("junit", 'name="vip r1"'),
        ("csv", ",1\n"),
    ):
        assert name in shop.run("status", "--format", form).out, form


def test_opt_out_after_acceptance_is_a_warning_until_it_is_gone(shop: Shop) -> None:
    """A warning counts late opt-outs of a scheduled mailing with the deadline to remove them; the comment has no change."""
    shop.write("smsby.yaml", f"{PROJECT}suppress: [out.csv]\n")
    shop.write("out.csv", "phone\n375291234568\n")
    vip = SCHEDULED.replace("375291234568", '375291234568", "375291234569')
    shop.write("sale.yaml", vip.format(text="Hi", revision=1))
    assert shop.run("apply", "--auto-approve").code == 0
    before = shop.run("plan", "--format", "json")
    assert before.json["problems"] == []

    shop.write("out.csv", "phone\n375291234568\n375291234569\n")
    planned = shop.run("plan", "--format", "json")
    assert planned.code == 0
    assert [one["action"] for one in planned.json["actions"]] == ["noop"]
    (late,) = planned.json["problems"]
    assert (late["severity"], late["code"], late["address"]) == ("warning", "OPTED_OUT_LATE", "sale/vip")
    assert "at least 1 recipient opted out" in late["message"]
    assert "until 2036-12-01 10:00" in late["message"]
    comment = shop.run("plan", "--format", "markdown").out
    assert "-1 recipient" not in comment
    assert "OPTED\\_OUT\\_LATE" in comment or "OPTED_OUT_LATE" in comment
