"""Guardrails: each refuses what is beyond it and nothing else, and names its key, the figure and the limit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.declarations import (
    Blackout,
    Expected,
    Guardrails,
    InlineRecipients,
    Mailing,
    QuietHours,
)
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.budget import spent_in_month
from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.desired_state import AudienceCounts, Desired
from smsby_deploy.plan.guardrails import check_apply, check_balance, check_budget, check_mailing
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.problems import Location

_AT = Location("sale.yaml", 4, 5)
NOON = datetime(2026, 11, 24, 9, tzinfo=UTC)  # 12:00 in Minsk
NIGHT = QuietHours(time(21), time(9))


def _mailing(**changes: Any) -> Mailing:
    mailing = Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", InlineRecipients((), _AT), None, "MyShop", _AT, None, None,
        "Europe/Minsk", 1, "fail",
    )  # fmt: skip
    return mailing._replace(**changes)


def _desired(people: int = 10, longest: int = 1) -> Desired:
    counts = AudienceCounts(rows=people, final=people)
    return Desired("sale/vip", 1, "bulk", "c", "a", (), counts, people, people, 0, longest, None)


def _broken(rails: Guardrails, mailing: Mailing | None = None, **changes: Any) -> list[str]:
    now = changes.pop("now", NOON)
    policy = changes.pop("policy", None)
    found = check_mailing(rails, mailing or _mailing(), _desired(**changes), now, policy=policy)
    for breach in found:
        assert breach.message.startswith(f"{breach.key}: ")
    return [breach.message for breach in found]


@pytest.mark.parametrize(
    ("rails", "people", "message"),
    [
        (Guardrails(max_recipients=10), 10, None),
        (Guardrails(max_recipients=10), 11, "max_recipients: 11 recipients, the limit is 10"),
        (Guardrails(expect_recipients=Expected(5, 10)), 5, None),
        (Guardrails(expect_recipients=Expected(5, 10)), 10, None),
        (Guardrails(expect_recipients=Expected(5, 10)), 4, "expect_recipients: 4 recipients, the least expected is 5"),
        (Guardrails(expect_recipients=Expected(5, 10)), 11, "expect_recipients: 11 recipients, the most expected is 10"),
        (Guardrails(expect_recipients=Expected(least=1)), 10**6, None),
        (Guardrails(expect_recipients=Expected(least=1)), 0, "expect_recipients: 0 recipients, the least expected is 1"),
    ],
)  # fmt: skip
def test_how_many_people(rails: Guardrails, people: int, message: str | None) -> None:
    """max_recipients and expect_recipients hold at their very limits."""
    assert _broken(rails, people=people) == ([message] if message else [])


def test_a_mailing_s_own_expectation_wins() -> None:
    """`expect_recipients` of the mailing stands for the project's."""
    rails = Guardrails(expect_recipients=Expected(100, 200))
    assert _broken(rails, _mailing(expect_recipients=Expected(5, 10)), people=7) == []


def test_a_list_is_judged_once_its_size_is_told() -> None:
    """A plan does not know how many are in a list at sms.by: 0 is not its size."""
    rails = Guardrails(max_recipients=10, expect_recipients=Expected(least=5))
    mailing = _mailing(via="list")
    assert check_mailing(rails, mailing, _desired(0), NOON) == ()
    told = check_mailing(rails, mailing, _desired(0), NOON, list_size=11)
    assert [breach.key for breach in told] == ["max_recipients"]


def test_the_longest_text() -> None:
    """max_parts is of one text."""
    rails = Guardrails(max_parts=3)
    assert _broken(rails, longest=3) == []
    assert _broken(rails, longest=4) == ["max_parts: the longest text takes 4 parts, the limit is 3"]


