"""Counts with a noun that agrees, times, and names."""

from __future__ import annotations

from datetime import datetime

import pytest

from smsby_deploy.wording import closest, counted, escape_controls, first_of, time_text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 parts"), (1, "1 part"), (2, "2 parts"), (27_631, "27,631 parts")]
)
def test_counted_agrees_with_its_noun(count: int, text: str) -> None:
    """A count agrees with its noun, and its thousands are separated."""
    assert counted(count, "part") == text


def test_first_of_counts_the_others() -> None:
    """The first of several names is followed by the number of the others, and a single name stays as it is."""
    assert [first_of(names) for names in (["a"], ["a", "b", "c"])] == ["a", "a and 2 more"]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2027-03-01T10:00:00+03:00", "2027-03-01 10:00 +03"),
        ("2027-03-01T10:00:30+05:30", "2027-03-01 10:00:30 +05:30"),
        ("2027-03-01T10:00:00+00:00", "2027-03-01 10:00 UTC"),
    ],
)
def test_time_text_has_date_time_and_offset(time: str, text: str) -> None:
    """A time has its date and offset, without seconds and minutes of the offset that are zero."""
    assert time_text(datetime.fromisoformat(time), has_seconds=True) == text
    assert time_text(datetime.fromisoformat(time)) == text.replace(":30 ", " ")


def test_escape_controls_shows_what_a_name_contains() -> None:
    """Only characters that a terminal or a reader would misinterpret are escaped."""
    assert escape_controls("a\nb\x1b\u202e\udcff Ж\u00a0.csv") == "a\\x0ab\\x1b\\u202e\\xff Ж\u00a0.csv"


def test_closest_of_many_names() -> None:
    """Of thousands of names only a few are compared, among them those with the same first letter."""
    few, many = ("name", "city"), (*(f"x{number}" for number in range(10_000)), "name")
    assert [closest("nmae", names) for names in (few, many, ())] == ["name", "name", None]
    assert closest("x9999", many) == "x99"  # of the first hundred
    assert closest("VIP.CSV", ("vip.csv", "news.csv")) == "vip.csv"  # Windows ignores the case of files
