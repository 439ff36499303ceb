"""What sms.by reports of a message or draft: which differences forbid to send it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from smsby_deploy.apply.reported_check import CLOCK_DIFFERENCE, ReportedCheck
from smsby_deploy.plan.drift import ReportedValues
from tests.apply.fake_dispatch import World
from tests.apply.fake_smsby import Shop

_NOTHING = ReportedValues(None, None, None)


def _check(shop: Shop, mailing: str = "") -> tuple[ReportedCheck, World]:
    """A check on the virtual clock, for the mailing of `shop`."""
    shop.mailing(f"recipients: ['375290000001'], text: Hi{mailing}")
    world = World()
    object.__setattr__(world.context, "project", shop.load().project)
    return ReportedCheck(world.context), world


def _objection(shop: Shop, *answers: ReportedValues, mailing: str = "", parts: int | None = 2) -> str:
    check, world = _check(shop, mailing)
    (action,) = [run.action for run in world.context.runs.values()]
    (one,) = world.context.project.mailings
    return check.objection("message 5", check.intended(one, action, parts), answers)


def test_reported_check_of_what_is_not_reported(shop: Shop) -> None:
    """Nothing is compared, and nothing objected to."""
    assert _objection(shop) == _objection(shop, _NOTHING) == ""


def test_reported_check_names_values_and_ways_out(shop: Shop) -> None:
    """Each difference once, whatever number of answers report it."""
    answer = ReportedValues(None, None, "Kvetka", 3)
    assert _objection(shop, answer, answer) == (
        "message 5 is not as reviewed: alphaname: intended Shop, sms.by reports Kvetka; "
        "parts: intended 2, sms.by reports 3; check the sender at sms.by; "
        "check the text, of which sms.by counts more parts than the plan"
    )


def test_reported_check_warns_once_of_fewer_parts(shop: Shop) -> None:
    """They are no objection."""
    check, world = _check(shop)
    (run,), (mailing,) = world.context.runs.values(), world.context.project.mailings
    intended, fewer = check.intended(mailing, run.action, 2), ReportedValues(None, None, None, 1)
    assert check.objection("message 5", intended, [fewer, fewer]) == ""
    assert check.objection("message 5", intended, [fewer]) == ""
    (event,) = world.events
    assert event.is_warning
    assert event.line == "sale/staff: message 5: parts: intended 2, sms.by reports 1"


@pytest.mark.parametrize(
    ("later", "is_objected"), [(timedelta(0), False), (CLOCK_DIFFERENCE, False), (timedelta(hours=3), True)]
)
def test_reported_check_of_a_mailing_that_goes_at_once(
    shop: Shop, later: timedelta, is_objected: bool
) -> None:
    """A time in the past, and one that a wrong clock explains, are at once; three hours later is another zone."""
    time = int((World().clock.now() + later).timestamp())
    assert bool(_objection(shop, ReportedValues(time, None, None))) is is_objected


@pytest.mark.parametrize(
    ("reported", "is_objected"), [(1796108400, False), (1796119200, True), (0, True), (1796108460, True)]
)
def test_reported_check_of_a_scheduled_mailing(shop: Shop, reported: int, is_objected: bool) -> None:
    """Its time is compared to the minute; no time means that it would be sent at once."""
    scheduled = ", schedule_time: '2026-12-01T10:00:00+03:00'"
    assert World().clock.now().timestamp() == 1796108400  # 07:00 UTC
    assert bool(_objection(shop, ReportedValues(reported, None, None), mailing=scheduled)) is is_objected
