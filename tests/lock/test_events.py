"""Folding: what each event of a journal changes in the lock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.counts import Billed
from smsby_deploy.lock.decisions import Ending, EndingKind, Resolution
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import EventKind, fold, fold_event
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import Apply, ChunkState, Entry, Lock, UploadRecord
from tests.lock.examples import entry

_BEGIN = {
    "event": "begin",
    "id": "j1",
    "lineage": "line",
    "plan": "p1",
    "at": "t",
    "commit": None,
    "tool": "x",
}


def _lock(recorded: Entry | None = None) -> Lock:
    return Lock("shop", 1, "line", {"a/b": recorded or entry()})


def _after(kind: EventKind, recorded: Entry | None = None, **fields: Any) -> Lock:
    return fold_event(_lock(recorded), {"event": kind.value, **fields})


def _chunk_after(kind: EventKind, recorded: Entry | None = None, **fields: Any) -> Any:
    return _after(kind, recorded, chunks=[["a/b", 0]], **fields).mailings["a/b"].chunks[0]


def _single(letters: str) -> Entry:
    phones = PhoneStates.parse(" ".join(f"{letter}:1" for letter in letters))
    recorded = entry()
    return recorded.put_chunk(0, recorded.chunks[0].with_phones(phones))


def test_event_kinds_never_change() -> None:
    """The words of the events, which are part of the journal's format, do not change."""
    assert [kind.value for kind in EventKind] == [
        "begin", "mailing", "intent", "result", "chunk", "rows", "upload", "facts", "ending", "verdict",
            "resolve", "remove",
        "move", "archive", "bind", "key", "rekey", "end",
    ]  # fmt: skip


def test_fold_counts_a_journal_once() -> None:
    """The serial grows by one for a journal, and folding it again changes nothing."""
    lock = fold(Lock("shop"), [_BEGIN])
    assert (lock.serial, lock.lineage, lock.folded) == (1, "line", "j1")
    assert fold(lock, [_BEGIN]) == lock
    assert fold(lock, []) == lock


def test_fold_refuses_the_journal_of_another_lock() -> None:
    """A journal of another lineage is refused, since it would record sends of another lock."""
    with pytest.raises(LockDamaged):
        fold(Lock("shop", 1, "other"), [_BEGIN])


def test_fold_event_refuses_an_unknown_kind() -> None:
    """An unknown event, as of a newer version, is an error and not skipped."""
    with pytest.raises(LockDamaged, match="unknown kind: rename"):
        fold_event(_lock(), {"event": "rename"})


def test_fold_begin_records_the_apply_of_a_plan() -> None:
    """`begin` records an apply with its plan, but not a manual change."""
    assert fold_event(_lock(), _BEGIN).applies == (Apply("p1", "t", None, "x"),)
    assert fold_event(_lock(), {**_BEGIN, "plan": None}).applies == ()


def test_fold_ending_sets_and_takes_back_a_decision() -> None:
    """An ending makes the mailing over until the decision is taken back."""
    ending = {"kind": "withdrawn", "at": "t", "by": "me", "reason": "typo"}
    ended = _after(EventKind.ENDING, address="a/b", ending=ending).mailings["a/b"]
    assert ended.ending == Ending(EndingKind.WITHDRAWN, "t", "me", "typo")
    assert _after(EventKind.ENDING, ended, address="a/b", ending=None).mailings["a/b"] == entry()


def test_fold_ending_concerns_one_revision() -> None:
    """An ending is for one revision: an earlier, scheduled one can be withdrawn without changing the others."""
    ending = {"kind": "withdrawn", "at": "t", "by": "me", "reason": ""}
    both = replace(entry(revision=3), earlier=(entry(revision=2), entry()))
    after = _after(EventKind.ENDING, both, address="a/b", revision=2, ending=ending).mailings["a/b"]
    assert [one.revision for one in (after, *after.earlier) if one.is_withdrawn] == [2]
    assert replace(after, earlier=()) == entry(revision=3)


def test_fold_mailing_replaces_the_entry() -> None:
    """The entry is recorded as it is in the event."""
    new = entry(ChunkState.ACCEPTED, revision=2)
    assert _after(EventKind.MAILING, address="c/d", entry=entry_document(new)).mailings["c/d"] == new


