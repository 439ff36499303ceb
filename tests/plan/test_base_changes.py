"""Differences from a base besides the mailings: none is omitted, and no secret is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.yaml_nodes import YamlMap, read_yaml
from smsby_deploy.lock.archive import append_archive
from smsby_deploy.lock.records import Apply, ChunkState, Lock
from smsby_deploy.plan.base_changes import (
    LockSide,
    SettingChange,
    compare_facts,
    compare_locks,
    compare_settings,
)
from smsby_deploy.privacy import HIDDEN
from smsby_deploy.problems import Location, Severity
from smsby_deploy.smsby.facts import AccountFacts, Fact, FactName, FactState, Gap
from tests.lock.examples import entry

_SIDE = LockSide("smsby.lock.json", "main")


def _settings(folder: Path, text: str) -> YamlMap:
    path = folder / "smsby.yaml"
    path.write_text(text, "utf-8")
    return read_yaml(path, "smsby.yaml")


def _changes(folder: Path, before: str, after: str, token: str = "") -> list[tuple[str | None, ...]]:
    return [
        tuple(one) for one in compare_settings(_settings(folder, before), _settings(folder, after), token)
    ]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("a: 1", "a: '1' # the same", []),
        ("a: 1", "a: 2", [("a", "1", "2")]),
        ("a: 1", "b: 1", [("a", "1", None), ("b", None, "1")]),
        ("a: {b: {c: 1}}", "a: {b: {c: 2, d: 3}}", [("a.b.c", "1", "2"), ("a.b.d", None, "3")]),
        ("a: {b: 1}", "a: 1", [("a.b", "1", None), ("a", None, "1")]),
        ("a: x", "a:", [("a", "x", "null")]),
        ("a: x", "a: ''", [("a", "x", '""')]),
        ("b: 1", "b: 1\na: {}", [("a", None, "{}")]),
        ("a: [x, y, z]", "a: [y]", [("a", "x", None), ("a", "z", None)]),
        ("a: [x, y]", "a: [x, z]", [("a", "y", "z")]),
        ("a: [x, x]", "a: [x]", [("a", "x", None)]),
        ("a: [x, y]", "a: [y, x]", [("a", "2 items", "the same in another order")]),
        ("b: 1", "b: 1\na: []", [("a", None, "[]")]),
        ("a: [x]", "a: []", [("a", "x", None)]),
        ("a: [{b: [1, 2]}]", "a: [{b: [1]}]", [("a", "{b: [1, 2]}", "{b: [1]}")]),
        ("a: x", "a: [x, y]", [("a", None, "y")]),
    ],
)
def test_compare_settings_finds_each_difference(
    before: str, after: str, changes: list[tuple[str | None, ...]], tmp_path: Path
) -> None:
    """Keys are compared by dotted names and lists by items; the spelling of a value makes no difference."""
    assert _changes(tmp_path, before, after) == changes


def test_compare_settings_puts_the_important_first(tmp_path: Path) -> None:
    """Guardrails, api, suppress, lock and approvals come first, in any environment, and removed keys before the rest."""
    before = "status: {settle_after: 1d}\nguardrails: {max_parts: 3, max_cost: 1}\nlock: a\n"
    after = (
        "price: {currency: BYN}\napprovals: 1\nlock: b\nsuppress: [x]\napi: {body: form}\nguardrails: {max_parts: 4, "
        "budget: 2}\nenvironments: {staging: {url: x, guardrails: {max_cost: 9}}}\n"
    )
    assert [key for key, *_ in _changes(tmp_path, before, after)] == [
        "guardrails.max_cost",
        "guardrails.max_parts",
        "guardrails.budget",
        "environments.staging.guardrails.max_cost",
        "api.body",
        "environments.staging.url",
        "suppress",
        "lock",
        "approvals",
        "status.settle_after",
        "price.currency",
    ]


_TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (f"a: {_TOKEN}", "a: x", [("a", HIDDEN, "x")]),
        ("token: abc", "b: 1", [("token", HIDDEN, None), ("b", None, "1")]),
        ("a: {password: abc}", "a: {password: abd}", [("a.password", HIDDEN, "<hidden> (differs in a part not shown)")]),
        ("a: {token_env: A_TOKEN}", "a: {token_env: B_TOKEN}", [("a.token_env", "A_TOKEN", "B_TOKEN")]),
        (
            "a: https://u:p@x.by/cb?k=1",
            "a: https://u:p@x.by/cb?k=2",
            [("a", "https://<hidden>@x.by/cb?<hidden>", "https://<hidden>@x.by/cb?<hidden> (differs in a part not shown)")],
        ),
        ("test_phones: ['29/123/45/67']", "test_phones: []", [("test_phones", "29/12*****67", None)]),
        ("a: '375291234567'", "a: x", [("a", "37529*****67", "x")]),
        (
            "a: '375291234567'",
            "a: '375291239967'",
            [("a", "37529*****67", "37529*****67 (differs in a part not shown)")],
        ),
    ],
)  # fmt: skip
def test_compare_settings_shows_no_secret(
    before: str, after: str, changes: list[tuple[str | None, ...]], tmp_path: Path
) -> None:
    """Tokens, passwords, queries and phones are hidden, and a difference in a hidden value is still reported."""
    assert _changes(tmp_path, before, after, _TOKEN) == changes


def test_compare_settings_cuts_around_the_difference(tmp_path: Path) -> None:
    """However long two values are, the shown part contains their difference."""
    long = "select phone from customers where " + "x" * 500
    (change,) = _changes(tmp_path, f"a: {long} = 1", f"a: {long} = 2")
    assert change == ("a", f"…{'x' * 37} = 1", f"…{'x' * 37} = 2")
    (change,) = _changes(tmp_path, "b: 1", f"b: 1\na: {long}")
    assert change[2] is not None
    assert (len(change[2]), change[2][-1]) == (200, "…")


def test_compare_settings_counts_many_items(tmp_path: Path) -> None:
    """Ten items of each kind are shown, and the rest is counted."""
    items = ", ".join(f"w{number}" for number in range(13))
    changes = _changes(tmp_path, f"a: [{items}]", "a: [y, z]")
    assert len(changes) == 13
    assert changes[9:] == [("a", "w9", None), ("a", "3 more", None), ("a", None, "y"), ("a", None, "z")]


_VALUES = st.recursive(
    st.none() | st.text("ab/:1?", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.sampled_from("abcd"), _VALUES, max_size=4)


@given(_DOCUMENTS, _DOCUMENTS)
def test_compare_settings_passes_nothing_over(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Two documents have no reported difference exactly if they are equal."""
    changes = compare_settings(*(_as_yaml(one) for one in (before, after)))
    assert bool(changes) is (json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True))
    assert all(change.before != change.after for change in changes)


