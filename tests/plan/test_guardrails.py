"""Guardrails: each refuses exactly what exceeds it, and names its key, the figure and the limit."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.config.declarations import Blackout, Expected, Guardrails, Mailing, QuietHours
from smsby_deploy.config.sources import Freshness, InlineRecipients, RecipientsQuery, TextSource
from smsby_deploy.plan.desired import AudienceCounts, Desired
from smsby_deploy.plan.guardrails import (
    check_apply,
    check_mailing,
    check_recipients,
    find_closed_hours,
    key_needing_cost,
    key_needing_recipients,
)
from smsby_deploy.plan.model import Action, ActionKind
from smsby_deploy.plan.text_counter import ContentPolicy
from smsby_deploy.problems import Location
from smsby_deploy.recipients.rows import DataAge
from tests.plan.examples import NOON

_AT = Location("sale.yaml", 4, 5)
NIGHT = QuietHours(time(21), time(9))


def _mailing(**changes: Any) -> Mailing:
    mailing = Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", InlineRecipients((), _AT), None, "MyShop", _AT, None, None,
        "Europe/Minsk", 1, "fail",
    )  # fmt: skip
    return mailing._replace(**changes)


def _desired(recipients: int = 10, longest: int = 1) -> Desired:
    counts = AudienceCounts(rows=recipients, final=recipients)
    return Desired("sale/vip", 1, "bulk", "c", "a", (), counts, recipients, recipients, 0, longest, None)


def _broken(rails: Guardrails, mailing: Mailing | None = None, **changes: Any) -> list[str]:
    now, mailing = changes.pop("now", NOON), mailing or _mailing()
    violations = changes.pop("violations", {})
    desired = _desired(**changes)._replace(violations=violations)
    found = check_mailing(rails, mailing, desired, now, times=[mailing.schedule_time])
    for breach in found:
        assert breach.message.startswith(f"{breach.key}: ")
    return [breach.message for breach in found]


@pytest.mark.parametrize(
    ("rails", "recipients", "message"),
    [
        (Guardrails(max_recipients=10), 10, None),
        (Guardrails(max_recipients=10), 11, "max_recipients: 11 recipients, the limit is 10"),
        (Guardrails(expect_recipients=Expected(5, 10)), 5, None),
        (Guardrails(expect_recipients=Expected(5, 10)), 10, None),
        (Guardrails(expect_recipients=Expected(5, 10)), 4, "expect_recipients: 4 recipients, expected at least 5"),
        (Guardrails(expect_recipients=Expected(5, 10)), 11, "expect_recipients: 11 recipients, expected at most 10"),
        (Guardrails(expect_recipients=Expected(least=1)), 10**6, None),
        (Guardrails(expect_recipients=Expected(least=1)), 0, "expect_recipients: 0 recipients, expected at least 1"),
    ],
)  # fmt: skip
def test_check_recipients_at_the_limits(rails: Guardrails, recipients: int, message: str | None) -> None:
    """max_recipients and expect_recipients allow their limits, and refuse one more or less."""
    assert _broken(rails, recipients=recipients) == ([message] if message else [])


def test_expect_recipients_of_a_mailing_wins() -> None:
    """`expect_recipients` of a mailing replaces that of the project."""
    rails = Guardrails(expect_recipients=Expected(100, 200))
    assert _broken(rails, _mailing(expect_recipients=Expected(5, 10)), recipients=7) == []


def test_list_is_judged_once_its_size_is_known() -> None:
    """The unknown size of a list at sms.by is not judged as 0 recipients."""
    rails = Guardrails(max_recipients=10, expect_recipients=Expected(least=5))
    mailing = _mailing(via="list")
    assert check_mailing(rails, mailing, _desired(0)._replace(parts=None), NOON, times=[None]) == ()
    assert [breach.key for breach in check_recipients(rails, mailing, 11)] == ["max_recipients"]


@pytest.mark.parametrize(("hours", "is_fresh"), [(24, True), (25, False)])
def test_opt_outs_older_than_their_limit(hours: int, is_fresh: bool) -> None:
    """Opt-outs older than their limit block the mailing, in its time zone; the limit itself is allowed."""
    fresh = Freshness(TextSource("select 1", _AT), timedelta(days=1), "UTC")
    age = DataAge(Location("smsby.yaml", 7, 12), NOON - timedelta(hours=hours), fresh)
    desired = _desired()._replace(opt_out_ages=(age,))
    messages = [found.message for found in check_mailing(Guardrails(), _mailing(), desired, NOON, times=[])]
    when = f"{(NOON - timedelta(hours=25)).astimezone(ZoneInfo('Europe/Minsk')):%Y-%m-%d %H:%M}"
    expected = f"freshness: the newest opt-out of smsby.yaml:7:12 is from {when} Europe/Minsk, 25 h old; the limit is 24 h"
    assert messages == ([] if is_fresh else [expected])


@pytest.mark.parametrize(("minutes", "age"), [(60, None), (61, "61 min"), (120, "2 h"), (None, None)])
def test_data_of_a_query_older_than_its_limit(minutes: int | None, age: str | None) -> None:
    """The age of the mailing's own data comes first, and data without a date is not judged."""
    fresh = Freshness(TextSource("select 1", _AT), timedelta(hours=1), "UTC")
    query = RecipientsQuery(
        TextSource("select 1", _AT), "sql:sale/vip", "DB_URL", None, None, "phone", _AT, fresh
    )
    newest = None if minutes is None else NOON - timedelta(minutes=minutes)
    old = DataAge(Location("smsby.yaml", 7, 12), NOON - timedelta(days=1), fresh)
    desired = _desired()._replace(newest=newest, opt_out_ages=(old,))
    found = [
        one.message for one in check_mailing(Guardrails(), _mailing(audience=query), desired, NOON, times=[])
    ]
    assert "the newest opt-out of smsby.yaml:7:12" in found[-1]
    assert len(found) == (1 if age is None else 2)
    assert age is None or (found[0].startswith("freshness: its newest data is from"), age in found[0]) == (
        True,
        True,
    )
    plain = _mailing(audience=query._replace(freshness=None))
    assert len(check_mailing(Guardrails(), plain, desired, NOON, times=[])) == 1


