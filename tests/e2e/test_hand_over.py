"""Approve now, hand over later: `release`, `apply --due`, and what withdraws an approval."""

from __future__ import annotations

import re
import shlex
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PROJECT, Result, Shop
from tests.e2e.forked import CLOCK_AHEAD
from tests.e2e.trial import PHONES

_HOUR = 3600.0
# The runs have the real clock, or are ahead of it. The window opens in 36 hours.
_NOW = datetime.now(UTC)  # noqa: TID251
_TIME = (_NOW + timedelta(days=2)).replace(microsecond=0, second=0)
_OPEN, _OVER = 40 * _HOUR, 47.9 * _HOUR


def _mailing(name: str, *phones: str, more: str = "") -> str:
    rows = ", ".join(f'"{phone}"' for phone in phones)
    return f"  - {{name: {name}, recipients: [{rows}], text: Hello {name}{more}}}\n"


def _campaign(*mailings: str, name: str = "sale") -> str:
    head = f"version: 1\ncampaign: {name}\nalphaname: MyShop\nschedule_time: {_TIME:%Y-%m-%dT%H:%M:%S}Z\n"
    return f"{head}release: {{before: 12h, at_latest: 20m}}\nmailings:\n{''.join(mailings)}"


def _write(shop: Shop, *mailings: str) -> None:
    shop.write("sale.yaml", _campaign(*mailings))


def _later(shop: Shop, seconds: float, *arguments: str, code: int = 0) -> Result:
    done = shop.run(*arguments, env={CLOCK_AHEAD: str(seconds)})
    assert done.code == code, (done.out, done.err)
    return done


def _apply(shop: Shop) -> None:
    held = shop.run("apply", "--auto-approve", "--format", "json")
    assert (held.code, held.json["summary"]["held"]) == (0, 1), held.err


def _outcomes(result: Result) -> dict[str, str]:
    return {mailing["address"]: mailing["outcome"] for mailing in result.json["mailings"]}


def _sends(shop: Shop) -> list[dict[str, Any]]:
    return [call for call in shop.calls() if not call["method"].startswith("get")]


def _state(shop: Shop, address: str = "sale/vip") -> str:
    state: str = shop.lock()["mailings"][address]["state"]
    return state


def test_approved_mailing_is_handed_over_in_its_window(shop: Shop) -> None:
    """An approved mailing is held, waits, becomes due, and is scheduled at sms.by for its time."""
    _write(shop, _mailing("vip", *PHONES[:3]))
    planned = shop.run("plan", "--out", "plan.json", "--format", "json")
    (action,) = planned.json["actions"]
    assert (planned.code, action["action"]) == (0, "hold")
    opens, closes = (datetime.fromisoformat(action["window"][key]) for key in ("opens", "closes"))
    assert (opens, closes) == (_TIME - timedelta(hours=12), _TIME - timedelta(minutes=20))
    held = shop.run("apply", "plan.json", "--format", "json")
    assert (held.code, _outcomes(held), held.json["summary"]["held"]) == (0, {"sale/vip": "held"}, 1)
    assert (_state(shop), _sends(shop)) == ("waiting", [])
    window = f"window between {opens:%Y-%m-%d %H:%M} +03 and {closes:%Y-%m-%d %H:%M} +03"
    assert window in shop.run("lock", "list").out  # both with their offset
    assert shop.run("plan", "--format", "json").json["actions"][0]["action"] == "waiting"
    assert shop.run("apply", "plan.json").code == 5
    due = _later(shop, _OPEN, "plan", "--format", "json").json["actions"][0]
    assert (due["action"], due["window"]) == ("due", action["window"])
    assert _outcomes(_later(shop, _OPEN, "apply", "--auto-approve", "--format", "json")) == {
        "sale/vip": "skipped"
    }
    (shop.root / "plan.json").unlink()
    done = _later(shop, _OPEN, "apply", "--due", "--format", "json")
    assert _outcomes(done) == {"sale/vip": "sent"}
    assert _state(shop) == "complete"
    listed = shop.run("api", "getSMSMessages").json["data"]
    assert {one["d_schedule"] for one in listed} == {_TIME.timestamp()}
    again = _later(shop, _OPEN + 60, "apply", "--due")
    assert "nothing to do" in again.out
    assert len(_sends(shop)) == 2  # three recipients, two per request


