"""Reads the headers of an answer: when to try again, and the time at sms.by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of Retry-After, which is a number of seconds or an HTTP date.

    None if neither.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    lead = _lead_over(value, now)
    return None if lead is None else max(0.0, -lead.total_seconds())


def read_clock_lead(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how far `now` is ahead of the time at sms.by; negative if it is behind.

    None if the answer does not say, or comes from a cache.
    """
    return None if "Age" in headers else _lead_over(headers.get("Date", ""), now)


def _lead_over(date: str, now: datetime) -> timedelta | None:
    try:
        return now - parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
