"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def in_words(span: timedelta) -> str:
    """`in 2 d 3 h`, `in 5 min`, `now`, `4 h 10 min ago`: the two largest units that say something."""
    seconds = abs(int(span.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    units = [(days, "d"), (hours, "h"), (minutes, "min")]
    while units and not units[0][0]:
        units.pop(0)
    told = " ".join(f"{count} {unit}" for count, unit in units[:2] if count)
    if not told:
        return "now"
    return f"in {told}" if span > timedelta(0) else f"{told} ago"


def day_and_clock(moment: datetime) -> str:
    """`Mon 1 Mar 2027 10:00`, in the moment's own zone and in no language but ours."""
    day = f"{_DAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
    return f"{day} {moment:%H:%M}" + (f":{moment:%S}" if moment.second else "")


def in_zone_and_utc(schedule_time: str, zone: str | None = None) -> tuple[str, str]:
    """An ISO time with offset, twice: `Mon 1 Mar 2027 10:00 Europe/Minsk` and `07:00 UTC`, with the day if it is another."""
    local = datetime.fromisoformat(schedule_time)
    utc = local.astimezone(UTC)
    told = day_and_clock(utc) if utc.date() != local.date() else f"{utc:%H:%M}"
    return f"{day_and_clock(local)} {zone or local.isoformat()[-6:]}", f"{told} UTC"
