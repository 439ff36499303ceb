"""mailing_planner: a mailing that is approved for later, waits, is due, changed meanwhile, or came too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.records import ChunkState, Entry, Lock
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.plan.planner import measure_files
from tests.plan.examples import CAMPAIGN, NOON, make_example_plan, recorded

# Sent on 25 November at 12:00 in Minsk; handed over from midnight to 11:40.
_HELD = CAMPAIGN.replace(
    "mailings:",
    "schedule_time: 2026-11-25T12:00:00\nrelease: {before: 12h, at_latest: 20m}\nmailings:",
).partition("  - name: staff")[0]
_OPENS, _CLOSES = NOON + timedelta(hours=12), NOON + timedelta(hours=23, minutes=40)
_FRESH = f"{_HELD}    audience: fresh\n    expect_recipients: {{max: 3}}\n"
_MORE = '{phone: "375297654321", name: Test}', '{phone: "375297654321", name: Test}, "375297654322"'


def _plan(folder: Path, campaign: str, at: datetime, entry: Entry | None = None, rails: str = "{}") -> Plan:
    return make_example_plan(folder, rails, campaign, _lock_of(entry), at)


def _lock_of(entry: Entry | None) -> Lock:
    return Lock("shop", mailings={} if entry is None else {"sale/vip": entry})


def _action(folder: Path, campaign: str, at: datetime, entry: Entry | None = None) -> Action:
    (action,) = _plan(folder, campaign, at, entry).actions
    return action


@pytest.mark.parametrize(
    ("at", "action", "code"),
    [
        (NOON, "hold", None),
        (_OPENS - timedelta(seconds=1), "hold", None),
        (_OPENS, "create", None),
        (_CLOSES - timedelta(seconds=1), "create", None),
        (_CLOSES, "blocked", "expired"),
        (_CLOSES + timedelta(hours=1), "blocked", "expired"),
    ],
)
def test_mailing_is_held_until_its_window(
    at: datetime, action: str, code: str | None, tmp_path: Path
) -> None:
    """A mailing is held before its window, sent by the same apply within it, and expired after it."""
    found = _action(tmp_path, _HELD, at)
    assert (found.action, found.reason_code) == (action, code)
    assert (found.window is not None) == (action == "hold")
    if found.window is not None:
        assert tuple(found.window) == (_OPENS, _CLOSES)
        assert "between 2026-11-25 00:00 +03 and 2026-11-25 11:40 +03" in found.reason


@pytest.mark.parametrize(
    ("at", "action", "code"),
    [
        (_OPENS - timedelta(seconds=1), "waiting", None),
        (_OPENS, "due", None),
        (_CLOSES - timedelta(seconds=1), "due", None),
        (_CLOSES, "blocked", "expired"),
    ],
)
def test_approved_mailing_waits(at: datetime, action: str, code: str | None, tmp_path: Path) -> None:
    """An approved mailing waits and is then due; until then it sends nothing, and it adds no cost."""
    entry = recorded(_action(tmp_path, _HELD, NOON), fresh=False)
    plan = _plan(tmp_path, _HELD, at, entry)
    (found,) = plan.actions
    assert (found.action, found.reason_code) == (action, code)
    assert not plan.to_do
    assert not plan.committed.mailings
    assert (found.approval is None) == (code is not None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hello", "hi"),
        _MORE,
        ("2026-11-25T12:00:00", "2026-11-25T13:00:00"),
        ("before: 12h", "before: 11h"),
        ("revision: 1", "revision: 2"),
    ],
    ids=["text", "recipients", "time", "window", "revision"],
)
def test_changed_mailing_is_approved_again(before: str, after: str, tmp_path: Path) -> None:
    """A new plan offers to approve a waiting mailing again, whatever was changed."""
    campaign = _HELD.replace("mailings:", "revision: 1\nmailings:")
    entry = recorded(_action(tmp_path, campaign, NOON), fresh=False)
    found = _action(tmp_path, campaign.replace(before, after), NOON, entry)
    assert (found.action, found.approval) == ("hold", None)
    late = _action(tmp_path, campaign.replace(before, after), _OPENS + timedelta(hours=2), entry)
    assert (late.action, late.approval) == ("create", None)


@pytest.mark.parametrize(
    ("approved", "declared"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_fresh_audience_may_change(approved: bool, declared: bool, tmp_path: Path) -> None:
    """A fresh audience may change if that was approved and is still declared, but its text may not."""
    campaign = _FRESH if declared else _HELD
    entry = recorded(_action(tmp_path, _HELD, NOON), fresh=approved)
    found = _action(tmp_path, campaign.replace(*_MORE), NOON, entry)
    assert found.action == ("waiting" if approved and declared else "hold")
    assert _action(tmp_path, campaign.replace("hello", "hi"), NOON, entry).action == "hold"


def test_lapsed_approval_can_be_given_again(tmp_path: Path) -> None:
    """A lapsed mailing is offered for approval like a new one, even if its files are as approved again."""
    entry = recorded(_action(tmp_path, _HELD, NOON), fresh=False)
    lapsed = replace(entry, ending=Ending(EndingKind.LAPSED, NOON.isoformat(), "ci", "changed"))
    assert lapsed.state == "withdrawn"
    assert _action(tmp_path, _HELD, NOON, lapsed).action == "hold"


def test_sender_of_another_id_needs_a_new_approval(tmp_path: Path) -> None:
    """If the sender's name now means another id, a new approval is needed."""
    campaign = _HELD.replace("mailings:", "alphaname: 7\nmailings:")
    entry = recorded(_action(tmp_path, campaign, NOON), fresh=False)
    assert entry.alphaname_id == 7
    assert _action(tmp_path, campaign, NOON, entry).action == "waiting"
    assert _action(tmp_path, campaign, NOON, replace(entry, alphaname_id=8)).action == "hold"


