"""Actions, reason codes and totals."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.plan.model import Action, ActionKind, Orphans, ReasonCode, Totals, total_of
from tests.output import examples


def test_totals_count_only_what_is_sent() -> None:
    """Totals are the sums over sending actions; what only sms.by knows is counted separately."""
    totals = examples.whole_plan().totals
    assert totals == Totals(
        mailings=3, recipients=24, parts=40, cost=Decimal("1.040"), uncounted=1, unpriced=1
    )
    assert totals.has_cost


def test_totals_of_nothing() -> None:
    """A plan that sends nothing, or has only unknown costs, has no cost."""
    noop = examples.action("sale/old", ActionKind.NOOP)
    assert total_of([noop]) == Totals(0, 0, 0, Decimal(0), 0, 0)
    assert not total_of([noop]).has_cost
    assert not total_of([examples.action("sale/vip", ActionKind.CREATE, cost=None)]).has_cost


def test_blocked_action_has_code_and_sentence() -> None:
    """`block` changes only the action, code and reason, and the sentence starts with the code."""
    action = examples.action("sale/vip", ActionKind.CREATE).block(ReasonCode.GUARDRAIL, "max_parts: 4")
    assert (action.action, action.reason_code) == (ActionKind.BLOCKED, ReasonCode.GUARDRAIL)
    assert action.reason == "guardrail: max_parts: 4"
    assert action.recipients == 12


def test_unknown_sender_is_never_the_system_name() -> None:
    """A sender that is not resolved has no id, and never the id 0 of the system name."""
    assert examples.action("sale/vip", ActionKind.CREATE, alphaname_id=0).sender_id == 0
    with pytest.raises(ValueError, match="not known"):
        _ = examples.action("sale/vip", ActionKind.CREATE, alphaname_id=None).sender_id


def test_schema_lists_every_reason_code() -> None:
    """The schema allows null and every code that this version writes."""
    schema = json.loads(Path("schema/plan.schema.json").read_text(encoding="utf-8"))
    codes = schema["properties"]["actions"]["items"]["properties"]["reason_code"]["enum"]
    assert {None, *ReasonCode} <= set(codes)


def test_orphans_become_actions_when_they_are_shown() -> None:
    """Orphans become actions only when shown, not when the plan is counted, summed or changed."""
    made = []

    def count() -> dict[str, int | None]:
        raise AssertionError("no result was asked for")

    def make() -> list[Action]:
        made.append(1)
        return [examples.action(address, ActionKind.ORPHAN) for address in ("old/a", "old/b")]

    new = examples.action("sale/vip", ActionKind.CREATE)
    plan = replace(examples.plan(), decided=(new,), orphans=Orphans(("old/a", "old/b"), count, make))
    blocked = replace(plan, decided=(new.block(ReasonCode.GUARDRAIL, "max_parts: 4"),))
    assert plan.counts[ActionKind.ORPHAN] == blocked.counts[ActionKind.ORPHAN] == 2
    assert (plan.totals.mailings, plan.to_do) == (1, (new,))
    assert [one.address for one in blocked.obstacles] == ["sale/vip"]
    assert not made
    assert [one.address for one in blocked.actions] == ["sale/vip", "old/a", "old/b"]
    assert [one.address for one in plan.actions[1:]] == [one.address for one in plan.orphans.actions]
    assert len(made) == 1


def test_orphans_of_a_plan_file_are_apart() -> None:
    """Orphans of a plan file are read as separate actions, as they were written."""
    new, old = examples.action("sale/vip", ActionKind.CREATE), examples.action("old/a", ActionKind.ORPHAN)
    plan = examples.plan().with_actions([new, old])
    assert (plan.decided, plan.orphans.recipients, plan.orphans.actions) == ((new,), {"old/a": 12}, (old,))
