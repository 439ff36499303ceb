"""Time zones and schedule times as files write them, each instant one that its clock shows exactly once."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from smsby_deploy.config.limits import Complain
from smsby_deploy.problems import Location


def read_zone(name: str, location: Location, complain: Complain) -> ZoneInfo | None:
    """The zone `name`, or None and a problem."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        complain("TIMEZONE", f"there is no time zone {name}; one is e.g. Europe/Minsk", location)
        return None


def read_time(text: str, zone: ZoneInfo, location: Location, complain: Complain) -> datetime | None:
    """The instant that `text` means, in `zone`, also if it comes with an offset of its own; None and a problem."""
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            return when.astimezone(zone)
        local = when.replace(tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != when:
            complain("DST", f"{text} does not exist in {zone.key}: the clock jumps over it", location)
            return None
        if _is_twice(local):
            complain("DST", f"{text} exists twice in {zone.key}: write it with an offset", location)
            return None
    except (ValueError, OverflowError):
        complain("TIME", f"there is no such time: {text}", location)
        return None
    return local


def check_on_wire(
    schedule: datetime, account: ZoneInfo | None, location: Location, complain: Complain
) -> None:
    """sms.by takes textual dates and reads them in the account's clock: it must show this time once."""
    if account is not None and _is_twice(schedule.astimezone(account)):
        message = f"the account's clock ({account.key}), in which sms.by reads it, shows this time twice"
        complain("DST", message, location)


def _is_twice(local: datetime) -> bool:
    """Whether a clock shows this local time twice, as it is set back."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
