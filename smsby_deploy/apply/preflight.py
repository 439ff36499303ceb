"""Whether what was reviewed is what would be sent now: the plan made anew, lock held, and what refuses all of it."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.apply.events import Event
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid, Refused
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.chunk_cache import Keep
from smsby_deploy.plan.guardrails import check_apply, check_balance
from smsby_deploy.plan.model import Action, Plan, ReasonCode
from smsby_deploy.plan.plan_file import find_staleness, reviewed_addresses, stale_plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.wording import counted


def current_plan(request: ApplyRequest, loaded: LoadedProject, lock: Lock, keep: Keep) -> Plan:
    """The plan as it is now; it bears the reviewed plan's id and addresses if there is one. `keep` hears of its chunks.

    Raises:
        PlanRefused: the reviewed plan is stale, was used, or holds errors. And as make_plan.
    """
    reviewed = request.plan_file
    select = request.select
    if reviewed is not None:
        select = reviewed_addresses(reviewed, loaded, lock)
    plan = make_plan(
        loaded,
        select=select,
        client=request.client,
        account=request.account,
        lock=lock,
        clock=request.clock,
        new_id=reviewed.id if reviewed else uuid4().hex[:12],
        keep=keep,
    )
    if reviewed is None:
        return plan
    if not reviewed.actions:
        plan = replace(plan, actions=())
    stale = find_staleness(reviewed, plan)
    if stale:
        raise stale_plan(stale)
    before = {a.address: a.audience.suppressed for a in reviewed.actions if a.sends}
    fewer = sum(a.audience.suppressed - before[a.address] for a in plan.actions if a.address in before)
    if fewer:
        line = f"{counted(fewer, 'recipient')} opted out since this plan was made: nothing is sent to them"
        request.say(Event("opt-outs", line, recipients=fewer))
    shown_blocked = {action.address for action in reviewed.blocked}
    return replace(plan, actions=tuple(_hold_back(a, shown_blocked) for a in plan.actions))


def _hold_back(action: Action, shown_blocked: set[str]) -> Action:
    """What the reviewed plan showed as blocked is not sent by it, even if nothing is in its way any more."""
    if not action.sends or action.address not in shown_blocked:
        return action
    why = f"blocked in the reviewed plan; now {action.action}: make a new plan"
    return action.block(ReasonCode.CHANGED, why)


def check_whole(request: ApplyRequest, loaded: LoadedProject, plan: Plan) -> None:
    """What refuses everything: invalid files, a guardrail on the whole apply, the balance.

    Raises:
        FilesInvalid, Refused, SmsbyUnavailable, TokenRefused, ApiError: nothing may be sent.
    """
    if plan.has_errors:
        raise FilesInvalid(plan.problems)
    breach = check_apply(loaded.project.guardrails, plan.actions)
    if breach:
        raise Refused(breach.message, hint=f"guardrails.{breach.key} in smsby.yaml, changed in review")
    cost = plan.totals.cost
    # What a list costs only sms.by knows: it is asked once there is a draft.
    if cost or any(a.cost is None and a.via != "list" for a in plan.actions if a.sends):
        balance = request.client.get_balance()
        low = check_balance(cost, plan.currency, balance.amount, balance.currency)
        if low:
            top_up = "top up the account at sms.by, then apply again"
            mend = "price.currency in smsby.yaml is to be that of the account"
            raise Refused(low.message, hint=top_up if low.key == "balance" else mend)
