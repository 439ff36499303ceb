"""The budget of a calendar month: what the lock records as spent, and what is planned on top of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_UP, Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.config.declarations import Project
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.guardrails import check_budget, check_currency
from smsby_deploy.plan.model import Action, ReasonCode, total_of

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN, ChunkState.PARTIAL})
_SMALLEST = Decimal("0.00001")  # sms.by reports money with five decimals

Month = tuple[int, int]


def hold_budget(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> list[Action]:
    """Return the actions, with those that cost money blocked if together they exceed the rest of the month's budget.

    Lists kept at sms.by are judged later, when their cost is known.
    """
    price, guardrails = project.price, project.guardrails
    if price is None:
        return list(actions)
    others = other_currencies(lock, now, project.api.account_timezone, price.currency)
    mixed = check_currency(guardrails, price.currency, others)
    spent = spent_beside(project, actions, lock, now)
    breach = mixed or check_budget(guardrails, total_of(actions).cost, spent)
    if breach is None:
        return list(actions)
    return [
        action.block(ReasonCode.GUARDRAIL, breach.message)
        if action.sends and (action.cost or (mixed and action.cost is None))
        else action
        for action in actions
    ]


def spent_beside(project: Project, actions: Iterable[Action], lock: Lock, now: datetime) -> Decimal:
    """Return what was spent this month apart from what the sending ones of `actions` cost."""
    revisions = {mailing.address: mailing.revision for mailing in project.mailings}
    planned = {
        action.address: action.cost or Decimal(0)
        for action in actions
        if action.sends
        and action.address in lock.mailings
        and lock.mailings[action.address].revision == revisions.get(action.address)
    }
    return spent_in_month(lock, now, project.api.account_timezone, planned=planned)


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
    """Return the currencies other than `currency` in which money was spent in the month of `now`."""
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
    """Return the share of the entry's cost that belongs to `month`, by recipients if its chunks were sent in several."""
    if entry.cost is None or not any(chunk.state in _SPENT for chunk in entry.chunks):
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