def test_only_allowed_senders() -> None:
    """A name or id that is not in allowed_alphanames is refused, also the system's 0."""
    rails = Guardrails(allowed_alphanames=("MyShop", "77"))
    assert _broken(rails) == _broken(rails, _mailing(alphaname="77")) == []
    message = "allowed_alphanames: it would be sent as 0, allowed are MyShop, 77"
    assert _broken(rails, _mailing(alphaname="0")) == [message]


def test_words_that_must_and_must_not_be_there() -> None:
    """Regular expressions, in any case; counted are the texts that break them."""
    rails = Guardrails(required_words=(r"stop \d{4}",), forbidden_words=("lorem", "ТЕСТ"))
    policy = ContentPolicy(rails)
    policy.check("Sale! STOP 1234")
    assert _broken(rails, policy=policy) == []
    policy.check("Sale", 2)
    policy.check("Это тест, stop 1234")
    assert _broken(rails, policy=policy) == [
        "required_words: `stop \\d{4}` is missing in 2 texts, the limit is 0",
        "forbidden_words: `ТЕСТ` is found in 1 text, the limit is 0",
    ]


@pytest.mark.parametrize(
    ("local", "quiet"),
    [("20:59", False), ("21:00", True), ("23:59", True), ("00:00", True), ("08:59", True), ("09:00", False)],
)
@pytest.mark.parametrize("is_scheduled", [True, False])
def test_quiet_hours_over_midnight(local: str, quiet: bool, is_scheduled: bool) -> None:
    """In the campaign's zone, from included and to not; for a set time as for one that is sent on apply."""
    at = datetime.fromisoformat(f"2026-11-24T{local}:00+03:00")
    mailing = _mailing(schedule_time=at) if is_scheduled else _mailing()
    found = _broken(
        Guardrails(quiet_hours=NIGHT), mailing, now=at - timedelta(hours=5) if is_scheduled else at
    )
    message = f"quiet_hours: it would go out at {local} Europe/Minsk, quiet from 21:00 to 09:00"
    assert found == ([message] if quiet else [])


def test_quiet_hours_are_of_the_campaign_s_zone() -> None:
    """Noon in Minsk is night in Los Angeles, and a quiet noon is no quiet night."""
    rails = Guardrails(quiet_hours=NIGHT)
    assert _broken(rails, _mailing(timezone="America/Los_Angeles"))
    assert not _broken(rails)
    assert _broken(Guardrails(quiet_hours=QuietHours(time(12), time(13))))


@pytest.mark.parametrize(
    ("local", "refused"),
    [("2026-12-30T23:59", False), ("2026-12-31T00:00", True), ("2027-01-02T23:59", True), ("2027-01-03T00:00", False)],
)  # fmt: skip
def test_blackout_dates(local: str, refused: bool) -> None:
    """Both ends are included, by the campaign's clock; also for a mailing that is sent on apply."""
    rails = Guardrails(blackout=(Blackout(date(2026, 12, 31), date(2027, 1, 2)),))
    at = datetime.fromisoformat(f"{local}:00+03:00")
    day = local[:10]
    message = f"blackout: it would go out on {day} Europe/Minsk, nothing may on 2026-12-31 to 2027-01-02"
    assert _broken(rails, now=at) == ([message] if refused else [])
    assert _broken(rails, _mailing(schedule_time=at)) == ([message] if refused else [])


def test_the_least_lead() -> None:
    """Between now and the set time; one that is sent on apply has no lead."""
    rails = Guardrails(min_lead=timedelta(minutes=10))
    assert _broken(rails) == []
    assert _broken(rails, _mailing(schedule_time=NOON + timedelta(minutes=10))) == []
    message = "min_lead_minutes: it is scheduled in 9 min, the least is 10"
    assert _broken(rails, _mailing(schedule_time=NOON + timedelta(minutes=9, seconds=59))) == [message]


