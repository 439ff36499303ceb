"""The mailings of a lock file as they were read, on disk or in memory."""

from __future__ import annotations

from dataclasses import replace
from errno import ENOSPC
from types import SimpleNamespace
from typing import NoReturn

import pytest

from smsby_deploy.lock.serialization import read_lock, write_lock
from tests.lock.generated import long_lock


@pytest.mark.posix
@pytest.mark.parametrize("writes", [0, 5, 1000], ids=["none", "some", "all"])
def test_read_lock_of_many_mailings_is_the_same(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long lock is read the same from disk or, if the disk has no room, from memory."""
    room = iter(range(writes))

    def find_room(handle: int) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=10**6 if next(room, None) is not None else 0, f_frsize=1024)

    def no_room(*arguments: object) -> NoReturn:
        raise OSError(ENOSPC, "full")

    if not writes:
        monkeypatch.setattr("tempfile.TemporaryFile", no_room)
    monkeypatch.setattr("os.fstatvfs", find_room)
    lock = long_lock(1500)
    text = write_lock(lock)
    read = read_lock(text, "lock")
    assert len(text) > 1 << 20
    assert read == lock
    changed = read.with_entry("sale/0700", replace(lock.mailings["sale/0700"], revision=2))
    assert write_lock(changed) == write_lock(lock.with_entry("sale/0700", changed.mailings["sale/0700"]))