@pytest.mark.parametrize("ahead", [0.0, _OPEN - 5 * _HOUR], ids=["now", "an hour before"])
def test_nothing_due_asks_sms_by_nothing(shop: Shop, ahead: float) -> None:
    """With nothing due, `apply --due` sends no request to sms.by and needs no network."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    before = len(shop.calls())
    done = _later(shop, ahead, "apply", "--due")
    assert "nothing is due; the next window opens" in done.out
    assert len(shop.calls()) == before


def test_window_that_is_open_needs_no_second_step(shop: Shop) -> None:
    """If the window is already open, the apply that approves a mailing also hands it over."""
    _write(shop, _mailing("vip", PHONES[0]))
    done = _later(shop, _OPEN, "apply", "--auto-approve", "--format", "json")
    assert _outcomes(done) == {"sale/vip": "sent"}


def test_late_runner_sends_nothing(shop: Shop) -> None:
    """A mailing whose window is over is expired, for a plan and for a hand-over."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    late = _later(shop, _OVER, "apply", "--due", "--format", "json", code=4)
    assert _outcomes(late) == {"sale/vip": "skipped"}
    assert late.json["mailings"][0]["error"].startswith("expired: ")
    plan = _later(shop, _OVER, "plan", "--format", "json", code=4)
    assert plan.json["actions"][0]["reason_code"] == "expired"
    assert _sends(shop) == []


@pytest.mark.parametrize("more", ["", ", via: single"])
def test_dates_in_another_zone_need_a_new_plan(shop: Shop, more: str) -> None:
    """If the zone of the campaign or the project changes, the dates in the text do, so a new plan is needed."""
    text = '\'Until {{ "2026-12-01T10:00:00Z" | date("%H:%M") }}\''
    _write(shop, f"  - {{name: vip, recipients: ['{PHONES[0]}'], text: {text}{more}}}\n")
    _apply(shop)
    shop.write("smsby.yaml", PROJECT + "defaults: {timezone: Asia/Tokyo}\n")
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert refused.json["mailings"][0]["error"].startswith("changed: ")
    assert (_sends(shop), _state(shop)) == ([], "withdrawn")


@pytest.mark.parametrize("change", ["text", "recipients"])
def test_changed_mailing_is_withdrawn_until_approved_again(shop: Shop, change: str) -> None:
    """A changed mailing is withdrawn; even with its files restored it is sent only after a new plan is applied."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    phones, more = ((PHONES[0],), " changed") if change == "text" else (PHONES[:2], "")
    _write(shop, _mailing("vip", *phones, more=more))
    assert shop.run("plan", "--format", "json").json["actions"][0]["action"] == "hold"
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert refused.json["mailings"][0]["error"].startswith("changed: ")
    assert (_state(shop), _sends(shop)) == ("withdrawn", [])
    _write(shop, _mailing("vip", PHONES[0]))
    assert "nothing to do" in _later(shop, _OPEN, "apply", "--due").out
    assert shop.run("plan", "--format", "json").json["actions"][0]["action"] == "hold"
    _apply(shop)
    _later(shop, _OPEN, "apply", "--due")
    assert [message["text"] for message in shop.inbox().get(PHONES[0], [])] in ([], ["Hello vip"])
    assert _state(shop) == "complete"


def test_removed_mailing_is_withdrawn(shop: Shop) -> None:
    """Removing a mailing from the files, as by reverting a pull request, withdraws its approval without an error."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    (shop.root / "sale.yaml").unlink()
    (orphan,) = shop.run("plan", "--format", "json").json["actions"]
    assert orphan["action"] == "orphan"
    done = _later(shop, 0, "apply", "--due", "--format", "json")
    assert _outcomes(done) == {"sale/vip": "skipped"}
    assert _state(shop) == "withdrawn"
    _write(shop, _mailing("vip", PHONES[0]))
    assert "nothing to do" in _later(shop, _OPEN, "apply", "--due").out
    assert _sends(shop) == []