def test_a_late_mailing_is_judged_by_the_hour_it_goes_out() -> None:
    """Set for 20:50, allowed to be late, applied at 21:10: that is a quiet hour."""
    at = datetime.fromisoformat("2026-11-24T20:50:00+03:00")
    mailing = _mailing(schedule_time=at, max_late=timedelta(hours=1))
    rails = Guardrails(quiet_hours=NIGHT, min_lead=timedelta(minutes=10))
    (message,) = _broken(rails, mailing, now=at + timedelta(minutes=20))
    assert message.startswith("quiet_hours: it would go out at 21:10")
    assert mailing.time_on_wire(at + timedelta(minutes=20)) is None
    assert mailing.time_on_wire(at - timedelta(minutes=20)) == at


def test_all_breaches_are_told() -> None:
    """A reviewer mends them in one go."""
    rails = Guardrails(
        max_recipients=1, max_parts=1, allowed_alphanames=("x",), quiet_hours=QuietHours(time(11), time(14))
    )
    keys = [message.partition(":")[0] for message in _broken(rails, people=2, longest=2)]
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


def test_the_cost_of_one_apply() -> None:
    """Only what is sent costs; the sum may reach the limit."""
    rails = Guardrails(max_cost=Decimal("1.5"))
    noop = _action("9", ActionKind.NOOP)
    assert check_apply(rails, [_action("1"), _action("0.5"), _action(None), noop]) is None
    breach = check_apply(rails, [_action("1"), _action("0.501")])
    assert breach is not None
    assert breach.message == "max_cost: this apply costs 1.501, the limit is 1.50"


@pytest.mark.parametrize(
    ("planned", "spent", "refused"), [("1", "9", False), ("1.01", "9", True), ("0", "99", False)]
)
def test_the_budget_of_a_month(planned: str, spent: str, refused: bool) -> None:
    """What was spent counts; an apply that costs nothing is never refused for it."""
    breach = check_budget(Guardrails(budget=Decimal(10)), Decimal(planned), Decimal(spent))
    assert (breach is not None) == refused
    if breach is not None:
        assert (
            breach.message
            == "budget: with 1.01 planned and 9.00 spent this month costs 10.01, the limit is 10.00"
        )


def _entry(
    at: str, cost: str | None, *states: ChunkState, revision: int = 1, earlier: tuple[Entry, ...] = ()
) -> Entry:
    chunks = tuple(ChunkRecord(f"f{i}", 1, "d", state) for i, state in enumerate(states))
    applied = AppliedBy(at, "plan", None, "tool")
    return Entry(revision, "c", "a", "bulk", "MyShop", 1, None, 1, 1, cost, chunks, applied, earlier)


def test_what_the_lock_records_of_the_month() -> None:
    """By the account's clock; accepted, unknown and half-sent mailings count, rejected ones and other months do not."""
    last = _entry("2026-10-31T20:59:59+00:00", "100", ChunkState.ACCEPTED)
    mailings = {
        "a/1": _entry("2026-10-31T21:00:00+00:00", "1", ChunkState.ACCEPTED, earlier=(last,)),
        "a/2": _entry("2026-11-02T10:00:00+00:00", "2", ChunkState.UNKNOWN),
        "a/3": _entry("2026-11-02T10:00:00+00:00", "4", ChunkState.ACCEPTED, ChunkState.PENDING),
        "a/4": _entry("2026-11-02T10:00:00+00:00", "8", ChunkState.REJECTED),
        "a/5": _entry("2026-11-02T10:00:00+00:00", None, ChunkState.DRAFT),
        "a/6": last,
    }
    lock = Lock("shop", mailings=mailings)
    assert spent_in_month(lock, NOON, "Europe/Minsk") == 7
    assert spent_in_month(lock, NOON, "Europe/Minsk", to_come={"a/3": Decimal(3)}) == 4, "1 of 4 was paid for"
    assert spent_in_month(lock, NOON, "Europe/Minsk", to_come={"a/4": Decimal(8)}) == 7, "nothing of it was"
    assert spent_in_month(lock, NOON, "UTC") == 6


