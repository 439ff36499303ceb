"""copying: a copy never overwrites another lock, or a newer version of this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.errors import Refused, UsageError
from smsby_deploy.lock.copying import copy_lock
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.store import LockStore
from tests.lock.examples import entry


def _lock(folder: Path, name: str, serial: int = 0, lineage: str = "line") -> LockStore:
    store = LockStore(folder / name, "shop")
    if serial:
        store.replace(Lock("shop", serial, lineage, {"a/b": entry()}))
    return store


def test_copy_lock_to_a_new_place_and_over_an_older_version(tmp_path: Path) -> None:
    """The copy is byte for byte the same."""
    source = _lock(tmp_path, "source", 3)
    for target in (_lock(tmp_path, "new"), _lock(tmp_path, "older", 2), _lock(tmp_path, "same", 3)):
        assert copy_lock(source, target, "lock pull").serial == 3
        assert target.path.read_bytes() == source.path.read_bytes()


@pytest.mark.parametrize(("serial", "lineage"), [(4, "line"), (1, "other")])
def test_copy_lock_refuses_to_lose_a_record(tmp_path: Path, serial: int, lineage: str) -> None:
    """A newer version of the lock, and another lock, stay."""
    source, target = _lock(tmp_path, "source", 3), _lock(tmp_path, "target", serial, lineage)
    before = target.path.read_bytes()
    with pytest.raises(Refused):
        copy_lock(source, target, "lock push")
    assert target.path.read_bytes() == before


def test_copy_lock_refuses_one_that_went_its_own_way(tmp_path: Path) -> None:
    """Both were used since they were one, so each has sends that the other lacks."""
    source, target = _lock(tmp_path, "source", 3), LockStore(tmp_path / "target", "shop")
    target.replace(Lock("shop", 3, "line", {"a/c": entry()}))
    with pytest.raises(Refused, match="both locks are serial 3"):
        copy_lock(source, target, "lock push")


def test_copy_lock_needs_a_lock(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no lock to copy"):
        copy_lock(_lock(tmp_path, "source"), _lock(tmp_path, "target", 1), "lock push")