def test_cancelled_mailing_is_withdrawn(shop: Shop) -> None:
    """Cancelling a waiting mailing withdraws it: the plan says so, and the next hand-over records it."""
    _write(shop, _mailing("vip", *PHONES[:2]))
    _apply(shop)
    _write(shop, _mailing("vip", *PHONES[:2], more=", cancelled: wrong prices"))
    planned = shop.run("plan", "--format", "json")
    assert (planned.code, planned.json["actions"]) == (0, [])
    assert [problem["code"] for problem in planned.json["problems"]] == ["CANCELLED"]
    assert "lapses" in planned.json["problems"][0]["message"]
    assert _outcomes(_later(shop, _OPEN, "apply", "--due", "--format", "json")) == {"sale/vip": "skipped"}
    assert (_state(shop), _sends(shop)) == ("withdrawn", [])


def test_files_of_other_mailings_stop_nothing(shop: Shop) -> None:
    """A hand-over does not need other campaigns, or other due mailings, to be valid."""
    _write(shop, _mailing("vip", PHONES[0]))
    shop.write("west.csv", f"phone\n{PHONES[1]}\n")
    shop.write(
        "west.yaml", _campaign("  - {name: vip, recipients: {file: west.csv}, text: West}\n", name="west")
    )
    shop.run("apply", "--auto-approve")
    shop.write("west.csv", "phone\nnonsense\n")
    _write(shop, _mailing("vip", PHONES[0]), "  - {name: other, recipients: {file: none.csv}, text: Other}\n")
    shop.write("broken.yaml", "version: 1\ncampaign: [")
    done = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=3)
    assert _outcomes(done) == {"sale/vip": "sent", "west/vip": "skipped"}
    assert "west.csv:2" in done.json["mailings"][1]["error"]
    assert _state(shop, "west/vip") == "waiting"


def test_opt_outs_are_subtracted_again(shop: Shop) -> None:
    """A recipient who opts out while the mailing waits gets nothing; the others get it as planned."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [stop.csv]\n")
    shop.write("stop.csv", "phone\n")
    _write(shop, _mailing("vip", *PHONES[:2]))
    _apply(shop)
    shop.write("stop.csv", f"phone\n{PHONES[1]}\n")
    _later(shop, _OPEN, "apply", "--due")
    (call,) = _sends(shop)
    assert PHONES[0] in str(call["params"]) and PHONES[1] not in str(call["params"])


@pytest.mark.parametrize("instead", ["", f"{PHONES[0]}\n"])
def test_opt_outs_that_are_gone_need_a_new_plan(shop: Shop, instead: str) -> None:
    """A recipient who had opted out at the approval gets nothing without a new plan, whoever else opted out instead."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[1]}\n")
    _write(shop, _mailing("vip", *PHONES[:2]))
    _apply(shop)
    shop.write("stop.csv", f"phone\n{instead}")
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert refused.json["mailings"][0]["error"].startswith("changed: 1 of its recipients had opted out")
    assert (_sends(shop), _state(shop)) == ([], "withdrawn")
    recipients = 1 if instead else 2
    assert _later(shop, _OPEN, "plan", "--format", "json").json["actions"][0]["recipients"] == recipients
    assert _outcomes(_later(shop, _OPEN, "apply", "--auto-approve", "--format", "json")) == {
        "sale/vip": "sent"
    }


