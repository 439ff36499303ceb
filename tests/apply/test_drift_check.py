"""Differences in what sms.by reports about a message or draft, and which of them forbid sending it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smsby_deploy.apply.drift_check import CLOCK_DIFFERENCE, DriftCheck
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.plan.account_names import AccountNames, Known
from smsby_deploy.plan.drift import ReportedValues
from smsby_deploy.smsby.parsers import AccountName
from tests.apply.fake_dispatch import World
from tests.apply.fake_smsby import Shop

_NOTHING = ReportedValues(None, None, None)


def _check(shop: Shop, mailing: str = "", **sender: Any) -> tuple[DriftCheck, World, Mailing]:
    """Return a check on the virtual clock, and the mailing of `shop`, planned with this `sender`."""
    shop.mailing(f"recipients: ['375290000001'], text: Hi{mailing}")
    world, project = World(), shop.load().project
    (run,), (one,) = world.context.runs.values(), project.mailings
    runs = {one.address: MailingRun(replace(run.action, **sender), 1)}
    names = AccountNames(Known.of([AccountName(0, "System name"), AccountName(7, "MyShop")]))
    return DriftCheck(replace(world.context, project=project, runs=runs, names=names)), world, one


def _objection(
    shop: Shop, *answers: ReportedValues, mailing: str = "", parts: int | None = 2, **sender: Any
) -> str:
    check, _, one = _check(shop, mailing, **sender)
    return check.objection("message 5", one, answers, parts=parts)


def test_drift_check_of_what_is_not_reported(shop: Shop) -> None:
    """A value that sms.by does not report is not compared."""
    assert _objection(shop) == _objection(shop, _NOTHING) == ""


def test_drift_check_names_values_and_ways_out(shop: Shop) -> None:
    """A difference is reported once with both values and a way out, however many answers have it."""
    answer = ReportedValues(None, None, "Kvetka", 3)
    assert _objection(shop, answer, answer, alphaname="MyShop") == (
        "message 5 is not as reviewed: alphaname: intended MyShop, sms.by reports Kvetka; "
        "parts: intended 2, sms.by reports 3; check the sender at sms.by; "
        "shorten the text: each part is billed"
    )


def test_drift_check_warns_once_of_fewer_parts(shop: Shop) -> None:
    """Fewer parts are one warning, and no objection."""
    check, world, mailing = _check(shop)
    fewer = ReportedValues(None, None, None, 1)
    assert check.objection("message 5", mailing, [fewer, fewer], parts=2) == ""
    assert check.objection("message 5", mailing, [fewer], parts=2) == ""
    (event,) = world.events
    assert event.is_warning
    assert event.line == "sale/staff: message 5: parts: intended 2, sms.by reports 1"


@pytest.mark.parametrize(
    ("later", "is_objected"), [(timedelta(0), False), (CLOCK_DIFFERENCE, False), (timedelta(hours=3), True)]
)
def test_drift_check_of_a_mailing_that_goes_at_once(shop: Shop, later: timedelta, is_objected: bool) -> None:
    """Without a schedule time a reported time may be ahead by a clock difference, but not by three hours."""
    time = int((World().clock.now() + later).timestamp())
    assert bool(_objection(shop, ReportedValues(time, None, None))) is is_objected


@pytest.mark.parametrize(
    ("reported", "is_objected"), [(1796108400, False), (1796119200, True), (0, True), (1796108460, True)]
)
def test_drift_check_of_a_scheduled_mailing(shop: Shop, reported: int, is_objected: bool) -> None:
    """A schedule time is compared to the minute, and no time means that the message would be sent at once."""
    scheduled = ", schedule_time: '2026-12-01T10:00:00+03:00'"
    assert World().clock.now().timestamp() == 1796108400  # 07:00 UTC
    assert bool(_objection(shop, ReportedValues(reported, None, None), mailing=scheduled)) is is_objected


@pytest.mark.parametrize(
    ("sender", "reported", "is_objected"),
    [
        ({"alphaname": "MyShop"}, "MyShop", False),
        ({"alphaname": "MyShop"}, " MyShop ", False),
        ({"alphaname": "MyShop"}, "Kvetka", True),
        ({"alphaname": "MyShop"}, "system", True),
        ({"alphaname": "7"}, "MyShop", False),
        ({"alphaname": "7"}, "Kvetka", True),
        ({"alphaname": "0", "alphaname_id": 0}, "system", False),
        ({"alphaname": "System name", "alphaname_id": 0}, "SMS.by", False),
    ],
)
def test_drift_check_of_a_sender(
    shop: Shop, sender: dict[str, Any], reported: str, is_objected: bool
) -> None:
    """The sender is compared by name even if the files have its id, except for the system sender."""
    assert bool(_objection(shop, ReportedValues(None, None, reported), **sender)) is is_objected
