"""Mailings removed from the files after their approval or between two waves, including with an outdated lock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import Result, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.e2e.trial import PHONES

_NOW = datetime.now(UTC)  # noqa: TID251  # the commands use the real clock, or one that is ahead of it
_TIME = (_NOW + timedelta(days=2)).replace(microsecond=0, second=0)
_OPEN = 40 * 3600.0
_HEAD = f"version: 1\ncampaign: sale\nalphaname: MyShop\nschedule_time: {_TIME:%Y-%m-%dT%H:%M:%S}Z\n"
_TO = "recipients: ['{}', '{}', '{}'], text: Hello".format(*PHONES)
_WAYS = {"bulk": _TO, "single": f"via: single, {_TO}", "upload": f"upload: true, {_TO}"}
_CAMPAIGN = _HEAD + "release: {{before: 12h, at_latest: 20m}}\nmailings:\n  - {{name: vip, {}}}\n"


def _later(shop: Shop, *arguments: str, code: int | None = 0) -> Result:
    done = shop.run(*arguments, env={CLOCK_AHEAD: str(_OPEN)})
    assert code is None or done.code == code, (done.code, done.out, done.err)
    return done


def _sends(shop: Shop) -> list[str]:
    return [call["method"] for call in shop.calls() if not call["method"].startswith(("get", "check"))]


def _state(shop: Shop) -> str:
    state: str = shop.lock()["mailings"]["sale/vip"]["state"]
    return state


@pytest.mark.parametrize("change", ["removed", "cancelled", "changed"])
@pytest.mark.parametrize("way", _WAYS)
def test_older_lock_withdraws_nothing_that_was_sent(shop: Shop, way: str, change: str) -> None:
    """If an outdated lock has a sent mailing as waiting, it is recorded, or unknown if the list does not prove all of it."""
    shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way]))
    assert shop.run("apply", "--auto-approve").code == 0
    older = (shop.root / "smsby.lock.json").read_text()
    _later(shop, "apply", "--due")
    shop.write("smsby.lock.json", older)
    sent = _sends(shop)
    if change == "removed":
        (shop.root / "sale.yaml").unlink()
    elif change == "cancelled":
        shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way] + ", cancelled: wrong"))
    else:
        shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way].replace("Hello", "Other")))
    assert _later(shop, "status").out.startswith("waiting")
    done = _later(shop, "apply", "--due", "--format", "json", code=None)
    (mailing,) = done.json["mailings"]
    if way == "single" and change == "changed":  # sms.by lists it under another fingerprint
        assert (done.code, mailing["error"][:10], _state(shop)) == (4, "collision:", "waiting")
    elif way == "single":  # a listed message does not say which phones it was sent to
        assert (done.code, mailing["outcome"], _state(shop)) == (6, "unknown", "unknown")
        assert shop.run("lock", "resolve", "sale/vip", "--sent").code == 0
        assert _state(shop) == "complete"
    else:
        code = 4 if change == "changed" else 0
        assert (done.code, mailing["outcome"], _state(shop)) == (code, "adopted", "complete")
        assert "delete `sale/vip" in mailing["error"] and "lock withdraw sale/vip" in mailing["error"]
        assert _later(shop, "status").out.startswith("scheduled sale/vip")
    _later(shop, "apply", "--due", code=None)
    assert _sends(shop) == sent


_FRESH = "recipients: {file: vip.csv}, text: Hello, audience: fresh, expect_recipients: {max: 3}"


def _older_lock(shop: Shop, campaign: str) -> str:
    """Approve and hand over a campaign, and bring back the lock from before the hand-over."""
    shop.write("sale.yaml", campaign)
    assert shop.run("apply", "--auto-approve").code == 0
    older = (shop.root / "smsby.lock.json").read_text()
    if "vip.csv" in campaign:
        shop.write("vip.csv", "\n".join(["phone", *PHONES[:2]]))
    _later(shop, "apply", "--due")
    shop.write("smsby.lock.json", older)
    return older


def test_older_lock_of_another_audience_withdraws_nothing(shop: Shop) -> None:
    """A fresh audience is listed under another fingerprint: the files prove that it was sent; without them it is unknown."""
    shop.write("vip.csv", f"phone\n{PHONES[0]}\n")
    older = _older_lock(shop, _CAMPAIGN.format(_FRESH))
    (shop.root / "sale.yaml").rename(shop.root / "kept")
    (problem,) = _later(shop, "plan", "--format", "json").json["problems"]
    assert (problem["code"], "lock resolve sale/vip" in problem["message"]) == ("REMOVED", True)
    done = _later(shop, "apply", "--due", "--format", "json", code=6)
    assert (done.json["mailings"][0]["outcome"], _state(shop)) == ("unknown", "unknown")
    (shop.root / "kept").rename(shop.root / "sale.yaml")
    shop.write("smsby.lock.json", older)
    done = _later(shop, "apply", "--due", "--format", "json")
    assert (done.json["mailings"][0]["outcome"], _state(shop)) == ("adopted", "complete")
    assert (shop.lock()["mailings"]["sale/vip"]["recipients"], len(_sends(shop))) == (2, 1)


def test_older_lock_of_a_renamed_mailing_is_a_collision(shop: Shop) -> None:
    """A mailing that an outdated lock has as waiting, rejected or in a lower revision is not sent under a new name."""
    text = "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: ['375291234567'], text: Hi}\n"
    shop.write("sale.yaml", text)
    shop.fault(method="sendBulkSms", mode="error")
    assert shop.run("apply", "--auto-approve").code == 1
    for name, revision in (("rejected", 1), ("lower", 2)):
        older = (shop.root / "smsby.lock.json").read_bytes()
        shop.write("sale.yaml", text.replace("vip,", f"vip, revision: {revision},"))
        assert shop.run("apply", "--auto-approve").code == 0, name
        newer = (shop.root / "smsby.lock.json").read_bytes()
        (shop.root / "smsby.lock.json").write_bytes(older)
        shop.write("sale.yaml", text.replace("vip,", f"best, revision: {revision},"))
        planned = shop.run("plan", "--format", "json").json["actions"]
        assert [one["reason_code"] for one in planned if one["address"] == "sale/best"] == ["collision"], name
        assert shop.run("apply", "--auto-approve").code == 4
        (shop.root / "smsby.lock.json").write_bytes(newer)
    assert len(shop.inbox()["375291234567"]) == 2


@pytest.mark.parametrize("is_removed", [True, False])
def test_older_lock_of_an_earlier_revision_is_a_collision(shop: Shop, *, is_removed: bool) -> None:
    """A revision that an outdated lock has as rejected is not sent under a new name, even if the next one was sent."""
    text = "version: 1\ncampaign: sale\nmailings:\n  - {name: vip, recipients: ['375291234567'], text: Hi}\n"
    raised = text.replace("vip,", "vip, revision: 2,").replace("Hi", "Bye")
    shop.write("sale.yaml", text)
    shop.fault(method="sendBulkSms", mode="error")
    assert shop.run("apply", "--auto-approve").code == 1
    older = (shop.root / "smsby.lock.json").read_bytes()
    assert shop.run("apply", "--auto-approve").code == 0
    (shop.root / "smsby.lock.json").write_bytes(older)
    shop.write("sale.yaml", raised)
    assert shop.run("apply", "--auto-approve").code == 0
    renamed = text.replace("vip", "best")
    shop.write("sale.yaml", renamed if is_removed else raised + renamed.splitlines()[-1] + "\n")
    planned = shop.run("plan", "--format", "json").json["actions"]
    assert [one["reason_code"] for one in planned if one["address"] == "sale/best"] == ["collision"]
    assert shop.run("apply", "--auto-approve").code == 4
    assert len(shop.inbox()["375291234567"]) == 2


@pytest.mark.parametrize("change", ["none", "moved", "broken"])
@pytest.mark.parametrize("way", _WAYS)
def test_older_lock_misses_nothing_after_the_window(shop: Shop, way: str, change: str) -> None:
    """A sent mailing that an outdated lock has as waiting is not called expired, whatever name sms.by has for it."""
    _older_lock(shop, _CAMPAIGN.format(_WAYS[way]))
    sent, over = _sends(shop), {CLOCK_AHEAD: str(47.9 * 3600)}
    if change == "moved":
        shop.write("sale.yaml", _CAMPAIGN.format(_WAYS[way]).replace("vip", "best"))
        assert shop.run("lock", "move", "sale/vip", "sale/best").code == 0
    elif change == "broken":
        shop.write("sale.yaml", "version: 1\ncampaign: [")
    done = shop.run("apply", "--due", "--format", "json", env=over)
    outcome = "unknown" if (way, change) == ("single", "broken") else "adopted"
    code = 6 if outcome == "unknown" else 0  # even if the plan had it as unknown: it is settled now
    assert (done.code, done.json["mailings"][0]["outcome"]) == (code, outcome)
    (entry,) = shop.lock()["mailings"].values()
    assert (entry["state"], _sends(shop)) == ("unknown" if outcome == "unknown" else "complete", sent)


@pytest.mark.parametrize("hours", [_OPEN / 3600, 47.9, 49])
@pytest.mark.parametrize("way", _WAYS)
def test_plan_and_status_notice_an_older_lock(shop: Shop, way: str, hours: float) -> None:
    """plan and status call nothing that sms.by lists due, expired or "not sent", and an apply records it."""
    _older_lock(shop, _CAMPAIGN.format(_WAYS[way]))
    sent, later = _sends(shop), {CLOCK_AHEAD: str(hours * 3600)}
    said = shop.run("status", env=later).out
    assert "sms.by lists it although the lock records it as waiting, so this lock is outdated" in said
    assert "is not sent" not in said
    (action,) = shop.run("plan", "--format", "json", env=later).json["actions"]
    found = ("blocked", "unknown") if way == "single" else ("adopt", None)
    assert (action["action"], action["reason_code"]) == found
    assert "due" not in shop.run("plan", env=later).out.partition("next:")[0]
    shop.run("apply", "--auto-approve", env=later)
    assert (_state(shop), _sends(shop)) == ("complete", sent)
    assert "although" not in shop.run("status", env=later).out


@pytest.mark.parametrize("change", ["text: Other", "text: Hello, revision: 2"])
def test_older_lock_of_a_renamed_mailing_replaces_nothing(shop: Shop, change: str) -> None:
    """After lock move, a single mailing that sms.by lists under its former name is not approved again."""
    _older_lock(shop, _CAMPAIGN.format(_WAYS["single"]))
    sent = _sends(shop)
    shop.write(
        "sale.yaml",
        _CAMPAIGN.format(_WAYS["single"]).replace("vip", "best").replace("text: Hello", change),
    )
    assert shop.run("lock", "move", "sale/vip", "sale/best").code == 0
    assert _later(shop, "apply", "--auto-approve", code=6).code == 6
    assert (shop.lock()["mailings"]["sale/best"]["state"], _sends(shop)) == ("unknown", sent)


def test_older_lock_of_a_renamed_mailing_sends_nothing(shop: Shop) -> None:
    """After lock move, the deliveries under the former name show who got the mailing, so nothing is sent."""
    _older_lock(shop, _CAMPAIGN.format(_WAYS["single"]))
    sent = _sends(shop)
    shop.write("sale.yaml", _CAMPAIGN.format(_WAYS["single"]).replace("vip", "best"))
    assert shop.run("lock", "move", "sale/vip", "sale/best").code == 0
    _later(shop, "apply", "--due")
    assert (shop.lock()["mailings"]["sale/best"]["state"], _sends(shop)) == ("complete", sent)


@pytest.mark.parametrize("change", ["none", "changed"])
def test_unknown_mailing_is_looked_for_after_its_window(shop: Shop, change: str) -> None:
    """A hand-over reports an unknown mailing after its window, and records it once it is listed, even if its file changed."""
    shop.write("sale.yaml", _CAMPAIGN.format(_WAYS["single"].replace("single", "bulk")))
    assert shop.run("apply", "--auto-approve").code == 0
    shop.settings(list_lag=3600)
    shop.fault(method="sendBulkSms", nth=2, mode="reset", when="after")
    assert _later(shop, "apply", "--due", code=6).code == 6
    over = {CLOCK_AHEAD: str(47.9 * 3600)}
    if change == "changed":
        shop.write("sale.yaml", (shop.root / "sale.yaml").read_text().replace("Hello", "Other"))
    assert shop.run("apply", "--due", env=over).code == 6
    shop.settings(list_lag=0)
    assert shop.run("apply", "--due", env=over).code == (0 if change == "none" else 4)
    assert (_state(shop), len(_sends(shop))) == ("complete", 2)
    assert "nothing to do" in shop.run("apply", "--due", env=over).out


@pytest.mark.parametrize("change", ["removed", "cancelled"])
def test_removed_mailing_is_looked_for_while_it_is_unknown(shop: Shop, change: str) -> None:
    """Every hand-over reports a removed mailing as unknown until sms.by lists it or a user settles it."""
    shop.write("sale.yaml", _CAMPAIGN.format(_WAYS["bulk"]))
    assert shop.run("apply", "--auto-approve").code == 0
    shop.settings(list_lag=3600)
    shop.fault(method="sendBulkSms", mode="reset", when="after")
    assert _later(shop, "apply", "--due", code=6).code == 6
    if change == "removed":
        (shop.root / "sale.yaml").unlink()
    else:
        shop.write("sale.yaml", _CAMPAIGN.format(_WAYS["bulk"] + ", cancelled: wrong"))
    done = _later(shop, "apply", "--due", "--format", "json", code=6)
    assert [mailing["outcome"] for mailing in done.json["mailings"]] == ["unknown"]
    shop.settings(list_lag=0)
    _later(shop, "apply", "--due")
    assert [chunk["state"] for chunk in shop.lock()["mailings"]["sale/vip"]["chunks"]] == [
        "accepted",
        "pending",
    ]
    assert len(_sends(shop)) == 1


def test_mailing_is_deleted_under_its_name_in_the_account(shop: Shop) -> None:
    """After lock move, messages use the mailing's name at sms.by, where the user must delete it."""
    _older_lock(shop, _CAMPAIGN.format(_WAYS["bulk"]))
    shop.write("sale.yaml", _CAMPAIGN.format(_WAYS["bulk"]).replace("vip", "best").replace("Hello", "Other"))
    assert shop.run("lock", "move", "sale/vip", "sale/best").code == 0
    assert "delete `sale/vip [1/2] shop#" in _later(shop, "plan", code=4).out


