"""The budget of a calendar month: what the lock records of it, and what is planned on top."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from smsby_deploy.lock.model import ChunkState, Entry, Lock

_SPENT = frozenset({ChunkState.ACCEPTED, ChunkState.UNKNOWN})


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
