"""Guardrails: what a mailing or a whole apply may not exceed. They are changed in the file, in review; no flag lifts them.

Every breach names the key, the figure and the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Expected, Guardrails, Mailing, RecipientsQuery
from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.desired_state import Desired
from smsby_deploy.plan.model import Action, total_of
from smsby_deploy.texts.price import money
from smsby_deploy.wording import counted


@dataclass(frozen=True, slots=True)
class Breach:
    """A guardrail that stands in the way: its key, and a sentence with the figure and the limit."""

    key: str
    message: str


def check_mailing(
    rails: Guardrails,
    mailing: Mailing,
    desired: Desired,
    now: datetime,
    *,
    list_size: int | None = None,
    policy: ContentPolicy | None = None,
) -> tuple[Breach, ...]:
    """Every guardrail that one mailing breaks.

    `list_size` is what confirm=0 reported of a list kept at sms.by; `policy` has checked every text.
    """
    people: int | None = desired.audience.final
    if list_size is not None or (mailing.via == "list" and mailing.upload is None):
        people = list_size
    return (
        *check_people(rails, mailing, people),
        *_check_texts(rails, desired, policy),
        *_check_sender(rails, mailing),
        *_check_time(rails, mailing, now),
        *_check_freshness(mailing, desired, now),
    )


def check_people(rails: Guardrails, mailing: Mailing, people: int | None) -> Iterator[Breach]:
    """The guardrails on how many people a mailing reaches; None: only sms.by knows, and tells it later."""
    if people is None:
        return
    if rails.max_recipients is not None and people > rails.max_recipients:
        message = f"max_recipients: {counted(people, 'recipient')}, the limit is {rails.max_recipients:,}"
        yield Breach("max_recipients", message)
    expected = mailing.expect_recipients or rails.expect_recipients or Expected()
    if expected.least is not None and people < expected.least:
        message = (
            f"expect_recipients: {counted(people, 'recipient')}, the least expected is {expected.least:,}"
        )
        yield Breach("expect_recipients", message)
    if expected.most is not None and people > expected.most:
        message = f"expect_recipients: {counted(people, 'recipient')}, the most expected is {expected.most:,}"
        yield Breach("expect_recipients", message)


def unjudged_people(rails: Guardrails, mailing: Mailing) -> str | None:
    """The key of a guardrail on how many people a mailing reaches, which nobody can judge who does not know that."""
    if rails.max_recipients is not None:
        return "max_recipients"
    return "expect_recipients" if mailing.expect_recipients or rails.expect_recipients else None


def unjudged_cost(rails: Guardrails) -> str | None:
    """The key of a guardrail on what an apply costs, which nobody can judge who does not know that."""
    if rails.max_cost is not None:
        return "max_cost"
    return "budget" if rails.budget is not None else None


def check_apply(rails: Guardrails, actions: Iterable[Action]) -> Breach | None:
    """A guardrail on the whole apply."""
    total = total_of(actions).cost
    if rails.max_cost is not None and total > rails.max_cost:
        message = f"max_cost: this apply costs {money(total)}, the limit is {money(rails.max_cost)}"
        return Breach("max_cost", message)
    return None


def check_budget(rails: Guardrails, planned: Decimal, spent: Decimal) -> Breach | None:
    """The budget of the calendar month, `planned` on top of what was `spent` of it."""
    if rails.budget is None or not planned or spent + planned <= rails.budget:
        return None
    return Breach(
        "budget",
        f"budget: with {money(planned)} planned and {money(spent)} spent this month costs "
        f"{money(spent + planned)}, the limit is {money(rails.budget)}",
    )


def check_currency(rails: Guardrails, currency: str | None, others: Sequence[str]) -> Breach | None:
    """The budget, where something was spent in `others` this month: what can't be added up can't be held."""
    if rails.budget is None or not others:
        return None
    return Breach(
        "budget",
        f"budget: something was spent in {', '.join(others)} this month, which can't be added to {currency}; "
        f"the limit is {money(rails.budget)} {currency}",
    )


def check_balance(cost: Decimal, currency: str | None, amount: Decimal, held_in: str | None) -> Breach | None:
    """Whether the account, which holds `amount` of the currency `held_in`, can pay an apply; `cost` is 0 where nobody can
    tell what it is."""
    if not cost:
        message = f"balance: the account holds {money(amount)}, which pays for nothing"
        return Breach("balance", message) if amount <= 0 else None
    if not is_same_currency(currency, held_in):
        message = (
            f"balance: this apply costs {money(cost)} {currency}, the account holds {money(amount)} {held_in}: "
            "which of them is more nobody can tell"
        )
        return Breach("price.currency", message)
    if amount < cost:
        message = f"balance: this apply costs {money(cost)}, the account holds {money(amount)}"
        return Breach("balance", message)
    return None


def is_same_currency(ours: str | None, told: str | None) -> bool:
    """Whether sms.by means our currency; where one of them is not known, it may. Russian roubles are RUR to it, too."""
    if not ours or not told:
        return True
    return ours.upper().replace("RUR", "RUB") == told.upper().replace("RUR", "RUB")


def _check_texts(rails: Guardrails, desired: Desired, policy: ContentPolicy | None) -> Iterator[Breach]:
    if rails.max_parts is not None and desired.longest > rails.max_parts:
        message = f"max_parts: the longest text takes {counted(desired.longest, 'part')}, the limit is {rails.max_parts}"
        yield Breach("max_parts", message)
    for (key, pattern), count in policy.violations.items() if policy is not None else ():
        what = "is missing in" if key == "required_words" else "is found in"
        yield Breach(key, f"{key}: `{pattern}` {what} {counted(count, 'text')}, the limit is 0")


def _check_sender(rails: Guardrails, mailing: Mailing) -> Iterator[Breach]:
    if rails.allowed_alphanames and mailing.alphaname not in rails.allowed_alphanames:
        allowed = ", ".join(rails.allowed_alphanames)
        message = f"allowed_alphanames: it would be sent as {mailing.alphaname}, allowed are {allowed}"
        yield Breach("allowed_alphanames", message)


def _check_time(rails: Guardrails, mailing: Mailing, now: datetime) -> Iterator[Breach]:
    schedule = mailing.schedule_time
    local = max(schedule or now, now).astimezone(ZoneInfo(mailing.timezone))
    if rails.quiet_hours is not None:
        start, end = rails.quiet_hours.start, rails.quiet_hours.end
        if _within(local.time(), start, end):
            yield Breach(
                "quiet_hours",
                f"quiet_hours: it would go out at {local:%H:%M} {mailing.timezone}, "
                f"quiet from {start:%H:%M} to {end:%H:%M}",
            )
    for days in rails.blackout:
        if days.first <= local.date() <= days.last:
            until = "" if days.first == days.last else f" to {days.last}"
            message = f"blackout: it would go out on {local:%Y-%m-%d} {mailing.timezone}, nothing may on {days.first}{until}"
            yield Breach("blackout", message)
    # A mailing that is late and may be goes out at once, as one without a time: there is no lead to keep.
    if rails.min_lead is not None and schedule is not None and schedule > now:
        lead = schedule - now
        if lead < rails.min_lead:
            yield Breach(
                "min_lead_minutes",
                f"min_lead_minutes: it is scheduled in {int(lead.total_seconds() // 60)} min, "
                f"the least is {int(rails.min_lead.total_seconds() // 60)}",
            )


def _check_freshness(mailing: Mailing, desired: Desired, now: datetime) -> Iterator[Breach]:
    newest = desired.newest
    if isinstance(mailing.audience, RecipientsQuery) and mailing.audience.freshness and newest is not None:
        age, most = now - newest, mailing.audience.freshness.max_age
        if age > most:
            found = newest.astimezone(ZoneInfo(mailing.timezone))
            message = f"freshness: its newest data is of {found:%Y-%m-%d %H:%M} {mailing.timezone}, {_hours(age)} old"
            yield Breach("freshness", f"{message}; the limit is {_hours(most)}")


def _hours(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _within(at: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= at < end
    return at >= start or at < end