def test_unknown_approval_is_not_called_changed(shop: Shop) -> None:
    """An unknown approval must be resolved; neither its message nor its exit code suggests a new plan."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[2]}\n")
    _older_lock(shop, _CAMPAIGN.format(_WAYS["single"]))
    shop.write("stop.csv", "phone\n")
    done = _later(shop, "apply", "--due", "--format", "json", code=6)
    (mailing,) = done.json["mailings"]
    assert (mailing["outcome"], "lock resolve sale/vip" in mailing["error"]) == ("unknown", True)


@pytest.mark.parametrize("way", ["bulk", "single"])
def test_lapse_ends_once_the_mailing_is_listed(shop: Shop, way: str) -> None:
    """A mailing that was called withdrawn while the list lagged is recorded as sent once the list has it."""
    shop.settings(list_lag=3600)
    _older_lock(shop, _CAMPAIGN.format(_WAYS[way]))
    sent = _sends(shop)
    (shop.root / "sale.yaml").rename(shop.root / "kept")
    assert _later(shop, "apply", "--due").code == 0
    assert _state(shop) == "withdrawn"
    shop.settings(list_lag=0)
    (shop.root / "kept").rename(shop.root / "sale.yaml")
    assert _later(shop, "apply", "--auto-approve").code == 0
    assert (_state(shop), _sends(shop)) == ("complete", sent)
    assert _later(shop, "status").out.startswith("scheduled sale/vip")


def test_crash_while_a_removed_mailing_is_recorded(shop: Shop) -> None:
    """After a crash at any point, the next run leaves nothing that sms.by lists as unsent or withdrawn in the lock."""
    older = _older_lock(shop, _CAMPAIGN.format(_WAYS["bulk"]))
    (shop.root / "sale.yaml").unlink()
    for k in range(1, 60):
        for path in shop.root.glob("smsby.lock.json*"):
            path.unlink()
        shop.write("smsby.lock.json", older)
        died = shop.run("apply", "--due", env={CLOCK_AHEAD: str(_OPEN), "SMSBY_FAULT": f"kill:{k}"}).code
        shown = shop.run("lock", "list").out.split()[0]
        assert shown in ("waiting", "unknown", "complete"), k
        assert _later(shop, "apply", "--due").code == 0, k
        assert _state(shop) == "complete", k
        if died == 0:
            break
    assert k > 10


_WAVES = "waves: [{people: 1, after: 45m, give_up: 6h, delivered: 80}, {people: 1, after: 2h, delivered: 80}, rest]"
_IN_WAVES = f"version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, {_TO}, {_WAVES}}}\n"
_AFTER = 46 * 60.0


def _ahead(shop: Shop, *arguments: str) -> Result:
    return shop.run(*arguments, env={CLOCK_AHEAD: str(_AFTER)})


@pytest.fixture
def begun(shop: Shop) -> Shop:
    """A mailing whose first of three waves was sent and delivered."""
    shop.settings(delay=0, fates=dict.fromkeys(PHONES, "DELIVERED"))
    shop.write("sale.yaml", _IN_WAVES)
    assert shop.run("apply", "--auto-approve").code == 0
    return shop


def test_removed_mailing_says_which_waves_are_not_sent(begun: Shop) -> None:
    """plan, hand-over and status report the unsent waves of a removed mailing until it is restored or ended; none is sent."""
    (begun.root / "sale.yaml").unlink()
    why = "it was removed from the files while waves 2-3 of 3 waited, so 2 recipients do not get it"
    plan = _ahead(begun, "plan", "--format", "json")
    (problem,) = plan.json["problems"]
    assert (plan.code, problem["code"], problem["severity"]) == (0, "REMOVED", "warning")
    assert problem["message"].startswith(why) and "lock abandon sale/vip" in problem["message"]
    assert "REMOVED" in begun.run("plan", "--offline").out
    for _ in range(2):
        due = _ahead(begun, "apply", "--due", "--format", "json")
        (mailing,) = due.json["mailings"]
        assert (due.code, mailing["outcome"], mailing["recipients"]) == (4, "skipped", 2)
        assert mailing["error"].startswith(f"wave: {why}")
    status = _ahead(begun, "status", "--format", "json")
    (shown,) = status.json["mailings"]
    assert (status.code, shown["state"], shown["other"]) == (6, "partial", {"not sent": 2})
    assert any(note.startswith(why) for note in shown["notes"])
    assert len(begun.inbox()) == 1


def test_removed_mailing_with_waves_is_ended_or_restored(begun: Shop) -> None:
    """A removed mailing can be ended with `lock abandon` or continued by restoring its file, as the message says."""
    (begun.root / "sale.yaml").unlink()
    assert _ahead(begun, "apply", "--due").code == 4
    lock = (begun.root / "smsby.lock.json").read_text()
    assert begun.run("lock", "abandon", "sale/vip", "--reason", "wrong price").code == 0
    assert "nothing to do" in _ahead(begun, "apply", "--due").out
    assert _ahead(begun, "plan", "--format", "json").json["problems"] == []
    assert _ahead(begun, "status").code == 0
    begun.write("smsby.lock.json", lock)
    begun.write("sale.yaml", _IN_WAVES)
    assert _ahead(begun, "apply", "--due").code == 0
    assert len(begun.inbox()) == 2


def test_removed_mailing_with_an_older_lock_is_unknown(begun: Shop) -> None:
    """With an outdated lock, a wave that is listed is recorded, and the last wave of the removed mailing is unknown."""
    older = (begun.root / "smsby.lock.json").read_text()
    assert _ahead(begun, "apply", "--due").code == 0
    begun.write("smsby.lock.json", older)
    (begun.root / "sale.yaml").unlink()
    (problem,) = _ahead(begun, "plan", "--format", "json").json["problems"]
    assert (problem["code"], "lock resolve sale/vip" in problem["message"]) == ("REMOVED", True)
    due = _ahead(begun, "apply", "--due", "--format", "json")
    (mailing,) = due.json["mailings"]
    assert (due.code, mailing["outcome"], _state(begun)) == (6, "unknown", "unknown")
    assert "lock resolve sale/vip --sent" in mailing["error"]
    approved = json.loads(older)["mailings"]["sale/vip"]["applied"]["plan"]
    assert (
        begun.lock()["mailings"]["sale/vip"]["applied"]["plan"] == approved
    )  # no hand-over approves a mailing
    assert begun.run("lock", "resolve", "sale/vip", "--not-sent").code == 0
    assert "while wave 3 of 3 waited, so 1 recipient does not get it" in _ahead(begun, "apply", "--due").out


def test_removed_mailing_with_an_unknown_wave_is_reported(begun: Shop) -> None:
    """A removed mailing is reported while a wave is unknown, and afterwards because its last wave waits."""
    begun.fault(method="sendBulkSms", mode="reset", when="before")
    assert _ahead(begun, "apply", "--due").code == 6
    (begun.root / "sale.yaml").unlink()
    (problem,) = _ahead(begun, "plan", "--format", "json").json["problems"]
    assert (problem["code"], "lock resolve sale/vip" in problem["message"]) == ("REMOVED", True)
    assert "REMOVED" in begun.run("plan", "--offline").out
    due = _ahead(begun, "apply", "--due", "--format", "json")
    (mailing,) = due.json["mailings"]
    assert (due.code, mailing["outcome"]) == (6, "unknown")
    assert "lock resolve sale/vip --sent" in mailing["error"]
    assert begun.run("lock", "resolve", "sale/vip", "--not-sent").code == 0
    due = _ahead(begun, "apply", "--due")
    assert (due.code, "while waves 2-3 of 3 waited, so 2 recipients do not get it" in due.out) == (4, True)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_older_lock_stops_no_wave_that_was_sent(begun: Shop, *, is_stopped: bool) -> None:
    """A verdict about the first wave cannot stop the second one, if sms.by lists that as sent."""
    late = {CLOCK_AHEAD: str(7 * 3600)}
    if is_stopped:
        assert begun.run("apply", "--due", env=late).code == 4
    older = (begun.root / "smsby.lock.json").read_text()
    if is_stopped:
        assert begun.run("lock", "resolve", "sale/vip", "--go").code == 0
    assert begun.run("apply", "--due", env=late if is_stopped else {CLOCK_AHEAD: str(_AFTER)}).code == 0
    begun.write("smsby.lock.json", older)
    due = begun.run("apply", "--due", "--format", "json", env=late)
    assert (due.code, due.json["mailings"][0]["outcome"]) == (6, "unknown")
    entry = begun.lock()["mailings"]["sale/vip"]
    assert [chunk["state"] for chunk in entry["chunks"]] == ["accepted", "accepted", "unknown"]
    assert len(entry.get("verdicts", ())) == is_stopped


@pytest.mark.parametrize("broken", ["version: 1\ncampaign: [", "nonsense"])
def test_file_that_cannot_be_read_removes_nothing(begun: Shop, broken: str) -> None:
    """If a file cannot be read, its mailing does not count as removed, and no user is asked to end it."""
    begun.write("sale.yaml", broken)
    assert "removed" not in _ahead(begun, "status").out
    done = _ahead(begun, "apply", "--due")
    assert (done.code, "removed" in done.out) == (3, False)


def test_renamed_mailing_goes_on_after_its_record_is_moved(begun: Shop) -> None:
    """A mailing moved between two waves continues: each recipient gets it once, even if the lock is lost afterwards."""
    begun.write("sale.yaml", _IN_WAVES.replace("name: vip", "name: best"))
    assert "lock move sale/vip sale/best" in _ahead(begun, "plan").out
    assert begun.run("lock", "move", "sale/vip", "sale/best").code == 0
    assert _ahead(begun, "plan", "--format", "json").json["actions"][0]["action"] == "due"
    done = _ahead(begun, "apply", "--due", "--format", "json")
    assert (done.code, done.json["mailings"][0]["outcome"]) == (0, "sent"), done.out
    later = {CLOCK_AHEAD: str(_AFTER + 2.1 * 3600)}
    assert begun.run("apply", "--due", env=later).code == 0
    assert begun.run("plan", "--format", "json", env=later).json["actions"][0]["action"] == "noop"
    assert [len(messages) for messages in begun.inbox().values()] == [1, 1, 1]
    (begun.root / "smsby.lock.json").unlink()
    assert begun.run("apply", "--auto-approve", env=later).code == 4
    assert [len(messages) for messages in begun.inbox().values()] == [1, 1, 1]


def test_rest_of_a_renamed_and_changed_mailing_is_sent(shop: Shop) -> None:
    """The unsent chunks of a moved mailing are sent once each, even if some of them changed."""
    text = _IN_WAVES.replace(f", {_WAVES}", "")
    shop.write("sale.yaml", text)
    shop.fault(method="sendBulkSms", nth=1, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 1
    shop.write("sale.yaml", text.replace("name: vip", "name: best").replace(PHONES[0], PHONES[9]))
    assert shop.run("lock", "move", "sale/vip", "sale/best").code == 0
    shop.fault(method="sendBulkSms", nth=2, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    assert shop.run("apply", "--auto-approve").code == 0
    assert {phone: len(one) for phone, one in shop.inbox().items()} == dict.fromkeys(
        [*PHONES[1:3], PHONES[9]], 1
    )


@pytest.mark.parametrize("way", ["bulk", "single"])
def test_rest_of_a_renamed_mailing_is_sent(shop: Shop, way: str) -> None:
    """The rest of a moved mailing is sent: recorded fingerprints identify its chunks, whatever they are called."""
    shop.write("sale.yaml", f"version: 1\ncampaign: sale\nmailings:\n  - {{name: vip, {_WAYS[way]}}}\n")
    method = "sendSMS" if way == "single" else "sendBulkSms"
    shop.fault(method=method, nth=2, mode="error", text="limit exceeded")
    assert shop.run("apply", "--auto-approve").code == 6
    shop.write("sale.yaml", (shop.root / "sale.yaml").read_text().replace("name: vip", "name: best"))
    assert shop.run("lock", "move", "sale/vip", "sale/best").code == 0
    assert shop.run("plan", "--format", "json").json["actions"][0]["action"] == "resume"
    assert shop.run("apply", "--auto-approve").code == 0
    assert [len(messages) for messages in shop.inbox().values()] == [1, 1, 1]
