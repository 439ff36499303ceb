"""What a reviewer is told of a change."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.output.comparison import Base, Baseline, base_of_plan, change_of, gone_since, word_diff
from smsby_deploy.plan.model import Action, ActionKind
from tests.output import examples

NOW = examples.action("sale/vip", ActionKind.CREATE)
SAME = Baseline(
    12, 20, Decimal("0.520"), "c" * 64, "a" * 64, "Hi", None, "MyShop", "2026-12-01T10:00:00+03:00"
)
OTHER = replace(SAME, content_digest="0" * 64)


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (SAME, "same"),
        (
            replace(SAME, people=1000, parts=1020, cost=Decimal("26.52")),
            "-988 people, -1,000 parts, -26.00 BYN",
        ),
        (replace(SAME, audience_digest="b"), "other people"),
        (replace(SAME, audience_digest="b", moved=(412, 38)), "+412 -38 people"),
        (replace(SAME, audience_digest="b", moved=(0, 1038)), "-1,038 people"),
        (replace(OTHER, text="Ho"), "text"),
        (replace(OTHER, text=None), "text"),
        (replace(OTHER, schedule_time=None), "time"),
        (replace(OTHER, schedule_time="2026-12-01T07:00:00+00:00", alphaname="Kvetka"), "sender"),
        (replace(OTHER, text=None, alphaname="Kvetka"), "sender, perhaps text"),
        (replace(OTHER, text=None, alphaname=None), "content"),
    ],
)
def test_each_change_has_its_word(before: Baseline, told: str) -> None:
    """And a text that may have changed is never passed over."""
    assert change_of(NOW, Base("main", {"sale/vip": before}), "BYN", "Hi") == told


def test_a_mailing_that_was_not_there_is_new() -> None:
    """Also against an empty base."""
    assert change_of(NOW, Base("main")) == "new"


def test_what_is_gone_is_named_but_not_what_the_lock_alone_has() -> None:
    """The plan tells the lock's as orphans already."""

    def plan_of(*actions: Action) -> Base:
        return base_of_plan(examples.plan(*actions), "main")

    base = plan_of(NOW, examples.action("sale/old", ActionKind.CREATE))
    assert gone_since(examples.plan(NOW), base) == ["sale/old"]
    assert gone_since(examples.plan(NOW), replace(base, is_whole=False)) == []


def test_a_text_is_compared_word_by_word() -> None:
    """What stayed stands once; what both texts hold of a number is starred out."""
    assert word_diff("Shop opens at <b>9</b>", "Shop opens at 10, call 375291234567") == (
        "Shop opens at <del>&lt;b&gt;9&lt;/b&gt;</del><ins>10, call 37529*****67</ins>"
    )


def test_a_word_that_stayed_is_found_between_blanks() -> None:
    """A blank that both texts have is not taken for what they share."""
    told = word_diff("Your spring discount waits", "Your discount of May: waits")
    assert told == "Your <del>spring </del>discount <ins>of May: </ins>waits"


def test_a_number_that_changed_is_not_pieced_together() -> None:
    """Only some of its digits differ, and they are words of their own: both numbers are starred out as a whole first."""
    told = word_diff("call +375 29 123-45-67", "call +375 29 128-45-67")
    assert not {"123", "128"} & set(re.findall(r"\d+", told))
