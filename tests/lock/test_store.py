"""The journal, its folding, and who holds the lock."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from smsby_deploy.errors import LockDamaged, LockHeld
from smsby_deploy.lock.journal import Journal, read_journal
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.lock.serialization import entry_document
from smsby_deploy.lock.store import LockStore

_ENTRY = Entry(
    1,
    "c",
    "a",
    "bulk",
    "Shop",
    7,
    None,
    2,
    2,
    None,
    (ChunkRecord("0" * 10, 2, "d"),),
    AppliedBy("t", "p", None, "x"),
)


def _begin(store: LockStore) -> Journal:
    journal = Journal(store.journal_path)
    journal.append("begin", id="j1", lineage="line", plan="p1", at="t", commit=None, tool="x")
    journal.append("mailing", address="a/b", entry=entry_document(_ENTRY))
    return journal


def test_an_intent_without_a_result_is_unknown(tmp_path: Path) -> None:
    """A run that died between intent and result leaves its chunk unknown, and its plan used."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = _begin(store)
    journal.append("intent", chunks=[["a/b", 0]], step=None)
    journal.close()
    lock = store.read()
    assert lock.mailings["a/b"].chunks[0].state is ChunkState.UNKNOWN
    assert lock.was_used("p1")
    assert not store.path.exists()


def test_folding_in_writes_the_lock_and_removes_the_journal(tmp_path: Path) -> None:
    """The next run that holds the lock finds what the dead one recorded; reading before and after agree."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = _begin(store)
    journal.append("intent", chunks=[["a/b", 0]], step=None)
    journal.append("result", chunks=[["a/b", 0]], changes={"state": "accepted", "uuid": "u"})
    journal.close()
    before = store.read()
    with store.held() as held:
        assert held.lock == before
    assert not store.journal_path.exists()
    assert store.read() == before
    assert before.mailings["a/b"].chunks[0].uuid == "u"


def test_a_journal_that_was_folded_is_not_folded_twice(tmp_path: Path) -> None:
    """A crash between writing the lock and removing the journal changes nothing."""
    store = LockStore(tmp_path / "lock.json", "shop")
    _begin(store).close()
    kept = store.journal_path.read_bytes()
    with store.held():
        pass
    before = store.read()
    store.journal_path.write_bytes(kept)
    assert store.read() == before


def _hold(path: Path, ready: object, forever: object) -> None:
    with LockStore(path, "shop").held():
        ready.set()  # type: ignore[attr-defined]
        forever.wait()  # type: ignore[attr-defined]


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    """While another process holds it the lock is refused, its holder named; once that one is killed, it is free."""
    context = multiprocessing.get_context("fork")
    ready, forever = context.Event(), context.Event()
    path = tmp_path / "lock.json"
    process = context.Process(target=_hold, args=(path, ready, forever))
    process.start()
    assert ready.wait(20)
    store = LockStore(path, "shop")
    with pytest.raises(LockHeld) as caught, store.held():
        pass
    assert str(process.pid) in caught.value.message
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with store.held(timeout=5):
        pass


def test_damage_of_the_journal_at_every_byte_is_refused_or_torn(tmp_path: Path) -> None:
    """Cut off at any offset it tells what was whole before; with any byte changed it is refused, or still says the same."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = _begin(store)
    journal.append("intent", chunks=[["a/b", 0]], step=None)
    journal.append("result", chunks=[["a/b", 0]], changes={"state": "rejected", "error": "номер не тот"})
    journal.close()
    content = store.journal_path.read_bytes()
    whole = read_journal(store.journal_path)
    for offset in range(len(content)):
        store.journal_path.write_bytes(content[:offset])
        lines = content[:offset].count(b"\n")
        # A last line that lacks nothing but its end was written: that it counts is the safe reading.
        complete = lines + (content[offset : offset + 1] == b"\n")
        assert read_journal(store.journal_path) == whole[:complete], offset
        for other in b"\x00x9\n":
            if content[offset] == other:
                continue
            store.journal_path.write_bytes(content[:offset] + bytes([other]) + content[offset + 1 :])
            try:
                read = read_journal(store.journal_path)
            except LockDamaged as error:
                assert store.journal_path.name in error.message
                assert error.hint
            else:
                assert read == whole, (offset, other)
