"""The selection of recorded mailings: patterns, and the forms of `--since`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.records import Lock
from smsby_deploy.status.selection import read_since, select_addresses
from tests.status.examples import entry

NOW = datetime(2026, 12, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ["a/x", "a/y", "b/x"]),
        (("a/*",), ["a/x", "a/y"]),
        (("b/x", "a/y"), ["a/y", "b/x"]),
    ],
)
def test_select_addresses_by_pattern(patterns: tuple[str, ...], expected: list[str]) -> None:
    """Any pattern may match, none selects all, and the result is sorted."""
    lock = Lock("shop", mailings={address: entry() for address in ("b/x", "a/y", "a/x")})
    assert select_addresses(lock, patterns, None) == expected


def test_select_addresses_refuses_a_pattern_without_match() -> None:
    """One wrong pattern among several is an error, not an incomplete report."""
    lock = Lock("shop", mailings={"a/x": entry()})
    with pytest.raises(UsageError, match=r"no recorded mailing matches b/\*"):
        select_addresses(lock, ("a/x", "b/*"), None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", "2026-12-01T12:00:00+00:00"),
        ("90min", "2026-12-08T10:30:00+00:00"),
        ("2026-12-01", "2026-12-01T00:00:00+03:00"),
        ("2026-12-01T10:00+01:00", "2026-12-01T10:00:00+01:00"),
    ],
)
def test_read_since_accepts_dates_times_and_durations(text: str, moment: str) -> None:
    """A date or time without an offset is in the time zone of the account."""
    assert read_since(text, now=NOW, zone="Europe/Minsk") == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["yesterday", "7", "2026-13-01", ""])
def test_read_since_refuses_anything_else(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="expected a date, a time or a duration"):
        read_since(text, now=NOW, zone="Europe/Minsk")
