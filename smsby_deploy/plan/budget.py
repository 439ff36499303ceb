"""The budget of a calendar month: what the lock records of it, and what is planned on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.lock.model import ChunkState, Entry, Lock
from smsby_deploy.plan.model import Action
from smsby_deploy.project.declarations import Project

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN, ChunkState.PARTIAL})


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
    """What the mailings cost that were applied in the month of `now`, by the clock of `timezone`.

    One that is sent in part, or perhaps, counts whole, but for `to_come`: what of an address is counted by the caller.
    """
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    ahead = to_come or {}
    spent = Decimal(0)
    for address, entry in lock.mailings.items():
        if _applied_month(entry, zone) == month:
            spent += max(Decimal(0), _spent(entry) - ahead.get(address, Decimal(0)))
        spent += sum((_spent(old) for old in entry.earlier if _applied_month(old, zone) == month), Decimal(0))
    return spent


def _spent(entry: Entry) -> Decimal:
    was_sent = any(chunk.state in _SPENT for chunk in entry.chunks)
    return Decimal(entry.cost) if entry.cost is not None and was_sent else Decimal(0)


def _applied_month(entry: Entry, zone: ZoneInfo) -> tuple[int, int]:
    return _month(datetime.fromisoformat(entry.applied.at), zone)


def _month(at: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = at.astimezone(zone)
    return local.year, local.month
