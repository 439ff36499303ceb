"""Records that the tests of the lock share."""

from __future__ import annotations

from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import EventKind
from smsby_deploy.lock.journal import Journal
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry
from smsby_deploy.lock.store import LockStore


def entry(*states: ChunkState, revision: int = 1, step: str | None = None) -> Entry:
    """Return a mailing with one chunk of two recipients in each of `states`; by default one pending chunk."""
    chunks = tuple(
        ChunkRecord(f"{number:010}", 2, "d", state, step=step)
        for number, state in enumerate(states or (ChunkState.PENDING,))
    )
    return Entry(
        revision,
        "c",
        "a",
        "bulk",
        "Shop",
        7,
        None,
        2,
        2,
        None,
        chunks,
        AppliedBy("2026-11-24T07:00:00Z", "p", None, "x"),
    )


def begin_journal(store: LockStore, plan: str | None = "p1") -> Journal:
    """Begin the journal of an apply that has recorded the mailing a/b."""
    journal = Journal(store.journal_path)
    journal.append(
        EventKind.BEGIN,
        id="j1",
        lineage="line",
        plan=plan,
        at="2026-11-24T07:00:00Z",
        commit=None,
        tool="x",
    )
    journal.append(EventKind.MAILING, address="a/b", entry=entry_document(entry()))
    return journal
