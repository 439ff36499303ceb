"""The lock file: round trips and damage."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.json_text import canonical
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import (
    AppliedBy,
    Apply,
    ChunkRecord,
    Entry,
    Lock,
)
from smsby_deploy.lock.serialization import read_lock, recovery_of, write_lock
from smsby_deploy.lock.stored_mailings import encoded
from tests.lock.examples import entry
from tests.lock.generated import locks, long_lock


@given(locks)
def test_write_lock_and_read_lock_are_inverse(lock: Lock) -> None:
    """A lock is read back equal, and written again the same."""
    text = write_lock(lock)
    assert read_lock(text, "lock") == lock
    assert write_lock(read_lock(text, "lock")) == text


@given(locks, st.sampled_from([None, 0, 1, 4]))
def test_read_lock_understands_any_layout(lock: Lock, width: int | None) -> None:
    """A lock is read in any layout, as a formatter may have changed white space and the order of keys."""
    document = json.loads(write_lock(lock))
    assert read_lock(json.dumps(document, indent=width, sort_keys=width == 1), "lock") == lock


def test_read_lock_refuses_an_address_twice() -> None:
    """A duplicate address is refused in any layout, even if both entries are the same."""
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
    """A file that is cut or overwritten at any offset is refused or means exactly the same."""
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
    """A lock without `by` is read and written back without it."""
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
        ("sandbox", True, "delete a.json and the files next to it, and rehearse again"),
        ("staging", True, "restore a backup of a.json, which is not in git"),
    ],
)
def test_recovery_of_depends_on_where_the_lock_is(environment: str, is_private: bool, hint: str) -> None:
    """The way to recover depends on the lock's place: .smsby/ is not in git, and an older lock lacks decisions."""
    recovery = recovery_of("a.json", environment, is_private=is_private)
    assert hint in recovery
    assert ("repeat each `lock withdraw` and `lock abandon`" in recovery) == (environment != "sandbox")


def test_read_lock_recognizes_conflict_markers() -> None:
    """Conflict markers are reported with their line, and with a command that works in a conflicted checkout."""
    text = write_lock(Lock("shop"))
    conflicted = text.replace(
        '  "serial": 0,\n', '<<<<<<< HEAD\n  "serial": 0,\n=======\n  "serial": 1,\n>>>>>>> other\n'
    )
    assert conflicted != text
    with pytest.raises(LockDamaged) as caught:
        read_lock(conflicted, "smsby.lock.json")
    assert "conflict markers at line 5" in caught.value.message
    assert "git checkout --theirs -- smsby.lock.json" in caught.value.hint
    assert "by the other side is found again at sms.by, but repeat each `lock withdraw`" in caught.value.hint


def test_read_lock_knows_the_canonical_form_of_each_mailing() -> None:
    """Mailings are encoded many at once, and no text in one can end it early."""
    lock = long_lock(300)
    read = read_lock(write_lock(lock), "lock")
    assert read == lock
    expected = {address: canonical(entry_document(entry)) for address, entry in lock.mailings.items()}
    assert dict(encoded(read.mailings, lock.mailings.keys())) == expected


def test_read_lock_refuses_phones_that_contradict_their_chunk() -> None:
    """Phones that contradict their chunk are refused when the lock is read, which the schema cannot express."""
    chunk = ChunkRecord("0" * 10, 2, "d", phones=PhoneStates.parse("p:2"), baseline=(0, 0))
    lock = long_lock(1)
    entry = replace(lock.mailings["sale/0000"], chunks=(chunk,))
    document = json.loads(write_lock(lock.with_entry("sale/0000", entry)))
    document["mailings"]["sale/0000"]["chunks"][0]["rows"] = "a:2"
    sealed = {key: value for key, value in document.items() if key != "seal"}
    document["seal"] = sha256(canonical(sealed)).hexdigest()
    with pytest.raises(LockDamaged, match="the phone states of a chunk do not match its state"):
        read_lock(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "lock")


@pytest.mark.parametrize(
    "mailings",
    [
        {"a/\u001b": entry()},
        {"a/" + "b" * 99: entry()},
        {"a/b": replace(entry(), transport="x\u0007")},
        {"a/b": replace(entry(), schedule_time="9999-99-99T99:99:99Z")},
        {"a/b": replace(entry(), revision=0)},
        {"a/b": entry().put_chunk(0, replace(entry().chunks[0], fingerprint="<b>"))},
    ],
)
def test_read_lock_checks_mailings_in_its_own_layout(mailings: dict[str, Entry]) -> None:
    """Mailings are checked in the program's own layout, too, since the author of a file can seal it."""
    with pytest.raises(LockDamaged, match="lock is damaged"):
        read_lock(write_lock(Lock("shop", 1, "line", mailings)), "lock")


@pytest.mark.parametrize(
    ("place", "key", "value", "rule"),
    [
        (
            ("mailings", "sale/0000", "chunks", 0),
            "step",
            "beside",
            "mailings.?.chunks[0].step is not allowed by the schema (enum)",
        ),
        (
            ("mailings", "sale/0000"),
            "mood",
            "good",
            "mailings.? is not allowed by the schema (additionalProperties)",
        ),
        ((), "mood", "good", "the document is not allowed by the schema (additionalProperties)"),
    ],
)
def test_read_lock_names_a_newer_version(
    place: tuple[str | int, ...], key: str, value: str, rule: str
) -> None:
    """A sealed lock with an unknown key or word is refused as of a newer version, and one without a valid seal as damaged."""
    document = json.loads(write_lock(long_lock(1)))
    part = document
    for step in place:
        part = part[step]
    part[key] = value
    with pytest.raises(LockDamaged, match="lock is damaged: the seal does not match"):
        read_lock(json.dumps(document), "lock")
    del document["seal"]
    document["seal"] = sha256(canonical(document)).hexdigest()
    with pytest.raises(LockDamaged) as caught:
        read_lock(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "lock")
    assert caught.value.message == f"lock: this version of smsby-deploy does not know all of it: {rule}"
    assert caught.value.hint.startswith(
        "use the version of smsby-deploy that wrote it, or a newer one; if it is this one, restore"
    )