def test_max_parts_judges_the_longest_text() -> None:
    """max_parts limits each text, not their sum."""
    rails = Guardrails(max_parts=3)
    assert _broken(rails, longest=3) == []
    assert _broken(rails, longest=4) == ["max_parts: the longest text takes 4 parts, the limit is 3"]


def test_allowed_alphanames() -> None:
    """A name or id outside allowed_alphanames is refused, including the system name 0."""
    rails = Guardrails(allowed_alphanames=("MyShop", "77"))
    assert _broken(rails) == _broken(rails, _mailing(alphaname="77")) == []
    message = "allowed_alphanames: the sender is 0, allowed are MyShop, 77"
    assert _broken(rails, _mailing(alphaname="0")) == [message]


def test_required_and_forbidden_words() -> None:
    """Word rules are case-insensitive regular expressions, and the texts that violate them are counted."""
    rails = Guardrails(required_words=(r"stop \d{4}",), forbidden_words=("lorem", "ТЕСТ"))
    policy = ContentPolicy(rails)
    policy.check("Sale! STOP 1234")
    assert _broken(rails, violations=policy.violations) == []
    policy.check("Sale", 2)
    policy.check("Это тест, stop 1234")
    assert _broken(rails, violations=policy.violations) == [
        "required_words: `stop \\d{4}` is missing from 2 texts, the limit is 0",
        "forbidden_words: `ТЕСТ` occurs in 1 text, the limit is 0",
    ]


