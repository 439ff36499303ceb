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


class TimeLimits:
    """Applies the time rules of the plan to chunks at the moment they are sent."""

    def __init__(self, context: ApplyContext) -> None:
        self._mailings = context.project.by_address
        self._rails = context.project.guardrails
        self._is_rehearsal = context.project.environment.is_rehearsal
        self._runs = context.runs
        self._clock = context.clock

    def objection(self, ref: ChunkRef) -> str:
        """Return why a chunk must not be sent now; empty if it may be."""
        address, index = ref
        mailing, action, now = self._mailings[address], self._runs[address].action, self._clock.now()
        time = _time_of(mailing, action, index)
        if time is not None and is_past(time, now - (mailing.max_late or timedelta(0))):
            return with_code(ReasonCode.EXPIRED, expired_since(time))
        window = action.approval.window if action.approval is not None else mailing.window
        is_bound = action.action in NEW_SENDING and time is not None and not self._is_rehearsal
        if is_bound and window is not None and window.is_over(now):
            return with_code(ReasonCode.EXPIRED, not_handed_over(window))
        if time is not None and not is_past(time, now):
            return ""
        closed = find_closed_hours(self._rails, mailing, now)
        return "" if closed is None else with_code(ReasonCode.GUARDRAIL, closed.message)


def _time_of(mailing: Mailing, action: Action, index: int) -> datetime | None:
    """Return when a chunk is to be sent; None for at once."""
    chunk = action.chunks[index]
    if chunk.wave not in (None, FIRST_WAVE):
        return None
    return (
        mailing.schedule_time if chunk.schedule_time is None else datetime.fromisoformat(chunk.schedule_time)
    )
