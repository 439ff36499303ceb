"""Guardrails: limits of a mailing or of a whole apply.

They are changed in smsby.yaml, in review; no option lifts them.
Every breach names the key, the figure and the limit.

The budget of a calendar month adds what the lock records as spent to what is planned.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import ROUND_UP, Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Expected, Guardrails, Mailing, Project
from smsby_deploy.config.sources import RecipientsQuery
from smsby_deploy.lock.archive import with_newer
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, EntryState, Lock
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.model import COMMITTING, Action, ReasonCode, total_of
from smsby_deploy.plan.text_counter import ContentPolicy
from smsby_deploy.recipients.rows import DataAge
from smsby_deploy.texts.cost import money
from smsby_deploy.wording import counted

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN, ChunkState.PARTIAL})
_SMALLEST = Decimal("0.00001")  # sms.by reports money with five decimals
Month = tuple[int, int]


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
    list_size: int | None = None,
    policy: ContentPolicy | None = None,
    times: Sequence[datetime | None] | None = None,
) -> tuple[Breach, ...]:
    """Return every guardrail that a mailing violates.

    `list_size` is what confirm=0 reported of a list kept at sms.by; `policy` has checked every text. `times` are those of
    the chunks that are to be sent, None for all of them.
    """
    recipients: int | None = desired.audience.final
    if list_size is not None or (mailing.via == "list" and mailing.upload is None):
        recipients = list_size
    return (
        *check_recipients(rails, mailing, recipients),
        *_check_texts(rails, desired, policy),
        *_check_sender(rails, mailing),
        *_check_times(rails, mailing, (mailing.schedule_time,) if times is None else times, now),
        *_check_freshness(mailing, desired, now),
    )


def check_recipients(rails: Guardrails, mailing: Mailing, recipients: int | None) -> Iterator[Breach]:
    """Yield the violated guardrails on the number of recipients.

    None is not judged: only sms.by knows the number, and reports it later.
    """
    if recipients is None:
        return
    count = counted(recipients, "recipient")
    if rails.max_recipients is not None and recipients > rails.max_recipients:
        yield Breach("max_recipients", f"max_recipients: {count}, the limit is {rails.max_recipients:,}")
    expected = mailing.expect_recipients or rails.expect_recipients or Expected()
    if expected.least is not None and recipients < expected.least:
        message = f"expect_recipients: {count}, expected at least {expected.least:,}"
        yield Breach("expect_recipients", message)
    if expected.most is not None and recipients > expected.most:
        message = f"expect_recipients: {count}, expected at most {expected.most:,}"
        yield Breach("expect_recipients", message)


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
    """Return the guardrail that a whole apply violates."""
    total = total_of(actions, COMMITTING).cost
    if rails.max_cost is not None and total > rails.max_cost:
        message = f"max_cost: this apply costs {money(total)}, the limit is {money(rails.max_cost)}"
        return Breach("max_cost", message)
    return None


def check_budget(rails: Guardrails, planned: Decimal, spent: Decimal) -> Breach | None:
    """Check the budget of the calendar month: `planned` is added to what was `spent`."""
    if rails.budget is None or not planned or spent + planned <= rails.budget:
        return None
    return Breach(
        "budget",
        f"budget: {money(planned)} planned and {money(spent)} spent this month make {money(spent + planned)}, "
        f"the limit is {money(rails.budget)}",
    )


def check_currency(rails: Guardrails, currency: str | None, others: Sequence[str]) -> Breach | None:
    """Check that nothing was spent in other currencies this month.

    A sum over several currencies could not be judged.
    """
    if rails.budget is None or not others:
        return None
    return Breach(
        "budget",
        f"budget: this month's expenses in {', '.join(others)} cannot be added to {currency}; "
        f"the limit is {money(rails.budget)} {currency}",
    )


def check_balance(cost: Decimal, currency: str | None, amount: Decimal, held_in: str | None) -> Breach | None:
    """Check that the balance of the account can pay for an apply.

    The balance is `amount` in the currency `held_in`.
    `cost` is 0 where it is not known.
    """
    if not cost:
        message = f"balance: the account has {money(amount)}, which pays for nothing"
        return Breach("balance", message) if amount <= 0 else None
    if not is_same_currency(currency, held_in):
        message = (
            f"balance: cannot compare: this apply costs {money(cost)} {currency}, "
            f"the account has {money(amount)} {held_in}"
        )
        return Breach("price.currency", message)
    if amount < cost:
        message = f"balance: this apply costs {money(cost)}, the account has {money(amount)}"
        return Breach("balance", message)
    return None


def is_same_currency(ours: str | None, reported: str | None) -> bool:
    """Whether sms.by reports our currency; True where one of them is not known.

    It also writes RUB as RUR.
    """
    if not ours or not reported:
        return True
    return ours.upper().replace("RUR", "RUB") == reported.upper().replace("RUR", "RUB")


def _check_texts(rails: Guardrails, desired: Desired, policy: ContentPolicy | None) -> Iterator[Breach]:
    if rails.max_parts is not None and desired.longest > rails.max_parts:
        message = f"max_parts: the longest text takes {counted(desired.longest, 'part')}, the limit is {rails.max_parts}"
        yield Breach("max_parts", message)
    for (key, pattern), count in policy.violations.items() if policy is not None else ():
        what = "is missing from" if key == "required_words" else "occurs in"
        yield Breach(key, f"{key}: `{pattern}` {what} {counted(count, 'text')}, the limit is 0")


def _check_sender(rails: Guardrails, mailing: Mailing) -> Iterator[Breach]:
    if rails.allowed_alphanames and mailing.alphaname not in rails.allowed_alphanames:
        allowed = ", ".join(rails.allowed_alphanames)
        message = f"allowed_alphanames: the sender is {mailing.alphaname}, allowed are {allowed}"
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
    what = "it" if schedule == mailing.schedule_time else "a chunk"
    if rails.quiet_hours is not None:
        start, end = rails.quiet_hours.start, rails.quiet_hours.end
        if _within(local.time(), start, end):
            yield Breach(
                "quiet_hours",
                f"quiet_hours: {what} would be sent at {local:%H:%M} {mailing.timezone}, "
                f"quiet hours are {start:%H:%M} to {end:%H:%M}",
            )
    for days in rails.blackout:
        if days.first <= local.date() <= days.last:
            until = "" if days.first == days.last else f" to {days.last}"
            day = f"{local:%Y-%m-%d} {mailing.timezone}"
            message = f"blackout: {what} would be sent on {day}, blackout is {days.first}{until}"
            yield Breach("blackout", message)
    # A late mailing within max_late is sent at once, like one without a time: no lead applies.
    if rails.min_lead is not None and schedule is not None and schedule > now:
        lead = schedule - now
        if lead < rails.min_lead:
            yield Breach(
                "min_lead_minutes",
                f"min_lead_minutes: {what} is scheduled in {int(lead.total_seconds() // 60)} min, "
                f"the minimum is {int(rails.min_lead.total_seconds() // 60)} min",
            )


def _check_freshness(mailing: Mailing, desired: Desired, now: datetime) -> Iterator[Breach]:
    ages = [(f"the newest opt-out of {one.place}", one) for one in desired.opt_out_ages]
    if (
        isinstance(mailing.audience, RecipientsQuery)
        and mailing.audience.freshness
        and desired.newest is not None
    ):
        own = DataAge(mailing.audience.location, desired.newest, mailing.audience.freshness)
        ages.insert(0, ("its newest data", own))
    for what, (_, newest, freshness) in ages:
        if now - newest > freshness.max_age:
            found = newest.astimezone(ZoneInfo(mailing.timezone))
            message = f"freshness: {what} is from {found:%Y-%m-%d %H:%M} {mailing.timezone}, {_hours(now - newest)} old"
            yield Breach("freshness", f"{message}; the limit is {_hours(freshness.max_age)}")


def _hours(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _within(at: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= at < end
    return at >= start or at < end


def hold_budget(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> list[Action]:
    """Return the actions, blocked if together they exceed the month's budget.

    Only actions that cost money are blocked.
    Lists kept at sms.by are judged later, when their cost is known.
    """
    price, guardrails = project.price, project.guardrails
    if price is None or guardrails.budget is None:
        return list(actions)
    lock = _with_month(project, lock, now)
    others = other_currencies(lock, now, project.api.account_timezone, price.currency)
    mixed = check_currency(guardrails, price.currency, others)
    spent = spent_beside(project, actions, lock, now)
    breach = mixed or check_budget(guardrails, total_of(actions, COMMITTING).cost, spent)
    if breach is None:
        return list(actions)
    return [
        action.block(ReasonCode.GUARDRAIL, breach.message)
        if action.commits and (action.cost or (mixed and action.cost is None))
        else action
        for action in actions
    ]


def spent_beside(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> Decimal:
    """Return what was spent this month apart from what `actions` commit to.

    What waits for a time in this month counts as spent. It is 0 without a budget, which alone needs it.
    """
    if project.guardrails.budget is None:
        return Decimal(0)
    lock = _with_month(project, lock, now)
    revisions = {mailing.address: mailing.revision for mailing in project.mailings}
    planned = {
        action.address: action.cost or Decimal(0)
        for action in actions
        if action.commits
        and action.address in lock.mailings
        and lock.mailings[action.address].revision == revisions.get(action.address)
    }
    spent = spent_in_month(lock, now, project.api.account_timezone, planned=planned)
    committed = {action.address for action in actions if action.commits}
    return spent + _spent_soon(lock, now, ZoneInfo(project.api.account_timezone), committed)


def _spent_soon(lock: Lock, now: datetime, zone: ZoneInfo, beside: Container[str]) -> Decimal:
    """Return the cost of what is approved for a time in the month of `now` and waits."""
    waiting = (
        entry
        for address, entry in lock.mailings.items()
        if entry.state is EntryState.WAITING and address not in beside
    )
    return sum(
        (
            Decimal(entry.cost)
            for entry in waiting
            if entry.cost is not None
            and entry.send_time is not None
            and _month(entry.send_time, zone) == _month(now, zone)
        ),
        Decimal(0),
    )


def _with_month(project: Project, lock: Lock, now: datetime) -> Lock:
    """Return `lock` with what was archived this month."""
    if not lock.archived:
        return lock
    local = now.astimezone(ZoneInfo(project.api.account_timezone))
    return with_newer(lock, local.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def spent_in_month(
    lock: Lock, now: datetime, timezone: str, *, planned: Mapping[str, Decimal] | None = None
) -> Decimal:
    """Return the cost of the mailings sent in the month of `now`, by the clock of `timezone`.

    A mailing sent in part, or with an unknown outcome, counts as a whole, except for what the caller counts as `planned`
    for its address. Chunks that were accepted in another month count there.
    """
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    counted_by_caller = planned or {}
    spent = Decimal(0)
    for address, entry in lock.mailings.items():
        # What is not sent yet counts in the month in which the mailing was begun.
        is_begun_now = _month(datetime.fromisoformat(entry.applied.at), zone) == month
        rest = counted_by_caller.get(address, Decimal(0)) if is_begun_now else Decimal(0)
        spent += max(Decimal(0), _spent(entry, month, zone) - rest)
        spent += sum((_spent(old, month, zone) for old in entry.earlier), Decimal(0))
    return spent


def other_currencies(lock: Lock, now: datetime, timezone: str, currency: str) -> list[str]:
    """Return the currencies other than `currency` spent in the month of `now`."""
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    return sorted(
        {
            entry.currency
            for entry in _all_entries(lock)
            if entry.currency not in (None, currency) and _spent(entry, month, zone)
        }
    )


def _all_entries(lock: Lock) -> Iterator[Entry]:
    for entry in lock.mailings.values():
        yield entry
        yield from entry.earlier


def _spent(entry: Entry, month: Month, zone: ZoneInfo) -> Decimal:
    """Return the share of the entry's cost that belongs to `month`.

    If its chunks were sent in several months, recipients determine the share.
    """
    if entry.cost is None or entry.is_withdrawn or not any(chunk.state in _SPENT for chunk in entry.chunks):
        return Decimal(0)
    cost = Decimal(entry.cost)
    here = [chunk for chunk in entry.chunks if _sent_month(chunk, entry, zone) == month]
    if len(here) in (0, len(entry.chunks)):
        return cost if here else Decimal(0)
    recipients = sum(chunk.recipients or 0 for chunk in entry.chunks)
    sent_here = sum(chunk.recipients or 0 for chunk in here)
    return (cost * sent_here / recipients).quantize(_SMALLEST, ROUND_UP) if recipients else cost


def _sent_month(chunk: ChunkRecord, entry: Entry, zone: ZoneInfo) -> Month:
    return _month(datetime.fromisoformat(chunk.accepted_at or entry.applied.at), zone)


def _month(at: datetime, zone: ZoneInfo) -> Month:
    local = at.astimezone(zone)
    return local.year, local.month
