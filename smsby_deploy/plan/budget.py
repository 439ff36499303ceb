"""The budget of a calendar month: what the lock records of it, and what is planned on top."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.lock.model import ChunkState, Entry, Lock
from smsby_deploy.plan.model import Action
from smsby_deploy.project.declarations import Project

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN})


def spent_beside(project: Project, actions: Iterable[Action], lock: Lock, now: datetime) -> Decimal:
    """What was spent this month, beside what those of `actions` cost that send.

    Of a mailing that is resumed the plan's cost is that of all of it, and the lock's would be the same once more.
    """
    revisions = {mailing.address: mailing.revision for mailing in project.mailings}
    anew = {
        action.address
        for action in actions
        if action.sends
        and action.address in lock.mailings
        and lock.mailings[action.address].revision == revisions.get(action.address)
    }
    return spent_in_month(lock, now, project.api.account_timezone, anew=anew)


def spent_in_month(lock: Lock, now: datetime, timezone: str, *, anew: Collection[str] = ()) -> Decimal:
    """What the mailings cost that were applied in the month of `now`, by the clock of `timezone`.

    One that is sent in part, or perhaps, counts whole. `anew` are the addresses whose present revision is counted by
    the caller, because the rest of it goes out now.
    """
    zone = ZoneInfo(timezone)
    month = _month(now, zone)
    entries = [entry for address, entry in lock.mailings.items() if address not in anew]
    entries += [earlier for entry in lock.mailings.values() for earlier in entry.earlier]
    return sum((_spent(entry) for entry in entries if _applied_month(entry, zone) == month), Decimal(0))


def _spent(entry: Entry) -> Decimal:
    was_sent = any(chunk.state in _SPENT for chunk in entry.chunks)
    return Decimal(entry.cost) if entry.cost is not None and was_sent else Decimal(0)


def _applied_month(entry: Entry, zone: ZoneInfo) -> tuple[int, int]:
    return _month(datetime.fromisoformat(entry.applied.at), zone)


def _month(at: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = at.astimezone(zone)
    return local.year, local.month