@pytest.mark.parametrize(("seconds", "action"), [(0, "hold"), (_OPEN, "create")])
def test_plan_approves_opt_outs_that_are_gone(seconds: float, action: str, shop: Shop) -> None:
    """A plan approves the mailing anew if opt-outs are gone, instead of saying that it waits or is due."""
    shop.write("smsby.yaml", (shop.root / "smsby.yaml").read_text() + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[1]}\n")
    _write(shop, _mailing("vip", *PHONES[:2]))
    _apply(shop)
    shop.write("stop.csv", "phone\n")
    (planned,) = _later(shop, seconds, "plan", "--out", "plan.json", "--format", "json").json["actions"]
    assert (planned["action"], planned["recipients"]) == (action, 2)
    _later(shop, seconds, "apply", "plan.json")
    _later(shop, _OPEN, "apply", "--due")
    assert set(shop.inbox()) == set(PHONES[:2])


def _exchange_opt_outs(shop: Shop) -> Result:
    """Let the third recipient opt in and the first opt out, and hand over, which must be refused."""
    shop.write("stop.csv", f"phone\n{PHONES[0]}\n")
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert not any(PHONES[2] in str(call["params"]) for call in _sends(shop))
    return refused


@pytest.mark.parametrize(("then", "now"), [(2, 3), (3, 2), (3, 1), (1, 3)])
def test_opt_outs_that_are_gone_from_other_chunks(shop: Shop, then: int, now: int) -> None:
    """Opt-outs that are gone are noticed even if the size of the requests has changed since the approval."""

    def set_size(size: int) -> None:
        settings = PROJECT.replace("recipients_per_request: 2", f"recipients_per_request: {size}")
        shop.write("smsby.yaml", settings + "suppress: [stop.csv]\n")

    set_size(then)
    shop.write("stop.csv", f"phone\n{PHONES[2]}\n")
    _write(shop, _mailing("vip", *PHONES[:3]))
    _apply(shop)
    set_size(now)
    error = _exchange_opt_outs(shop).json["mailings"][0]["error"]
    assert error.startswith("changed: its requests have a different size than when it was approved")


def test_requests_of_another_size_hand_over_the_same_recipients(shop: Shop) -> None:
    """If no recipient had opted out, a changed request size does not hinder the hand-over."""
    shop.write("smsby.yaml", PROJECT + "suppress: [stop.csv]\n")
    shop.write("stop.csv", "phone\n")
    _write(shop, _mailing("vip", *PHONES[:3]))
    _apply(shop)
    shop.write("smsby.yaml", PROJECT.replace("request: 2", "request: 3") + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[1]}\n")
    done = _later(shop, _OPEN, "apply", "--due", "--format", "json").json["mailings"][0]
    assert (done["outcome"], done["recipients"]) == ("sent", 2)


def test_opt_outs_that_are_gone_under_contact_pressure(shop: Shop) -> None:
    """A contact-pressure cap may leave out more recipients at the hand-over, but lets no former opt-out in."""
    cap = "guardrails: {pressure: {messages: 1, within: 7d, on_excess: drop}}\n"
    shop.write("smsby.yaml", PROJECT + cap + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[2]}\n")
    _write(shop, _mailing("vip", *PHONES[:3]))
    _apply(shop)
    error = _exchange_opt_outs(shop).json["mailings"][0]["error"]
    assert error.startswith("changed: 1 of its recipients had opted out")


def test_opt_outs_that_are_gone_stop_the_rest_of_a_hand_over(shop: Shop) -> None:
    """A hand-over that was interrupted still knows the opt-outs, so the rest is refused if they are gone."""
    shop.write("smsby.yaml", PROJECT + "suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{PHONES[2]}\n")
    _write(shop, _mailing("vip", PHONES[0], PHONES[1], PHONES[3], PHONES[2]))
    _apply(shop)
    shop.fault(method="sendBulkSms", nth=2, times=9, mode="429")
    _later(shop, _OPEN, "apply", "--due", code=6)
    shop.clear_faults()
    shop.write("stop.csv", f"phone\n{PHONES[3]}\n")
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4).json["mailings"][0]
    assert refused["error"].startswith("changed: 1 of its recipients had opted out")
    assert not any(PHONES[2] in str(call["params"]) for call in _sends(shop))