def _as_yaml(document: dict[str, Any]) -> YamlMap:
    """Return the document as the YAML reader returns it."""
    from smsby_deploy.config.yaml_nodes import _Builder

    built = _Builder(json.dumps(document), []).build()
    assert isinstance(built, YamlMap)
    return built


_LOCK = Lock("shop", 3, "line", {"sale/a": entry(ChunkState.ACCEPTED), "sale/b": entry(ChunkState.UNKNOWN)})


def _found(before: Lock, after: Lock) -> list[tuple[str | None, str]]:
    problems = list(compare_locks(before, after, _SIDE))
    assert {(one.code, one.severity, one.location) for one in problems} <= {
        ("LOCK_CHANGED", Severity.WARNING, Location("smsby.lock.json"))
    }
    return [(one.address, one.message) for one in problems]


def test_compare_locks_finds_no_difference_in_a_copy() -> None:
    """Locks that differ only in file version or folded journal have no difference."""
    assert _found(_LOCK, replace(_LOCK, serial=9, folded="f")) == []


def _archive(lock: Lock, folder: Path, *addresses: str) -> Lock:
    folder.mkdir(exist_ok=True)
    path = folder / "smsby.lock.json.archive.jsonl"
    count = append_archive(replace(lock, archive=path), path, addresses, "2026-11-24T07:00:00+00:00")
    rest = {address: entry for address, entry in lock.mailings.items() if address not in addresses}
    return replace(lock, mailings=rest, archive=path, archived=count)


