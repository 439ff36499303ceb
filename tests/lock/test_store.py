"""The lock store: reading with a journal, folding in, holding, replacing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from smsby_deploy.errors import LockDamaged, LockHeld, Refused, SmsbyDeployError, UsageError
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.records import ChunkState, Lock, NamedId
from smsby_deploy.lock.serialization import read_lock, write_lock
from smsby_deploy.lock.store import HeldLock, LockStore
from smsby_deploy.wording import time_text
from tests.lock.examples import begin_journal, entry


@pytest.fixture
def store(tmp_path: Path) -> LockStore:
    return LockStore(tmp_path / "lock.json", "shop")


def test_store_read_marks_an_intent_without_a_result_unknown(store: LockStore) -> None:
    """A run that died between intent and result leaves the chunk unknown and its plan used, and reading writes nothing."""
    journal = begin_journal(store)
    journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    journal.close()
    lock = store.read()
    assert lock.mailings["a/b"].chunks[0].state is ChunkState.UNKNOWN
    assert lock.runs_of("p1")
    assert not store.path.exists()


def test_fold_in_writes_the_lock_and_removes_the_journal(store: LockStore) -> None:
    """The next holder of the lock records what an interrupted run left, and reading before and after gives the same."""
    journal = begin_journal(store)
    journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    journal.append(EventKind.RESULT, chunks=[["a/b", 0]], changes={"state": "accepted", "uuid": "u"})
    journal.close()
    before = store.read()
    with store.held() as held:
        assert held.lock == before
    assert not store.journal_path.exists()
    assert store.read() == before
    assert before.mailings["a/b"].chunks[0].uuid == "u"


def test_fold_in_twice_changes_nothing(store: LockStore) -> None:
    """A crash between writing the lock and removing the journal changes nothing."""
    begin_journal(store).close()
    kept = store.journal_path.read_bytes()
    with store.held():
        pass
    before = store.read()
    store.journal_path.write_bytes(kept)
    assert store.read() == before


@pytest.mark.parametrize("is_first", [True, False])
def test_store_read_while_a_run_ends(store: LockStore, is_first: bool) -> None:
    """If a run folds its journal into the lock while another command reads them, that sees all that was sent."""
    begin_journal(store).close()
    expected = store.read()

    class Reading(LockStore):
        def _read_file(self) -> Lock:
            lock = None if is_first else super()._read_file()
            with store.held():
                pass
            return lock or super()._read_file()

    assert Reading(store.path, "shop").read() == expected
    assert not store.journal_path.exists()


def test_store_refuses_a_journal_that_does_not_match(store: LockStore) -> None:
    """An event about a mailing that the lock does not have, or another lineage, is damage and not ignored."""
    journal = begin_journal(store)
    journal.append(EventKind.INTENT, chunks=[["c/d", 0]], step=None)
    journal.close()
    with pytest.raises(LockDamaged, match=r"lock\.json\.journal does not match the lock"):
        store.read()
    store.path.write_text(write_lock(Lock("shop", 1, "another lineage")))
    with pytest.raises(LockDamaged, match="belongs to another lock"):
        store.read()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", "not UTF-8"), (write_lock(Lock("other", 1, "line")).encode(), "belongs to project other")],
)
def test_store_refuses_a_file_that_is_not_its_lock(store: LockStore, content: bytes, message: str) -> None:
    """A file that is not this lock is never treated as missing, and the hint says how to recover."""
    store.path.write_bytes(content)
    with pytest.raises(LockDamaged, match=message) as caught:
        store.read()
    assert caught.value.hint


def _hold(path: Path, ready: Any, forever: Any) -> None:
    with LockStore(path, "shop").held():
        ready.set()
        forever.wait()


@pytest.mark.posix
def test_held_lock_is_free_after_its_holder_is_killed(store: LockStore) -> None:
    """While another process holds the lock, LockHeld names that process; once it is killed, the lock is free."""
    context = multiprocessing.get_context("fork")
    ready, forever = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(store.path, ready, forever))
    process.start()
    assert ready.wait(20)
    with pytest.raises(LockHeld) as caught, store.held():
        pass
    written = datetime.fromtimestamp(int(store.holder_path.stat().st_mtime), UTC)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    about = f"process {process.pid} on {socket.gethostname()}, since {time_text(written, has_seconds=True)}"
    assert about in caught.value.message
    with store.held(timeout=5):
        pass


def test_fold_in_leaves_the_old_lock_if_the_disk_is_full(
    store: LockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the new file cannot be synced, the old lock and the journal stay as they were, without the new file."""
    store.path.write_text(write_lock(Lock("shop", 1, "line")))
    before = store.path.read_bytes()
    begin_journal(store).close()

    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("smsby_deploy.files.os.fsync", refuse)
        with pytest.raises(SmsbyDeployError, match="cannot write the lock file: No space left"):
            HeldLock(store).fold_in()
    assert store.path.read_bytes() == before
    assert store.journal_path.exists()
    assert not list(store.path.parent.glob(".*.new"))