def test_fresh_audience_is_the_one_of_the_hand_over(shop: Shop) -> None:
    """A fresh audience is read at the hand-over, and may be as large as `expect_recipients` allows."""
    shop.write("vip.csv", f"phone\n{PHONES[0]}\n")
    more = "audience: fresh, expect_recipients: {max: 3}"
    _write(shop, f"  - {{name: vip, recipients: {{file: vip.csv}}, text: Hello, {more}}}\n")
    _apply(shop)
    shop.write("vip.csv", "\n".join(["phone", *PHONES[:4]]))
    assert shop.run("plan", "--format", "json").json["actions"][0]["action"] == "waiting"
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert "expect_recipients" in refused.json["mailings"][0]["error"]
    assert _state(shop) == "waiting"
    shop.write("vip.csv", "\n".join(["phone", *PHONES[1:4]]))
    done = _later(shop, _OPEN, "apply", "--due", "--format", "json")
    assert (done.json["mailings"][0]["outcome"], done.json["mailings"][0]["recipients"]) == ("sent", 3)


_LIMIT = "expect_recipients: {max: 3}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("vip.csv", "all.csv"),
        ("file: vip.csv", "file: vip.csv, phone: other"),
        (_LIMIT, "expect_recipients: {max: 9}"),
        (_LIMIT, f"{_LIMIT}, countries: [BY, RU]"),
        (_LIMIT, f"{_LIMIT}, on_invalid: drop"),
    ],
)
def test_fresh_audience_from_elsewhere_needs_a_new_plan(shop: Shop, before: str, after: str) -> None:
    """A fresh audience may have other recipients from its approved source; another source or limit needs a new plan."""
    shop.write("vip.csv", f"phone,other\n{PHONES[0]},{PHONES[1]}\n")
    shop.write("all.csv", f"phone,other\n{PHONES[2]},{PHONES[1]}\n")
    mailing = f"  - {{name: vip, recipients: {{file: vip.csv}}, text: Hello, audience: fresh, {_LIMIT}}}\n"
    _write(shop, mailing)
    _apply(shop)
    _write(shop, mailing.replace(before, after))
    shop.write("vip.csv", f"phone,other\n{PHONES[3]},{PHONES[1]}\n")
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert refused.json["mailings"][0]["error"].startswith("changed: ")
    assert (_sends(shop), _state(shop)) == ([], "withdrawn")


def _hold_fresh(shop: Shop, *phones: str) -> None:
    """Approve a fresh audience of `phones`, the first of whom has opted out."""
    settings = (shop.root / "smsby.yaml").read_text(encoding="utf-8")
    shop.write("smsby.yaml", f"{settings}suppress: [stop.csv]\n")
    shop.write("stop.csv", f"phone\n{phones[0]}\n")
    shop.write("vip.csv", "\n".join(["phone", *phones, ""]))
    _write(
        shop, f"  - {{name: vip, recipients: {{file: vip.csv}}, text: Hello, audience: fresh, {_LIMIT}}}\n"
    )
    _apply(shop)


def _older_after_other_opt_outs(shop: Shop) -> str:
    """Hand over to another recipient than was approved, change the text, and bring back the lock from before."""
    _hold_fresh(shop, PHONES[0], PHONES[1])
    older = (shop.root / "smsby.lock.json").read_text("utf-8")
    shop.write("stop.csv", f"phone\n{PHONES[1]}\n")
    _later(shop, _OPEN, "apply", "--due")
    campaign = (shop.root / "sale.yaml").read_text("utf-8")
    shop.write("sale.yaml", campaign.replace("Hello", "Hi"))
    return older