def _sent(entry: Entry, *accepted_at: str | None, people: int = 1) -> Entry:
    """`entry` with chunks of `people` that were accepted then; None is still to come."""
    chunks = tuple(
        replace(chunk, accepted_at=at, recipients=people)
        for chunk, at in zip(entry.chunks, accepted_at, strict=True)
    )
    return replace(entry, chunks=chunks)


def test_what_is_sent_over_a_months_end_counts_where_it_was_accepted() -> None:
    """A mailing that was begun in October and resumed in November: each month its share, by its people; rounded up."""
    october, november = "2026-10-31T20:59:00+00:00", "2026-10-31T21:01:00+00:00"
    accepted, pending = ChunkState.ACCEPTED, ChunkState.PENDING
    done = _sent(_entry(october, "10", accepted, accepted, accepted), october, october, november)
    half = _sent(_entry(october, "10", accepted, pending), october, None)
    later = _sent(_entry(october, "10", accepted, accepted, pending), october, november, None)
    draft = _sent(_entry(october, "10", accepted), november)

    def spent(entry: Entry, now: str = november) -> Decimal:
        lock = Lock("shop", mailings={"a/1": entry})
        return spent_in_month(lock, datetime.fromisoformat(now), "Europe/Minsk", to_come={"a/1": Decimal(5)})

    assert spent_in_month(Lock("shop", mailings={"a/1": done}), NOON, "Europe/Minsk") == Decimal("3.33334")
    assert spent(half) == 0, "what is to come was counted by the caller, what was accepted belongs to October"
    assert spent(half, october) == 5
    assert spent(later) == Decimal("3.33334"), "the rest was never counted into November"
    assert spent(draft) == 10, "made in October, confirmed in November"


def test_a_budget_knows_one_currency(tmp_path: Path) -> None:
    """After another `price.currency` what was spent before can't be added: everything is held back, and told why."""
    spent = replace(_entry("2026-11-01T10:00:00+00:00", "2.00", ChunkState.ACCEPTED), currency="USD")
    plan = _plan(tmp_path, "{budget: 5}", lock=Lock("shop", mailings={"old/one": spent}))
    assert {action.reason for action in plan.blocked} == {
        "guardrail: budget: something was spent in USD this month, which can't be added to BYN; the limit is 5.00 BYN"
    }
    before = replace(spent, applied=replace(spent.applied, at="2026-10-01T10:00:00+00:00"))
    assert not _plan(tmp_path, "{budget: 5}", lock=Lock("shop", mailings={"old/one": before})).blocked
    unknown = replace(spent, currency=None)
    assert not _plan(tmp_path, "{budget: 5}", lock=Lock("shop", mailings={"old/one": unknown})).blocked
    assert not _plan(tmp_path, "{}", lock=Lock("shop", mailings={"old/one": spent})).blocked


@pytest.mark.parametrize(
    ("currency", "amount", "held_in", "key"),
    [
        ("BYN", "1.5", "BYN", None),
        ("BYN", "1.49999", "BYN", "balance"),
        ("BYN", "-3", "BYN", "balance"),
        ("BYN", "99", "USD", "price.currency"),
        ("BYN", "1.5", None, None),
        ("RUB", "2", "RUR", None),
    ],
)
def test_the_balance_is_enough_in_its_own_currency(
    currency: str, amount: str, held_in: str | None, key: str | None
) -> None:
    """To the last digit; of two currencies nobody can tell which is more."""
    breach = check_balance(Decimal("1.5"), currency, Decimal(amount), held_in)
    assert (breach and breach.key) == key
    assert breach is None or "costs 1.50" in breach.message


def test_an_empty_account_pays_for_nothing() -> None:
    """Where no price tells what an apply costs, an account without money is still too poor for it."""
    for amount, is_enough in (("0", False), ("-0.5", False), ("0.01", True)):
        breach = check_balance(Decimal(0), None, Decimal(amount), "BYN")
        assert (breach is None) == is_enough
        assert breach is None or (breach.key, "pays for nothing" in breach.message) == ("balance", True)


