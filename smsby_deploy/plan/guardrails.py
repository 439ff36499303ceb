"""Guardrails: limits of a mailing or of a whole apply.

They are changed in smsby.yaml, in review; no option overrides them. Every breach names the key, the figure and the
limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Expected, Guardrails, Mailing
from smsby_deploy.config.sources import RecipientsQuery
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.model import COMMITTING, Action, total_of
from smsby_deploy.recipients.rows import DataAge
from smsby_deploy.wording import sentence

CLOSED_HOURS = ("quiet_hours", "blackout")  # the keys that forbid a time for a while


@dataclass(frozen=True, slots=True)
class Breach:
    """A violated guardrail: its key, and a sentence with the figure and the limit."""

    key: str
    message: str


def check_mailing(
    rails: Guardrails,
    mailing: Mailing,
    desired: Desired,
    now: datetime,
    *,
    times: Sequence[datetime | None],
) -> tuple[Breach, ...]:
    """Return every guardrail that a mailing violates.

    The recipients of a list kept at sms.by are not known yet. `times` are the times of the chunks to send.
    """
    return (
        *check_recipients(rails, mailing, desired.recipients),
        *_check_texts(rails, desired),
        *_check_sender(rails, mailing),
        *_check_times(rails, mailing, times, now),
        *_check_freshness(mailing, desired, now),
    )


def check_recipients(rails: Guardrails, mailing: Mailing, recipients: int | None) -> Iterator[Breach]:
    """Yield the violated guardrails on the number of recipients.

    None is not checked: only sms.by knows the number, and reports it later.
    """
    if recipients is None:
        return
    if rails.max_recipients is not None and recipients > rails.max_recipients:
        message = sentence(
            "max_recipients: {count:recipient|recipients}, the limit is {limit:,}",
            count=recipients,
            limit=rails.max_recipients,
        )
        yield Breach("max_recipients", message)
    expected = mailing.expect_recipients or rails.expect_recipients or Expected()
    if expected.least is not None and recipients < expected.least:
        message = sentence(
            "expect_recipients: {count:recipient|recipients}, expected at least {limit:,}",
            count=recipients,
            limit=expected.least,
        )
        yield Breach("expect_recipients", message)
    if expected.most is not None and recipients > expected.most:
        message = sentence(
            "expect_recipients: {count:recipient|recipients}, expected at most {limit:,}",
            count=recipients,
            limit=expected.most,
        )
        yield Breach("expect_recipients", message)


def find_closed_hours(rails: Guardrails, mailing: Mailing, now: datetime) -> Breach | None:
    """Return the quiet hours or blackout that a mailing sent right now would violate, if any."""
    breaches = _check_times(rails, mailing, (None,), now)
    return next((one for one in breaches if one.key in CLOSED_HOURS), None)


def key_needing_recipients(rails: Guardrails, mailing: Mailing) -> str | None:
    """Return the key of a guardrail that cannot be judged without the number of recipients."""
    if rails.max_recipients is not None:
        return "max_recipients"
    return "expect_recipients" if mailing.expect_recipients or rails.expect_recipients else None


def key_needing_cost(rails: Guardrails) -> str | None:
    """Return the key of a guardrail that cannot be judged without the cost."""
    if rails.max_cost is not None:
        return "max_cost"
    return "budget" if rails.budget is not None else None


def check_apply(rails: Guardrails, actions: Iterable[Action]) -> Breach | None:
    """Return the breach of the guardrail on a whole apply (`max_cost`), or None."""
    total = total_of(actions, COMMITTING).cost
    if rails.max_cost is not None and total > rails.max_cost:
        message = sentence(
            "max_cost: this apply costs {cost}, the limit is {limit}", cost=total, limit=rails.max_cost
        )
        return Breach("max_cost", message)
    return None


def _check_texts(rails: Guardrails, desired: Desired) -> Iterator[Breach]:
    if rails.max_parts is not None and desired.longest > rails.max_parts:
        message = sentence(
            "max_parts: the longest text takes {count:part|parts}, the limit is {limit}",
            count=desired.longest,
            limit=rails.max_parts,
        )
        yield Breach("max_parts", message)
    for (key, pattern), count in desired.violations.items():
        values = {"key": key, "pattern": pattern, "count": count}
        message = (
            sentence("{key}: `{pattern}` is missing from {count:text|texts}, the limit is 0", **values)
            if key == "required_words"
            else sentence("{key}: `{pattern}` occurs in {count:text|texts}, the limit is 0", **values)
        )
        yield Breach(key, message)


def _check_sender(rails: Guardrails, mailing: Mailing) -> Iterator[Breach]:
    if rails.allowed_alphanames and mailing.alphaname not in rails.allowed_alphanames:
        allowed = ", ".join(rails.allowed_alphanames)
        message = sentence(
            "allowed_alphanames: the sender is {sender}, allowed are {allowed}",
            sender=mailing.alphaname,
            allowed=allowed,
        )
        yield Breach("allowed_alphanames", message)


def _check_times(
    rails: Guardrails, mailing: Mailing, times: Sequence[datetime | None], now: datetime
) -> Iterator[Breach]:
    """Yield the first breach of each guardrail, in the order in which chunks are sent."""
    found: dict[str, Breach] = {}
    for schedule in dict.fromkeys(times):
        for breach in _check_time(rails, mailing, schedule, now):
            found.setdefault(breach.key, breach)
    yield from found.values()


def _check_time(
    rails: Guardrails, mailing: Mailing, schedule: datetime | None, now: datetime
) -> Iterator[Breach]:
    local = max(schedule or now, now).astimezone(ZoneInfo(mailing.timezone))
    what = sentence("it") if schedule == mailing.schedule_time else sentence("a chunk")
    if rails.quiet_hours is not None:
        start, end = rails.quiet_hours.start, rails.quiet_hours.end
        at = local.time()
        if start <= at < end if start <= end else at >= start or at < end:
            message = sentence(
                "quiet_hours: {what} would be sent at {time} {zone}, quiet hours are {start} to {end}",
                what=what,
                time=f"{local:%H:%M}",
                zone=mailing.timezone,
                start=f"{start:%H:%M}",
                end=f"{end:%H:%M}",
            )
            yield Breach("quiet_hours", message)
    for days in rails.blackout:
        if days.first <= local.date() <= days.last:
            period = str(days.first)
            if days.first != days.last:
                period = sentence("{first} to {last}", first=str(days.first), last=str(days.last))
            message = sentence(
                "blackout: {what} would be sent on {day} {zone}, blackout is {period}",
                what=what,
                day=f"{local:%Y-%m-%d}",
                zone=mailing.timezone,
                period=period,
            )
            yield Breach("blackout", message)
    # A late mailing within max_late is sent at once, like one without a time: no lead applies.
    if rails.min_lead is not None and schedule is not None and schedule > now:
        lead = schedule - now
        if lead < rails.min_lead:
            yield Breach(
                "min_lead_minutes",
                sentence(
                    "min_lead_minutes: {what} is scheduled in {lead} min, the minimum is {limit} min",
                    what=what,
                    lead=int(lead.total_seconds() // 60),
                    limit=int(rails.min_lead.total_seconds() // 60),
                ),
            )


def _check_freshness(mailing: Mailing, desired: Desired, now: datetime) -> Iterator[Breach]:
    ages = [
        (sentence("the newest opt-out of {place}", place=str(one.place)), one) for one in desired.opt_out_ages
    ]
    if (
        isinstance(mailing.audience, RecipientsQuery)
        and mailing.audience.freshness
        and desired.newest is not None
    ):
        own = DataAge(mailing.audience.location, desired.newest, mailing.audience.freshness)
        ages.insert(0, (sentence("its newest data"), own))
    for what, (_, newest, freshness) in ages:
        if now - newest > freshness.max_age:
            found = newest.astimezone(ZoneInfo(mailing.timezone))
            message = sentence(
                "freshness: {what} is from {time} {zone}, {age} old; the limit is {limit}",
                what=what,
                time=f"{found:%Y-%m-%d %H:%M}",
                zone=mailing.timezone,
                age=_hours(now - newest),
                limit=_hours(freshness.max_age),
            )
            yield Breach("freshness", message)


def _hours(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return sentence("{count} min", count=minutes)
    return sentence("{count} h", count=minutes // 60)
