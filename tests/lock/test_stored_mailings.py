"""The mailings of a lock file act like a dict, and are decoded only when accessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.lock.entry_json import read_entry
from smsby_deploy.lock.json_text import indent_mailings
from smsby_deploy.lock.records import Entry, Lock
from smsby_deploy.lock.serialization import read_lock, write_lock
from smsby_deploy.lock.stored_mailings import (
    StoredMailings,
    find,
    message_ids,
    read_some,
    recipients_of,
    without,
)
from tests.lock.generated import entries, locks, long_lock, texts


@given(locks, st.data())
def test_stored_mailings_are_a_dict_that_is_written_the_same(lock: Lock, data: st.DataObject) -> None:
    """After any changes and reads, the mailings equal a plain dict and are written the same."""
    read = read_lock(write_lock(lock), "lock")
    mailings, model = read.mailings, dict(lock.mailings)
    assert isinstance(mailings, StoredMailings) or not model
    for address in data.draw(st.lists(st.sampled_from(sorted(model)), unique=True) if model else st.just([])):
        step = data.draw(st.sampled_from(["look", "remove", "change", "rename", "restore"]))
        entry = mailings[address]
        assert entry == model[address]
        if step in ("remove", "rename", "restore"):
            mailings = without(mailings, [address])
            del model[address]
        if step in ("change", "rename", "restore"):
            to, entry = (address + "'", entry) if step == "rename" else (address, replace(entry, revision=10))
            mailings, model = mailings | {to: entry}, {**model, to: entry}
    added = data.draw(st.dictionaries(texts, entries, max_size=1))
    mailings, model = mailings | added, model | added
    assert mailings == model
    assert len(mailings) == len(list(mailings)) == len(model)
    assert all(address in mailings for address in model)
    assert [address for address in lock.mailings if address in mailings and address not in model] == []
    assert write_lock(replace(read, mailings=mailings)) == write_lock(replace(read, mailings=model))


def test_iter_lock_encodes_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mailings are written back as their text was read, and only those next to a new one are encoded."""
    lock = read_lock(write_lock(long_lock(300)), "lock")
    after = lock.with_entry("sale/0123a", replace(lock.mailings["sale/0007"], revision=2))
    encoded: list[str] = []

    def indent(mailings: dict[str, Any]) -> bytes:
        encoded.extend(mailings)
        return indent_mailings(mailings)

    expected = write_lock(replace(after, mailings=dict(after.mailings)))
    monkeypatch.setattr("smsby_deploy.lock.stored_mailings.indent_mailings", indent)
    assert write_lock(after) == expected
    assert "sale/0123a" in encoded
    assert len(encoded) < 100


def test_find_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup searches the text of the file and the changed mailings, and decodes nothing."""
    lock = read_lock(write_lock(long_lock(300)), "lock")
    monkeypatch.setattr("smsby_deploy.lock.stored_mailings.read_entry", None)
    assert find(lock.mailings, lambda file: file.with_chunk(["0000000007"], frozenset())) == ["sale/0007"]
    assert find(lock.mailings, lambda file: file.with_chunk([], frozenset({5}))) == []
    assert len(find(lock.mailings, lambda file: file.with_digest({"c" * 64}))) == 300
    assert find(lock.mailings, lambda file: file.with_digest({"b" * 64})) == []
    assert find(lock.mailings, lambda file: file.accepted_since("2026-01-01")) == []
    assert len(find(lock.mailings, lambda file: file.unfinished())) == 300
    assert recipients_of(lock.mailings, ["sale/0007"]) == {"sale/0007": 1}
    other = without(lock.mailings, ["sale/0007"]) | {"new/one": long_lock(1).mailings["sale/0000"]}
    assert find(other, lambda file: file.with_chunk(["0000000007"], frozenset())) == ["new/one"]


@given(locks)
def test_find_misses_nothing(lock: Lock) -> None:
    """Each mailing is found by the values of any of its revisions."""
    mailings = read_lock(write_lock(lock), "lock").mailings
    assert set(message_ids(mailings)) == set(message_ids(lock.mailings))
    assert recipients_of(mailings, list(mailings)) == recipients_of(lock.mailings, list(lock.mailings))
    assert dict(read_some(mailings, lock.mailings.keys())) == lock.mailings
    for address, entry in lock.mailings.items():
        for one in (entry, *entry.earlier):
            digests = one.content_digest, one.audience_digest, one.text_digest, one.recipients_digest
            for digest in filter(None, digests):
                assert address in find(mailings, lambda file, of=digest: file.with_digest({of}))
            for chunk in one.chunks:
                mark, number = chunk.fingerprint, chunk.message_id
                assert address in find(mailings, lambda file, of=mark: file.with_chunk([of], frozenset()))
                if number is not None:
                    assert address in find(mailings, lambda file, of=number: file.with_chunk([], {of}))
                if chunk.accepted_at is not None:
                    day = chunk.accepted_at[:10]
                    assert address in find(mailings, lambda file, of=day: file.accepted_since(of))
        if not entry.is_complete:
            assert address in find(mailings, lambda file: file.unfinished())


def test_read_lock_decodes_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailing is decoded when it is accessed, and only once."""
    lock = read_lock(write_lock(long_lock(300)), "lock")
    decoded: list[dict[str, object]] = []

    def count(document: dict[str, object]) -> Entry:
        decoded.append(document)
        return read_entry(document)

    monkeypatch.setattr("smsby_deploy.lock.stored_mailings.read_entry", count)
    assert "sale/0007" in lock.mailings
    assert (
        lock.mailings["sale/0007"]
        is lock.with_entry("new/one", lock.mailings["sale/0007"]).mailings["sale/0007"]
    )
    assert "sale/9999" not in lock.mailings
    assert len(decoded) == 1
