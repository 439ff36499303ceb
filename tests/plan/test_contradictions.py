"""A fact about the account blocks exactly what depends on it, and says how to fix it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.config.project_loader import load_project
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.decisions import Resolution
from smsby_deploy.lock.records import Apply, ChunkState, Lock
from smsby_deploy.plan.contradictions import find_contradictions, find_doubt, find_wrong_clock
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.plan.planner import make_plan
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.facts import AccountFacts, Fact, FactName, FactState
from smsby_deploy.smsby.parsers import read_mailings
from tests.apply.fake_smsby import FakeTransport
from tests.lock.examples import entry
from tests.plan.examples import NOON, FixedClock
from tests.plan.situations import view_of
from tests.smsby.conftest import keep_all

_AT = NOON.isoformat()
_CAMPAIGN = """\
version: 1
campaign: sale
mailings:
  - name: now
    recipients: ["375291234567"]
    text: hello
  - name: later
    schedule_time: 2026-12-01T10:00:00
    recipients: ["375291234567", "375291234568"]
    text: hello again
  - name: one-by-one
    schedule_time: 2026-12-01T10:00:00
    via: single
    recipients: ["375291234567"]
    text: good morning
  - name: list
    list: Newsletter
    text: good evening
  - name: long
    recipients: ["375291234567"]
    text: "{{ 'x' * 500 }}"
