"""What a record says about a chunk, a mailing and the lock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import (
    DONE,
    SURELY_NOT_SENT,
    AppliedBy,
    Apply,
    ChunkRecord,
    ChunkState,
    Entry,
    EntryState,
    Lock,
)

A, D, P, R, S, U = (
    ChunkState.ACCEPTED, ChunkState.DRAFT, ChunkState.PENDING, ChunkState.REJECTED, ChunkState.SUPPRESSED, ChunkState.UNKNOWN
)  # fmt: skip


def _entry(*states: ChunkState) -> Entry:
    chunks = tuple(ChunkRecord(f"mark{index}", 2, "digest", state) for index, state in enumerate(states))
    return Entry(1, "c", "a", "bulk", "0", 0, None, 4, 4, None, chunks, AppliedBy("t", "p", None, "x"))


def test_no_chunk_state_is_both_done_and_not_sent() -> None:
    """A chunk in both sets would be counted as sent and sent again."""
    assert not DONE & SURELY_NOT_SENT
    assert U not in DONE | SURELY_NOT_SENT


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ((A, S), EntryState.COMPLETE),
        ((A, U, R), EntryState.UNKNOWN),
        ((A, P), EntryState.PARTIAL),
        ((ChunkState.PARTIAL, R), EntryState.PARTIAL),
        ((D,), EntryState.DRAFT),
        ((D, A), EntryState.PARTIAL),
        ((R, P), EntryState.REJECTED),
        ((P, ChunkState.DECLARED_UNSENT), EntryState.PENDING),
    ],
)
def test_entry_state_follows_from_its_chunks(states: tuple[ChunkState, ...], state: EntryState) -> None:
    """An unknown chunk outweighs all others; what was sent outweighs a draft and a rejection."""
    assert _entry(*states).state is state


@pytest.mark.parametrize(
    ("states", "was_sent"), [((P, R), False), ((S,), False), ((U,), False), ((P, A), True)]
)
def test_entry_was_sent_in_part_only_if_certain(states: tuple[ChunkState, ...], was_sent: bool) -> None:
    """An unknown outcome is not a certain one."""
    assert _entry(*states).was_sent_in_part is was_sent


_APPROVAL = Approval("t", "p", None, "t1", "t2")


@pytest.mark.parametrize(
    ("states", "ending", "state"),
    [
        ((ChunkState.PENDING,), None, EntryState.WAITING),
        ((ChunkState.REJECTED,), None, EntryState.REJECTED),
        ((ChunkState.ACCEPTED,), None, EntryState.COMPLETE),
        ((ChunkState.ACCEPTED, ChunkState.PENDING), None, EntryState.PARTIAL),
        ((ChunkState.ACCEPTED, ChunkState.PENDING), EndingKind.ABANDONED, EntryState.ABANDONED),
        ((ChunkState.PENDING,), EndingKind.WITHDRAWN, EntryState.WITHDRAWN),
        ((ChunkState.PENDING,), EndingKind.LAPSED, EntryState.WITHDRAWN),
        ((ChunkState.UNKNOWN,), EndingKind.WITHDRAWN, EntryState.UNKNOWN),
    ],
)
def test_entry_state_of_an_approved_mailing(
    states: tuple[ChunkState, ...], ending: EndingKind | None, state: EntryState
) -> None:
    """It waits until something of it was sent; a user's decision hides no unknown outcome."""
    ended = None if ending is None else Ending(ending, "t", "me", "why")
    assert replace(_entry(*states), approval=_APPROVAL, ending=ended).state is state


def test_put_chunk_leaves_the_others() -> None:
    """The entry itself does not change."""
    entry = _entry(P, P)
    changed = entry.put_chunk(1, replace(entry.chunks[1], state=A))
    assert [chunk.state for chunk in changed.chunks] == [P, A]
    assert [chunk.state for chunk in entry.chunks] == [P, P]


def test_chunk_with_phone_states_needs_phones() -> None:
    """A chunk that is sent as a whole has no single phones."""
    with pytest.raises(IndexError):
        ChunkRecord("mark", 2, "digest").with_phone_state(0, A)


def test_chunk_was_sent_if_one_phone_got_it() -> None:
    """Even while the outcome of another phone is unknown."""
    phones = PhoneStates.parse("a:1 u:1")
    assert ChunkRecord("mark", 2, "digest", U, phones=phones).was_sent
    assert not ChunkRecord("mark", 2, "digest", U).was_sent


def test_lock_runs_of_a_plan() -> None:
    """A plan that was sent in part has several."""
    lock = Lock("shop", applies=tuple(Apply(plan, "t", None, "x") for plan in ("p1", "p2", "p1")))
    assert [len(lock.runs_of(plan)) for plan in ("p1", "p2", "p3")] == [2, 1, 0]
