"""A lock in a shared store: who may write it, and what is durable when."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smsby_deploy.apply.rescue import not_recorded, read_rescue, write_rescue
from smsby_deploy.clock import SystemClock
from smsby_deploy.digest_key import NO_KEY, DigestKey
from smsby_deploy.errors import LockDamaged, LockHeld, SmsbyDeployError
from smsby_deploy.lock import lease as lease_module
from smsby_deploy.lock.archive import read_archive
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.journal import Journal, ResultNotSaved
from smsby_deploy.lock.lease import LEASE, Holder, Stored, StoreFailed, WrittenMeanwhile
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.lock.serialization import write_lock
from smsby_deploy.lock.shared import SharedLockStore, copy_lock
from smsby_deploy.lock.store import HeldLock, LockStore
from tests.lock.examples import entry

_AT = "2026-11-02T09:00:00+00:00"


class MemoryStore:
    """A store in memory, whose writes fail while `failure` is set."""

    name = "memory"

    def __init__(self) -> None:
        self.stored = Stored()
        self.failure: StoreFailed | None = None
        self.writes = 0
        self.commands: set[str] = set()  # of all holders
        self.has_ended = False
        self.pause = 0.0  # how long a write takes
        self.refuses_holders = False

    def read(self) -> Stored:
        if self.failure is not None:
            raise self.failure
        return self.stored

    def write(self, before: Stored, after: Stored) -> Stored:
        if self.failure is not None:
            raise self.failure
        if before.version != self.stored.version:
            raise WrittenMeanwhile("another run has written to it")
        if after.holder is not None and self.refuses_holders:
            raise WrittenMeanwhile("another run holds it")
        SystemClock().sleep(self.pause)
        self.writes += 1
        self.commands |= {after.holder.command} if after.holder else set()
        self.stored = after._replace(version=str(self.writes))
        return self.stored

    def is_over(self, holder: Holder) -> bool:
        return self.has_ended


@pytest.fixture
def store() -> MemoryStore:
    SystemClock().sleep(3600)  # this machine has run for an hour, longer than any lease
    return MemoryStore()


def _lock(store: MemoryStore, folder: Path) -> SharedLockStore:
    path = folder / ".smsby" / "production.shared.lock.json"
    folder.mkdir(exist_ok=True)
    return SharedLockStore(path, "shop", "production", shared=store, clock=SystemClock())


def _begin(held: HeldLock) -> Journal:
    journal = held.open_journal()
    begin = {"id": "j1", "lineage": "line", "plan": "p1", "at": _AT, "commit": None, "tool": "x"}
    journal.append(EventKind.BEGIN, **begin)
    journal.append(EventKind.MAILING, address="a/b", entry=entry_document(entry()))
    return journal


def _send(journal: Journal) -> None:
    journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    changes = {"state": "accepted", "uuid": "u1", "step": None}
    journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)


def test_intent_is_stored_before_its_request(store: MemoryStore, tmp_path: Path) -> None:
    """Another machine sees the mailing as unknown before its request is sent, and as accepted after the answer."""
    mine, other = _lock(store, tmp_path / "mine"), _lock(store, tmp_path / "other")
    with mine.held() as held:
        journal = _begin(held)
        assert other.read().mailings == {}
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        assert other.read().mailings["a/b"].has_unknown
        changes = {"state": "accepted", "uuid": "u1", "step": None}
        journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)
        journal.sync()
        assert other.read().mailings["a/b"].is_complete
        journal.close()
        held.fold_in()
    assert store.stored.journal == b""
    assert store.stored.holder is None
    assert other.read().mailings["a/b"].chunks[0].uuid == "u1"
    assert other.read().serial == 1


def test_archive_is_a_part_of_a_shared_lock(store: MemoryStore, tmp_path: Path) -> None:
    """Archived mailings are stored before they leave the lock, and another machine reads both."""
    mine, other = _lock(store, tmp_path / "mine"), _lock(store, tmp_path / "other")
    with mine.held() as held:
        journal = _begin(held)
        journal.append(EventKind.CHUNK, chunks=[["a/b", 0]], changes={"state": "accepted", "step": None})
        journal.close()
        held.fold_in()
        edit = LockEdit(held, by="anna", at=_AT, reason="")
        assert edit.archive(held.lock.mailings) == ["a/b"]
    lock = other.read()
    assert (lock.mailings, lock.archived) == ({}, 1)
    assert [one.address for one in read_archive(lock)] == ["a/b"]
    with other.held() as held:
        assert [one.address for one in read_archive(held.lock)] == ["a/b"]


def test_archive_is_rekeyed_in_the_store_and_copied_with_a_lock(store: MemoryStore, tmp_path: Path) -> None:
    """Another machine reads the archive's new digests, and a copy of the lock has every archived mailing."""
    names = ("content_digest", "audience_digest", "text_digest", "recipients_digest")
    digests: dict[str, Any] = dict.fromkeys(names, "a" * 64)
    (chunk,) = entry(ChunkState.ACCEPTED).chunks
    sent = replace(entry(), **digests, chunks=(replace(chunk, digest="a" * 64),))
    source = LockStore(tmp_path / "smsby.lock.json", "shop")
    source.replace(Lock("shop", 1, "line", {"a/b": sent}, archive=source.archive_path))
    with source.held() as held:
        LockEdit(held, by="anna", at=_AT, reason="").archive(held.lock.mailings)
    mine, other = _lock(store, tmp_path / "mine"), _lock(store, tmp_path / "other")
    copy_lock(source, mine, "lock push")
    assert store.commands == {"lock push"}
    key = DigestKey("secret")
    with other.held() as held:
        assert LockEdit(held, by="anna", at=_AT, reason="").rekey(NO_KEY, key)
    (line,) = read_archive(mine.read())
    assert line.document()["digest_key"] == key.id
    copy_lock(mine, source, "lock pull")
    assert [line.text for line in read_archive(source.read())] == [line.text]