@dataclass
class _Clock:
    at: datetime = field(default=NOON)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a plan waits for nothing")


CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: [{phone: "375291234567", name: Anna}, {phone: "375297654321", name: Test}]
    text: "{{ name }} hello"
  - name: staff
    recipients: ["375291234567"]
    text: hello
"""


def _plan(
    folder: Path, guardrails: str, campaign: str = CAMPAIGN, lock: Lock | None = None, at: datetime = NOON
) -> Plan:
    project = f"version: 1\nproject: shop\nprice: {{currency: BYN, per_part: 1}}\nguardrails: {guardrails}\n"
    (folder / "smsby.yaml").write_text(project, encoding="utf-8")
    (folder / "sale.yaml").write_text(campaign, encoding="utf-8")
    loaded = load_project(folder)
    assert not loaded.problems
    return make_plan(
        loaded, select=(), client=None, account=None, lock=lock or Lock("shop"), clock=_Clock(at), new_id="p"
    )


@pytest.mark.parametrize(
    ("guardrails", "blocked"),
    [
        ("{max_recipients: 1}", {"sale/vip": "max_recipients: 2 recipients"}),
        ("{expect_recipients: {min: 2}}", {"sale/staff": "expect_recipients: 1 recipient,"}),
        ("{forbidden_words: [test]}", {"sale/vip": "forbidden_words: `test` is found in 1 text"}),
        ("{required_words: ['[a-z]+ hello']}", {"sale/staff": "required_words: `[a-z]+ hello` is missing in 1 text"}),
        ("{allowed_alphanames: [0]}", {}),
        ("{budget: 3}", {}),
        ("{budget: 2.99}", {"sale/vip": "budget: with 3.00 planned", "sale/staff": "budget: with 3.00 planned"}),
        ("{blackout: ['2026-11-24']}", {"sale/vip": "blackout: it would", "sale/staff": "blackout: it would"}),
        ("{quiet_hours: {from: '12:00', to: '12:01'}}", {"sale/vip": "quiet_hours: ", "sale/staff": "quiet_hours: "}),
    ],
)  # fmt: skip
def test_a_plan_blocks_what_a_guardrail_refuses(
    guardrails: str, blocked: dict[str, str], tmp_path: Path
) -> None:
    """From the file to the action: blocked for the guardrail, with the sentence that names it; the others go out."""
    plan = _plan(tmp_path, guardrails)
    assert {action.address for action in plan.blocked} == set(blocked)
    for action in plan.blocked:
        assert action.reason.startswith(f"guardrail: {blocked[action.address]}")


def test_the_budget_counts_what_the_lock_records(tmp_path: Path) -> None:
    """Two spent this month, three planned: four are not enough, five are."""
    lock = Lock(
        "shop", mailings={"old/one": _entry("2026-11-01T10:00:00+00:00", "2.00", ChunkState.ACCEPTED)}
    )
    assert len(_plan(tmp_path, "{budget: 4.99}", lock=lock).blocked) == 2
    assert not _plan(tmp_path, "{budget: 5}", lock=lock).blocked


def test_late_is_expired_unless_it_may_be(tmp_path: Path) -> None:
    """Past its time a mailing is blocked; max_late lets it out for so long, with a warning."""
    timed = CAMPAIGN.replace("campaign: sale", "campaign: sale\nschedule_time: 2026-11-24T11:45:00")
    assert [action.reason[:7] for action in _plan(tmp_path, "{}", timed).blocked] == ["expired", "expired"]
    late = timed.replace("mailings:", "max_late: 20m\nmailings:")
    plan = _plan(tmp_path, "{}", late)
    assert not plan.blocked
    assert {(p.code, p.location.line) for p in plan.problems} == {("LATE", 3)}
    assert "15 min ago" in plan.problems[0].message
    assert len(_plan(tmp_path, "{}", late, at=NOON + timedelta(minutes=5)).blocked) == 2
