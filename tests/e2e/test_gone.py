"""Gone mailings: how their files may change after they were sent."""

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


def _write_files(shop: Shop) -> None:
    shop.write("smsby.yaml", f"{PROJECT}defaults: {{alphaname: MyShop}}\n")
    shop.write("templates/footer.j2", "Shop")
    shop.write("lists/vip.csv", "phone,name\n375291234567,Anna\n375291234568,Boris\n")
    shop.write("texts/staff.j2", "Closed")
    shop.write("sale.yaml", _SALE)


def _send(shop: Shop) -> None:
    _write_files(shop)
    sent = shop.run("apply", "--auto-approve")
    assert sent.code == 0, sent.err


def _plan(shop: Shop, code: int = 0) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the actions by address, and the problems."""
    result = shop.run("plan", "--format", "json")
    assert result.code == code, result.err
    actions = {one["address"]: one["reason_code"] or one["action"] for one in result.json["actions"]}
    return actions, result.json["problems"]


def test_shared_files_make_no_gone_mailing_changed(shop: Shop) -> None:
    """A changed footer or `defaults` is a note for a gone mailing; a change of its own text is a changed mailing."""
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


def _remove(shop: Shop, *names: str) -> None:
    for name in names:
        (shop.root / name).unlink()


def test_files_of_a_gone_mailing_may_be_missing(shop: Shop) -> None:
    """A missing list, text or include of a gone mailing is a note in validate and plan, and others can be sent."""
    _send(shop)
    _remove(shop, "lists/vip.csv", "texts/staff.j2")
    shop.write(
        "new.yaml",
        'version: 1\ncampaign: new\nmailings:\n  - {name: a, recipients: ["375291234560"], text: Hi}\n',
    )
    actions, problems = _plan(shop)
    assert actions == {"new/a": "create", "sale/vip": "noop", "sale/staff": "noop"}
    missing = [("note", "FILE_MISSING", "sale/vip", 5), ("note", "FILE_MISSING", "sale/staff", 9)]
    assert [(one["severity"], one["code"], one["address"], one["line"]) for one in problems] == missing
    validated = shop.run("validate", "--format", "json")
    assert validated.code == 0
    assert validated.json["problems"] == problems
    assert shop.run("test").code == 0
    assert shop.run("plan", "--out", "plan.json").code == 0
    applied = shop.run("apply", "plan.json", "--auto-approve")
    assert applied.code == 0, applied.err
    assert len(shop.inbox()["375291234560"]) == 1

    shop.write("lists/vip.csv", "phone,nom\n12,Anna\n")
    _remove(shop, "templates/footer.j2")
    actions, problems = _plan(shop)
    assert actions["sale/vip"] == "noop"
    assert [(one["severity"], one["code"]) for one in problems][1] == ("note", "INCLUDE")
    assert shop.run("validate").code == 0


def test_changed_gone_mailing_needs_its_files(shop: Shop) -> None:
    """If the text of a gone mailing changed, its other files are required, and what is wrong with them is reported."""
    _send(shop)
    _remove(shop, "templates/footer.j2")
    assert shop.run("validate").code == 0
    shop.write("sale.yaml", _SALE.replace("Hi,", "Hello,"))
    assert shop.run("validate").code == 3
    assert shop.run("plan").code == 3


def test_files_of_a_mailing_that_is_not_gone_are_needed(shop: Shop) -> None:
    """The files of a mailing are required if only another of its revisions was sent."""
    _send(shop)
    shop.write("sale.yaml", _SALE.replace("campaign: sale", "campaign: sale\nrevision: 2"))
    _remove(shop, "lists/vip.csv")
    assert shop.run("plan").code == shop.run("validate").code == 3
    shop.write("sale.yaml", _SALE)
    assert shop.run("plan").code == shop.run("validate").code == 0


def test_files_of_a_scheduled_mailing_are_needed(shop: Shop) -> None:
    """The files of a mailing are required until its time has come: only then it is gone."""
    _write_files(shop)
    shop.write(
        "sale.yaml", _SALE.replace("campaign: sale", "campaign: sale\nschedule_time: 2036-12-01T10:00:00")
    )
    assert shop.run("apply", "--auto-approve").code == 0
    _remove(shop, "lists/vip.csv")
    assert shop.run("plan").code == shop.run("validate").code == 3


def test_problem_outside_select_stops_nothing_inside(shop: Shop) -> None:
    """A problem outside the selection stops no command, whether in another file or in another mailing of the same file."""
    shop.write("broken.yaml", "version: [1\n")
    shop.write("other.yaml", "version: 1\ncampaign: other\nmailings: none\n")
    shop.write(
        "sale.yaml",
        "version: 1\ncampaign: sale\nmailings:\n"
        '  - {name: vip, recipients: ["375291234567"], text: Hi}\n'
        "  - {name: gone, recipients: {file: gone.csv}, text: Hi}\n"
        '  - {name: zone, recipients: ["375291234568"], text: Hi, timezone: X/Y}\n'
        '  - {name: bad, recipients: ["12"], text: "{{ x"}\n',
    )
    assert shop.run("plan").code == 3
    for command in (("render", "sale/vip"), ("plan", "sale/v*", "--out", "plan.json")):
        result = shop.run(*command)
        assert result.code == 0, result.err
    for pattern in ("sale/*", "*/vip", "sale/gone", "sale/zone", "sale/bad", "other/x", "x/y"):
        assert shop.run("plan", pattern).code == 3, pattern
    assert shop.run("apply", "--select", "sale/vip", "--auto-approve").code == 0
    assert list(shop.inbox()) == ["375291234567"]
    assert shop.run("apply", "plan.json", "--auto-approve").code == 5


_LATER = _SALE.replace("campaign: sale", "campaign: sale\nschedule_time: 2036-12-01T10:00:00")


def _cancelled(text: str) -> str:
    """A campaign whose first mailing is cancelled."""
    return text.replace("- name: vip", "- name: vip\n    cancelled: wrong prices")


def test_cancelled_mailing_is_not_sent(shop: Shop) -> None:
    """A cancelled mailing has no action, fails no plan, needs no files, and is sent once `cancelled` is removed."""
    shop.write("texts/staff.j2", "Closed")
    shop.write("sale.yaml", _cancelled(_SALE))
    actions, problems = _plan(shop)
    assert actions == {"sale/staff": "create"}
    assert [(one["severity"], one["code"], one["address"]) for one in problems] == [
        ("note", "FILE_MISSING", "sale/vip"),
        ("note", "CANCELLED", "sale/vip"),
    ]
    assert problems[1]["message"] == "wrong prices"
    assert shop.run("validate").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert list(shop.inbox()) == ["375291234569"]
    alone = shop.run("plan", "sale/vip")
    assert alone.code == 0
    assert "note CANCELLED sale/vip: wrong prices" in alone.out
    assert shop.run("import", "sale/vip", "--message-id", "1").code == 4
    shop.write("templates/footer.j2", "Shop")
    shop.write("lists/vip.csv", "phone,name\n375291234567,Anna\n")
    shop.write("sale.yaml", _SALE)
    assert _plan(shop)[0] == {"sale/vip": "create", "sale/staff": "noop"}


def test_cancelled_mailing_that_is_scheduled_is_a_warning(shop: Shop) -> None:
    """Cancelling a scheduled mailing only warns, with its name, id and time: nothing is cancelled at sms.by."""
    _write_files(shop)
    shop.write("sale.yaml", _LATER)
    assert shop.run("apply", "--auto-approve").code == 0
    shop.write("sale.yaml", _cancelled(_LATER))
    actions, problems = _plan(shop)
    assert actions["sale/vip"] == "noop"
    (warning,) = [one for one in problems if one["code"] == "NOT_CANCELLED"]
    assert warning["severity"] == "warning"
    assert warning["message"].startswith(
        "wrong prices; but sms.by has accepted it and will send it at 2036-12-01 10:00 +03: delete `sale/vip shop#"
    )
    assert "smsby-deploy lock withdraw sale/vip" in warning["message"]


def test_copy_of_a_cancelled_mailing_is_not_sent_beside_it(shop: Shop) -> None:
    """While a cancelled mailing is scheduled its copy is a collision, also without a lock; once deleted, the copy is sent."""
    campaign = "version: 1\ncampaign: sale\nschedule_time: 2036-12-01T10:00:00\nmailings:\n"
    rest = "recipients: ['375291234567', '375291234568'], text: Hi"
    shop.write("smsby.yaml", PROJECT)
    shop.write("sale.yaml", f"{campaign}  - {{name: vip, {rest}}}\n")
    assert shop.run("apply", "--auto-approve").code == 0
    copy = f"{campaign}  - {{name: vip, cancelled: why, {rest}}}\n  - {{name: again, {rest}}}\n"
    shop.write("sale.yaml", copy)
    assert _plan(shop, 4)[0] == {"sale/vip": "noop", "sale/again": "collision"}
    assert shop.run("apply", "--auto-approve").code == 4
    lock = (shop.root / "smsby.lock.json").read_text("utf-8")
    (shop.root / "smsby.lock.json").unlink()
    actions, problems = _plan(shop, 4)
    assert actions == {"sale/again": "collision"}
    (said,) = [one["message"] for one in problems if one["code"] == "NOT_CANCELLED"]
    assert said.startswith(
        "why; but sms.by lists it, although the lock does not have it: delete `sale/vip shop#"
    )
    shop.write("smsby.lock.json", lock)
    shop.delete_all()
    assert shop.run("lock", "withdraw", "sale/vip", "--anyway").code == 0
    assert shop.run("apply", "--auto-approve").code == 0
    assert len(shop.run("api", "getSMSMessages").json["data"]) == 1


def test_cancelled_mailing_that_was_sent_stays_recorded(shop: Shop) -> None:
    """For a cancelled mailing a note says that it was sent before; an unknown outcome must still be settled."""
    _send(shop)
    shop.write("sale.yaml", _cancelled(_SALE))
    actions, problems = _plan(shop)
    assert actions["sale/vip"] == "noop"
    assert [one["message"] for one in problems] == ["wrong prices; it was sent before"]
    (shop.root / "smsby.lock.json").rename(shop.root / "kept")
    assert [one["message"] for one in _plan(shop)[1]][1:] == ["wrong prices; it was sent before"]
    (shop.root / "kept").rename(shop.root / "smsby.lock.json")
    other = _SALE.replace("campaign: sale", "campaign: other").replace("Hi", "Hello")
    shop.write("sale.yaml", other)
    shop.fault(method="sendBulkSms", mode="502")
    assert shop.run("apply", "--select", "other/vip", "--auto-approve").code == 6
    shop.write("sale.yaml", _cancelled(other))
    assert _plan(shop, 4)[0]["other/vip"] == "unknown"


def test_finished_campaigns_take_one_line(shop: Shop) -> None:
    """Finished campaigns take one line in the plan, in the files or not; the JSON lists all of them."""
    for campaign in ("old", "sale"):
        rows = "".join(
            f"  - {{name: m{n}, recipients: ['37529{n:07}'], text: Hi {campaign} {n}}}\n" for n in range(40)
        )
        shop.write(f"{campaign}.yaml", f"version: 1\ncampaign: {campaign}\nmailings:\n{rows}")
    assert shop.run("apply", "--auto-approve").code == 0
    (shop.root / "old.yaml").unlink()
    shop.write(
        "new.yaml",
        "version: 1\ncampaign: new\nmailings:\n  - {name: a, recipients: ['375291234567'], text: Hey}\n",
    )
    text = shop.run("plan").out
    assert len(text.splitlines()) < 12, text
    assert "sent, nothing to do: 40 mailings (sale/m0, sale/m1, sale/m2 and 37 more)" in text
    assert "no longer in the files: 40 mailings (old/m0, old/m1, old/m10 and 37 more)" in text
    assert "+ create  new/a" in text
    assert shop.run("plan", "--format", "markdown").out.count("sale/m") == 3
    assert len(shop.run("plan", "--format", "json").json["actions"]) == 81