@pytest.mark.parametrize("lineage", [None, "other"])
def test_lost_lock_is_not_treated_as_a_new_one(
    store: MemoryStore, tmp_path: Path, lineage: str | None
) -> None:
    """A checkout that used the lock refuses a store that lost or replaced it, until a user decides."""
    mine, other = _lock(store, tmp_path / "mine"), _lock(store, tmp_path / "other")
    with mine.held() as held:
        journal = _begin(held)
        journal.close()
        held.fold_in()
    copy = mine.path.read_bytes()
    store.stored = lost = Stored(lock=lineage and write_lock(Lock("shop", 1, lineage, {})).encode())
    with pytest.raises(LockDamaged, match="does not have the lock that this checkout used last"):
        mine.read()
    staging = SharedLockStore(mine.path, "shop", "staging", shared=store, clock=SystemClock())
    for one, command in ((mine, "lock push"), (staging, "--env staging lock push")):
        with pytest.raises(LockDamaged) as caught, one.held():
            pytest.fail("the lock was held")
        assert f"`smsby-deploy {command} " in (caught.value.hint or "")
    assert (mine.path.read_bytes(), store.stored) == (copy, lost)
    assert other.read().lineage == lineage
    mine.path.write_bytes(copy[:-9])
    assert mine.read().lineage == lineage  # a damaged copy proves nothing
    mine.path.unlink()
    with mine.held() as held:
        assert held.lock.lineage == lineage


def test_lost_runner_leaves_its_request_unknown(store: MemoryStore, tmp_path: Path) -> None:
    """The next holder of the lock folds in the journal that a lost machine left in the store."""
    with _lock(store, tmp_path / "mine").held() as held:
        _begin(held).append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    with _lock(store, tmp_path / "other").held() as held:
        assert held.lock.mailings["a/b"].chunks[0].state is ChunkState.UNKNOWN
    assert store.stored.journal == b""


