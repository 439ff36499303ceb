"""What every store of shared locks guarantees, tried against real servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from smsby_deploy.lock.lease import Holder, Stored, WrittenMeanwhile
from tests.shared_stores import OpenStore

_AT = "2026-11-02T09:00:00+00:00"


def _holder(name: str) -> Holder:
    return Holder(name, "apply", 1, "ci", _AT, _AT)


def test_store_is_empty_before_the_first_write(open_store: OpenStore) -> None:
    """Reading a store that was never written creates nothing in it."""
    assert open_store().read() == open_store().read() == Stored()


def test_store_gives_back_what_was_written(open_store: OpenStore) -> None:
    """The journal grows and is cleared, the archive grows and may be rewritten, and a lock is replaced."""
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
    """A run that lost the lock can write neither a line of its journal nor the lock."""
    first, second = open_store(), open_store()
    one = first.write(Stored(), Stored(lock=b"{}"))
    other = second.read()
    changed = second.write(other, other._replace(journal=b"2\n"))
    for lost in (one._replace(journal=b"1\n"), one._replace(lock=b"[]"), one._replace(holder=_holder("a"))):
        with pytest.raises(WrittenMeanwhile):
            first.write(one, lost)
    assert open_store().read() == changed


def test_store_keeps_the_locks_of_projects_apart(open_store: OpenStore) -> None:
    """A write to one lock neither changes another nor makes it look changed."""
    shop, bank = open_store(), open_store("bank.production")
    mine = shop.write(Stored(), Stored(lock=b"shop"))
    bank.write(Stored(), Stored(lock=b"bank"))
    mine = shop.write(mine, mine._replace(journal=b"1\n"))
    assert open_store().read() == mine
    assert open_store("bank.production").read().lock == b"bank"


def test_store_lets_one_of_many_win(open_store: OpenStore) -> None:
    """Of eight runs that take the lock at the same moment, one has it."""
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