def _certain(shop: Shop) -> list[int]:
    """Return how many recipients certainly got the approved mailing, and how many certainly did not."""
    campaign = (shop.root / "sale.yaml").read_text("utf-8")
    shop.write("sale.yaml", campaign.replace("Hi", "Hello"))
    lists = [shop.run("recipients", "sale/vip", which).out.splitlines() for which in ("--sent", "--not-sent")]
    shop.write("sale.yaml", campaign)
    return [len(lines) - 1 for lines in lists]


def test_older_lock_does_not_know_who_had_opted_out(shop: Shop) -> None:
    """An older lock has the opt-outs of the approval, not those of the fresh audience that another run handed over."""
    older = _older_after_other_opt_outs(shop)
    shop.write("smsby.lock.json", older)
    _later(shop, _OPEN, "apply", "--due", code=4)
    assert (_state(shop), _certain(shop)) == ("complete", [0, 0])


def test_crash_while_an_older_lock_is_corrected(shop: Shop, tmp_path: Path) -> None:
    """After a crash at any point of the correction, the next run records what sms.by lists, no more, and sends nothing."""
    older = _older_after_other_opt_outs(shop)
    sent, points = _sends(shop), tmp_path / "points"
    shop.write("smsby.lock.json", older)
    env = {CLOCK_AHEAD: str(_OPEN)}
    shop.run("apply", "--due", env={**env, "SMSBY_FAULT": f"count:{points}"})
    names = [line.split()[1] for line in points.read_text().splitlines()]
    assert names.count("journal.before:chunk") == 2  # all of it is in doubt at first, then found
    for number, name in enumerate(names, 1):
        if not name.startswith(("journal", "lock")):
            continue
        shop.write("smsby.lock.json", older)
        killed = shop.run("apply", "--due", env={**env, "SMSBY_FAULT": f"kill:{number}"})
        assert killed.code == -signal.SIGKILL, (number, name)
        shop.run("apply", "--due", env=env)
        assert (_state(shop), _certain(shop)) == ("complete", [0, 0]), (number, name)
        assert _sends(shop) == sent, (number, name)


@pytest.mark.parametrize("is_same_audience", [True, False])
def test_fresh_audience_without_its_opt_outs_needs_a_new_plan(shop: Shop, is_same_audience: bool) -> None:
    """A fresh audience needs a new plan if a `suppress` list is removed, but not if one is added."""
    settings = (shop.root / "smsby.yaml").read_text(encoding="utf-8")
    shop.write("more.csv", f"phone\n{PHONES[1]}\n")
    _hold_fresh(shop, *PHONES[:3])
    if not is_same_audience:
        shop.write("vip.csv", f"phone\n{PHONES[0]}\n{PHONES[1]}\n{PHONES[3]}\n")
    shop.write("smsby.yaml", f"{settings}suppress: [more.csv]\n")
    refused = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert refused.json["mailings"][0]["error"].startswith("changed: ")
    assert _sends(shop) == []
    shop.write("smsby.yaml", f"{settings}suppress: [stop.csv]\n")
    _apply(shop)
    shop.write("smsby.yaml", f"{settings}suppress: [more.csv, stop.csv]\n")
    done = _later(shop, _OPEN, "apply", "--due", "--format", "json")
    assert done.json["mailings"][0]["recipients"] == 1


def test_rehearsal_knows_no_window(shop: Shop) -> None:
    """In the sandbox environment a mailing with a release window is sent at once."""
    _write(shop, _mailing("vip", PHONES[0]))
    assert shop.run("--env", "sandbox", "plan", "--format", "json").json["actions"][0]["action"] == "create"


@pytest.mark.parametrize(
    "arguments", [("plan.json", "--due"), ("--watch",), ("plan.json", "--watch")], ids=" ".join
)
def test_options_that_do_not_go_together(shop: Shop, arguments: tuple[str, ...]) -> None:
    """--due takes no plan file, and --watch requires --due."""
    assert shop.run("apply", *arguments).code == 64


