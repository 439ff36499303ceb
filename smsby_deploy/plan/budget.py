"""The budget of a calendar month: what the lock records of it, and what is planned on top."""

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
_SMALLEST = Decimal("0.00001")  # sms.by tells money with five digits

Month = tuple[int, int]


def hold_budget(project: Project, actions: Sequence[Action], lock: Lock, now: datetime) -> list[Action]:
    """The actions, those that cost blocked if together they exceed what is left of the month's budget. What a list costs
    is judged once sms.by told it."""
    price, guardrails = project.price, project.guardrails
    if price is None:
        return list(actions)
    others = other_currencies(lock, now, project.api.account_timezone, price.currency)
    unlike = check_currency(guardrails, price.currency, others)
    spent = spent_beside(project, actions, lock, now)
    breach = unlike or check_budget(guardrails, total_of(actions).cost, spent)
    if breach is None:
        return list(actions)
    return [
        action.block(ReasonCode.GUARDRAIL, breach.message)
        if action.sends and (action.cost or (unlike and action.cost is None))
        else action
        for action in actions
    ]


def spent_beside(project: Project, actions: Iterable[Action], lock: Lock, now: datetime) -> Decimal:
    """What was spent this month, beside what those of `actions` cost that send."""
    revisions = {mailing.address: mailing.revision for mailing in project.mailings}
    to_come = {
        action.address: action.cost or Decimal(0)
        for action in actions
        if action.sends
        and action.address in lock.mailings
        and lock.mailings[action.address].revision == revisions.get(action.address)
    }
    return spent_in_month(lock, now, project.api.account_timezone, to_come=to_come)


def spent_in_month(
    lock: Lock, now: datetime, timezone: str, *, to_come: Mapping[str, Decimal] | None = None
) -> Decimal:
    """What the mailings cost that were sent in the month of `now`, by the clock of `timezone`.

    One that is sent in part, or perhaps, counts whole, but for `to_come`: what of an address is counted by the caller.
    What of it was accepted in another month than it was begun counts there.
    """
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    ahead = to_come or {}
    spent = Decimal(0)
    for address, entry in lock.mailings.items():
        # The part that is still to come was counted into the month in which the mailing was begun.
        is_begun_now = _month(datetime.fromisoformat(entry.applied.at), zone) == month
        coming = ahead.get(address, Decimal(0)) if is_begun_now else Decimal(0)
        spent += max(Decimal(0), _spent(entry, month, zone) - coming)
        spent += sum((_spent(old, month, zone) for old in entry.earlier), Decimal(0))
    return spent


def other_currencies(lock: Lock, now: datetime, timezone: str, currency: str) -> list[str]:
    """The currencies beside `currency` in which something was spent in the month of `now`: no sum can be made of it."""
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
    """What of the entry's cost belongs to `month`: by its recipients, if its chunks were not all sent in one."""
    if entry.cost is None or not any(chunk.state in _SPENT for chunk in entry.chunks):
        return Decimal(0)
    cost = Decimal(entry.cost)
    here = [chunk for chunk in entry.chunks if _sent_month(chunk, entry, zone) == month]
    if len(here) in (0, len(entry.chunks)):
        return cost if here else Decimal(0)
    people = sum(chunk.recipients or 0 for chunk in entry.chunks)
    ours = sum(chunk.recipients or 0 for chunk in here)
    return (cost * ours / people).quantize(_SMALLEST, ROUND_UP) if people else cost


def _sent_month(chunk: ChunkRecord, entry: Entry, zone: ZoneInfo) -> Month:
    return _month(datetime.fromisoformat(chunk.accepted_at or entry.applied.at), zone)


def _month(at: datetime, zone: ZoneInfo) -> Month:
    local = at.astimezone(zone)
    return local.year, local.month