@pytest.mark.parametrize(
    ("local", "quiet"),
    [("20:59", False), ("21:00", True), ("23:59", True), ("00:00", True), ("08:59", True), ("09:00", False)],
)
@pytest.mark.parametrize("is_scheduled", [True, False])
def test_quiet_hours_over_midnight(local: str, quiet: bool, is_scheduled: bool) -> None:
    """Quiet hours include their start but not their end, in the campaign's zone, scheduled or sent on apply."""
    at = datetime.fromisoformat(f"2026-11-24T{local}:00+03:00")
    mailing = _mailing(schedule_time=at) if is_scheduled else _mailing()
    found = _broken(
        Guardrails(quiet_hours=NIGHT), mailing, now=at - timedelta(hours=5) if is_scheduled else at
    )
    message = f"quiet_hours: it would be sent at {local} Europe/Minsk, quiet hours are 21:00 to 09:00"
    assert found == ([message] if quiet else [])


def test_quiet_hours_use_the_campaign_s_zone() -> None:
    """Quiet hours are those of the campaign's zone: noon in Minsk is night in Los Angeles."""
    rails = Guardrails(quiet_hours=NIGHT)
    assert _broken(rails, _mailing(timezone="America/Los_Angeles"))
    assert not _broken(rails)
    assert _broken(Guardrails(quiet_hours=QuietHours(time(12), time(13))))


@pytest.mark.parametrize(
    ("local", "refused"),
    [("2026-12-30T23:59", False), ("2026-12-31T00:00", True), ("2027-01-02T23:59", True), ("2027-01-03T00:00", False)],
)  # fmt: skip
def test_blackout_dates(local: str, refused: bool) -> None:
    """Blackout dates include both ends, in the campaign's zone, also for a mailing sent on apply."""
    rails = Guardrails(blackout=(Blackout(date(2026, 12, 31), date(2027, 1, 2)),))
    at = datetime.fromisoformat(f"{local}:00+03:00")
    day = local[:10]
    message = f"blackout: it would be sent on {day} Europe/Minsk, blackout is 2026-12-31 to 2027-01-02"
    assert _broken(rails, now=at) == ([message] if refused else [])
    assert _broken(rails, _mailing(schedule_time=at)) == ([message] if refused else [])


def test_min_lead_minutes() -> None:
    """The lead is the time from now to the schedule; a mailing sent on apply has no lead."""
    rails = Guardrails(min_lead=timedelta(minutes=10))
    assert _broken(rails) == []
    assert _broken(rails, _mailing(schedule_time=NOON + timedelta(minutes=10))) == []
    message = "min_lead_minutes: it is scheduled in 9 min, the minimum is 10 min"
    assert _broken(rails, _mailing(schedule_time=NOON + timedelta(minutes=9, seconds=59))) == [message]


def test_late_mailing_is_judged_by_the_present_hour() -> None:
    """A late mailing is judged by the present time: scheduled for 20:50 and sent at 21:10, it is in quiet hours."""
    at = datetime.fromisoformat("2026-11-24T20:50:00+03:00")
    mailing = _mailing(schedule_time=at, max_late=timedelta(hours=1))
    rails = Guardrails(quiet_hours=NIGHT, min_lead=timedelta(minutes=10))
    (message,) = _broken(rails, mailing, now=at + timedelta(minutes=20))
    assert message.startswith("quiet_hours: it would be sent at 21:10")
    assert mailing.time_on_wire(at + timedelta(minutes=20)) is None
    assert mailing.time_on_wire(at - timedelta(minutes=20)) == at


def test_check_mailing_returns_all_breaches() -> None:
    """All breaches of a mailing are reported together."""
    rails = Guardrails(
        max_recipients=1, max_parts=1, allowed_alphanames=("x",), quiet_hours=QuietHours(time(11), time(14))
    )
    keys = [message.partition(":")[0] for message in _broken(rails, recipients=2, longest=2)]
    assert keys == ["max_recipients", "max_parts", "allowed_alphanames", "quiet_hours"]


def _action(cost: str | None, kind: ActionKind = ActionKind.CREATE) -> Action:
    amount = None if cost is None else Decimal(cost)
    return Action(
        "sale/vip",
        kind,
        "new",
        "bulk",
        1,
        1,
        amount,
        1,
        0,
        "MyShop",
        1,
        None,
        "d",
        "c",
        "a",
        (),
        AudienceCounts(),
    )


