"""Times and spans as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smsby_deploy.output.values import local_and_utc, span_text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=2, hours=3, minutes=59), "in 2 d 3 h"),
        (timedelta(minutes=5), "in 5 min"),
        (timedelta(seconds=30), "now"),
        (timedelta(0), "now"),
        (-timedelta(hours=4, minutes=10), "4 h 10 min ago"),
        (timedelta(days=1, minutes=5), "in 1 d"),
    ],
)
def test_span_text_has_two_units(span: timedelta, text: str) -> None:
    """The largest two, without one that is zero."""
    assert span_text(span) == text


def test_local_and_utc_name_the_day_if_it_differs() -> None:
    """The zone's name replaces the offset where it is known."""
    assert local_and_utc("2027-03-01T10:00:00+03:00", "Europe/Minsk") == (
        "Mon 1 Mar 2027 10:00 Europe/Minsk",
        "07:00 UTC",
    )
    assert local_and_utc("2027-03-01T01:00:00+03:00") == (
        "Mon 1 Mar 2027 01:00 +03:00",
        "Sun 28 Feb 2027 22:00 UTC",
    )
