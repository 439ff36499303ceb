"""The ledger of contacts: hashes, and the file that stores them."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.plan.contact_ledger import (
    PhoneHasher,
    _read_cache,
    _write_cache,
    count_messages,
    ledger_path,
)

_SECRET = b"s" * 32
_KNOWN = {"a" * 32: array("Q", [1, 2, 2**64 - 1]), "b" * 32: array("Q")}


def test_phone_hasher_depends_on_the_token() -> None:
    phone = "375291234567"
    assert PhoneHasher(_SECRET)(phone) == PhoneHasher(_SECRET)(phone)
    assert PhoneHasher(_SECRET)(phone) != PhoneHasher(b"t" * 32)(phone)


@given(st.lists(st.sets(st.integers(0, 20))), st.integers(0, 20))
def test_count_messages_counts_each_mailing_once(mailings: list[set[int]], phone: int) -> None:
    hashes = [array("Q", sorted(one)) for one in mailings]
    assert count_messages(hashes, phone) == sum(phone in one for one in mailings)


def test_cache_returns_what_was_written(tmp_path: Path) -> None:
    path = ledger_path(tmp_path / "smsby.lock.json")
    _write_cache(path, _KNOWN, _SECRET)
    assert _read_cache(path, _SECRET) == _KNOWN
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".smsby" / ".gitignore").read_text("utf-8") == "*\n"


@pytest.mark.parametrize("damage", ["cut", "swapped", "other token", "link", "no file"])
def test_damaged_cache_is_nothing(tmp_path: Path, damage: str) -> None:
    path = ledger_path(tmp_path / "smsby.lock.json")
    _write_cache(path, _KNOWN, _SECRET)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    if damage == "cut":
        path.write_text("".join(lines[:-1]), "utf-8")
    elif damage == "swapped":
        path.write_text("".join([lines[0], lines[2], lines[1]]), "utf-8")
    elif damage == "link":
        path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
    elif damage == "no file":
        path.unlink()
    assert _read_cache(path, b"t" * 32 if damage == "other token" else _SECRET) == {}
