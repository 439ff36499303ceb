"""The recorder: the journal first, then the lock in memory, and nothing if the disk refuses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import ChunkState, Entry, UploadRecord
from tests.apply.fake_dispatch import World, action_of, entry_of

REF = ("m/0", 0)


def test_recorder_begins_the_journal_once() -> None:
    """The first write begins it, which records the run of the plan; `begin` itself does so, too."""
    world = World()
    world.recorder.note(REF, ChunkState.SUPPRESSED, recipients=0)
    world.recorder.begin()
    assert world.held.events == ["begin", "chunk"]
    assert world.recorder.lock.runs_of("p")
    assert world.recorder.lock.lineage is not None


def test_recorder_ends_only_what_it_began() -> None:
    """A run in which nothing happened leaves no journal."""
    world = World()
    world.recorder.end(0, 0)
    assert world.held.events == []
    world.recorder.begin()
    world.recorder.end(1, 5)
    assert world.held.events == ["begin", "end"]


def test_recorder_makes_an_intent_unknown_until_its_result() -> None:
    """Between intent and result the chunk is unknown, with the step that was tried."""
    world = World()
    world.recorder.intent([REF], "confirm")
    assert world.recorder.chunk(REF).is_unknown()
    assert world.recorder.chunk(REF).step == "confirm"
    world.recorder.result([REF], ChunkState.DRAFT, message_id=7)
    chunk = world.recorder.chunk(REF)
    assert (chunk.state, chunk.message_id, chunk.step) == (ChunkState.DRAFT, 7, None)


def test_recorder_records_one_phone_of_a_chunk() -> None:
    """With `row`, intent and result concern that phone only."""
    world = World()
    world.recorder.note_phones(REF, PhoneStates.uniform(PhoneState.PENDING, 2), (0, 0))
    world.recorder.intent([REF], None, row=1)
    assert (world.recorder.chunk(REF).is_unknown(0), world.recorder.chunk(REF).is_unknown(1)) == (False, True)
    world.recorder.result([REF], ChunkState.ACCEPTED, 1)
    assert (world.recorder.was_accepted(REF, 0), world.recorder.was_accepted(REF, 1)) == (False, True)
    assert world.recorder.chunk(REF).state is ChunkState.PARTIAL


def test_recorder_claims_what_another_plan_recorded() -> None:
    """Whatever it changes is then recorded as changed by this plan; nothing more is written for its own."""
    world = World()
    world.recorder.note(REF, ChunkState.PENDING)
    mine = world.recorder.lock.mailings["m/0"]
    assert mine.applied.plan == "p"
    other = replace(mine, applied=replace(mine.applied, plan="other"))
    world.recorder.lock = world.recorder.lock.with_entry("m/0", other)
    before = len(world.held.events)
    world.recorder.intent([REF], None)
    world.recorder.result([REF], ChunkState.ACCEPTED)
    assert world.held.events[before:] == ["mailing", "intent", "result"]
    assert world.recorder.lock.mailings["m/0"].applied.plan == "p"


def test_recorder_keeps_the_lock_if_the_disk_is_full() -> None:
    """A line that is not saved does not change the lock in memory, and the error contains it."""
    world = World()
    world.recorder.begin()
    before = world.recorder.lock
    world.held.is_full = True
    with pytest.raises(ResultNotSaved) as caught:
        world.recorder.result([REF], ChunkState.ACCEPTED)
    assert world.recorder.lock == before
    assert [event["event"] for event in caught.value.events] == ["result"]


def _written(world: World, revision: int) -> Entry:
    entry = entry_of(0, 3)
    world.recorder.write_entry("m/0", revision, action_of("m/0", entry), entry.chunks)
    return world.recorder.lock.mailings["m/0"]


def test_recorder_keeps_earlier_revisions() -> None:
    """A new revision puts the old one behind it; the same revision replaces it."""
    world = World()
    assert _written(world, 1).earlier == ()
    second = _written(world, 2)
    assert (second.revision, [entry.revision for entry in second.earlier]) == (2, [1])
    third = _written(world, 3)
    assert [entry.revision for entry in third.earlier] == [2, 1]
    assert all(entry.earlier == () for entry in third.earlier)


def test_recorder_writes_who_applied_what() -> None:
    """The entry has the plan, the tool and the time of the apply, and how its requests are written."""
    entry = _written(World(), 1)
    assert (entry.applied.plan, entry.applied.tool) == ("p", "x")
    assert entry.applied.at == "2026-12-01T07:00:00+00:00"
    assert entry.body == "json"


def test_recorder_learns_what_only_sms_by_knows() -> None:
    """Counts and cost of a list mailing, the cost as a decimal number in text."""
    world = World()
    world.recorder.learn("m/0", 25, 50, Decimal("1.30"))
    entry = world.recorder.lock.mailings["m/0"]
    assert (entry.recipients, entry.parts, entry.cost) == (25, 50, "1.30")


def test_recorder_notes_the_progress_of_a_list() -> None:
    """The upload and its changes are on the chunk; an intent to fill a list makes nothing unknown."""
    world = World()
    upload = UploadRecord("digest", list_id=34, uploaded=500)
    world.recorder.intent([REF], "contacts")
    world.recorder.note_upload(REF, upload, error="busy")
    chunk = world.recorder.chunk(REF)
    assert (chunk.upload, chunk.error, chunk.state) == (upload, "busy", ChunkState.PENDING)
