"""Facts about an account, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.errors import FilesInvalid
from smsby_deploy.resources import load_schema
from smsby_deploy.smsby.facts import (
    NO_FACTS,
    AccountClock,
    AccountFacts,
    EmptyForm,
    Fact,
    FactName,
    FactState,
    Gap,
    KnownPrice,
    ListSize,
    NameLength,
    PartTable,
    read_facts,
    write_facts,
)
from tests.smsby.fact_values import AT, FACT_VALUES

_NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_ACCOUNT, _OTHER = "0123456789ab", "ba9876543210"


def _known(name: FactName, learned_at: datetime = _NOW) -> Fact:
    return Fact(name, FactState.KNOWN, FACT_VALUES[name], None, learned_at, "getBalance")


def _gap(name: FactName) -> Fact:
    return Fact(name, FactState.NOT_LEARNABLE, None, Gap.NO_ROWS, _NOW, "getBalance")


ALL = AccountFacts(_ACCOUNT, {name: _known(name) for name in FactName})


def test_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Every fact, known or not learnable, is read back with its time, method and account."""
    path = tmp_path / "smsby.facts.json"
    for facts in (ALL, AccountFacts(_ACCOUNT, {name: _gap(name) for name in FactName})):
        write_facts(path, facts, "https://app.sms.by")
        assert read_facts(path, _ACCOUNT) == facts


def test_facts_have_typed_values() -> None:
    """Values that decide something are typed."""
    assert ALL.call_styles == {"statusBulkSms": "post-form", "getSubscriberLists": "get"}
    assert (ALL.refuses_at_500, ALL.listing_lag, ALL.part_table) == (True, 41.5, PartTable.GSM)
    assert ALL.list_size == ListSize(100, True)
    assert ALL.empty_form is EmptyForm.BARE_LIST
    assert ALL.name_length == NameLength(40, 160)
    assert ALL.price == KnownPrice(Decimal("0.03"), "37525")
    assert ALL.clock(FactName.CLOCK_IN) == AccountClock(-90, _NOW)
    assert [ALL.clock(name).text for name in (FactName.CLOCK_IN, FactName.CLOCK_OUT)] == [  # type: ignore[union-attr]
        "UTC-01:30",
        "UTC+03:00",
    ]


def test_facts_decide_only_where_they_differ_from_the_document() -> None:
    """Only a fact that differs from the documentation changes anything."""
    usual = {FactName.CALL_STYLES: {}, FactName.EMPTY_LIST: "documented", FactName.PART_TABLE: "sdk"}
    facts = {name: replace(_known(name), value=value) for name, value in usual.items()}
    assert AccountFacts(_ACCOUNT, facts).deciding() == NO_FACTS.deciding() == {}
    assert ALL.deciding() == {
        FactName.CALL_STYLES: "statusBulkSms: post-form, getSubscriberLists: get",
        FactName.REFUSAL_AT_500: "true",
        FactName.LIST_SIZE: "capped",
        FactName.EMPTY_LIST: "bare_list",
        FactName.PART_TABLE: "gsm",
        FactName.NAME_LENGTH: "40",
        FactName.LISTING_LAG: "41.5 s",
        FactName.PRICE: "0.03",
        FactName.CLOCK_IN: "UTC-01:30",
        FactName.SCHEDULE_CLOCK: "UTC+00:00",
    }


def test_facts_that_are_not_known_decide_nothing() -> None:
    """Without facts everything is as documented."""
    assert NO_FACTS.call_styles == {}
    assert not NO_FACTS.refuses_at_500
    assert NO_FACTS.get(FactName.PRICE).state is FactState.NOT_ASKED
    found = [
        NO_FACTS.list_size,
        NO_FACTS.empty_form,
        NO_FACTS.listing_lag,
        NO_FACTS.name_length,
        NO_FACTS.price,
    ]
    assert found == [None] * 5
    assert NO_FACTS.clock(FactName.CLOCK_IN) is None
    assert NO_FACTS.reconcile_seconds(30) == 30


