"""The lock file: identity, damage."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from errno import ENOSPC
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.entry_json import DECLARED_UNSENT_ERROR, entry_document, read_entry
from smsby_deploy.lock.json_text import canonical, indent_mailings
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import (
    AppliedBy,
    Apply,
    ChunkRecord,
    ChunkState,
    Entry,
    Lock,
    NamedId,
    Resolution,
    chunk_state_of,
)
from smsby_deploy.lock.serialization import read_lock, recovery_of, write_lock
from smsby_deploy.lock.stored_mailings import (
    StoredMailings,
    find,
    message_ids,
    read_some,
    recipients_of,
    without,
)

_text = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)
_name = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)
_address = st.builds("{}/{}".format, _name, _name)
_time = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)
).map(datetime.isoformat)
_maybe_number = st.none() | st.integers(0, 10**9)
_whole_states = st.sampled_from(sorted(set(ChunkState) - {ChunkState.PARTIAL, ChunkState.DECLARED_UNSENT}))
_whole_chunks = st.builds(
    ChunkRecord,
    fingerprint=st.text("0123456789abcdef", min_size=10, max_size=10),
    recipients=_maybe_number,
    digest=_text,
    state=_whole_states,
    uuid=st.none() | _text,
    message_id=_maybe_number,
    accepted_at=st.none() | _time,
    error=st.none() | _text,
    step=st.none() | st.sampled_from(["draft", "confirm"]),
    declared=st.booleans(),
)
_declared_chunks = _whole_chunks.map(
    lambda chunk: replace(chunk, state=ChunkState.DECLARED_UNSENT, error=DECLARED_UNSENT_ERROR)
)
_chunks = (
    _whole_chunks
    | _declared_chunks
    | st.builds(
        lambda chunk, states, foreign, refused_id: replace(
            chunk,
            phones=PhoneStates(state for state, _ in states),
            baseline=tuple(count for _, count in states),
            state=chunk_state_of(PhoneStates(state for state, _ in states)),
            foreign=foreign,
            refused_id=refused_id,
        ),
        _whole_chunks,
        st.lists(
            st.tuples(st.sampled_from(PhoneState), st.sampled_from([0, 1, 2, 9])), min_size=1, max_size=9
        ),
        st.integers(0, 9),
        st.none() | st.integers(1, 9),
    )
)
_applied = st.builds(AppliedBy, at=_time, plan=_text, commit=st.none() | _text, tool=_text)


_approvals = st.builds(
    Approval, at=_time, plan=_text, by=st.none() | _text, opens=_time, closes=_time, fresh=st.booleans()
)
_endings = st.builds(Ending, kind=st.sampled_from(EndingKind), at=_time, by=_text, reason=_text)


def _entries(earlier: st.SearchStrategy[tuple[Entry, ...]]) -> st.SearchStrategy[Entry]:
    return st.builds(
        Entry,
        revision=st.integers(1, 9),
        content_digest=_text,
        audience_digest=_text,
        transport=st.sampled_from(["bulk", "list", "single"]),
        alphaname=_text,
        alphaname_id=_maybe_number,
        schedule_time=st.none() | _time,
        recipients=_maybe_number,
        parts=_maybe_number,
        cost=st.none() | st.sampled_from(["0", "0.026", "12345.5"]),
        chunks=st.lists(_chunks, min_size=1, max_size=3).map(tuple),
        applied=_applied,
        earlier=earlier,
        body=st.sampled_from([None, "json", "form"]),
        contact_list=st.none() | st.builds(NamedId, name=_text, id=_maybe_number),
        text_digest=st.none() | _text,
        recipients_digest=st.none() | _text,
        approval=st.none() | _approvals,
        ending=st.none() | _endings,
    )


_entry = _entries(st.lists(_entries(st.just(())), max_size=1).map(tuple))
_locks = st.builds(
    Lock,
    project=_name,
    serial=st.integers(0, 99),
    lineage=st.none() | _text,
    mailings=st.dictionaries(_address, _entry, max_size=3),
    applies=st.lists(
        st.builds(Apply, plan=_text, at=_time, commit=st.none() | _text, tool=_text, by=st.none() | _text),
        max_size=2,
    ).map(tuple),
    resolutions=st.lists(
        st.builds(Resolution, address=_address | st.just("*"), what=_text, at=_time, by=_text, reason=_text),
        max_size=2,
    ).map(tuple),
    folded=st.none() | _text,
)


@given(_locks)
def test_write_lock_and_read_lock_are_inverse(lock: Lock) -> None:
    """A lock is read back equal, and written again the same."""
    text = write_lock(lock)
    assert read_lock(text, "lock") == lock
    assert write_lock(read_lock(text, "lock")) == text


@given(_locks, st.data())
def test_stored_mailings_are_a_dict_that_is_written_the_same(lock: Lock, data: st.DataObject) -> None:
    """Whichever mailings were added, changed, renamed or removed, and whatever was asked for before."""
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
    added = data.draw(st.dictionaries(_text, _entry, max_size=1))
    mailings, model = mailings | added, model | added
    assert mailings == model
    assert len(mailings) == len(list(mailings)) == len(model)
    assert all(address in mailings for address in model)
    assert [address for address in lock.mailings if address in mailings and address not in model] == []
    assert write_lock(replace(read, mailings=mailings)) == write_lock(replace(read, mailings=model))


@given(_locks, st.sampled_from([None, 0, 1, 4]))
def test_read_lock_understands_any_layout(lock: Lock, width: int | None) -> None:
    """A formatter may have changed white space and the order of the keys."""
    document = json.loads(write_lock(lock))
    assert read_lock(json.dumps(document, indent=width, sort_keys=width == 1), "lock") == lock


def test_read_lock_refuses_an_address_twice() -> None:
    """Also in the layout of `write_lock`, and if both entries are the same."""
    text = _small()
    begin, end = text.index('    "a/b"'), text.index("\n  },\n")
    twice = text[:end] + ",\n" + text[begin:end] + text[end:]
    assert len(json.loads(twice)["mailings"]) == 1
    with pytest.raises(LockDamaged, match="duplicate key"):
        read_lock(twice, "lock")


def _small() -> str:
    entry = Entry(
        1,
        "c",
        "a",
        "bulk",
        "Shop",
        7,
        None,
        2,
        2,
        "0.05",
        (ChunkRecord("0" * 10, 2, "d"),),
        AppliedBy("2026-11-24T07:00:00Z", "p", None, "x"),
    )
    return write_lock(Lock("shop", 1, "line", {"a/b": entry}))


def test_read_lock_with_damage_at_every_byte() -> None:
    """Cut or overwritten at any offset, the file is refused or still means exactly the same."""
    text = _small()
    original = read_lock(text, "lock")
    for offset in range(len(text) - 2):
        with pytest.raises(LockDamaged):
            read_lock(text[:offset], "lock")
        for other in "\x00x9":
            if text[offset] == other:
                continue
            try:
                read = read_lock(text[:offset] + other + text[offset + 1 :], "lock")
            except LockDamaged:
                continue
            assert read == original, offset


def test_write_lock_adds_no_author_to_an_old_lock() -> None:
    """Locks without `by` are read, and nothing is added to them."""
    run = Apply("7f3c9a", "2026-11-24T07:00:00Z", None, "x", 1, 2)
    text = write_lock(Lock("shop", 1, "line", {}, (run,)))
    assert "by" not in json.loads(text)["applies"][0]
    assert read_lock(text, "lock").applies == (run,)


def test_read_lock_refuses_an_edited_lock() -> None:
    """A manual change breaks the seal, and the hint names the command that restores the file."""
    document = json.loads(_small())
    document["serial"] = 9
    with pytest.raises(LockDamaged) as caught:
        read_lock(json.dumps(document), "smsby.lock.json")
    assert "git checkout -- smsby.lock.json" in caught.value.hint


@pytest.mark.parametrize(
    ("environment", "is_private", "hint"),
    [
        ("production", False, "restore it from git (git checkout -- a.json)"),
        ("sandbox", True, "delete a.json and the files beside it, and rehearse again"),
        ("staging", True, "restore a backup of a.json, which is not in git"),
    ],
)
def test_recovery_of_depends_on_where_the_lock_is(environment: str, is_private: bool, hint: str) -> None:
    """What is in .smsby/ is not in git."""
    assert hint in recovery_of("a.json", environment, is_private=is_private)


def test_read_lock_recognizes_conflict_markers() -> None:
    """Conflict markers are named with their line, and the command works in a conflicted checkout."""
    text = write_lock(Lock("shop"))
    conflicted = text.replace(
        '  "serial": 0,\n', '<<<<<<< HEAD\n  "serial": 0,\n=======\n  "serial": 1,\n>>>>>>> other\n'
    )
    assert conflicted != text
    with pytest.raises(LockDamaged) as caught:
        read_lock(conflicted, "smsby.lock.json")
    assert "conflict markers at line 5" in caught.value.message
    assert "git checkout --theirs -- smsby.lock.json" in caught.value.hint


def _long_lock(mailings: int) -> Lock:
    """A lock whose errors look like the beginning of the next mailing."""
    applied = AppliedBy("2026-12-01T07:00:00+00:00", "p", None, "0.1.0")
    entries = {}
    for number in range(mailings):
        error = f'}},"sale/{number + 1:04}":{{"alphaname'
        chunk = ChunkRecord(f"{number:010}", 1, "d" * 64, ChunkState.REJECTED, error=error)
        entries[f"sale/{number:04}"] = Entry(
            1, "c" * 64, "a" * 64, "bulk", "0", 0, None, 1, 1, None, (chunk,), applied
        )
    return Lock("shop", 1, "0" * 32, entries)


def test_read_lock_knows_the_canonical_form_of_each_mailing() -> None:
    """They are encoded many at once, and nothing in a text ends one early."""
    lock = _long_lock(300)
    read = read_lock(write_lock(lock), "lock")
    assert read == lock
    for entry in read.mailings.values():
        assert entry.stored == canonical(entry_document(entry))


def test_iter_lock_encodes_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the mailings that were read, their text is written; those beside a new one are encoded with it."""
    lock = read_lock(write_lock(_long_lock(300)), "lock")
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


