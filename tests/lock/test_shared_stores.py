"""What every store of shared locks guarantees, tested against real servers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.archive import read_archive
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.lease import Holder, Lease, SharedStore, Stored, StoreFailed, WrittenMeanwhile
from smsby_deploy.lock.postgres_store import PostgresStore
from smsby_deploy.lock.shared import SharedLockStore
from tests.lock.examples import entry
from tests.shared_stores import OpenStore

_AT = "2026-11-02T09:00:00+00:00"
_DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: content[:40] + b"#" + content[41:],
    lambda content: content[: len(content) // 2] + b"\n",
    lambda content: b"\x00" * len(content),
    lambda content: b"{}\n",
)


def _holder(name: str) -> Holder:
    return Holder(name, "apply", 1, "ci", _AT, _AT)


def test_store_is_empty_before_the_first_write(open_store: OpenStore) -> None:
    """Reading a store that was never written creates nothing in it."""
    assert open_store().read() == open_store().read() == Stored()


def test_store_gives_back_what_was_written(open_store: OpenStore) -> None:
    """A store returns what was written: the journal grows and is cleared, the archive is rewritten, the lock is replaced."""
    store = open_store()
    held = store.write(Stored(), Stored(holder=_holder("a")))
    begun = store.write(held, held._replace(journal=b"1\n"))
    sent = store.write(begun, begun._replace(journal=b"1\n2\n"))
    assert open_store().read() == sent
    assert sent.journal == b"1\n2\n"
    folded = store.write(sent, sent._replace(lock="{Київ}".encode(), journal=b"", archive=b"x\n"))
    assert open_store().read() == folded
    again = store.write(folded, folded._replace(lock=b"{}", archive=b"x\ny\n", journal=b"3\n"))
    assert open_store().read() == again
    released = store.write(again, again._replace(holder=None))
    assert open_store().read() == released
    assert (released.lock, released.journal, released.archive) == (b"{}", b"3\n", b"x\ny\n")
    rekeyed = store.write(released, released._replace(archive=b"z\n"))
    assert open_store().read() == rekeyed


def test_store_refuses_a_write_on_an_older_version(open_store: OpenStore) -> None:
    """A run that lost the lock can write neither its journal nor the lock."""
    first, second = open_store(), open_store()
    one = first.write(Stored(), Stored(lock=b"{}"))
    other = second.read()
    changed = second.write(other, other._replace(journal=b"2\n"))
    for lost in (one._replace(journal=b"1\n"), one._replace(lock=b"[]"), one._replace(holder=_holder("a"))):
        with pytest.raises(WrittenMeanwhile):
            first.write(one, lost)
    assert open_store().read() == changed


class _NoAnswer:
    """A connection to a store that is lost with the answer to every other write, the first one included."""

    name = "far away"

    def __init__(self, store: SharedStore, *, is_taken: bool) -> None:
        self._store = store
        self._is_taken = is_taken
        self._is_lost = False
        self.read = store.read
        self.is_over = store.is_over

    def write(self, before: Stored, after: Stored) -> Stored:
        self._is_lost = not self._is_lost
        if not self._is_lost:
            return self._store.write(before, after)
        if self._is_taken:
            self._store.write(before, after)
        if isinstance(self._store, PostgresStore):
            self._store._close()
        raise StoreFailed("no answer")


@pytest.mark.parametrize("is_taken", [True, False])
def test_lease_reads_back_a_write_without_an_answer(open_store: OpenStore, is_taken: bool) -> None:
    """After a write without an answer the lease writes once more, so nothing is unknown, and still keeps other runs out."""
    now = SystemClock().now().isoformat()
    holder = Holder("a", "apply", 1, "ci", now, now)
    lease = Lease(_NoAnswer(open_store(), is_taken=is_taken), Stored(), holder, SystemClock())
    lease.write(lock=b"{}", journal=b"1\n", archive=b"x\n")
    lease.write(journal=b"1\n2\n")
    assert open_store().read() == lease.stored
    assert lease.stored.journal == b"1\n2\n"
    assert not open_store().is_over(holder)
    lease.release()
    assert open_store().read()._replace(version="") == lease.stored._replace(holder=None, version="")


def test_store_keeps_the_locks_of_projects_apart(open_store: OpenStore) -> None:
    """A write to the lock of one project neither changes another's nor makes it seem changed."""
    shop, bank = open_store(), open_store("bank.production")
    mine = shop.write(Stored(), Stored(lock=b"shop"))
    bank.write(Stored(), Stored(lock=b"bank"))
    mine = shop.write(mine, mine._replace(journal=b"1\n"))
    assert open_store().read() == mine
    assert open_store("bank.production").read().lock == b"bank"