def test_failed_store_stops_before_the_request(store: MemoryStore, tmp_path: Path) -> None:
    """If an intent cannot be stored its request is not sent, and the previous result is returned for a rescue."""
    with _lock(store, tmp_path).held() as held:
        journal = _begin(held)
        _send(journal)
        store.failure = StoreFailed("no route to host")
        with pytest.raises(ResultNotSaved, match="memory: no route to host") as caught:
            journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        assert [event["event"] for event in caught.value.events] == ["result", "intent"]
        assert "network" in caught.value.remedy
        store.failure = None
        with pytest.raises(ResultNotSaved):  # nothing may ever follow
            journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        journal.close()


def test_run_that_lost_the_lock_records_nothing(store: MemoryStore, tmp_path: Path) -> None:
    """A run whose lock was taken over can neither record nor send, and does not end the new lease.

    The error sends the user to the other run, not to the disk.
    """
    with _lock(store, tmp_path / "mine").held() as held:
        journal = _begin(held)
        store.has_ended = True
        with _lock(store, tmp_path / "other").held():
            taken = store.stored
            with pytest.raises(ResultNotSaved, match="another run has written") as caught:
                _send(journal)
            journal.close()
            assert store.stored == taken
            hint = not_recorded(caught.value, held.lock, tmp_path / "lock").hint
            assert hint == "wait until no other run holds the lock, then run `smsby-deploy apply` again"
    assert store.stored.holder is None


def test_run_that_was_asleep_does_not_write(store: MemoryStore, tmp_path: Path) -> None:
    """A run whose lease has expired does not write, whether or not another run has noticed."""
    with _lock(store, tmp_path).held() as held:
        journal = _begin(held)
        SystemClock().sleep(LEASE.total_seconds() + 1)
        with pytest.raises(ResultNotSaved, match="did not renew its lease in time"):
            _send(journal)
        journal.close()


