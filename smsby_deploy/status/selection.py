"""Which recorded mailings a status report covers: address patterns and `--since`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.records import Entry, Lock
from smsby_deploy.plan.selection import is_selected

_SPAN = re.compile(r"(\d{1,4})\s*(min|h|d|w)", re.ASCII)
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def select_addresses(lock: Lock, patterns: tuple[str, ...], since: datetime | None) -> list[str]:
    """Return the recorded addresses that match any of `patterns` (all if there are none), sorted.

    With `since`, mailings scheduled before it, or applied before it if they have no schedule, are left out.

    Raises:
        UsageError: a pattern matches no recorded mailing.
    """
    for pattern in patterns:
        if not any(is_selected(address, (pattern,)) for address in lock.mailings):
            raise UsageError(
                f"no recorded mailing matches {pattern}", hint="list them with `smsby-deploy lock list`"
            )
    return sorted(
        address
        for address, entry in lock.mailings.items()
        if is_selected(address, patterns) and _is_since(entry, since)
    )


def _is_since(entry: Entry, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(entry.schedule_time or entry.applied.at) >= since


def read_since(text: str, *, now: datetime, zone: str) -> datetime:
    """Return the moment that `--since` means.

    `text` is a date (2026-12-01), a time (2026-12-01T10:00, in `zone` unless it has an offset) or a duration before
    `now` (90min, 12h, 7d, 2w).

    Raises:
        UsageError: it is none of these.
    """
    span = _SPAN.fullmatch(text.strip())
    if span:
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"--since: expected a date, a time or a duration, got {text!r}",
            hint="use a date (2026-12-01), a time (2026-12-01T10:00) or a duration (90min, 12h, 7d, 2w)",
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
