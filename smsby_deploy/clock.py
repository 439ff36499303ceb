"""The clock, passed as an argument so that tests can control the time."""

from __future__ import annotations

import time
import zoneinfo
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """Return the present time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


# Etc/ has zones whose sign is the reverse of what their name says, and Factory is a placeholder.
_AREAS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Brazil", "Canada"),
    *("Chile", "Europe", "Indian", "Mexico", "Pacific", "US"),
)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC"})


def find_zone(name: str) -> zoneinfo.ZoneInfo | None:
    """Return the zone `name` of the tz database; None if it is neither UTC nor in an area.

    The data of the package tzdata are used before those of the system, from the first call on: two machines must not
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
