"""The monthly budget: what counts as spent, and what is blocked. Also the balance of the account."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.config.declarations import Guardrails, Project
from smsby_deploy.config.project_loader import load_project
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.lock.archive import append_archive, with_newer
from smsby_deploy.lock.counts import PrefixCount
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan import budget
from smsby_deploy.plan.budget import (
    ask_balance,
    check_balance,
    check_budget,
    cost_with_rest,
    hold_budget,
    spent_beside,
)
from smsby_deploy.plan.model import Action, ActionKind, Plan, ReasonCode
from smsby_deploy.smsby.parsers import Balance
from tests.output import examples
from tests.plan.examples import NOON, make_example_plan


@pytest.mark.parametrize(
    ("planned", "spent", "refused"), [("1", "9", False), ("1.01", "9", True), ("0", "99", False)]
)
def test_budget_is_exceeded_by_the_sum(planned: str, spent: str, refused: bool) -> None:
    """Planned and spent costs are added, and an apply that costs nothing is never refused."""
    breach = check_budget(Guardrails(budget=Decimal(10)), Decimal(planned), Decimal(spent))
    assert (breach is not None) == refused
    if breach is not None:
        assert (
            breach.message == "budget: 1.01 planned and 9.00 spent this month make 10.01, the limit is 10.00"
        )


def entry_of(
    at: str, cost: str | None, *states: ChunkState, revision: int = 1, earlier: tuple[Entry, ...] = ()
) -> Entry:
    chunks = tuple(ChunkRecord(f"f{i}", 1, "d", state) for i, state in enumerate(states))
    applied = AppliedBy(at, "plan", None, "tool")
    return Entry(revision, "c", "a", "bulk", "MyShop", 1, None, 1, 1, cost, chunks, applied, earlier)


_WITHDRAWN = Ending(EndingKind.WITHDRAWN, "2026-11-02T11:00:00+00:00", "anna", "")
_PROJECT = "version: 1\nproject: shop\nprice: {currency: BYN, per_part: 1}\nguardrails: {budget: 10}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "smsby.yaml").write_text(_PROJECT)
    return load_project(tmp_path).project


def _in_zone(project: Project, zone: str) -> Project:
    return project._replace(api=project.api._replace(account_timezone=zone))


def _resume(address: str, cost: str, **changes: object) -> Action:
    return examples.action(address, ActionKind.RESUME, cost=Decimal(cost), revision=1, **changes)


def test_spent_by_state_and_clock(project: Project) -> None:
    """The month is that of the account's clock; rejected, withdrawn and other months' mailings do not count."""
    last = entry_of("2026-10-31T20:59:59+00:00", "100", ChunkState.ACCEPTED)
    mailings = {
        "a/1": entry_of("2026-10-31T21:00:00+00:00", "1", ChunkState.ACCEPTED, earlier=(last,)),
        "a/2": entry_of("2026-11-02T10:00:00+00:00", "2", ChunkState.UNKNOWN),
        "a/3": entry_of("2026-11-02T10:00:00+00:00", "4", ChunkState.ACCEPTED, ChunkState.PENDING),
        "a/4": entry_of("2026-11-02T10:00:00+00:00", "8", ChunkState.REJECTED),
        "a/5": entry_of("2026-11-02T10:00:00+00:00", None, ChunkState.DRAFT),
        "a/6": last,
        "a/7": replace(entry_of("2026-11-02T10:00:00+00:00", "16", ChunkState.ACCEPTED), ending=_WITHDRAWN),
    }
    lock = Lock("shop", mailings=mailings)
    assert spent_beside(project, (), lock, NOON) == 5
    assert spent_beside(project, [_resume("a/3", "3")], lock, NOON) == 4, "1 of 4 was paid for"
    assert spent_beside(project, [_resume("a/4", "6")], lock, NOON) == 5, "none of it was"
    unknown_cost = replace(_resume("a/3", "3"), cost=None)
    assert spent_beside(project, [unknown_cost], lock, NOON) == 5
    assert spent_beside(_in_zone(project, "UTC"), (), lock, NOON) == 4


def _phones(states: str) -> ChunkRecord:
    return ChunkRecord("f0", 10, "d").with_phones(PhoneStates.parse(states))


@pytest.mark.parametrize(
    ("chunks", "spent"),
    [
        ([ChunkState.ACCEPTED, ChunkState.PENDING, ChunkState.REJECTED], "3.33334"),
        ([ChunkState.ACCEPTED, ChunkState.UNKNOWN, ChunkState.DECLARED_UNSENT], "6.66667"),
        ([ChunkState.ACCEPTED, ChunkState.SUPPRESSED], "10"),
        ([_phones("a:2 u:1 p:5 s:2")], "3.75"),
        ([_phones("a:8 s:2")], "10"),
    ],
)
@pytest.mark.parametrize("ending", [None, replace(_WITHDRAWN, kind=EndingKind.ABANDONED)])
def test_spent_on_a_mailing_sent_in_part(
    chunks: list[ChunkState | ChunkRecord], spent: str, ending: Ending | None, project: Project
) -> None:
    """A partly sent mailing counts by the share of recipients who got it or may have; the plan costs the rest."""
    records = [one if isinstance(one, ChunkRecord) else ChunkRecord("f", 1, "d", one) for one in chunks]
    entry = replace(entry_of("2026-11-02T10:00:00+00:00", "10"), chunks=tuple(records), ending=ending)
    assert spent_beside(project, (), Lock("shop", mailings={"a/1": entry}), NOON) == Decimal(spent)


def _approved(entry: Entry, opens: str) -> Entry:
    approval = Approval("2026-10-01T10:00:00+00:00", "plan", "anna", opens, "2027-01-01T10:00:00+00:00")
    return replace(entry, approval=approval, schedule_time=opens)


def test_approved_rest_counts_as_spent(project: Project) -> None:
    """The rest of an interrupted hand-over and later waves count as spent, as they continue without another review."""
    half = entry_of("2026-11-02T10:00:00+00:00", "10", ChunkState.ACCEPTED, ChunkState.PENDING)
    waves = replace(half, chunks=tuple(replace(one, wave=n) for n, one in enumerate(half.chunks, 1)))
    cases = [
        (_approved(half, "2026-11-24T10:00:00+03:00"), (), 10),
        (_approved(half, "2026-12-24T10:00:00+03:00"), (), 5),
        (waves, (), 10),
        (replace(waves, ending=replace(_WITHDRAWN, kind=EndingKind.ABANDONED)), (), 5),
        (replace(half, schedule_time="2026-11-24T10:00:00+03:00"), (), 5),  # it needs a new plan
        (waves, [_resume("a/1", "4")], 6),
        (waves, [replace(_resume("a/1", "4"), revision=2)], 5),
    ]
    for entry, actions, spent in cases:
        assert spent_beside(project, actions, Lock("shop", mailings={"a/1": entry}), NOON) == spent
        raised = replace(entry, earlier=(entry_of("2026-11-01T10:00:00+00:00", "1", ChunkState.ACCEPTED),))
        assert spent_beside(project, actions, Lock("shop", mailings={"a/1": raised}), NOON) == spent + 1


def _by_prefix(count: int, cost: str) -> dict[str, PrefixCount]:
    return {"37529": PrefixCount(count, count, cost)}


@pytest.mark.parametrize(
    ("recorded", "rest", "now", "spent", "whole"),
    [
        ("10", "5", "10", "5", None),  # the same price
        ("10", "10", "20", "5", "15"),
        ("15", "10", "20", "5", None),  # an apply recorded that, and was stopped
        ("15", "4", "20", "11", None),  # or it sent three of the five
        ("10", "2.5", "5", "7.5", None),  # what was sent is not known exactly, but is no less
        ("10", "10", None, "0", None),
    ],
)
def test_spent_before_the_price_rose(
    recorded: str, rest: str, now: str | None, spent: str, whole: str | None, project: Project
) -> None:
    """After a price rise, sent recipients count at the old price and the rest at the new one."""
    half = entry_of("2026-11-02T10:00:00+00:00", recorded, ChunkState.ACCEPTED, ChunkState.PENDING)
    half = replace(half, prefixes=_by_prefix(10, "10.00"))
    action = _resume("a/1", rest, prefixes=None if now is None else _by_prefix(10, now))
    assert spent_beside(project, [action], Lock("shop", mailings={"a/1": half}), NOON) == Decimal(spent)
    assert cost_with_rest(half, action) == (None if whole is None else Decimal(whole))


def test_spent_counts_what_was_archived_this_month(project: Project, tmp_path: Path) -> None:
    """A mailing archived this month still counts as spent, and archives of other months are not read."""
    path = tmp_path / "lock.archive.jsonl"
    mailings = {
        "a/1": entry_of("2026-10-31T21:00:00+00:00", "2", ChunkState.ACCEPTED),
        "a/2": entry_of("2026-10-02T10:00:00+00:00", "4", ChunkState.ACCEPTED),
    }
    mailings = {a: e.put_chunk(0, replace(e.chunks[0], fingerprint="f" * 10)) for a, e in mailings.items()}
    lock = Lock("shop", mailings=mailings, archive=path)
    count = append_archive(lock, path, mailings, "2026-11-03T10:00:00+00:00")
    lock = replace(lock, mailings={"a/3": mailings["a/1"]}, archived=count)
    assert spent_beside(project, (), lock, NOON) == 4
    assert spent_beside(project._replace(guardrails=Guardrails()), (), lock, NOON) == 0  # without a budget


def _sent(entry: Entry, *accepted_at: str | None, count: int = 1) -> Entry:
    """Return `entry` with chunks of `count` recipients accepted at these times; None is not sent yet."""
    chunks = tuple(
        replace(chunk, accepted_at=at, recipients=count)
        for chunk, at in zip(entry.chunks, accepted_at, strict=True)
    )
    return replace(entry, chunks=chunks)


def test_spent_of_a_mailing_sent_in_two_months(project: Project) -> None:
    """A mailing that was sent in two months counts in each by its share of recipients, rounded up."""
    october, november = "2026-10-31T20:59:00+00:00", "2026-10-31T21:01:00+00:00"
    accepted, pending = ChunkState.ACCEPTED, ChunkState.PENDING
    done = _sent(entry_of(october, "10", accepted, accepted, accepted), october, october, november)
    half = _sent(entry_of(october, "10", accepted, pending), october, None)
    later = _sent(entry_of(october, "10", accepted, accepted, pending), october, november, None)
    draft = _sent(entry_of(october, "10", accepted), november)

    def spent(entry: Entry, now: str = november) -> Decimal:
        lock = Lock("shop", mailings={"a/1": entry})
        return spent_beside(project, planned, lock, datetime.fromisoformat(now))

    planned: list[Action] = []
    assert spent(done) == Decimal("3.33334")
    assert spent(draft) == 10, "made in October, confirmed in November"
    planned.append(_resume("a/1", "5"))
    assert spent(half) == 0, "the action counts the rest, what was accepted belongs to October"
    assert spent(half, october) == 5
    planned[:] = [_resume("a/1", "4")]
    assert spent(later) == 10 - Decimal("3.33333") - 4, "the exact cost of what is not in October"


def test_budget_blocks_after_a_currency_change(tmp_path: Path) -> None:
    """If earlier spending is in another currency, everything that costs money is blocked, with the reason."""
    spent = replace(entry_of("2026-11-01T10:00:00+00:00", "2.00", ChunkState.ACCEPTED), currency="USD")
    plan = make_example_plan(tmp_path, "{budget: 5}", lock=Lock("shop", mailings={"old/one": spent}))
    assert {action.reason for action in plan.blocked} == {
        "guardrail: budget: this month's expenses in USD cannot be added to BYN; the limit is 5.00 BYN"
    }
    before = replace(spent, applied=replace(spent.applied, at="2026-10-01T10:00:00+00:00"))
    assert not make_example_plan(
        tmp_path, "{budget: 5}", lock=Lock("shop", mailings={"old/one": before})
    ).blocked
    unknown = replace(spent, currency=None)
    assert not make_example_plan(
        tmp_path, "{budget: 5}", lock=Lock("shop", mailings={"old/one": unknown})
    ).blocked
    assert not make_example_plan(tmp_path, "{}", lock=Lock("shop", mailings={"old/one": spent})).blocked


def test_budget_reads_the_archive_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive is read once per plan, though this month's archived mailings are part of the sum."""
    path = tmp_path / "lock.archive.jsonl"
    spent = entry_of("2026-11-02T10:00:00+00:00", "9", ChunkState.ACCEPTED)
    mailings = {"a/1": spent.put_chunk(0, replace(spent.chunks[0], fingerprint="f" * 10))}
    count = append_archive(
        Lock("shop", mailings=mailings, archive=path), path, mailings, "2026-11-03T10:00:00+00:00"
    )
    reads = []
    monkeypatch.setattr(budget, "with_newer", lambda *args: reads.append(args) or with_newer(*args))
    actions = [examples.action("b/1", ActionKind.CREATE, cost=Decimal(2))]
    held = hold_budget(project, actions, Lock("shop", archive=path, archived=count), NOON)
    assert ([one.reason_code for one in held], len(reads)) == ([ReasonCode.GUARDRAIL], 1)


