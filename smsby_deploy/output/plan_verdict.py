"""The verdict of a plan in words, as every format for reviewers has it first."""

from __future__ import annotations

from smsby_deploy.output.translation import Translator
from smsby_deploy.output.values import span_text
from smsby_deploy.plan.comparison import Base, cost_change
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.result import PlanResult, Verdict
from smsby_deploy.problems import Severity


def verdict_text(result: PlanResult, t: Translator) -> str:
    """`Ready: 2 mailings to send, 1 overdue`, without what else changed."""
    plan, ready = result.plan, result.plan.committed.mailings
    overdue = t.gettext(", {count:,} overdue", count=len(plan.overdue)) if plan.overdue else ""
    match result.verdict:
        case Verdict.INVALID:
            errors = sum(problem.severity is Severity.ERROR for problem in plan.problems)
            return t.gettext("Not valid: {errors:error|errors}, nothing will be sent", errors=errors)
        case Verdict.REFUSED:
            return t.gettext("Refused as a whole, nothing will be sent")
        case Verdict.BLOCKED:
            others = t.gettext(", {count:,} ready", count=ready) if ready else ""
            return t.gettext("{count:,} blocked", count=len(plan.obstacles)) + others + overdue
        case Verdict.READY:
            sending, held = plan.totals.mailings, plan.held.mailings
            parts = [t.gettext("{count:mailing|mailings} to send", count=sending)] if sending else []
            parts += [t.gettext("{count:mailing|mailings} to approve for later", count=held)] if held else []
            return t.gettext("Ready: {what}", what=", ".join(parts)) + overdue
        case Verdict.NOTHING_TO_SEND:
            return t.gettext("Nothing to send") + overdue


def first_send_text(result: PlanResult, t: Translator) -> str:
    """When the first mailing is sent: `in 2 d 10 h`, or `on apply`."""
    are_all_scheduled = len(result.scheduled) == result.plan.committed.mailings
    return span_text(result.scheduled[0].wait, t) if are_all_scheduled else t.gettext("on apply")


def cost_text(plan: Plan, base: Base, t: Translator) -> str:
    """`Cost 1.04 BYN (+0.572 compared with main)`."""
    if plan.currency is None:
        return t.gettext("Cost not known: the project has no price")
    change, cost = cost_change(plan, base), f"{t.money(plan.committed.cost)} {plan.currency}"
    if change is None:
        return t.gettext("Cost {cost}", cost=cost)
    label = t.sentence(base.label)
    return t.gettext(
        "Cost {cost} ({change} compared with {base})", cost=cost, change=t.signed(change), base=label
    )


def counts_text(plan: Plan, t: Translator) -> str:
    """`3 create, 1 hold`."""
    counts = [
        t.gettext("{count:,} {action}", count=count, action=kind)
        for kind, count in plan.counts.items()
        if count
    ]
    return ", ".join(counts) or t.gettext("no mailings")


def change_of_cost_text(plan: Plan, base: Base, t: Translator) -> str:
    """`+0.572 compared with main`; empty if the base has no costs."""
    change = cost_change(plan, base)
    if change is None:
        return ""
    return t.gettext("{change} compared with {base}", change=t.signed(change), base=t.sentence(base.label))