@pytest.mark.parametrize("recorded", [1, 200])
def test_one_change_encodes_one_entry_of_many(store: LockStore, recorded: int) -> None:
    """One changed entry is encoded alone: the file is read once, and unchanged entries are not encoded or read again."""
    lock = Lock("shop", 1, "line", {f"old/{i:03}": entry() for i in range(recorded)})
    store.path.write_bytes(write_lock(lock).encode())
    begin_journal(store).close()
    reads = []

    def count(text: bytes | str, where: str, recovery: str = "") -> Lock:
        lock = read_lock(text, where, recovery)
        reads.append(len(lock.mailings))
        return lock

    with (
        patch("smsby_deploy.lock.store.read_lock", count),
        patch("smsby_deploy.lock.stored_mailings.entry_document", wraps=entry_document) as encoded,
        store.held() as held,
    ):
        assert store.read() is store.read() is held.lock
    assert reads == [recorded, 1]  # the file, and the changed entry when it is checked
    assert encoded.call_count == 2
    assert len(LockStore(store.path, "shop").read().mailings) == recorded + 1


def test_store_read_notices_that_the_file_has_changed(store: LockStore) -> None:
    """A lock in memory is neither used for a file that has changed nor written into it."""
    store.path.write_text(write_lock(Lock("shop", 1, "line", {"a/b": entry()})))
    with store.held() as held:
        other = write_lock(Lock("shop", 2, "line", {"c/d": entry()}))
        store.path.write_text(other)
        assert list(store.read().mailings) == ["c/d"]
        store.path.write_text(other.replace("\n", "\r\n"))
        assert list(store.read().mailings) == ["c/d"]
        store.replace(held.lock)
    assert list(LockStore(store.path, "shop").read().mailings) == ["a/b"]


def test_replace_refuses_a_lock_that_reads_back_differently(store: LockStore) -> None:
    """A lock that would be read back differently does not replace the file."""
    store.path.write_text(write_lock(Lock("shop", 1, "line", {"a/b": entry()})))
    before = store.path.read_bytes()
    lock = store.read()
    unstorable = replace(entry(), contact_list=NamedId("x", None), currency="")
    with pytest.raises(LockDamaged, match="does not read back as the same lock"):
        store.replace(lock.with_entry("c/d", unstorable))
    assert store.path.read_bytes() == before


def test_salvage_keeps_what_can_be_read(store: LockStore) -> None:
    """A damaged journal is moved aside, its intact lines count, and what is not certainly done becomes unknown."""
    journal = begin_journal(store)
    journal.append(EventKind.MAILING, address="c/d", entry={})
    journal.append(EventKind.RESULT, chunks=[["a/b", 0]], changes={"state": "accepted"})
    journal.close()
    lines = store.journal_path.read_bytes().splitlines(keepends=True)
    store.journal_path.write_bytes(b"".join([*lines[:2], b"damaged\n", *lines[3:]]))
    with pytest.raises(LockDamaged):
        store.read()
    assert store.salvage() == ["a/b"]
    assert store.read().mailings["a/b"].chunks[0].state is ChunkState.UNKNOWN
    assert [path.name for path in store.path.parent.glob("*.damaged-*")] == ["lock.json.journal.damaged-1"]


def test_salvage_refuses_an_intact_journal(store: LockStore) -> None:
    """A journal that can be read is folded in, never salvaged."""
    with pytest.raises(UsageError):
        store.salvage()
    begin_journal(store).close()
    with pytest.raises(UsageError):
        store.salvage()
    assert store.read().mailings["a/b"] == entry()


def test_store_knows_the_run_that_holds_it(store: LockStore) -> None:
    """The store names the run that holds it, with its record so far; a journal is a leftover only after its run has ended."""
    store.path.write_text(write_lock(Lock("shop", 1, "line", {"c/d": entry()})))
    assert (store.read_running(), store.has_leftover()) == (None, False)
    with store.held(command="apply"):
        journal = begin_journal(store)
        running = store.read_running()
        assert running is not None and running.holder.startswith("apply, process ")
        assert running.begun == {"a/b"}
        assert not store.has_leftover()
        left = store.holder_path.read_bytes()
        journal.close()
    assert not store.holder_path.exists()
    store.holder_path.write_bytes(left)
    assert (store.read_running(), store.has_leftover()) == (None, True)
    with store.held(timeout=0):
        assert not store.journal_path.exists()


def test_store_of_another_environment_is_refused(tmp_path: Path) -> None:
    """A lock of another environment is refused, and an empty lock belongs to none."""
    path = tmp_path / "lock.json"
    for recorded in (None, "staging"):
        path.write_text(write_lock(Lock("shop", 1, "line", {"a/b": entry()}, environment=recorded)))
        other = LockStore(path, "shop", "tests")
        with pytest.raises(Refused, match=f"the environment {recorded or 'production'}, not of tests"):
            other.read()
        path.write_text(write_lock(Lock("shop", 1, "line", environment=recorded)))
        assert other.read().environment == "tests"
    path.write_text(write_lock(Lock("shop", 1, "line", {"a/b": entry()})))
    assert LockStore(path, "shop", "production").read().mailings.keys() == {"a/b"}


def test_clear_leaves_nothing_to_read(store: LockStore) -> None:
    """`clear` removes the lock and its archive, which need not exist."""
    store.path.write_text(write_lock(Lock("shop", 1, "line", {"a/b": entry()})))
    store.put_archive(b"x\n")
    assert store.archive_path.read_bytes() == b"x\n"
    for _ in range(2):
        store.clear()
        assert not store.path.exists() and not store.archive_path.exists()
    store.put_archive(b"")
    assert not store.archive_path.exists()