def test_revision_that_was_only_approved_is_no_obstacle(tmp_path: Path) -> None:
    """If the files go back to the sent revision it is unchanged, and the approved next one is not sent."""
    before = _HELD.replace("11-25", "11-23")
    sent = recorded(_action(tmp_path, before, NOON), ChunkState.ACCEPTED)
    raised = _HELD.replace("mailings:", "revision: 2\nmailings:").replace("hello", "hi")
    waiting = replace(recorded(_action(tmp_path, raised, NOON), fresh=False), revision=2, earlier=(sent,))
    assert _action(tmp_path, raised, NOON, waiting).action == "waiting"
    assert _action(tmp_path, before, NOON, waiting).action == "noop"


def test_held_mailing_obeys_the_guardrails(tmp_path: Path) -> None:
    """Guardrails and budget apply to a mailing held for later as to one sent now."""
    assert not _plan(tmp_path, _HELD, NOON, rails="{max_cost: 2, budget: 2}").blocked
    for rails in ("{max_recipients: 1}", "{budget: 1}", '{quiet_hours: {from: "11:00", to: "13:00"}}'):
        assert _action_with(tmp_path, rails) == ("blocked", "guardrail")
    plan = _plan(tmp_path, _HELD, NOON, rails="{max_cost: 1}")
    assert (plan.totals.cost, plan.held.cost, plan.committed.cost) == (0, 2, 2)


def _action_with(folder: Path, rails: str) -> tuple[str, str | None]:
    (action,) = _plan(folder, _HELD, NOON, rails=rails).actions
    return action.action, action.reason_code


def test_budget_keeps_what_waits(tmp_path: Path) -> None:
    """A mailing that waits for a time in this month counts in the budget of others."""
    entry = recorded(_action(tmp_path, _HELD, NOON), fresh=False)
    both = _HELD + '  - {name: staff, recipients: ["375291234567"], text: hello}\n'
    by_budget = {
        budget: [a.action for a in _plan(tmp_path, both, NOON, entry, f"{{budget: {budget}}}").actions]
        for budget in (2, 3)
    }
    assert by_budget == {2: ["waiting", "blocked"], 3: ["waiting", "hold"]}


def test_guardrail_holds_for_what_is_due(tmp_path: Path) -> None:
    """A guardrail added after the approval applies to a due mailing."""
    entry = recorded(_action(tmp_path, _HELD, NOON), fresh=False)
    for quiet, expected in (
        ("{from: '11:00', to: '13:00'}", "blocked"),
        ("{from: '13:00', to: '14:00'}", "due"),
    ):
        (found,) = _plan(tmp_path, _HELD, _OPENS, entry, f"{{quiet_hours: {quiet}}}").actions
        assert (found.action, found.reason_code) == (expected, "guardrail" if expected == "blocked" else None)


@pytest.mark.parametrize("campaign", [_HELD, _FRESH], ids=["held", "fresh"])
def test_opt_out_that_is_taken_back_ends_an_approval(campaign: str, tmp_path: Path) -> None:
    """An opt-out that is taken back needs a new approval before any hand-over, unless the audience is fresh."""
    rails, opt_outs = "{}\nsuppress: [out.txt]", tmp_path / "out.txt"
    opt_outs.write_text("375297654321\n")
    (before,) = _plan(tmp_path, campaign, NOON, rails=rails).actions
    assert before.recipients == 1
    entry = recorded(before, fresh=campaign == _FRESH)
    for phone, is_same in (("375297654321", True), ("375290000000", campaign == _FRESH)):
        opt_outs.write_text(f"{phone}\n")
        found = [_plan(tmp_path, campaign, at, entry, rails).actions[0].action for at in (NOON, _OPENS)]
        assert found == (["waiting", "due"] if is_same else ["hold", "create"])
        files = measure_files(load_project(tmp_path), select=(), lock=_lock_of(entry), now=_OPENS)
        (handed,) = files.plan(
            client=None, account=None, now=_OPENS, new_id="p", is_handing_over=True
        ).actions
        assert (handed.action, handed.reason_code) == (
            ("create", None) if is_same else ("blocked", "changed")
        )


def test_chunk_keeps_its_recorded_fingerprint(tmp_path: Path) -> None:
    """An unchanged chunk keeps its recorded fingerprint, by which sms.by lists it; a changed one gets a new one."""
    action = _action(tmp_path, _HELD, _OPENS)
    entry = recorded(action, ChunkState.ACCEPTED)
    (chunk,) = entry.chunks
    for changes, marks in (({}, ["f" * 10]), ({"digest": "other"}, list(action.fingerprints))):
        moved = replace(entry, chunks=(replace(chunk, fingerprint="f" * 10, **changes),))
        assert list(_action(tmp_path, _HELD, _OPENS, moved).fingerprints) == marks
    assert (
        _action(
            tmp_path, _HELD, _OPENS, replace(entry, chunks=(replace(chunk, fingerprint="f" * 10),))
        ).action
        == "noop"
    )
