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
    """No state is both done and unsent, since such a chunk would be counted as sent and sent again."""
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
    """An unknown chunk decides the state of the mailing, and a sent one outweighs a draft or a rejection."""
    assert _entry(*states).state is state


@pytest.mark.parametrize(
    ("states", "was_sent"), [((P, R), False), ((S,), False), ((U,), False), ((P, A), True)]
)
def test_entry_was_sent_in_part_only_if_certain(states: tuple[ChunkState, ...], was_sent: bool) -> None:
    """A mailing with an unknown chunk is not called partly sent."""
    assert _entry(*states).was_sent_in_part is was_sent


_APPROVAL = Approval("t", "p", None, "t1", "t2")


@pytest.mark.parametrize(
    ("states", "ending", "state"),
    [
        ((ChunkState.PENDING,), None, EntryState.WAITING),
        ((ChunkState.PENDING, ChunkState.DECLARED_UNSENT), None, EntryState.WAITING),
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
    """An approved mailing waits until a part is sent, and a user's decision hides no unknown outcome."""
    ended = None if ending is None else Ending(ending, "t", "me", "why")
    assert replace(_entry(*states), approval=_APPROVAL, ending=ended).state is state


def test_put_chunk_leaves_the_others() -> None:
    """The entry itself does not change."""
    entry = _entry(P, P)
    changed = entry.put_chunk(1, replace(entry.chunks[1], state=A))
    assert [chunk.state for chunk in changed.chunks] == [P, A]
    assert [chunk.state for chunk in entry.chunks] == [P, P]


def test_chunk_with_phone_states_needs_phones() -> None:
    """A chunk without phone states has no single phones."""
    with pytest.raises(IndexError):
        ChunkRecord("mark", 2, "digest").with_phone_state(0, A)


@pytest.mark.parametrize(
    ("state", "phones", "was_sent", "recipients"),
    [
        (U, "a:1 u:1", True, 1),
        (U, "p:1 u:1", False, 0),
        (U, None, False, 0),
        (P, "p:2", False, 0),
        (A, None, True, 2),
        (ChunkState.PARTIAL, None, True, 0),  # how many got it is not known
    ],
)
def test_chunk_was_sent_if_one_phone_got_it(
    state: ChunkState, phones: str | None, was_sent: bool, recipients: int
) -> None:
    """A chunk was sent if one phone got it, even while another is unknown."""
    states = None if phones is None else PhoneStates.parse(phones)
    chunk = ChunkRecord("mark", 2, "digest", state, phones=states)
    assert (chunk.was_sent, chunk.accepted_recipients) == (was_sent, recipients)
    assert replace(chunk, recipients=None, phones=None).accepted_recipients == 0


@pytest.mark.parametrize(
    ("before", "row", "error"), [("u:1 a:1 p:1", 2, "lost"), ("r:1 p:1 a:1", 1, "lost"), ("p:1 a:2", 0, None)]
)
def test_chunk_keeps_the_error_of_another_phone(before: str, row: int, error: str | None) -> None:
    """The error of one phone stays when the next one succeeds."""
    chunk = ChunkRecord("mark", 3, "digest", P, error="lost", phones=PhoneStates.parse(before))
    assert chunk.with_phone_state(row, A, error=None).error == error


def test_entry_time_of_a_chunk() -> None:
    """A spread chunk has its own time, a first wave that of the mailing, and a later wave none."""
    own, whole = "2026-12-01T10:00:00+03:00", "2026-12-02T10:00:00+03:00"
    entry = replace(_entry(P), schedule_time=whole)
    chunk = entry.chunks[0]
    chunks = (replace(chunk, schedule_time=own), chunk, replace(chunk, wave=1), replace(chunk, wave=2))
    times = [None if time is None else time.isoformat() for time in map(entry.time_of, chunks)]
    assert times == [own, whole, whole, None]


@pytest.mark.parametrize(
    ("states", "may_have"), [((P, R, S), False), ((P, A), True), ((P, U), True), ((P, D), True)]
)
def test_entry_may_have_reached_a_recipient(states: tuple[ChunkState, ...], may_have: bool) -> None:
    """A mailing may have reached a recipient unless all of it was certainly not sent."""
    assert _entry(*states).may_have_reached is may_have


def test_lock_is_empty_without_archived_mailings() -> None:
    """A lock with archived mailings is not empty."""
    assert Lock("shop").is_empty
    assert not Lock("shop", archived=1).is_empty
    assert not Lock("shop", mailings={"sale/vip": _entry(P)}).is_empty


def test_lock_runs_of_a_plan() -> None:
    """The lock has every run of a plan, of which a partly sent one has several."""
    lock = Lock("shop", applies=tuple(Apply(plan, "t", None, "x") for plan in ("p1", "p2", "p1")))
    assert [len(lock.runs_of(plan)) for plan in ("p1", "p2", "p3")] == [2, 1, 0]
