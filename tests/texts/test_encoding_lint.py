"""Expensive characters: what they add to a text that could be GSM-7, over all of its recipients."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.texts.encoding_lint import ExpensiveCharacters, describe_expense
from smsby_deploy.texts.parts import measure_text

_PRICE = Decimal("0.026")


def _describe(text: str, recipients: int = 10) -> list[str]:
    found = ExpensiveCharacters()
    found.count(text, measure_text(text), _PRICE * recipients, recipients=recipients, row=None)
    return [describe_expense(characters, expense, "BYN") for characters, expense in found.by_parts_added()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("— " + "x" * 155, "1 character (U+2014 —) adds 20 parts (0.52 BYN): write - instead, or set `smart_encoding: true`"),
        # The text alone takes two of the five parts; the character adds the other three.
        ("— " + "x" * 300, "1 character (U+2014 —) adds 30 parts (0.78 BYN): write - instead, or set `smart_encoding: true`"),
        ("5 € " + "x" * 153, "1 character (U+20AC €) adds 20 parts (0.52 BYN): write EUR instead"),
        ("Hell\u043e " + "x" * 150, "1 character (U+043E \u043e) adds 20 parts (0.52 BYN): write o instead"),
    ],
)  # fmt: skip
def test_describe_expense_names_parts_cost_and_remedy(text: str, message: str) -> None:
    """The parts and the cost over all recipients, and what to write instead."""
    assert _describe(text) == [message]


@pytest.mark.parametrize("text", ["— short", "Привет", "ёж " + "x" * 150])
def test_expensive_characters_ignore_free_characters(text: str) -> None:
    """A text that stays within its part, or has non-Latin words, has no finding."""
    assert _describe(text) == []


def test_expensive_characters_group_equal_sets() -> None:
    """A set of characters is one finding for all its texts; the most expensive set comes first."""
    found = ExpensiveCharacters()
    for row, text in enumerate(["— " + "x" * 155, "“" + "x" * 305, "— " + "y" * 155], 2):
        found.count(text, measure_text(text), _PRICE, recipients=1, row=row)
    assert [(sorted(kind), e.parts, e.recipients, e.row) for kind, e in found.by_parts_added()] == [
        (["—"], 4, 2, 2),
        (["“"], 3, 1, 3),
    ]