def test_max_cost_of_one_apply() -> None:
    """max_cost limits the sum of the sending actions, and allows the limit itself."""
    rails = Guardrails(max_cost=Decimal("1.5"))
    noop = _action("9", ActionKind.NOOP)
    assert check_apply(rails, [_action("1"), _action("0.5"), _action(None), noop]) is None
    breach = check_apply(rails, [_action("1"), _action("0.501")])
    assert breach is not None
    assert breach.message == "max_cost: this apply costs 1.501, the limit is 1.50"


def test_every_chunk_keeps_the_guardrails_on_time() -> None:
    """A spread whose last chunk is in quiet hours or on a blackout date is blocked, with each guardrail named once."""
    start = datetime(2026, 12, 1, 18, tzinfo=ZoneInfo("Europe/Minsk"))
    rails = Guardrails(quiet_hours=NIGHT, blackout=(Blackout(date(2026, 12, 2), date(2026, 12, 2)),))
    mailing = _mailing(schedule_time=start, spread=timedelta(hours=9))
    for hours, expected in (
        (2, []),
        (4, ["quiet_hours: a chunk would be sent at 21:00 Europe/Minsk, quiet hours are 21:00 to 09:00"]),
        (7, [
            "quiet_hours: a chunk would be sent at 21:00 Europe/Minsk, quiet hours are 21:00 to 09:00",
            "blackout: a chunk would be sent on 2026-12-02 Europe/Minsk, blackout is 2026-12-02",
        ]),
    ):  # fmt: skip
        times = [start + timedelta(hours=count) for count in range(hours)]
        found = check_mailing(rails, mailing, _desired(), NOON, times=times)
        assert [breach.message for breach in found] == expected
    lead = Guardrails(min_lead=timedelta(minutes=10))
    late = check_mailing(
        lead, mailing, _desired(), start + timedelta(hours=1, minutes=55), times=[start + timedelta(hours=2)]
    )
    assert [one.message for one in late] == [
        "min_lead_minutes: a chunk is scheduled in 5 min, the minimum is 10 min"
    ]


@pytest.mark.parametrize(
    ("rails", "key"),
    [
        (Guardrails(quiet_hours=NIGHT), "quiet_hours"),
        (Guardrails(blackout=(Blackout(date(2026, 11, 24), date(2026, 11, 24)),)), "blackout"),
        (Guardrails(allowed_alphanames=("Other",), max_recipients=1, min_lead=timedelta(days=9)), None),
    ],
)
def test_closed_hours_are_judged_at_the_moment(rails: Guardrails, key: str | None) -> None:
    """Just before a send, closed hours are judged by the present time, and other guardrails are not repeated."""
    night = datetime.fromisoformat("2026-11-24T23:00:00+03:00")
    mailing = _mailing(schedule_time=night.replace(hour=12) + timedelta(days=1))
    breach = find_closed_hours(rails, mailing, night)
    assert (breach and breach.key) == key
    assert find_closed_hours(rails, mailing, night + timedelta(hours=12)) is None


@pytest.mark.parametrize(
    ("rails", "own", "recipients", "cost"),
    [
        (Guardrails(), None, None, None),
        (Guardrails(max_recipients=1), None, "max_recipients", None),
        (Guardrails(expect_recipients=Expected(1)), None, "expect_recipients", None),
        (Guardrails(), Expected(1), "expect_recipients", None),
        (Guardrails(max_cost=Decimal(1)), None, None, "max_cost"),
        (Guardrails(budget=Decimal(1)), None, None, "budget"),
    ],
)
def test_guardrails_that_need_a_figure(
    rails: Guardrails, own: Expected | None, recipients: str | None, cost: str | None
) -> None:
    """A list without a reported size or cost is refused in the name of the guardrail that needs it."""
    assert key_needing_recipients(rails, _mailing(expect_recipients=own)) == recipients
    assert key_needing_cost(rails) == cost
