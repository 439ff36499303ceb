"""Locks, journals, plans and rescue files of version 0.1.0 are read with the same meaning."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smsby_deploy.apply.rescue import read_rescue
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.events import fold
from smsby_deploy.lock.journal import read_journal
from smsby_deploy.lock.records import Lock
from smsby_deploy.lock.serialization import entry_digest, read_lock, write_lock
from smsby_deploy.lock.store import LockStore
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.plan.plan_file import read_plan

FIXTURES = Path(__file__).parent / "fixtures"
PROJECT = FIXTURES / "project"
LOCK = (PROJECT / "smsby.lock.json").read_text(encoding="utf-8")


def test_read_lock_keeps_every_byte_of_an_old_lock() -> None:
    """A lock of 0.1.0 is written back byte for byte, so a plan made from it is not stale."""
    assert write_lock(read_lock(LOCK, "lock")) == LOCK


def test_read_lock_understands_an_old_lock() -> None:
    """The state of each mailing, chunk and phone is the one that 0.1.0 meant."""
    lock = read_lock(LOCK, "lock")
    found = {
        address: (
            entry.state,
            *(f"{c.state} {c.phones}" if c.phones else c.state.value for c in entry.chunks),
        )
        for address, entry in lock.mailings.items()
    }
    assert found == {
        "imported/web": ("complete", "accepted"),
        "sent/again": ("complete", "accepted"),
        "sent/bulk": ("complete", "accepted", "accepted"),
        "sent/later": ("complete", "accepted"),
        "sent/list": ("complete", "accepted"),
        "sent/new-name": ("complete", "accepted"),
        "sent/opted-out": ("complete", "accepted", "suppressed"),
        "sent/personal": ("complete", "accepted", "accepted"),
        "sent/single": ("complete", "accepted a:2 s:1", "accepted a:1"),
        "sent/upload": ("complete", "accepted"),
        "wrong/draft": ("draft", "draft"),
        "wrong/one-rejected": ("partial", "partial r:1 a:1"),
        "wrong/one-unknown": ("unknown", "unknown a:1 u:1 p:1 s:1"),
        "wrong/one-unsent": ("partial", "partial a:1 n:1 p:1"),
        "wrong/partial": ("partial", "accepted", "rejected", "pending"),
        "wrong/rejected": ("rejected", "rejected"),
        "wrong/resolved": ("complete", "accepted"),
        "wrong/unknown": ("unknown", "unknown", "pending"),
        "wrong/unsent": ("pending", "declared_unsent", "pending"),
    }
    assert [entry.revision for entry in lock.mailings["sent/again"].earlier] == [1]
    assert [resolution.by for resolution in lock.resolutions] == ["anna"] * 6


def test_fold_understands_the_journals_of_an_old_history() -> None:
    """Seventeen journals, folded one after another, give the lock that 0.1.0 wrote after them."""
    lock = Lock("shop")
    for path in sorted((FIXTURES / "history").iterdir()):
        lock = fold(lock, read_journal(path))
    assert write_lock(lock) == LOCK


@pytest.mark.parametrize("name", ["bulk", "single", "list", "draft", "upload"])
def test_store_understands_an_interrupted_old_apply(tmp_path: Path, name: str) -> None:
    """The intent that a killed apply left without a result makes the same chunks unknown as in 0.1.0."""
    folder = FIXTURES / "interrupted"
    shutil.copy(folder / f"{name}.journal", tmp_path / "smsby.lock.json.journal")
    lock = LockStore(tmp_path / "smsby.lock.json", "shop").read()
    assert write_lock(lock) == (folder / f"{name}.lock.json").read_text(encoding="utf-8")


def test_rescue_takes_an_old_rescue_file(tmp_path: Path) -> None:
    """The result in a rescue file settles the chunk whose result the journal lacks."""
    folder = FIXTURES / "rescue"
    shutil.copy(folder / "smsby.lock.json.journal", tmp_path)
    after = read_lock((folder / "after.lock.json").read_text(encoding="utf-8"), "lock")
    store = LockStore(tmp_path / "smsby.lock.json", "shop")
    assert store.read().mailings != after.mailings
    with store.held() as held:
        change = LockEdit(held, by="anna", at="2026-11-28T20:00:00+00:00", reason="")
        assert change.rescue(read_rescue(folder / "rescue.json")) == 1
    assert store.read().mailings == after.mailings


def test_read_plan_understands_an_old_plan() -> None:
    """The seal of an old plan is valid, and its actions and its record of the lock are the same."""
    plan = read_plan(PROJECT / "plan.json")
    assert {action.address: action.action for action in plan.actions} == {
        "next/bulk": ActionKind.CREATE,
        "next/list": ActionKind.CREATE,
        "next/single": ActionKind.CREATE,
        "next/upload": ActionKind.UPLOAD,
        "sent/bulk": ActionKind.NOOP,
        "wrong/partial": ActionKind.RESUME,
        "wrong/unknown": ActionKind.BLOCKED,
        "wrong/unsent": ActionKind.CREATE,
    }
    mailings = read_lock(LOCK, "lock").mailings
    assert plan.lock.entries == {
        address: entry_digest(mailings[address])
        for address in ("sent/bulk", "wrong/partial", "wrong/unknown", "wrong/unsent")
    }