def test_hand_overs_at_once_send_everything_once(shop: Shop) -> None:
    """Of eight hand-overs at once, one sends and the others wait, then find nothing due."""
    _write(shop, _mailing("vip", *PHONES[:3]))
    _apply(shop)
    arguments = ("apply", "--due", "--lock-timeout", "60", "--format", "json")
    runs = [shop.start(*arguments, env={CLOCK_AHEAD: str(_OPEN)}) for _ in range(8)]
    results = [run.finish() for run in runs]
    assert [result.code for result in results] == [0] * 8
    assert sorted(result.json["summary"]["sent"] for result in results) == [0] * 7 + [1]
    assert len(_sends(shop)) == 2


def test_full_disk_at_a_hand_over(shop: Shop) -> None:
    """Wherever the journal stops growing, the approval is kept, and each recipient gets the mailing once."""
    failed = 0
    for limit in range(2200, 9000, 400):
        shop.reset()
        for path in shop.root.glob("smsby.lock.json*"):
            path.unlink()
        _write(shop, _mailing("vip", *PHONES[:6]))
        _apply(shop)
        ahead = {CLOCK_AHEAD: str(_OPEN)}
        full = shop.run("apply", "--due", env=ahead, file_limit=limit)
        assert full.code in (0, 1, 6), full.err
        if full.code == 0:
            break
        failed += 1
        named = re.search(r"`smsby-deploy (lock rescue [^`]+)`", full.err)
        if named:
            assert shop.run(*shlex.split(named[1])).code == 0
        assert shop.run("apply", "--due", env=ahead).code == 0
        sent = [call for call in _sends(shop) if call["status"] == 200]
        assert len(sent) == 3  # six recipients, two per request
        assert _state(shop) == "complete"
    assert failed > 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_a_watch(shop: Shop, number: int) -> None:
    """A signal ends a watch immediately, with exit code 0 and nothing sent."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    run = shop.start("apply", "--due", "--watch")
    shop.wait_until(lambda: "waiting" in run.said())
    run.signal(number)
    done = run.finish(20)
    assert (done.code, _sends(shop)) == (0, []), done.err
    assert "the next window opens" in done.out


def test_every_transport_is_handed_over(shop: Shop) -> None:
    """Lists, uploads and single sends wait like bulk mailings: before the hand-over sms.by has no list, draft or message."""
    phones = f'recipients: ["{PHONES[0]}", "{PHONES[1]}"]'
    _write(
        shop,
        "  - {name: letter, list: Newsletter, text: News}\n",
        f"  - {{name: upload, upload: true, {phones}, text: Upload}}\n",
        f"  - {{name: single, via: single, {phones}, text: Single}}\n",
    )
    held = shop.run("apply", "--auto-approve", "--format", "json")
    assert (held.code, held.json["summary"]["held"], _sends(shop)) == (0, 3, []), held.err
    assert {a["action"] for a in shop.run("plan", "--format", "json").json["actions"]} == {"waiting"}
    done = _later(shop, _OPEN, "apply", "--due", "--format", "json")
    assert set(_outcomes(done).values()) == {"sent"}
    assert {entry["state"] for entry in shop.lock()["mailings"].values()} == {"complete"}
    assert _outcomes(_later(shop, _OPEN, "apply", "--due", "--format", "json")) == {}


def test_watch_hands_over_when_the_window_opens(shop: Shop) -> None:
    """A watch waits for the window, hands over, and ends when nothing waits any more."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    now = datetime.now(UTC)  # noqa: TID251
    ahead = (_TIME - timedelta(hours=12) - now).total_seconds() - 1.5
    done = _later(shop, ahead, "apply", "--due", "--watch", "--format", "json")
    assert _outcomes(done) == {"sale/vip": "sent"}
    assert "waiting for the window that opens" in done.err


