"""The differences between a mailing and its base."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from smsby_deploy.lock.records import NamedId
from smsby_deploy.plan.base_comparison import (
    Base,
    BaseMailing,
    Change,
    base_of_plan,
    compare_action,
    cost_change,
    removed_since,
)
from smsby_deploy.plan.model import ActionKind
from tests.output import examples

_NOW = examples.action("sale/vip", ActionKind.CREATE)
_SAME = BaseMailing(
    12,
    20,
    Decimal("0.520"),
    "c" * 64,
    "a" * 64,
    "MyShop",
    datetime.fromisoformat("2026-12-01T10:00:00+03:00"),
    text="Hi",
)
_OTHER = replace(_SAME, content_digest="0" * 64)


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (_SAME, Change()),
        (
            replace(_SAME, recipients=1000, parts=1020, cost=Decimal("26.52")),
            Change(recipients=-988, parts=-1000, cost=Decimal("-26")),
        ),
        (replace(_SAME, recipients=None, parts=None, cost=None), Change()),
        (replace(_SAME, audience_digest="b"), Change(has_other_recipients=True)),
        (replace(_SAME, audience_digest="b", moved=(0, 0)), Change(has_other_rows=True)),
        (replace(_SAME, audience_digest="b", recipients_digest="p"), Change(has_other_rows=True)),
        (replace(_SAME, audience_digest="b", recipients_digest="q"), Change(has_other_recipients=True)),
        (replace(_SAME, audience_digest="b", recipients=13), Change(recipients=-1)),
        (replace(_SAME, audience_digest="b", recipients=13, moved=(412, 38)), Change(moved=(412, 38))),
        (replace(_OTHER, text="Ho"), Change(has_new_text=True)),
        (replace(_OTHER, text=None), Change(has_new_text=True)),
        (replace(_OTHER, send_time=None), Change(has_new_time=True)),
        (
            replace(_OTHER, send_time=datetime(2026, 12, 1, 7, tzinfo=UTC), alphaname="Kvetka"),
            Change(has_new_sender=True),
        ),
        (replace(_OTHER, text=None, alphaname="Kvetka"), Change(has_new_sender=True, has_new_text=None)),
        (_OTHER, Change(has_new_content=True)),
    ],
)
def test_compare_action_finds_each_difference(before: BaseMailing, change: Change) -> None:
    """Every value is compared, and a text that may have changed is always mentioned."""
    now = replace(_NOW, recipients_digest="p")
    assert compare_action(now, Base("main", {"sale/vip": before}), "Hi") == change


def test_compare_action_finds_another_list() -> None:
    """A list with another id is another list, whatever its name, and then the text need not have changed."""
    lists = [NamedId("Newsletter", 34), NamedId("Newsletter", 77), NamedId("VIP", 9)]
    now = replace(_NOW, contact_list=lists[0])
    for contact_list in lists:
        same, other = (replace(one, contact_list=contact_list) for one in (_SAME, replace(_OTHER, text="Hi")))
        change = Change(has_new_list=contact_list.id != 34)
        assert compare_action(now, Base("main", {"sale/vip": same}), "Hi") == change
        if change.has_new_list:
            assert compare_action(now, Base("main", {"sale/vip": other}), "Hi") == change


def test_compare_action_knows_a_list_by_name_without_its_id() -> None:
    """A list without an id is compared by name, since a checkout of the base is read offline."""
    now = replace(_NOW, contact_list=NamedId("Newsletter", 34))
    for name, is_new in (("Newsletter", False), ("VIP", True)):
        before = replace(_SAME, contact_list=NamedId(name, None))
        assert compare_action(now, Base("main", {"sale/vip": before}), "Hi") == Change(has_new_list=is_new)


def test_compare_action_of_a_new_mailing() -> None:
    """A mailing that the base does not have is new."""
    assert compare_action(_NOW, Base("main")) == Change(is_new=True)


def test_removed_since_leaves_out_the_lock() -> None:
    """A complete base names its removed mailings; those of the lock are orphans of the plan."""
    base = base_of_plan(examples.plan(_NOW, examples.action("sale/old", ActionKind.CREATE)), "main")
    assert removed_since(examples.plan(_NOW), base) == ["sale/old"]
    assert removed_since(examples.plan(_NOW), replace(base, is_complete=False)) == []


def test_cost_change_compares_only_what_is_sent() -> None:
    """A mailing whose base has no cost adds its whole cost, and without any base cost nothing is compared."""
    idle = examples.action("sale/old", ActionKind.NOOP)
    new = examples.action("sale/new", ActionKind.CREATE)
    base = Base("main", {"sale/vip": replace(_SAME, cost=Decimal("0.4")), "sale/old": _SAME})
    assert cost_change(examples.plan(_NOW, idle), base) == Decimal("0.12")
    assert cost_change(examples.plan(_NOW, new), base) == Decimal("0.64")
    assert cost_change(examples.plan(new), base) is None
