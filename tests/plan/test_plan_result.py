"""The result of `plan`: verdict, schedule and exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import ApiSettings, Guardrails, Project
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.model import ActionKind, Plan, ReasonCode
from smsby_deploy.plan.plan_result import Funds, PlanResult, SavedPlanUse, ScheduledSend, Verdict
from smsby_deploy.problems import Severity
from tests.output import examples

BREACH = Breach("max_cost", "max_cost: 9 > 5")
READY = examples.ready_plan()
IDLE = examples.plan(examples.action("sale/old", ActionKind.NOOP))
BLOCKED = examples.plan(
    examples.action("sale/vip", ActionKind.CREATE), examples.action("sale/x", ActionKind.BLOCKED)
)


def _only_blocked(code: ReasonCode) -> Plan:
    return examples.plan(examples.action("sale/x", ActionKind.CREATE).block(code, "why"))


@pytest.mark.parametrize(
    ("result", "verdict", "code", "detailed"),
    [
        (PlanResult(READY), Verdict.READY, ExitCode.DONE, ExitCode.CHANGES_TO_APPLY),
        (PlanResult(IDLE), Verdict.NOTHING_TO_SEND, ExitCode.DONE, ExitCode.DONE),
        (PlanResult(BLOCKED), Verdict.BLOCKED, ExitCode.REFUSED, ExitCode.REFUSED),
        (PlanResult(READY, BREACH), Verdict.REFUSED, ExitCode.REFUSED, ExitCode.REFUSED),
        (
            PlanResult(examples.whole_plan(), BREACH),
            Verdict.INVALID,
            ExitCode.FILES_INVALID,
            ExitCode.FILES_INVALID,
        ),
    ],
)
def test_verdict_and_exit_code(
    result: PlanResult, verdict: Verdict, code: ExitCode, detailed: ExitCode
) -> None:
    """Invalid files take precedence over a refusal, and a refusal over a blocked mailing."""
    assert result.verdict is verdict
    assert result.exit_code() is code
    assert result.exit_code(is_detailed=True) is detailed


@pytest.mark.parametrize(
    ("plan", "refusal", "use"),
    [
        (READY, None, SavedPlanUse.APPLY),
        (BLOCKED, None, SavedPlanUse.APPLY),
        (IDLE, None, SavedPlanUse.NO_SEND),
        (_only_blocked(ReasonCode.GUARDRAIL), None, SavedPlanUse.NO_SEND),
        (_only_blocked(ReasonCode.APPROVAL), None, SavedPlanUse.APPLY),
        (READY, BREACH, SavedPlanUse.REFUSED),
        (replace(READY, account=None), None, SavedPlanUse.VIEW_ONLY),
        (examples.whole_plan(), BREACH, SavedPlanUse.VIEW_ONLY),
    ],
)
def test_saved_plan_use(plan: Plan, refusal: Breach | None, use: SavedPlanUse) -> None:
    """A saved plan can be applied despite blocked mailings, and one approved for later is approved then."""
    assert PlanResult(plan, refusal).saved_plan_use is use


def test_balance_after_leaves_out_contact_lists() -> None:
    """The balance after the plan is None if balance or price is unknown, or nothing is sent."""
    letter = examples.action("news/letter", ActionKind.CREATE, recipients=None, parts=None, cost=None)
    both = examples.plan(*READY.actions, letter)
    assert PlanResult(both, balance=Decimal(2)).balance_after == Decimal("0.96")
    assert PlanResult(READY).balance_after is None
    assert PlanResult(replace(READY, currency=None), balance=Decimal(2)).balance_after is None
    assert PlanResult(IDLE, balance=Decimal(2)).balance_after is None


@pytest.mark.parametrize(
    ("balance", "funds"),
    [("1.56", Funds.ALL), ("1.55", Funds.THIS_APPLY), ("1.04", Funds.THIS_APPLY), ("1.03", Funds.TOO_LOW)],
)
def test_funds_may_be_needed_later(balance: str, funds: Funds) -> None:
    """A mailing approved for later does not need its funds now."""
    held = examples.action("sale/later", ActionKind.HOLD)
    plan = examples.plan(*READY.actions, held)
    assert PlanResult(plan, balance=Decimal(balance)).funds is funds
    assert PlanResult(plan).funds is None


def test_is_worth_applying_needs_money_and_something_to_do() -> None:
    """The next command is suggested only if it would succeed and has something to do."""
    assert PlanResult(READY, balance=Decimal(2)).is_worth_applying
    assert PlanResult(READY).is_worth_applying
    assert not PlanResult(READY, balance=Decimal(1)).is_worth_applying
    assert not PlanResult(IDLE).is_worth_applying
    assert not PlanResult(READY, BREACH).is_worth_applying


def test_scheduled_leaves_out_times_that_have_passed() -> None:
    """The schedule has the earliest time first, and not a late mailing, which is sent on apply."""
    late = examples.action("sale/late", ActionKind.CREATE, schedule_time="2026-11-28T23:50:00+03:00")
    soon = examples.action("sale/soon", ActionKind.CREATE, schedule_time="2026-11-29T01:00:00+03:00")
    sent = examples.action("sale/sent", ActionKind.NOOP)
    result = PlanResult(examples.plan(*READY.actions, late, soon, sent))
    assert result.scheduled == (
        ScheduledSend("sale/soon", timedelta(hours=1)),
        ScheduledSend("sale/vip", timedelta(days=2, hours=10)),
    )


def test_plan_result_problems_include_what_blocks_it() -> None:
    """Blocked mailings and a refused apply are problems in reports, as they are in the exit code."""
    project = Project(
        root=Path("/p"),
        name="shop",
        api=ApiSettings(),
        guardrails=Guardrails(),
        price=None,
        suppress=(),
        lock=Path("/p/lock"),
        campaigns=(),
    )
    found = PlanResult(examples.whole_plan(), BREACH).find_problems(project)
    blocking = [one.code for one in found if one.code in ("BLOCKED", "REFUSED")]
    assert blocking[-1] == "REFUSED" and len(blocking) > 1
    assert all(one.severity is Severity.ERROR for one in found if one.code in blocking)
    assert {"SETTING_CHANGED", "NOT_READ"} <= {one.code for one in found}
