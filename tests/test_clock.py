"""clock: time zones by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.clock import Window, find_zone, read_duration


@pytest.mark.parametrize(
    "name", ["Europe/Minsk", "America/Argentina/Buenos_Aires", "US/Eastern", "UTC", "Etc/UTC"]
)
def test_find_zone_with_an_area(name: str) -> None:
    """Names of the tz database with an area, and UTC, are time zones."""
    zone = find_zone(name)
    assert zone is not None and zone.key == name


@pytest.mark.parametrize(
    "name",
    ["localtime", "posixrules", "Factory", "Etc/GMT+3", "Etc/GMT-3", "Etc/GMT", "EET", "GMT", "Zulu", "Turkey", "",
     "posix/Europe/Minsk", "right/Europe/Minsk", "europe/minsk", "Europe/", "Europe", "Europe/Nowhere", "../UTC", "+03:00"],
)  # fmt: skip
def test_find_zone_without_an_area(name: str) -> None:
    """A name that depends on the machine, means the reverse of what it says, or is an abbreviation is no time zone."""
    assert find_zone(name) is None


def test_find_zone_prefers_the_package(tmp_path: Path) -> None:
    """The tzdata package is used even if the system has other data."""
    (tmp_path / "Europe").mkdir()
    with (
        (files("tzdata") / "zoneinfo/Asia/Tokyo").open("rb") as other,
        (tmp_path / "Europe/Minsk").open("wb") as file,
    ):
        shutil.copyfileobj(other, file)
    code = (
        "from datetime import datetime; from smsby_deploy.clock import find_zone;"
        "print(datetime(2026, 12, 1, tzinfo=find_zone('Europe/Minsk')).utcoffset())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONTZPATH": str(tmp_path)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert ran.stdout == "3:00:00\n"


_ZONE = ZoneInfo("Europe/Warsaw")
_SPRING = datetime(2027, 3, 28, 10, tzinfo=_ZONE)  # the clocks were set forward at 2:00


@pytest.mark.parametrize(
    ("text", "seconds"), [("20s", 20), ("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), (" 2 h ", 7200)]
)
def test_read_duration_of_a_number_and_its_unit(text: str, seconds: int) -> None:
    """A duration has the same form wherever it is written: in the files and on the command line."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1y", "٣d", "100000d"])
def test_read_duration_refuses_anything_else(text: str) -> None:
    """Anything else is refused, and no unit is guessed."""
    with pytest.raises(ValueError, match="is not a duration"):
        read_duration(text)


def test_window_before_a_time() -> None:
    """A window is measured in elapsed time, whatever the clocks of the zone do, and includes only its first moment."""
    window = Window.before(_SPRING, timedelta(hours=12), timedelta(minutes=20))
    assert window.opens.isoformat() == "2027-03-27T21:00:00+01:00"
    assert window.closes.isoformat() == "2027-03-28T09:40:00+02:00"
    assert Window.parse(*(time.isoformat() for time in window)) == window


def test_window_in_an_hour_that_a_zone_repeats() -> None:
    """The window of an approval, which has offsets, equals the one of the files."""
    when = datetime(2027, 10, 31, 14, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    window = Window.before(when, timedelta(hours=12), timedelta(minutes=20))
    assert window == Window.parse("2027-10-31T02:30:00+01:00", "2027-10-31T14:10:00+01:00")
    second = timedelta(seconds=1)
    moments = (window.opens - second, window.opens, window.closes - second, window.closes)
    assert [window.is_open(now) for now in moments] == [False, True, True, False]
    assert [window.is_over(now) for now in moments] == [False, False, False, True]


def test_window_outside_the_calendar_is_empty() -> None:
    """A time in the first year has no day before it, so its window is empty."""
    first = datetime(1, 1, 1, 2, tzinfo=_ZONE)
    assert Window.before(first, timedelta(days=2), timedelta(0)) == Window(first, first)
