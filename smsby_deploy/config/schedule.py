"""Time zones, schedule times and durations; a schedule time must be one unambiguous instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from smsby_deploy.config.problem_log import ProblemLog
from smsby_deploy.problems import Location

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def read_duration(text: str) -> timedelta:
    """Return the duration written as `30m`, `2h` or `1d`; the schema allows no other form."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def read_zone(name: str, location: Location, log: ProblemLog) -> ZoneInfo | None:
    """Return the time zone `name`; None, and an error, if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        message = f"unknown time zone {name}; use an IANA name such as Europe/Minsk"
        log.error("TIMEZONE", message, location)
        return None


def read_time(text: str, zone: ZoneInfo, location: Location, log: ProblemLog) -> datetime | None:
    """Return the instant `text` in `zone`; a UTC offset in `text` takes precedence. None, and an error, if invalid."""
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            return when.astimezone(zone)
        local = when.replace(tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != when:
            log.error("DST", f"{text} does not exist in {zone.key}: clocks are set forward", location)
            return None
        if _is_ambiguous(local):
            message = f"{text} is ambiguous in {zone.key}: clocks are set back; add a UTC offset"
            log.error("DST", message, location)
            return None
    except (ValueError, OverflowError):
        log.error("TIME", f"no such time: {text}", location)
        return None
    return local


def check_in_account_zone(
    schedule: datetime, account: ZoneInfo | None, location: Location, log: ProblemLog
) -> None:
    """Report a time that is ambiguous in the account's time zone, because sms.by reads dates without an offset."""
    if account is not None and _is_ambiguous(schedule.astimezone(account)):
        message = f"ambiguous in the account's time zone ({account.key}), in which sms.by reads it"
        log.error("DST", message, location)


def _is_ambiguous(local: datetime) -> bool:
    """Whether the clocks of its zone show this local time twice, because they are set back."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