def test_fold_intent_makes_chunks_unknown() -> None:
    """An intent makes its chunks unknown until a result follows, and keeps the step of a list mailing."""
    chunk = _chunk_after(EventKind.INTENT, step="confirm")
    assert (chunk.state, chunk.step) == (ChunkState.UNKNOWN, "confirm")


@pytest.mark.parametrize("step", ["list", "contacts"])
def test_fold_intent_of_an_upload_changes_nothing(step: str) -> None:
    """The intent to make or fill a contact list changes nothing, since no recipient gets a message by it."""
    assert _after(EventKind.INTENT, chunks=[["a/b", 0]], step=step) == _lock()


@pytest.mark.parametrize("kind", [EventKind.RESULT, EventKind.CHUNK])
def test_fold_result_applies_the_changes(kind: EventKind) -> None:
    """A result changes the state and the other recorded values."""
    chunk = _chunk_after(kind, changes={"state": "accepted", "uuid": "u", "message_id": 5})
    assert (chunk.state, chunk.uuid, chunk.message_id) == (ChunkState.ACCEPTED, "u", 5)


def test_fold_result_of_one_phone_leaves_the_others() -> None:
    """With `row`, only the phone at that position changes."""
    chunk = _chunk_after(
        EventKind.RESULT, _single("pup"), row=1, changes={"state": "accepted", "error": None}
    )
    assert str(chunk.phones) == "p:1 a:1 p:1"
    assert chunk.state is ChunkState.PARTIAL


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"state": "pending", "error": "said not to be sent"}, ChunkState.DECLARED_UNSENT),
        ({"state": "pending", "error": None}, ChunkState.PENDING),
        ({"state": "pending", "error": "HTTP 429"}, ChunkState.PENDING),
    ],
)
def test_fold_chunk_reads_a_declaration_of_the_user(changes: dict[str, Any], state: ChunkState) -> None:
    """A chunk with the fixed error of a declaration counts as declared unsent, also for single phones."""
    assert _chunk_after(EventKind.CHUNK, entry(ChunkState.UNKNOWN), changes=changes).state is state
    chunk = _chunk_after(EventKind.CHUNK, _single("ua"), changes=changes)
    assert str(chunk.phones) == ("n:1 a:1" if state is ChunkState.DECLARED_UNSENT else "p:1 a:1")


def test_fold_rows_records_every_phone() -> None:
    """`rows` replaces the states and the baseline of all phones."""
    chunk = _chunk_after(EventKind.PHONES, rows="a:1 u:1", baseline="0:1 9:1", changes={"message_id": 5})
    assert (str(chunk.phones), chunk.baseline, chunk.message_id) == ("a:1 u:1", (0, 9), 5)
    assert chunk.state is ChunkState.UNKNOWN


def test_fold_upload_records_the_contact_list() -> None:
    """`upload` records the progress of a list without changing the chunk's state."""
    upload = {"digest": "d", "list_id": 7, "uploaded": 2, "invalid": 0, "found": False}
    chunk = _chunk_after(EventKind.UPLOAD, upload=upload, changes={"recipients": 2})
    assert (chunk.upload, chunk.state) == (UploadRecord("d", 7, 2), ChunkState.PENDING)


def test_fold_facts_records_what_sms_by_knows() -> None:
    """`facts` records the recipients, parts and cost of a list mailing."""
    changes = {"recipients": 25, "parts": 25, "cost": "0.65"}
    recorded = _after(EventKind.FACTS, address="a/b", changes=changes).mailings["a/b"]
    assert (recorded.recipients, recorded.parts, recorded.cost) == (25, 25, "0.65")


def test_fold_resolve_move_and_remove_record_manual_changes() -> None:
    """A manual change is recorded with its reason; a moved mailing keeps its entry, and a removed one is gone."""
    resolution = {"address": "a/b", "what": "moved to c/d", "at": "t", "by": "anna", "reason": "renamed"}
    assert _after(EventKind.RESOLVE, resolution=resolution).resolutions == (Resolution(**resolution),)
    assert _after(EventKind.MOVE, address="a/b", to="c/d").mailings == {"c/d": entry()}
    assert _after(EventKind.REMOVE, address="a/b").mailings == {}


