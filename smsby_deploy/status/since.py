"""`--since` as people write it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from smsby_deploy.errors import UsageError

_SPAN = re.compile(r"(\d{1,4})\s*(min|h|d|w)", re.ASCII)
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_since(text: str, *, now: datetime, zone: str) -> datetime:
    """The moment that `text` means: `2026-12-01`, `2026-12-01T10:00` (in `zone`, unless it has an offset), or how long
    ago: `90min`, `12h`, `7d`, `2w`.

    Raises:
        UsageError: it is none of these.
    """
    span = _SPAN.fullmatch(text.strip())
    if span:
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        hint = "write a date (2026-12-01), a time (2026-12-01T10:00) or how long ago (90min, 12h, 7d, 2w)"
        raise UsageError(f"--since: {text!r} is no time", hint=hint) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