def test_freeze_keeps_what_is_due(shop: Shop) -> None:
    """During a freeze nothing is handed over (4) or approved; afterwards the earlier approval still holds."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    before = (shop.root / "smsby.yaml").read_text("utf-8")
    shop.write("smsby.yaml", before + "freeze: wrong price\n")
    shop.write("other.yaml", _campaign(_mailing("b", PHONES[1]), name="other"))
    planned = _later(shop, _OPEN, "plan", "--format", "json", code=4).json["actions"]
    assert {one["address"]: one["reason_code"] for one in planned} == {
        "sale/vip": "frozen",
        "other/b": "frozen",
    }
    frozen = _later(shop, _OPEN, "apply", "--due", "--format", "json", code=4)
    assert frozen.json["mailings"][0]["error"].startswith("frozen: wrong price")
    assert (_state(shop), _sends(shop)) == ("waiting", [])
    shop.write("smsby.yaml", before)
    _later(shop, _OPEN, "apply", "--due")
    assert _state(shop) == "complete"


def test_withdrawn_approval_is_not_handed_over(shop: Shop) -> None:
    """After `lock withdraw`, which needs no account, only a raised revision can be approved, whatever else changes."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    before = len(shop.calls())
    done = shop.run("lock", "withdraw", "sale/vip", "--reason", "wrong price", env={"SMSBY_TOKEN": ""})
    assert done.code == 0, done.err
    assert len(shop.calls()) == before
    _later(shop, _OPEN, "apply", "--due")
    assert (_state(shop), _sends(shop)) == ("withdrawn", [])
    for more in ("", " changed"):
        _write(shop, _mailing("vip", PHONES[0], more=more))
        (action,) = _later(shop, _OPEN, "plan", "--format", "json", code=4).json["actions"]
        assert (action["action"], action["reason_code"]) == ("blocked", "withdrawn")
        assert "(wrong price); to send it after all, raise `revision` to 2" in action["reason"]
        _later(shop, _OPEN, "apply", "--auto-approve", code=4)
    _write(shop, _mailing("vip", PHONES[0], more=", revision: 2"))
    _apply(shop)
    _later(shop, _OPEN, "apply", "--due")
    assert (_state(shop), len(_sends(shop))) == ("complete", 1)


def test_lapsed_approval_can_be_withdrawn(shop: Shop) -> None:
    """An approval that lapsed can be withdrawn too, so that no new plan approves it again."""
    _write(shop, _mailing("vip", PHONES[0]))
    _apply(shop)
    _write(shop, _mailing("vip", PHONES[0], more=" changed"))
    _later(shop, _OPEN, "apply", "--due", code=4)
    assert shop.run("lock", "withdraw", "sale/vip").code == 0
    assert shop.run("plan", "--format", "json").json["actions"][0]["reason_code"] == "withdrawn"


def test_plan_file_does_not_approve_again_what_was_withdrawn(shop: Shop) -> None:
    """A plan file sends what it could not send before, but does not approve a withdrawn mailing again."""
    _write(shop, _mailing("vip", PHONES[0]))
    shop.write(
        "now.yaml",
        "version: 1\ncampaign: now\nalphaname: MyShop\nmailings:\n" + _mailing("staff", PHONES[1]),
    )
    assert shop.run("plan", "--out", "plan.json").code == 0
    shop.fault(method="sendBulkSms", mode="429", when="before", times=9)
    assert shop.run("apply", "plan.json").code == 7
    shop.clear_faults()
    assert _state(shop) == "waiting"
    assert shop.run("lock", "withdraw", "sale/vip").code == 0
    assert shop.run("apply", "plan.json").code in (0, 4)
    assert (_state(shop), _state(shop, "now/staff")) == ("withdrawn", "complete")
    assert shop.run("apply", "plan.json").code == 5