@pytest.mark.parametrize("writes", [0, 5, 1000], ids=["none", "some", "all"])
def test_read_lock_of_many_mailings_is_the_same(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long one is kept on the disk, and in memory if that has no room for it, or no room any more."""
    room = iter(range(writes))

    def find_room(handle: int) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=10**6 if next(room, None) is not None else 0, f_frsize=1024)

    def no_room(*arguments: object) -> NoReturn:
        raise OSError(ENOSPC, "full")

    if not writes:
        monkeypatch.setattr("tempfile.TemporaryFile", no_room)
    monkeypatch.setattr("os.fstatvfs", find_room)
    lock = _long_lock(1500)
    text = write_lock(lock)
    read = read_lock(text, "lock")
    assert len(text) > 1 << 20
    assert read == lock
    changed = read.with_entry("sale/0700", replace(lock.mailings["sale/0700"], revision=2))
    assert write_lock(changed) == write_lock(lock.with_entry("sale/0700", changed.mailings["sale/0700"]))


def test_find_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked up in a lock is found in the file, and among what has changed since."""
    lock = read_lock(write_lock(_long_lock(300)), "lock")
    monkeypatch.setattr("smsby_deploy.lock.stored_mailings.read_entry", None)
    assert find(lock.mailings, lambda file: file.with_chunk(["0000000007"], frozenset())) == ["sale/0007"]
    assert find(lock.mailings, lambda file: file.with_chunk([], frozenset({5}))) == []
    assert len(find(lock.mailings, lambda file: file.with_digest({"c" * 64}))) == 300
    assert find(lock.mailings, lambda file: file.with_digest({"b" * 64})) == []
    assert find(lock.mailings, lambda file: file.accepted_since("2026-01-01")) == []
    assert len(find(lock.mailings, lambda file: file.unfinished())) == 300
    assert recipients_of(lock.mailings, ["sale/0007"]) == {"sale/0007": 1}
    other = without(lock.mailings, ["sale/0007"]) | {"new/one": _long_lock(1).mailings["sale/0000"]}
    assert find(other, lambda file: file.with_chunk(["0000000007"], frozenset())) == ["new/one"]


@given(_locks)
def test_find_misses_nothing(lock: Lock) -> None:
    """Each mailing is found by what any of its revisions has."""
    mailings = read_lock(write_lock(lock), "lock").mailings
    assert message_ids(mailings) == message_ids(lock.mailings)
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
    """And that once."""
    lock = read_lock(write_lock(_long_lock(300)), "lock")
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


def test_read_lock_refuses_phones_that_contradict_their_chunk() -> None:
    """The schema cannot say so, so these are read at once."""
    chunk = ChunkRecord("0" * 10, 2, "d", phones=PhoneStates.parse("p:2"), baseline=(0, 0))
    lock = _long_lock(1)
    entry = replace(lock.mailings["sale/0000"], chunks=(chunk,))
    document = json.loads(write_lock(lock.with_entry("sale/0000", entry)))
    document["mailings"]["sale/0000"]["chunks"][0]["rows"] = "a:2"
    sealed = {key: value for key, value in document.items() if key != "seal"}
    document["seal"] = sha256(canonical(sealed)).hexdigest()
    with pytest.raises(LockDamaged, match="the phone states of a chunk do not match its state"):
        read_lock(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "lock")