@pytest.mark.parametrize(("currency", "blocked"), [("BYN", ["a/1"]), ("USD", ["a/1", "a/3"])])
def test_budget_blocks_what_costs_money(currency: str, blocked: list[str], project: Project) -> None:
    """Over budget only mailings that cost money are blocked, and a list of unknown cost only if the sum is not known."""
    actions = [
        examples.action("a/1", ActionKind.CREATE, cost=Decimal(2)),
        examples.action("a/2", ActionKind.ORPHAN, cost=Decimal(2)),
        examples.action("a/3", ActionKind.CREATE, cost=None),
        examples.action("a/4", ActionKind.CREATE, cost=Decimal(0)),
    ]
    spent = replace(entry_of("2026-11-02T10:00:00+00:00", "9", ChunkState.ACCEPTED), currency=currency)
    held = hold_budget(project, actions, Lock("shop", mailings={"old/one": spent}), NOON)
    assert [one.address for one in held if one.reason_code is ReasonCode.GUARDRAIL] == blocked
    assert [one for one in held if one.address not in blocked] == [
        one for one in actions if one.address not in blocked
    ]


def test_budget_counts_what_the_lock_records(tmp_path: Path) -> None:
    """With two spent this month and three planned, a budget of five is enough and a smaller one is not."""
    lock = Lock(
        "shop", mailings={"old/one": entry_of("2026-11-01T10:00:00+00:00", "2.00", ChunkState.ACCEPTED)}
    )
    blocked = make_example_plan(tmp_path, "{budget: 4.99}", lock=lock).blocked
    assert [action.reason_code for action in blocked] == [ReasonCode.GUARDRAIL] * 2
    assert not make_example_plan(tmp_path, "{budget: 5}", lock=lock).blocked


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
def test_check_balance_in_its_own_currency(
    currency: str, amount: str, held_in: str | None, key: str | None
) -> None:
    """The balance is compared to the last digit, and not with an amount in another currency."""
    breach = check_balance(Decimal("1.5"), currency, Decimal(amount), held_in)
    assert (breach and breach.key) == key
    assert breach is None or "costs 1.50" in breach.message