def test_store_lets_one_of_many_win(open_store: OpenStore) -> None:
    """Of eight runs that take the lock at the same moment, one gets it."""
    start = Barrier(8)

    def take(number: int) -> bool:
        store = open_store()
        stored = store.read()
        start.wait()
        try:
            store.write(stored, stored._replace(holder=_holder(str(number))))
        except WrittenMeanwhile:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, has_won in enumerate(pool.map(take, range(8))) if has_won]
    assert len(won) == 1
    holder = open_store().read().holder
    assert holder is not None
    assert holder.id == str(won[0])


def _lock(open_store: OpenStore, folder: Path) -> SharedLockStore:
    path = folder / ".smsby" / "production.shared.lock.json"
    folder.mkdir(exist_ok=True)
    return SharedLockStore(path, "shop", "production", shared=open_store(), clock=SystemClock())


def _record(lock: SharedLockStore) -> None:
    """Archive one mailing, record another, and leave a journal with the intent of its request."""
    with lock.held() as held:
        for address in ("a/old", "a/new"):
            journal = held.open_journal()
            begin = {"id": address, "lineage": "line", "plan": "p1", "at": _AT, "commit": None, "tool": "x"}
            journal.append(EventKind.BEGIN, **begin)
            journal.append(EventKind.MAILING, address=address, entry=entry_document(entry()))
            changes = {"state": "accepted", "uuid": "u1", "step": None}
            journal.append(EventKind.CHUNK, chunks=[[address, 0]], changes=changes)
            journal.close()
            held.fold_in()
            if address == "a/old":
                edit = LockEdit(held, by="anna", at=_AT, reason="")
                assert edit.archive(held.lock.mailings) == ["a/old"]
        journal = held.open_journal()
        journal.append(EventKind.BEGIN, **{**begin, "id": "last"})
        journal.append(EventKind.MAILING, address="a/last", entry=entry_document(entry()))
        journal.append(EventKind.INTENT, chunks=[["a/last", 0]], step=None)


@pytest.mark.parametrize("part", ["lock", "journal", "archive"])
def test_damage_in_a_store_is_refused(open_store: OpenStore, tmp_path: Path, part: str) -> None:
    """Damage in a store is refused by reading and writing commands, never treated as empty, and nothing is changed."""
    _record(_lock(open_store, tmp_path / "mine"))
    raw, other = open_store(), _lock(open_store, tmp_path / "other")
    intact = raw.read()
    for damage in _DAMAGES:
        stored = raw.read()
        raw.write(stored, stored._replace(**{part: damage(getattr(intact, part))}))
        with pytest.raises(LockDamaged) as reading:
            list(read_archive(other.read()))
        with pytest.raises(LockDamaged) as holding, other.held() as held:
            list(read_archive(held.lock))
        if part == "lock":  # its copy must be repaired in the store, not in git
            assert reading.value.hint == holding.value.hint
            assert "restore shop.production in " in reading.value.hint
        if part == "archive":  # the journal is folded in, for which the archive does not matter
            break
        left = raw.read()._replace(version="", holder=None)
        assert left == stored._replace(**{part: getattr(left, part)}, version="", holder=None)
        assert getattr(left, part) == damage(getattr(intact, part))
    if part != "archive":
        stored = raw.read()
        raw.write(stored, stored._replace(**{part: getattr(intact, part)}))
        mailings = other.read().mailings
        assert mailings["a/new"].is_complete
        assert mailings["a/last"].has_unknown


def test_damaged_journal_of_a_store_is_rescued(open_store: OpenStore, tmp_path: Path) -> None:
    """A rescue records the readable part of a damaged journal, makes the rest unknown, and removes the journal."""
    _record(_lock(open_store, tmp_path / "mine"))
    raw, other = open_store(), _lock(open_store, tmp_path / "other")
    stored = raw.read()
    raw.write(stored, stored._replace(journal=stored.journal.replace(b"intent", b"intend")))
    assert other.salvage() == ["a/last"]
    assert open_store().read().journal == b""
    lock = _lock(open_store, tmp_path / "mine").read()
    assert lock.mailings["a/last"].has_unknown
    assert lock.mailings["a/new"].is_complete
    assert [one.address for one in read_archive(lock)] == ["a/old"]
