"""Decisions as users read them."""

from __future__ import annotations

import pytest

from smsby_deploy.lock.decisions import Ending, EndingKind


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("typo", "withdrawn by anna on 2026-11-24 10:00 +03 (typo)"),
        ("", "withdrawn by anna on 2026-11-24 10:00 +03"),
    ],
)
def test_ending_says_who_when_and_why(reason: str, words: str) -> None:
    """An ending shows who, when (on the clock it was recorded with) and why; without a reason there are no brackets."""
    ending = Ending(EndingKind.WITHDRAWN, "2026-11-24T10:00:00+03:00", "anna", reason)
    assert str(ending) == words
    assert words == f"withdrawn {ending.signature}"


def test_ending_calls_a_lapsed_mailing_withdrawn() -> None:
    """A lapsed mailing is called withdrawn, like its state, with what ended it."""
    ending = Ending(EndingKind.LAPSED, "2026-11-24T10:00:00Z", "ci", "")
    assert str(ending) == "withdrawn by ci on 2026-11-24 10:00 UTC, until it is approved again"
