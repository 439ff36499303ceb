"""Counts with a noun that agrees with them."""

from __future__ import annotations

import pytest

from smsby_deploy.wording import counted, escape_controls, first_of


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 parts"), (1, "1 part"), (2, "2 parts"), (27_631, "27,631 parts")]
)
def test_counted_agrees_with_its_noun(count: int, text: str) -> None:
    """Thousands are separated."""
    assert counted(count, "part") == text


def test_counted_takes_an_irregular_plural() -> None:
    """For nouns whose plural is not one s more."""
    assert [counted(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]


def test_first_of_counts_the_others() -> None:
    """The command that lists them is named only if there are others."""
    assert [first_of(names, "list") for names in (["a"], ["a", "b", "c"])] == [
        "a",
        "a and 2 more (`list` lists them)",
    ]


def test_escape_controls_shows_what_a_name_contains() -> None:
    """Only what a terminal or a reader would take for something else."""
    assert escape_controls("a\nb\x1b\u202e\udcff Ж\u00a0.csv") == "a\\x0ab\\x1b\\u202e\\xff Ж\u00a0.csv"
