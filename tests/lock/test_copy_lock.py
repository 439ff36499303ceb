"""A copy never overwrites another lock, or a newer version of this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.errors import Refused, UsageError
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.lock.shared import copy_lock
from smsby_deploy.lock.store import LockStore
from tests.lock.examples import entry

_AT = "2026-11-02T09:00:00+00:00"


def _lock_file(folder: Path, name: str, serial: int = 0, lineage: str = "line") -> LockStore:
    store = LockStore(folder / name, "shop")
    if serial:
        store.replace(Lock("shop", serial, lineage, {"a/b": entry()}))
    return store


def test_copy_lock_to_a_new_place_and_over_an_older_version(tmp_path: Path) -> None:
    """A lock is copied byte for byte to a new place, or over an older version of it."""
    source = _lock_file(tmp_path, "source", 3)
    for target in (
        _lock_file(tmp_path, "new"),
        _lock_file(tmp_path, "older", 2),
        _lock_file(tmp_path, "same", 3),
    ):
        assert copy_lock(source, target, "lock pull").serial == 3
        assert target.path.read_bytes() == source.path.read_bytes()


@pytest.mark.parametrize(("serial", "lineage"), [(4, "line"), (1, "other")])
def test_copy_lock_refuses_to_lose_a_record(tmp_path: Path, serial: int, lineage: str) -> None:
    """A copy never replaces another lock, or a newer version of this one."""
    source, target = _lock_file(tmp_path, "source", 3), _lock_file(tmp_path, "target", serial, lineage)
    before = target.path.read_bytes()
    with pytest.raises(Refused):
        copy_lock(source, target, "lock push")
    assert target.path.read_bytes() == before


@pytest.mark.parametrize("further", [0, 2])
def test_copy_lock_refuses_one_that_went_its_own_way(tmp_path: Path, further: int) -> None:
    """Two copies that were both used since they were equal do not replace each other: each has what the other lacks."""
    source, target = _lock_file(tmp_path, "source", 3), _lock_file(tmp_path, "target", 3)
    for one, address, times in ((source, "a/b", 1 + further), (target, "a/c", 1)):
        for number in range(times):
            with one.held() as held:
                edit = LockEdit(held, by="anna", at=_AT, reason=str(number))
                edit.move("a/b" if number == 0 else address, address := f"{address}{number}")
    before = target.path.read_bytes()
    with pytest.raises(
        Refused, match=rf"target \(serial 4\) records changes that this lock \(serial {4 + further}\) lacks"
    ):
        copy_lock(source, target, "lock push")
    assert target.path.read_bytes() == before


def test_copy_lock_refuses_another_state_of_its_version(tmp_path: Path) -> None:
    """Two different locks with the same serial and runs do not replace each other: one of them was edited."""
    source, target = _lock_file(tmp_path, "source", 3), _lock_file(tmp_path, "target")
    target.replace(Lock("shop", 3, "line", {"a/b": entry(ChunkState.ACCEPTED)}))
    with pytest.raises(Refused, match=r"target \(serial 3\) records changes"):
        copy_lock(source, target, "lock push")


def test_copy_lock_needs_a_lock(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no lock to copy"):
        copy_lock(_lock_file(tmp_path, "source"), _lock_file(tmp_path, "target", 1), "lock push")