def test_facts_of_another_account_are_not_used(tmp_path: Path) -> None:
    """Facts of another account stay in the file and are not used."""
    path = tmp_path / "smsby.facts.json"
    write_facts(path, ALL, "https://app.sms.by")
    assert read_facts(path, _OTHER) == AccountFacts(_OTHER)
    write_facts(
        path, AccountFacts(_OTHER, {FactName.PRICE: _gap(FactName.PRICE)}), "https://app.startsend.ru"
    )
    assert read_facts(path, _ACCOUNT) == ALL
    assert list(read_facts(path, _OTHER).facts) == [FactName.PRICE]


def test_facts_that_are_known_are_not_lost() -> None:
    """A known fact stays if it cannot be learned again, and a new value replaces the old one."""
    later = replace(_known(FactName.PRICE), learned_at=_NOW + timedelta(days=1))
    facts = ALL.updated([_gap(FactName.CLOCK_IN), later, Fact(FactName.CALLBACK)])
    assert facts.get(FactName.CLOCK_IN) == _known(FactName.CLOCK_IN)
    assert facts.get(FactName.PRICE) == later
    assert facts.get(FactName.CALLBACK).state is FactState.KNOWN
    assert NO_FACTS.updated([_gap(FactName.PRICE)]).get(FactName.PRICE).state is FactState.NOT_LEARNABLE


def test_facts_are_old_after_90_days() -> None:
    """Facts are old after 90 days, to the second, unless they were not learnable."""
    facts = AccountFacts(
        _ACCOUNT, {FactName.PRICE: _known(FactName.PRICE), FactName.LISTS: _gap(FactName.LISTS)}
    )
    assert facts.find_old(_NOW + timedelta(days=90)) == []
    assert [fact.name for fact in facts.find_old(_NOW + timedelta(days=90, seconds=1))] == [FactName.PRICE]


def test_facts_make_the_search_for_a_lost_request_longer() -> None:
    """A lost request is looked for twice as long as a listing took, and no shorter than the setting."""
    assert ALL.reconcile_seconds(30) == 83
    assert ALL.reconcile_seconds(600) == 600


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["price"].update(value={"per_part": "1e9", "prefix": ""}),
        lambda facts: facts["price"].update(phone="375291234567"),
        lambda facts: facts["price"].pop("learned_at"),
        lambda facts: facts["price"].update(gap="no_rows"),
        lambda facts: facts["price"].update(state="not_learnable"),
        lambda facts: facts["price"].update(learned_at="yesterday"),
        lambda facts: facts["last_status"].update(value="DELIVERED to 375291234567"),
        lambda facts: facts["last_status"].update(value="\x1b[31m"),
        lambda facts: facts["places"].update(value={"statusBulkSms": "header"}),
        lambda facts: facts["clock_in"].update(value={"offset": 10**6, **AT}),
        lambda facts: facts.update(own={}),
    ],
)
def test_facts_break_the_schema(tmp_path: Path, change: Any) -> None:
    """A facts file that violates its schema is not used, and the error says what to do without repeating its content."""
    path = tmp_path / "smsby.facts.json"
    write_facts(path, ALL, "https://app.sms.by")
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document["accounts"][_ACCOUNT]["facts"])
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(FilesInvalid) as caught:
        read_facts(path, _ACCOUNT)
    (problem,) = caught.value.problems
    assert problem.code == "FACTS"
    assert problem.message == (
        "does not match schema/facts.schema.json; restore it from git, or delete it and run `smsby-deploy doctor`"
    )


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", "[" * 100_000, '{"format": "smsby-lock"}', "\udcff"]
)
def test_facts_that_are_no_facts_file(tmp_path: Path, content: str) -> None:
    """A damaged facts file is an error in the files, and never treated as empty."""
    path = tmp_path / "smsby.facts.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(FilesInvalid):
        read_facts(path, _ACCOUNT)


def test_facts_schema_has_every_fact() -> None:
    """Each fact has a title and a description for editors."""
    schema = load_schema("facts")
    facts = schema["properties"]["accounts"]["additionalProperties"]["properties"]["facts"]["properties"]
    assert list(facts) == [str(name) for name in FactName] == [str(name) for name in FACT_VALUES]
    assert all(fact["title"] and fact["description"].endswith(".") for fact in facts.values())