def test_compare_locks_looks_into_the_archive(tmp_path: Path) -> None:
    """An archived entry equals the same one in the lock, and an entry that only one archive has is reported."""
    archived = _archive(_LOCK, tmp_path / "a", "sale/a")
    assert _found(_LOCK, archived) == _found(archived, _LOCK) == []
    forged = _archive(
        _LOCK.with_entry("sale/new", entry(ChunkState.ACCEPTED)), tmp_path / "b", "sale/a", "sale/new"
    )
    ((address, message),) = _found(archived, forged)
    assert address == "sale/new"
    assert message.startswith(
        "recorded as complete here and not recorded in main; what is recorded as sent is not"
    )
    ((address, message),) = _found(forged, archived)
    assert address == "sale/new" and "not recorded here, so it may be sent again" in message


def test_compare_locks_names_each_entry() -> None:
    """Added, removed and edited entries are named with their states and consequences."""
    before = _LOCK.with_entry("sale/c", entry(ChunkState.PENDING))
    after = replace(_LOCK.with_entry("sale/d", entry(ChunkState.ACCEPTED)), lineage="line")
    after = after.with_entry("sale/b", entry(ChunkState.ACCEPTED)).with_entry(
        "sale/a", entry(ChunkState.ACCEPTED, revision=2)
    )
    found = _found(before, after)
    assert [address for address, _ in found] == ["sale/a", "sale/b", "sale/c", "sale/d"]
    messages = [message for _, message in found]
    assert messages[0].startswith("recorded differently from main; restore that lock")
    assert messages[1].startswith("recorded differently from main (unknown there, complete here); ")
    assert messages[2].startswith(
        "recorded as pending in main and not recorded here, so it may be sent again; "
    )
    assert messages[3].startswith(
        "recorded as complete here and not recorded in main; what is recorded as sent is not"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lineage": "other"}, "its lineage differ"),
        ({"service": "https://x.by", "account": "1" * 12}, "its service, account differ"),
        ({"applies": ()}, "its applies differ"),
    ],
)
def test_compare_locks_finds_where_it_belongs(changes: dict[str, Any], words: str) -> None:
    """Another account, or the record that a plan was used, is reported even if no entry changed."""
    applies = (Apply("p", "2026-11-28T21:00:00+00:00", None, "x"),)
    before = replace(_LOCK, service="https://app.sms.by", account="0" * 12, applies=applies)
    ((address, message),) = _found(before, replace(before, **changes))
    assert address is None
    assert message.startswith(f"{words} from those of main")


def test_compare_facts_shows_each_that_differs() -> None:
    """Changed facts about an account are shown: they decide which answers are believed, and anyone can edit their file."""
    refusal = Fact(FactName.REFUSAL_AT_500, FactState.KNOWN, True)
    size = Fact(FactName.LIST_SIZE, FactState.KNOWN, {"count": 9, "capped": True})
    unknown = Fact(FactName.PRICE, FactState.NOT_LEARNABLE, gap=Gap.REFUSED)
    before = {"a": AccountFacts("a", {size.name: size, unknown.name: unknown})}
    after = {"a": AccountFacts("a", {size.name: size, refusal.name: refusal}), "b": AccountFacts("b")}
    assert list(compare_facts(before, before)) == []
    assert list(compare_facts(before, after)) == [SettingChange("facts.a.refusal_at_500", None, "true")]
    assert list(compare_facts(after, {})) == [
        SettingChange("facts.a.refusal_at_500", "true", None),
        SettingChange("facts.a.list_size", "capped", None),
    ]
