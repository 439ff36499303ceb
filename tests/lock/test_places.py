"""places: the environment of a lock is part of every name and digest."""

from __future__ import annotations

from pathlib import Path

from smsby_deploy.lock.places import LockPlace, journal_of, scope_of


def test_scope_of_leaves_production_out() -> None:
    """Production has no scope, so its names and fingerprints are those from before there were environments."""
    assert [scope_of("shop", name) for name in (None, "production", "staging")] == [
        "shop",
        "shop",
        "shop~staging",
    ]


def test_place_has_files_if_a_run_was_there(tmp_path: Path) -> None:
    """A place counts as used if it has only a journal of a killed first run, or a link to nothing, which is refused."""
    lock = tmp_path / "smsby.lock.json"
    assert not LockPlace(lock).has_files
    journal_of(lock).write_bytes(b"")
    assert LockPlace(lock).has_files
    journal_of(lock).unlink()
    lock.symlink_to(tmp_path / "nothing")
    assert LockPlace(lock).has_files
