"""Counts with a noun that agrees with them."""

from __future__ import annotations

import pytest

from smsby_deploy.wording import counted


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 parts"), (1, "1 part"), (2, "2 parts"), (27_631, "27,631 parts")]
)
def test_counted_agrees_with_its_noun(count: int, text: str) -> None:
    """Thousands are separated."""
    assert counted(count, "part") == text


def test_counted_takes_an_irregular_plural() -> None:
    """For nouns whose plural is not one s more."""
    assert [counted(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]
