"""Checks whether a chunk may still be sent, because a run may outlast its plan's limits.

The user may take long to approve, sms.by may ask for a pause, and the machine may sleep.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.records import FIRST_WAVE
from smsby_deploy.plan.guardrails import find_closed_hours
from smsby_deploy.plan.model import NEW_SENDING, Action, ReasonCode, with_code
from smsby_deploy.plan.reasons import expired_since, not_handed_over
from smsby_deploy.plan.situation import is_past


def why_not_now(context: ApplyContext, ref: ChunkRef) -> str:
    """Return why the time rules of the plan forbid sending a chunk now; empty if they do not."""
    address, index = ref
    mailing, action, now = context.mailings[address], context.runs[address].action, context.clock.now()
    time = _time_of(mailing, action, index)
    if time is not None and is_past(time, now - (mailing.max_late or timedelta(0))):
        return with_code(ReasonCode.EXPIRED, expired_since(time))
    window = action.approval.window if action.approval is not None else mailing.window
    is_rehearsal = context.project.environment.is_rehearsal
    is_bound = action.action in NEW_SENDING and time is not None and not is_rehearsal
    if is_bound and window is not None and window.is_over(now):
        return with_code(ReasonCode.EXPIRED, not_handed_over(window))
    if time is not None and not is_past(time, now):
        return ""
    closed = find_closed_hours(context.project.guardrails, mailing, now)
    return "" if closed is None else with_code(ReasonCode.GUARDRAIL, closed.message)


def _time_of(mailing: Mailing, action: Action, index: int) -> datetime | None:
    """Return when a chunk is to be sent; None for at once."""
    chunk = action.chunks[index]
    if chunk.wave not in (None, FIRST_WAVE):
        return None
    return (
        mailing.schedule_time if chunk.schedule_time is None else datetime.fromisoformat(chunk.schedule_time)
    )
