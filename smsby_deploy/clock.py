"""The clock, passed as an argument so that tests control the time; and spans of time."""

from __future__ import annotations

import re
import time
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, Self


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Return the present time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Window(NamedTuple):
    """A span of time in which something may be done."""

    opens: datetime
    closes: datetime

    @classmethod
    def before(cls, time: datetime, earliest: timedelta, latest: timedelta) -> Self:
        """Return the window from `earliest` to `latest` before a time, in its zone.

        It is empty if the calendar has no such time.
        """
        try:
            instant = time.astimezone(UTC)  # a zone's own clock may skip or repeat an hour
            opens, closes = ((instant - one).astimezone(time.tzinfo) for one in (earliest, latest))
        except OverflowError:
            return cls(time, time)
        # With offsets, because a time that a zone repeats equals none of another zone.
        return cls.parse(opens.isoformat(), closes.isoformat())

    @classmethod
    def parse(cls, opens: str, closes: str) -> Self:
        """Return the window between two times in ISO format with offset."""
        return cls(datetime.fromisoformat(opens), datetime.fromisoformat(closes))

    def as_text(self) -> dict[str, str]:
        """Return both times in ISO format with offset, by name."""
        return {"opens": self.opens.isoformat(), "closes": self.closes.isoformat()}

    def is_open(self, now: datetime) -> bool:
        return self.opens <= now < self.closes

    def is_over(self, now: datetime) -> bool:
        return self.closes <= now


# `min` and `w` are spellings of earlier versions.
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(rf"([0-9]{{1,5}}) ?({'|'.join(_UNITS)})")


def read_duration(text: str) -> timedelta:
    """Parse a duration, written as a number and s, m, h or d.

    Raises:
        ValueError: it is not a duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


# Etc/ has zones whose sign is the reverse of what their name says, and Factory is a placeholder.
_AREAS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Brazil", "Canada"),
    *("Chile", "Europe", "Indian", "Mexico", "Pacific", "US"),
)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC"})


def find_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """Return the zone `name` of the tz database; None if it is neither UTC nor in an area.

    From the first call on, the data of the package tzdata take precedence over those of the system: two machines must not
    read the same time differently.
    """
    if name not in _zone_names():
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # listed, but its data are missing
        return None


@cache
def _zone_names() -> frozenset[str]:
    package = Path(str(import_module("tzdata").__file__)).parent  # importlib.resources takes 5 ms to import
    zoneinfo.reset_tzpath([str(package / "zoneinfo"), *zoneinfo.TZPATH])
    names = (package / "zones").read_text(encoding="utf-8").split()
    return frozenset(
        name for name in names if name in _UTC_NAMES or (name.partition("/")[0] in _AREAS and "/" in name)
    )


def full_minute(moment: datetime) -> datetime:
    """Return the first full minute at or after `moment`.

    Messages show times without seconds, and something due at a time shown must be due then.
    """
    return moment + timedelta(seconds=-(moment.second + moment.microsecond / 1e6) % 60)
