"""Guardrails: what a mailing or a whole apply may not exceed. They are changed in the file, in review; no flag lifts them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.plan.diff import Desired
from smsby_deploy.plan.model import Action
from smsby_deploy.project.declarations import Guardrails, Mailing


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that stands in the way: its key, and a sentence with the figure and the limit."""

    key: str
    message: str


def check_mailing(
    rails: Guardrails, mailing: Mailing, desired: Desired, now: datetime, *, for_list: int | None = None
) -> Breach | None:
    """The first guardrail that one mailing breaks. `for_list` is what confirm=0 told of a list's size."""
    people = for_list if for_list is not None else desired.audience.final
    if rails.max_recipients is not None and people > rails.max_recipients:
        return Breach(
            "max_recipients", f"max_recipients: {people} recipients, the limit is {rails.max_recipients}"
        )
    if rails.max_parts is not None and desired.longest > rails.max_parts:
        return Breach(
            "max_parts",
            f"max_parts: the longest text takes {desired.longest} parts, the limit is {rails.max_parts}",
        )
    goes_out = mailing.schedule_time or now
    if rails.quiet_hours is not None:
        local = goes_out.astimezone(ZoneInfo(mailing.timezone))
        start, end = rails.quiet_hours.start, rails.quiet_hours.end
        if _within(local.time(), start, end):
            return Breach(
                "quiet_hours",
                f"quiet_hours: it would go out at {local:%H:%M} {mailing.timezone}, "
                f"quiet from {start:%H:%M} to {end:%H:%M}",
            )
    if rails.min_lead is not None and mailing.schedule_time is not None:
        lead = mailing.schedule_time - now
        if lead < rails.min_lead:
            return Breach(
                "min_lead_minutes",
                f"min_lead_minutes: it is scheduled in {int(lead.total_seconds() // 60)} min, "
                f"the least is {int(rails.min_lead.total_seconds() // 60)}",
            )
    return None


def check_apply(rails: Guardrails, actions: Iterable[Action]) -> Breach | None:
    """A guardrail on the whole apply."""
    total = sum((action.cost or Decimal(0) for action in actions if action.sends), Decimal(0))
    if rails.max_cost is not None and total > rails.max_cost:
        return Breach("max_cost", f"max_cost: this apply costs {total}, the limit is {rails.max_cost}")
    return None


def _within(at: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= at < end
    return at >= start or at < end