"""
_ALL = ["now", "later", "one-by-one", "list", "long"]


def _clock(offset: int) -> dict[str, Any]:
    return {"offset": offset, "at": _AT}


def facts_of(values: Mapping[FactName, Any], at: datetime = NOON) -> AccountFacts:
    known = {name: Fact(name, FactState.KNOWN, value, None, at, "x") for name, value in values.items()}
    return AccountFacts("a", known)


def _plan(folder: Path, facts: AccountFacts, settings: str = "", lock: Lock | None = None) -> Plan:
    project = (
        "version: 1\nproject: shop\nprice: {currency: BYN, per_part: 0.026, per_prefix: {'37525': 0.03}}\n"
    )
    (folder / "smsby.yaml").write_text(project + settings, encoding="utf-8")
    (folder / "sale.yaml").write_text(_CAMPAIGN, encoding="utf-8")
    client = ReadClient(FakeTransport(FixedClock()), facts)
    loaded = load_project(folder)
    assert not loaded.problems
    return make_plan(
        loaded,
        select=(),
        client=client,
        account="a",
        lock=lock or Lock("shop", applies=(Apply("p", _AT, None, "x"),)),
        clock=FixedClock(),
        new_id="p",
    )


def _blocked(plan: Plan) -> dict[str, Action]:
    assert all(action.reason_code == "facts" for action in plan.blocked)
    return {action.address.removeprefix("sale/"): action for action in plan.blocked}


@pytest.mark.parametrize(
    ("values", "settings", "blocked", "why"),
    [
        ({}, "", [], ""),
        ({FactName.SCHEDULE_CLOCK: _clock(180), FactName.CLOCK_IN: _clock(180)}, "", [], ""),
        (
            {FactName.SCHEDULE_CLOCK: _clock(0)},
            "",
            ["later", "one-by-one", "list"],
            "sms.by reads times of sendBulkSms in UTC+00:00, but api.account_timezone Europe/Minsk is UTC+03:00: set it to a "
            "zone with UTC+00:00",
        ),
        ({FactName.SCHEDULE_CLOCK: _clock(0)}, "api: {account_timezone: UTC}\n", [], ""),
        ({FactName.SCHEDULE_CLOCK: _clock(0), FactName.CLOCK_IN: _clock(180)}, "", ["later"], "sendBulkSms"),
        (
            {FactName.SCHEDULE_CLOCK: _clock(180), FactName.CLOCK_IN: _clock(0)},
            "",
            ["one-by-one", "list"],
            "sms.by reads times of createSmsMessage, sendSmsList in UTC+00:00",
        ),
        ({FactName.PART_TABLE: "sdk"}, "", [], ""),
        ({FactName.PART_TABLE: "gsm"}, "", ["long"], "keep texts shorter (guardrails.max_parts: 3)"),
        ({FactName.NAME_LENGTH: {"listed": 160, "sent": 160}}, "", [], ""),
        (
            {FactName.NAME_LENGTH: {"listed": 24, "sent": 160}},
            "",
            ["later", "one-by-one", "list", "long"],
            "sms.by cuts names after 24 characters",
        ),
        ({FactName.PRICE: {"per_part": "0.030", "prefix": ""}}, "", [], ""),
        (
            {FactName.PRICE: {"per_part": "0.030", "prefix": ""}},
            "guardrails: {budget: 100}\n",
            ["now", "later", "one-by-one", "long"],
            "a part cost 0.030, but price.per_part is 0.026: correct it",
        ),
        ({FactName.PRICE: {"per_part": "0.030", "prefix": "37525"}}, "guardrails: {budget: 100}\n", [], ""),
        ({FactName.PRICE: {"per_part": "0.020", "prefix": ""}}, "guardrails: {max_cost: 100}\n", [], ""),
        ({FactName.LISTING_LAG: 45.0, FactName.CLOCK_OUT: _clock(0)}, "", [], ""),
        ({FactName.LIST_SIZE: {"count": 100, "capped": True}}, "", [], ""),
    ],
)
def test_facts_block_what_depends_on_them(
    values: dict[FactName, Any], settings: str, blocked: list[str], why: str, tmp_path: Path
) -> None:
    """Each fact blocks what depends on it and nothing else, with a sentence that says how to fix it."""
    found = _blocked(_plan(tmp_path, facts_of(values), settings))
    # `sale/now shop#0123456789` has 24 characters, and every other name more.
    assert list(found) == blocked
    assert all(why in action.reason for action in found.values())


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        (
            {FactName.LISTING_LAG: 45.5},
            "",
            "sms.by listed a mailing after 45.5 s, but api.reconcile_seconds is 30: apply looks for a lost request for 91 s; "
            "set it to 91",
        ),
        ({FactName.LISTING_LAG: 45.5}, "api: {reconcile_seconds: 60}\n", None),
        ({FactName.CURRENCY: "RUB"}, "", "the balance is in RUB, but price.currency is BYN: correct it"),
        ({FactName.CURRENCY: "BYN"}, "", None),
        ({FactName.CLOCK_OUT: _clock(0)}, "", "sms.by writes dates in answers in UTC+00:00"),
        (
            {FactName.PRICE: {"per_part": "0.02", "prefix": ""}},
            "",
            "a part cost 0.02, but price.per_part is 0.026",
        ),
        ({FactName.PRICE: {"per_part": "0.02600", "prefix": ""}}, "", None),
        (
            {FactName.TOKEN_REFUSAL: {"status": 200, "recognized": False}},
            "",
            "how sms.by refuses a token (HTTP 200)",
        ),
        ({FactName.TOKEN_REFUSAL: {"status": 403, "recognized": True}}, "", None),
    ],
)
def test_facts_that_block_nothing_are_warnings(
    values: dict[FactName, Any], settings: str, message: str | None, tmp_path: Path
) -> None:
    """A fact that blocks nothing is a warning, reported once at its setting if the files have it."""
    plan = _plan(tmp_path, facts_of(values), settings)
    found = [problem for problem in plan.problems if problem.code == "FACT_DIFFERS"]
    assert not plan.blocked
    assert len(found) == (message is not None)
    assert all(message in one.message and one.severity == "warning" for one in found if message)


def test_old_facts_are_a_note(tmp_path: Path) -> None:
    """Facts older than 90 days are one note that names them."""
    values = {FactName.CURRENCY: "BYN", FactName.PART_TABLE: "sdk"}
    fresh, old = (_plan(tmp_path, facts_of(values, NOON - timedelta(days=days))) for days in (89, 91))
    assert not [problem for problem in fresh.problems if problem.code == "FACTS_OLD"]
    (note,) = [problem for problem in old.problems if problem.code == "FACTS_OLD"]
    assert (note.severity, str(note.location)) == ("note", "smsby.facts.json")
    assert note.message == (
        "learned more than 90 days ago: currency and 1 more; run `smsby-deploy doctor` again"
    )


_CAPPED = facts_of({FactName.LIST_SIZE: {"count": 100, "capped": True}})
_APPLIED = (Apply("p", _AT, None, "x"),)
_LATER = (NOON + timedelta(days=1)).isoformat()


def _listed(*names: str) -> Any:
    created = int(NOON.timestamp())
    rows = [{"id": number, "name": name, "d_create": created} for number, name in enumerate(names, 1)]
    return view_of("shop", read_mailings({"data": rows}, keep_all) if rows else ())


@pytest.mark.parametrize(
    ("lock", "names", "archived", "why"),
    [
        (Lock("shop"), (), (), "this lock has never applied"),
        (Lock("shop", applies=_APPLIED), (), (), ""),
        (Lock("shop", applies=_APPLIED), ("others mailing", "sale/vip other#0123456789"), (), ""),
        (
            Lock("shop", applies=_APPLIED),
            ("sale/vip shop#0123456789",),
            (),
            "the lock is older than what is listed",
        ),
        (Lock("shop", applies=_APPLIED), ("sale/vip shop#0123456789",), ("sale/vip",), ""),
        (
            Lock("shop", applies=_APPLIED, resolutions=(Resolution("*", "bound", _LATER, "anna", ""),)),
            ("sale/vip shop#0123456789",),
            (),
            "",
        ),
        (
            Lock("shop", resolutions=(Resolution("*", "bound", "2026-11-01T00:00:00+00:00", "anna", ""),)),
            ("sale/vip shop#0123456789",),
            (),
            "the lock is older than what is listed",
        ),
        (Lock("shop", resolutions=(Resolution("*", "bound", _AT, "anna", ""),)), (), (), ""),
    ],
)
def test_capped_list_proves_nothing(
    lock: Lock, names: tuple[str, ...], archived: tuple[str, ...], why: str
) -> None:
    """With a capped list, a lock that never applied or is older than the list blocks sends until the user confirms it."""
    remote = _listed(*names)
    doubt = find_doubt(_CAPPED, lock, remote, archived)
    assert doubt == (
        f"sms.by lists only 100 mailings, and {why}, so nothing shows whether it was sent before; check the account, then "
        "run `smsby-deploy lock bind`"
        if why
        else ""
    )
    complete = facts_of({FactName.LIST_SIZE: {"count": 100, "capped": False}})
    assert find_doubt(complete, lock, remote, archived) == ""


def test_capped_list_knows_what_is_recorded() -> None:
    """A listed mailing that the lock has in any revision does not make the lock older."""
    made = entry(ChunkState.ACCEPTED)
    name = f"sale/vip shop#{made.chunks[0].fingerprint}"
    for recorded in (made, replace(made, revision=2, chunks=(), earlier=(made,))):
        lock = Lock("shop", mailings={"sale/vip": recorded}, applies=_APPLIED)
        assert find_doubt(_CAPPED, lock, _listed(name)) == ""


def test_capped_list_blocks_a_project_that_never_applied(tmp_path: Path) -> None:
    """In a project that never applied, a capped list blocks everything new until `lock bind`."""
    assert list(_blocked(_plan(tmp_path, _CAPPED, lock=Lock("shop")))) == _ALL
    bound = Lock("shop", resolutions=(Resolution("*", "bound", _AT, "anna", ""),))
    assert not _plan(tmp_path, _CAPPED, lock=bound).blocked


def test_contradictions_of_a_clock_are_of_its_moment(tmp_path: Path) -> None:
    """In a zone with summer time the offset is that of the moment at which the clock was read."""
    (tmp_path / "smsby.yaml").write_text(
        "version: 1\nproject: shop\napi: {account_timezone: Europe/Warsaw}\n"
    )
    project = load_project(tmp_path).project
    for month, offset in ((7, 120), (12, 60)):
        at = datetime(2026, month, 1, tzinfo=UTC).isoformat()
        right, wrong = ({"offset": minutes, "at": at} for minutes in (offset, 180))
        assert not list(find_contradictions(project, facts_of({FactName.CLOCK_IN: right})))
        assert len(list(find_contradictions(project, facts_of({FactName.CLOCK_IN: wrong})))) == 1


@pytest.mark.parametrize(
    ("lead", "service", "said"),
    [
        (None, "https://app.sms.by", ""),
        (timedelta(minutes=2), "https://app.sms.by", ""),
        (-timedelta(minutes=2), "https://app.sms.by", ""),
        (timedelta(minutes=3), "https://app.sms.by", "differs from that of sms.by by 3 minutes;"),
        (-timedelta(minutes=180), "https://app.sms.by", "differs from that of sms.by by 180 minutes;"),
        (-timedelta(minutes=180), "http://127.0.0.1:8025", ""),
    ],
)
def test_wrong_clock_is_reported(lead: timedelta | None, service: str, said: str) -> None:
    """A clock that is off by more than two minutes is reported, except in a sandbox on this machine."""
    transport = FakeTransport(FixedClock())
    transport.clock_lead = lead
    found = [
        one.message
        for one in find_wrong_clock(ReadClient(transport), Binding("production", service, "a" * 12))
    ]
    assert [said in message for message in found] == [True] * bool(said)
