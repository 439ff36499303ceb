"""A cache next to the lock: what is read back, and when nothing is."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest

from smsby_deploy.lock.places import private_file
from smsby_deploy.plan.sealed_cache import SealedCache

_KNOWN = {"a" * 32: 1, "b" * 32: 2}


def _cache(folder: Path, secret: bytes = b"s") -> SealedCache:
    path = private_file(folder / "smsby.lock.json", "test")
    return SealedCache(path, "smsby-test 1", hmac.new(secret, digestmod="sha256"))


@pytest.mark.posix
def test_cache_returns_what_was_written(tmp_path: Path) -> None:
    """A cache is read back as written, in a private file that git ignores."""
    cache = _cache(tmp_path)
    assert cache.write(_KNOWN, str)
    assert cache.read(int) == _KNOWN
    assert cache.path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".smsby" / ".gitignore").read_text("utf-8") == "*\n"


@pytest.mark.parametrize("damage", ["cut", "swapped", "other secret", "other value", "link", "no file"])
def test_damaged_cache_is_nothing(tmp_path: Path, damage: str) -> None:
    """A cache that is cut off, changed, a link or sealed with another secret counts as missing."""
    cache = _cache(tmp_path)
    cache.write(_KNOWN, str)
    lines = cache.path.read_text("utf-8").splitlines(keepends=True)
    if damage == "cut":
        cache.path.write_text("".join(lines[:-1]), "utf-8")
    elif damage == "swapped":
        cache.path.write_text("".join([lines[0], lines[2], lines[1]]), "utf-8")
    elif damage == "other value":
        cache.path.write_text("".join([*lines[:2], f"{'b' * 32} two\n"]), "utf-8")
    elif damage == "link":
        cache.path.rename(tmp_path / "moved")
        cache.path.symlink_to(tmp_path / "moved")
    elif damage == "no file":
        cache.path.unlink()
    assert _cache(tmp_path, b"t" if damage == "other secret" else b"s").read(int) == {}