def test_lease_is_renewed_while_nothing_is_sent(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long pause, as for a rate limit, does not lose the lock."""
    monkeypatch.setattr(lease_module, "RENEW_EVERY", 0.001)
    with _lock(store, tmp_path).held():
        first = store.stored
        pause = threading.Event()
        assert any(store.stored.version != first.version or pause.wait(0.001) for _ in range(10_000))


def test_held_names_who_holds_the_lock(store: MemoryStore, tmp_path: Path) -> None:
    """A second run reports which command holds the lock, on which host and since when."""
    other = _lock(store, tmp_path / "other")
    SystemClock().sleep(7)
    with _lock(store, tmp_path / "mine").held(command="lock move") as held:
        with (
            pytest.raises(LockHeld, match=rf"lock move, process \d+ on .*, since {_AT[:10]} 10:00:07 UTC"),
            other.held(),
        ):
            pass
        other.zone = ZoneInfo("Europe/Minsk")
        with pytest.raises(LockHeld, match=rf"since {_AT[:10]} .* \+03"), other.held():
            pass
        journal = _begin(held)
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        running = other.read_running()
        assert running is not None
        assert running.begun == {"a/b"}
        journal.close()
    assert other.read_running() is None


def test_held_waits_until_the_holder_is_dead(store: MemoryStore, tmp_path: Path) -> None:
    """A run that died silently loses the lock after its lease."""
    dead = replace(_holder(), host="lost-runner")
    store.write(Stored(), Stored(holder=dead))
    lock = _lock(store, tmp_path)
    with pytest.raises(LockHeld, match="lost-runner"), lock.held(30.0):
        pass
    with lock.held(60.0):
        assert store.stored.holder != dead


def test_next_run_on_the_same_copy_needs_no_wait(store: MemoryStore, tmp_path: Path) -> None:
    """The next run on the same copy need not wait for the lease of the previous one, and keeps its longer journal."""
    lock = _lock(store, tmp_path)
    with lock.held() as held:
        journal = _begin(held)
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        changes = {"state": "accepted", "uuid": "u1", "step": None}
        journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)
        crashed = store.stored, lock.journal_path.read_bytes()
        journal.close()
    store.stored = crashed[0]
    lock.journal_path.write_bytes(crashed[1])
    with _lock(store, tmp_path).held() as held:
        assert held.lock.mailings["a/b"].is_complete


@pytest.mark.parametrize(
    "elsewhere", [b"", b'{"event":"begin","id":"j2"}\n'], ids=["folded", "of another run"]
)
def test_journal_of_the_copy_counts_only_if_it_goes_on(
    elsewhere: bytes, store: MemoryStore, tmp_path: Path
) -> None:
    """After a crash, the copy's journal counts only if the store has not folded it in or started another."""
    lock = _lock(store, tmp_path)
    with lock.held() as held:
        own = _begin(held)
        _send(own)
        crashed, journal = store.stored, lock.journal_path.read_bytes()
        own.close()
    store.stored = crashed._replace(journal=elsewhere)
    lock.journal_path.write_bytes(journal)
    with pytest.raises(LockDamaged) if elsewhere else nullcontext(), lock.held() as held:
        assert not held.lock.mailings
    assert (lock.journal_path.read_bytes() if elsewhere else b"") == elsewhere


@pytest.mark.parametrize(
    ("name", "what"), [("", "cannot write a copy of the lock"), (".lease", r"cannot write .*\.lease")]
)
def test_copy_that_cannot_be_written(name: str, what: str, store: MemoryStore, tmp_path: Path) -> None:
    """If the local copy cannot be written, nothing is sent."""
    lock = _lock(store, tmp_path)
    lock.path.with_name(lock.path.name + name).mkdir(parents=True)
    with pytest.raises(SmsbyDeployError, match=what), lock.held():
        pass


@pytest.mark.posix
def test_secret_of_a_run_is_private(store: MemoryStore, tmp_path: Path) -> None:
    """The secret of a run can be read only by its owner: with it any process could pass for the next run."""
    lock = _lock(store, tmp_path)
    with lock.held():
        assert lock.path.with_name(lock.path.name + ".lease").stat().st_mode & 0o077 == 0


def test_held_replaces_the_copy_by_what_is_stored(store: MemoryStore, tmp_path: Path) -> None:
    """What another machine wrote meanwhile replaces the local copy."""
    mine, other = _lock(store, tmp_path / "mine"), _lock(store, tmp_path / "other")
    for lock in (mine, other):
        with lock.held() as held:
            journal = held.open_journal()
            begin = {
                "lineage": held.lock.lineage or "line",
                "plan": None,
                "at": _AT,
                "commit": None,
                "tool": "x",
            }
            journal.append(EventKind.BEGIN, id=str(lock.path), **begin)
            journal.close()
            held.fold_in()
    assert mine.read().serial == 2
    with mine.held() as held:
        assert held.lock.serial == 2


def test_unreachable_store_is_an_error_for_the_user(store: MemoryStore, tmp_path: Path) -> None:
    """An unreachable store is an error with its name and the reason."""
    store.failure = StoreFailed("no route to host")
    lock = _lock(store, tmp_path)
    with pytest.raises(SmsbyDeployError, match="cannot read the lock in memory: no route to host"):
        lock.read()
    with pytest.raises(SmsbyDeployError, match="cannot take the lock in memory"), lock.held():
        pass


def test_copy_of_a_killed_run_survives_a_lost_write(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a killed run and a failed one, a result that only the local copy has is kept."""
    lock = _lock(store, tmp_path)
    with lock.held() as held:
        journal = _begin(held)
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        killed = store.stored
        changes = {"state": "accepted", "uuid": "u1", "step": None}
        journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)
        journal.close()
    store.stored = killed

    def fail(before: Stored, after: Stored) -> Stored:
        raise StoreFailed("no route")

    with monkeypatch.context() as broken:
        broken.setattr(store, "write", fail)
        with pytest.raises(SmsbyDeployError, match="no route"), _lock(store, tmp_path).held():
            pass
    with _lock(store, tmp_path).held() as held:
        assert held.lock.mailings["a/b"].chunks[0].uuid == "u1"


def test_store_that_fails_at_the_end_keeps_the_journal(store: MemoryStore, tmp_path: Path) -> None:
    """If the store fails at the end of a run, even of the first, its journal stays, and the next command folds it in."""
    with _lock(store, tmp_path / "mine").held() as held:
        journal = _begin(held)
        _send(journal)
        journal.sync()
        journal.close()
        store.failure = StoreFailed("down")
        with pytest.raises(SmsbyDeployError, match="cannot write the lock to memory: down"):
            held.fold_in()
    store.failure = None
    for machine in ("mine", "other"):
        assert _lock(store, tmp_path / machine).read().mailings["a/b"].is_complete
    journal = store.stored.journal
    another = Journal(tmp_path / "another")
    another.append(EventKind.BEGIN, id="j2", lineage="other", plan=None, at=_AT, commit=None, tool="x")
    for lost in (b"", another.path.read_bytes(), journal[10:]):
        store.stored = store.stored._replace(journal=lost)
        with pytest.raises(LockDamaged, match="does not have the lock that this checkout used last"):
            _lock(store, tmp_path / "mine").read()
    store.stored = store.stored._replace(journal=journal)
    with _lock(store, tmp_path / "mine").held() as held:
        assert held.lock.mailings["a/b"].is_complete


def _holder(renewed: timedelta = timedelta()) -> Holder:
    return Holder("x", "apply", 1, "other", _AT, (SystemClock().now() + renewed).isoformat())


def test_held_gives_up_on_a_dead_run_that_cannot_be_replaced(store: MemoryStore, tmp_path: Path) -> None:
    """If a dead run's session at the server stays open, the command ends with exit code 8 instead of waiting forever."""
    store.write(Stored(), Stored(holder=_holder(-timedelta(hours=1))))
    store.refuses_holders = True
    with pytest.raises(LockHeld, match="on other"), _lock(store, tmp_path).held():
        pass


@pytest.mark.parametrize(("renewed", "waited"), [(-61, 20), (-11 * 60, 0), (None, 0)])
def test_held_takes_the_lock_of_a_dead_run(
    store: MemoryStore, tmp_path: Path, renewed: int | None, waited: float
) -> None:
    """An expired lease is watched before it is taken over, unless it was released or is older than any clock difference."""
    holder = None if renewed is None else _holder(timedelta(seconds=renewed))
    store.write(Stored(), Stored(holder=holder, lock=write_lock(Lock("shop", 1, "line", {})).encode()))
    started = SystemClock().monotonic()
    lock = _lock(store, tmp_path)
    with lock.held():
        assert waited <= SystemClock().monotonic() - started < waited + 2
        assert not lock.archive_path.exists()
    assert store.writes == 3  # with the take and the release, and nothing to fold in


def test_held_spares_a_run_whose_clock_is_late(store: MemoryStore, tmp_path: Path) -> None:
    """A run with a slow clock, which seems dead but renews its lease, keeps the lock."""
    store.write(Stored(), Stored(holder=_holder(-timedelta(seconds=90))))

    class Renewing(MemoryStore):
        def read(self) -> Stored:
            return self.write(self.stored, Stored(holder=_holder(-timedelta(seconds=90))))

    for timeout in (0.0, 300.0):
        with pytest.raises(LockHeld), _lock(Renewing(), tmp_path).held(timeout):
            pass
    with _lock(store, tmp_path).held():
        pass


def test_held_outlives_a_dead_run_whose_clock_was_early(store: MemoryStore, tmp_path: Path) -> None:
    """A dead run with a fast clock, whose lease would last a year, loses the lock after it was watched."""
    store.write(Stored(), Stored(holder=_holder(timedelta(days=365))))
    lock = _lock(store, tmp_path)
    with pytest.raises(LockHeld), lock.held(30.0):
        pass
    with lock.held(65.0):
        pass


def test_slow_write_renews_the_lease_once_more(store: MemoryStore, tmp_path: Path) -> None:
    """If a write is so slow that the lease cannot be renewed in time, nothing is sent."""
    with _lock(store, tmp_path).held() as held:
        journal = _begin(held)
        store.pause = 40.0
        with pytest.raises(ResultNotSaved, match="did not renew its lease in time"):
            _send(journal)
        journal.close()


def test_any_error_of_a_store_stops_before_the_request(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception of a store stops before the request, since libraries raise more than they document."""
    with _lock(store, tmp_path).held() as held:
        journal = _begin(held)

        def fail(before: Stored, after: Stored) -> Stored:
            raise RuntimeError("the pool is closed")

        monkeypatch.setattr(store, "write", fail)
        with pytest.raises(ResultNotSaved, match="RuntimeError"):
            _send(journal)
        journal.close()


def test_leftover_of_a_lost_runner_is_seen_on_every_machine(store: MemoryStore, tmp_path: Path) -> None:
    """Every machine sees the journal of a lost one, whatever its own copy has, and `apply --due` folds it in."""
    other = _lock(store, tmp_path / "other")
    assert not other.has_leftover()
    with _lock(store, tmp_path / "mine").held() as held:
        _begin(held).append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        assert not other.has_leftover()
    assert other.has_leftover()
    with other.held():
        pass
    assert not other.has_leftover()


@pytest.mark.parametrize("has_ended", [False, True])
def test_dead_run_is_a_leftover_and_runs_no_more(has_ended: bool, store: MemoryStore, tmp_path: Path) -> None:
    """A run counts as running until its lease expires or the store says that it has ended, and then as a leftover."""
    with _lock(store, tmp_path / "mine").held() as held:
        _send(_begin(held))
        taken = store.stored
    store.stored, store.has_ended = taken, has_ended
    other = _lock(store, tmp_path / "other")
    assert (other.read_running() is None, other.has_leftover()) == (has_ended, has_ended)
    SystemClock().sleep(LEASE.total_seconds() + 1)
    assert (other.read_running(), other.has_leftover()) == (None, True)


def test_start_anew_empties_the_store(store: MemoryStore, tmp_path: Path) -> None:
    """Starting anew empties the store, so that the next journal is not folded into the old lock."""
    with _lock(store, tmp_path).held() as held:
        held.store.put_archive(b"x\n")
        journal = _begin(held)
        journal.close()
        held.fold_in()
        assert held.lock.mailings
        held.start_anew()
        assert held.lock.mailings == {}
    assert store.stored[2:] == (None, b"", b"")


def test_files_of_a_pull_request_do_not_pass_for_a_copy(store: MemoryStore, tmp_path: Path) -> None:
    """A copy forged by a reader of the store neither frees the lock nor adds a result."""
    with _lock(store, tmp_path / "mine").held() as held:
        journal = _begin(held)
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        lost = store.stored
        changes = {"state": "accepted", "uuid": "u1", "step": None}
        journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)
        forged = held.store.journal_path.read_bytes()
    assert forged.startswith(lost.journal)
    store.stored = lost
    victim = _lock(store, tmp_path / "victim")
    victim.path.parent.mkdir()
    victim.journal_path.write_bytes(forged)
    assert lost.holder is not None
    victim.path.with_name(victim.path.name + ".lease").write_text(lost.holder.id)
    with pytest.raises(LockHeld), victim.held():
        pass
    with victim.held(120.0) as held:
        assert held.lock.mailings["a/b"].has_unknown


def test_result_that_was_not_stored_comes_back_by_rescue(store: MemoryStore, tmp_path: Path) -> None:
    """If the store has only the intent, the result in the rescue file settles the unknown chunk."""
    with _lock(store, tmp_path / "mine").held() as held:
        journal = _begin(held)
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
        store.failure = StoreFailed("down")
        changes = {"state": "accepted", "uuid": "u1", "step": None}
        journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes=changes)
        with pytest.raises(ResultNotSaved) as caught:
            journal.sync()
        journal.close()
    store.failure, store.stored = None, store.stored._replace(holder=None)
    with _lock(store, tmp_path / "other").held() as held:
        entry = held.lock.mailings["a/b"]
        assert entry.has_unknown
        write_rescue(caught.value, held.lock, tmp_path / "lock")
        (file,) = tmp_path.glob("lock.rescue-*")
        edit = LockEdit(held, by="anna", at=_AT, reason="")
        assert edit.rescue(read_rescue(file)) == 1
    assert _lock(store, tmp_path / "other").read().mailings["a/b"].is_complete


def test_held_tries_again_if_another_run_was_faster(store: MemoryStore, tmp_path: Path) -> None:
    """If another run takes a free lock first, and releases it again, this one takes it then."""

    class Overtaken(MemoryStore):
        def read(self) -> Stored:
            return store.read()

        def write(self, before: Stored, after: Stored) -> Stored:
            if not store.writes:
                store.write(store.stored, Stored(holder=_holder()))
                store.write(store.stored, Stored())
            return store.write(before, after)

    path = tmp_path / "lock.json"
    with SharedLockStore(path, "shop", "production", shared=Overtaken(), clock=SystemClock()).held():
        assert store.writes == 3


def test_push_that_outlived_its_run_costs_no_minute(store: MemoryStore, tmp_path: Path) -> None:
    """If a late write of a dead run arrives while the next one on the same copy takes the lock, that takes it again."""
    lock = _lock(store, tmp_path)
    with lock.held():
        killed = store.stored
    store.stored = killed

    class Overtaken(MemoryStore):
        def read(self) -> Stored:
            return store.read()

        def write(self, before: Stored, after: Stored) -> Stored:
            if store.stored == killed:
                store.write(killed, killed._replace(journal=b""))
            return store.write(before, after)

    lock = SharedLockStore(lock.path, "shop", "production", shared=Overtaken(), clock=SystemClock())
    with lock.held():
        pass
    assert store.stored.holder is None


@pytest.mark.parametrize("name", ["", ".lease"])
def test_copy_of_a_shared_lock_is_no_link(store: MemoryStore, tmp_path: Path, name: str) -> None:
    """A link in place of a file of the copy is not followed: a pull request could add one to an endless device."""
    lock = _lock(store, tmp_path)
    lock.path.parent.mkdir()
    lock.path.with_name(lock.path.name + name).symlink_to("/dev/zero")
    with pytest.raises(SmsbyDeployError, match="is a link"), lock.held():
        pass
    if not name:
        with pytest.raises(SmsbyDeployError, match="is a link"):
            lock.read()


def test_damaged_journal_in_the_store_is_rescued(store: MemoryStore, tmp_path: Path) -> None:
    """A rescue folds the readable part of a damaged journal into the stored lock, and removes the journal there."""
    with _lock(store, tmp_path / "mine").held() as held:
        _begin(held).append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    store.stored = store.stored._replace(journal=store.stored.journal.replace(b"intent", b"intend"))
    other = _lock(store, tmp_path / "other")
    with pytest.raises(LockDamaged):
        other.read()
    assert other.salvage() == ["a/b"]
    assert store.stored.journal == b""
    assert _lock(store, tmp_path / "mine").read().mailings["a/b"].has_unknown


def test_copy_lock_leaves_a_lock_in_use(store: MemoryStore, tmp_path: Path) -> None:
    """A lock that a run holds is not copied, since the copy would lack what the run is about to record."""
    with _lock(store, tmp_path / "mine").held() as held:
        _send(_begin(held))
        with pytest.raises(LockHeld, match="another run holds the lock"):
            copy_lock(_lock(store, tmp_path / "other"), LockStore(tmp_path / "target", "shop"), "lock pull")
    assert not (tmp_path / "target").exists()
