"""What characters that make a Latin text unicode cost: against the text without them, for everybody who gets it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.texts.encoding_lint import ExpensiveCharacters, describe_expense
from smsby_deploy.texts.parts import measure_text

_PRICE = Decimal("0.026")


def _told(text: str, people: int = 10) -> list[str]:
    found = ExpensiveCharacters()
    found.look_at(text, measure_text(text), _PRICE * people, people=people, row=None)
    return [describe_expense(characters, expense, "BYN") for characters, expense in found.dearest()]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("— " + "x" * 155, "1 character, U+2014 —, adds 20 parts, 0.52 BYN: write - instead, or `smart_encoding: true`"),
        # Of five parts two are the text's own: only what comes on top is the character's.
        ("— " + "x" * 300, "1 character, U+2014 —, adds 30 parts, 0.78 BYN: write - instead, or `smart_encoding: true`"),
        ("5 € " + "x" * 153, "1 character, U+20AC €, adds 20 parts, 0.52 BYN: write EUR instead"),
        ("Hell\u043e " + "x" * 150, "1 character, U+043E \u043e, adds 20 parts, 0.52 BYN: write o instead"),
    ],
)  # fmt: skip
def test_what_a_character_adds(text: str, told: str) -> None:
    """Parts and money over all who get it, and what to write instead."""
    assert _told(text) == [told]


@pytest.mark.parametrize("text", ["— short", "Привет", "ёж " + "x" * 150])
def test_what_adds_nothing_is_not_told(text: str) -> None:
    """A text that stays in its part, or is unicode by its words."""
    assert _told(text) == []


def test_the_same_characters_are_one_finding() -> None:
    """However many texts they stand in; the dearest come first."""
    found = ExpensiveCharacters()
    for row, text in enumerate(["— " + "x" * 155, "“" + "x" * 305, "— " + "y" * 155], 2):
        found.look_at(text, measure_text(text), _PRICE, people=1, row=row)
    assert [(sorted(kind), e.parts, e.texts, e.row) for kind, e in found.dearest()] == [
        (["—"], 4, 2, 2),
        (["“"], 3, 1, 3),
    ]