def test_check_balance_of_an_empty_account() -> None:
    """An empty account is refused even if no price is known."""
    for amount, is_enough in (("0", False), ("-0.5", False), ("0.01", True)):
        breach = check_balance(Decimal(0), None, Decimal(amount), "BYN")
        assert (breach is None) == is_enough
        assert breach is None or (breach.key, "cannot pay" in breach.message) == ("balance", True)


_READY = examples.ready_plan()
_IDLE = examples.plan(examples.action("sale/old", ActionKind.NOOP))


class _Account:
    """An account that answers getBalance."""

    def __init__(self, currency: str | None) -> None:
        self.currency = currency
        self.asked = 0

    def get_balance(self) -> object:
        self.asked += 1
        if self.currency is None:
            raise SmsbyUnavailable("down")
        return Balance(Decimal(7), self.currency)


@pytest.mark.parametrize(
    ("plan", "currency", "balance", "asked"),
    [
        (_READY, "BYN", Decimal(7), 1),
        (_READY, "RUB", None, 1),
        (_READY, None, None, 1),
        (_IDLE, "BYN", None, 0),
    ],
)
def test_ask_balance_is_optional(
    plan: Plan, currency: str | None, balance: Decimal | None, asked: int
) -> None:
    """The balance is asked for only if something is sent, and a plan does not fail without it."""
    account = _Account(currency)
    assert ask_balance(account, plan) == balance  # type: ignore[arg-type]
    assert account.asked == asked
    assert ask_balance(None, plan) is None
