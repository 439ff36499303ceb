"""clock: time zones by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from smsby_deploy.clock import find_zone


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
    """Names that depend on the machine, say the reverse of what they mean, or are abbreviations are none."""
    assert find_zone(name) is None


def test_find_zone_prefers_the_package(tmp_path: Path) -> None:
    """The data of the package tzdata are used even if the system has other ones."""
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
