"""Values as text: times, spans, counts, shares, and texts made safe to print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from smsby_deploy.privacy import mask_phones

if TYPE_CHECKING:
    from smsby_deploy.lock.records import NamedId

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def clean(text: str) -> str:
    """`text` on one line, without control characters.

    Those could rewrite the terminal's content.
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def safe_line(text: str) -> str:
    """`text` on one line, without control characters and whole phone numbers."""
    return mask_phones(clean(text))


def count_text(value: int | None) -> str:
    """`1,000`; `?` if only sms.by knows it."""
    return "?" if value is None else f"{value:,}"


def list_text(contact_list: NamedId) -> str:
    """`contact list Newsletter (id 3434)`; the id may be unknown."""
    number = "unknown" if contact_list.id is None else contact_list.id
    return f"contact list {safe_line(contact_list.name)} (id {number})"


def share_text(part: int, whole: int) -> str:
    """A percentage, rounded down, so that only all is 100.0%; `-` if `whole` is 0."""
    if not whole:
        return "-"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10}%"


def span_text(span: timedelta) -> str:
    """A span from now, in its two largest units.

    For example `in 2 d 3 h`, `in 5 min`, `now`, `4 h 10 min ago`.
    """
    seconds = abs(int(span.total_seconds()))
    units = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min")]
    while units and not units[0][0]:
        units.pop(0)
    text = " ".join(f"{count} {unit}" for count, unit in units[:2] if count)
    if not text:
        return "now"
    return f"in {text}" if span > timedelta(0) else f"{text} ago"


def day_and_time(moment: datetime) -> str:
    """`Mon 1 Mar 2027 10:00`, in the moment's own zone and in English whatever the locale."""
    day = f"{_DAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
    return f"{day} {moment:%H:%M}" + (f":{moment:%S}" if moment.second else "")


def local_and_utc(schedule_time: str, zone: str | None = None) -> tuple[str, str]:
    """An ISO time as `Mon 1 Mar 2027 10:00 Europe/Minsk` and `07:00 UTC`.

    The UTC time has a day if that differs.
    """
    local = datetime.fromisoformat(schedule_time)
    utc = local.astimezone(UTC)
    utc_text = day_and_time(utc) if utc.date() != local.date() else f"{utc:%H:%M}"
    return f"{day_and_time(local)} {zone or local.isoformat()[-6:]}", f"{utc_text} UTC"


def schedule_text(schedule_time: str) -> str:
    """An ISO time as `2027-03-01 10:00 +03`, as short as possible."""
    clock, offset = schedule_time[:19].replace("T", " "), schedule_time[19:]
    short_clock = clock.removesuffix(":00") if len(clock) == 19 else clock
    return f"{short_clock} {offset.removesuffix(':00')}".strip()