def test_fold_move_keeps_what_a_user_settled() -> None:
    """Moving a mailing keeps its resolution, even in a lock from before `declared`."""
    recorded = entry(ChunkState.ACCEPTED, ChunkState.ACCEPTED)
    times = ("10:00", "11:00")
    chunks = tuple(replace(chunk, accepted_at=at) for chunk, at in zip(recorded.chunks, times, strict=True))
    settled = Resolution("a/b", "resolved as sent", "10:00", "anna", "")
    other = Resolution("a/c", "resolved as sent", "11:00", "anna", "")
    recorded = replace(recorded, chunks=chunks)
    both = replace(recorded, revision=2, earlier=(recorded,))
    lock = replace(_lock(both), resolutions=(settled, other))
    moved = fold_event(lock, {"event": "move", "address": "a/b", "to": "c/d"}).mailings["c/d"]
    declared = [[chunk.declared for chunk in one.chunks] for one in moved.revisions]
    assert declared == [[True, False]] * 2


@pytest.mark.parametrize(
    ("kind", "state", "is_ended"),
    [
        (EndingKind.LAPSED, "accepted", False),
        (EndingKind.LAPSED, "unknown", False),
        (EndingKind.LAPSED, "rejected", True),
        (EndingKind.WITHDRAWN, "accepted", True),
        (EndingKind.ABANDONED, "unknown", True),
    ],
)
def test_fold_chunk_takes_back_an_approval_that_lapsed(kind: EndingKind, state: str, is_ended: bool) -> None:
    """If sms.by has a mailing, its approval did not lapse; a user's decision stays."""
    ending = Ending(kind, "t", "anna", "changed")
    changes = {"state": state, "error": None}
    ended = _after(EventKind.CHUNK, replace(entry(), ending=ending), chunks=[["a/b", 0]], changes=changes)
    assert (ended.mailings["a/b"].ending == ending) == is_ended


def test_fold_key_adds_what_is_sealed() -> None:
    """`key` adds a seal to earlier ones, which the next rotation needs as well."""
    lock = replace(_lock(), sealed={"a": "1"})
    keyed = fold_event(lock, {"event": "key", "digest_key": "k", "sealed": {"b": "2"}})
    assert (keyed.digest_key, keyed.sealed) == ("k", {"a": "1", "b": "2"})


def test_fold_facts_records_what_was_billed() -> None:
    """`facts` with a billed amount records it as an object, not as JSON."""
    changes = {"billed": {"parts": 2, "cost": "0.06"}}
    assert _after(EventKind.FACTS, address="a/b", changes=changes).mailings["a/b"].billed == Billed(2, "0.06")


def test_fold_end_completes_the_apply() -> None:
    """`end` adds what the run sent to the apply that `begin` recorded."""
    lock = fold(_lock(), [_BEGIN, {"event": "end", "mailings": 2, "recipients": 30}])
    assert lock.applies == (Apply("p1", "t", None, "x", 2, 30),)
    # A hand-over of several plans is one run with several journals.
    again = fold(lock, [{**_BEGIN, "id": "j2"}, {"event": "end", "mailings": 1, "recipients": 5}])
    assert again.applies == (Apply("p1", "t", None, "x", 3, 35),)
    other = fold(
        again, [{**_BEGIN, "id": "j3", "at": "later"}, {"event": "end", "mailings": 1, "recipients": 5}]
    )
    assert other.applies == (*again.applies, Apply("p1", "later", None, "x", 1, 5))


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"event": "intent", "chunks": [["c/d", 0]]}, KeyError),
        ({"event": "intent", "chunks": [["a/b", 1]]}, IndexError),
        ({"event": "intent", "chunks": [["a/b", 0]], "row": 0}, IndexError),
        ({"event": "result", "chunks": [["a/b", 0]], "changes": {"state": "gone"}}, ValueError),
        (
            {"event": "result", "chunks": [["a/b", 0]], "changes": {"state": "accepted", "color": 1}},
            TypeError,
        ),
    ],
)
def test_fold_event_refuses_what_does_not_match(event: dict[str, Any], error: type[Exception]) -> None:
    """An event about a chunk or phone that is not recorded is an error, which LockStore reports as damage."""
    with pytest.raises(error):
        fold_event(_lock(), event)
