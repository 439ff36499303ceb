"""The recorder writes the journal first, then the lock in memory, and neither if the disk refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from smsby_deploy import TOOL
from smsby_deploy.apply.recorder import Recorder, record_of
from smsby_deploy.digest_key import DigestKey
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.counts import Billed, PrefixCount, VariantCount
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import ChunkState, Entry, NamedId, UploadRecord
from smsby_deploy.plan.audience_source import AudienceSource
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.model import Plan
from tests.apply.fake_dispatch import World, action_of, entry_of, plan_of

REF = ("m/0", 0)
_APPROVAL = Approval(
    "2026-12-01T06:00:00+00:00", "p0", "anna", "2026-12-01T07:00:00+00:00", "2026-12-01T09:00:00+00:00"
)
AT = datetime(2026, 12, 1, 7, 0, 0, 250, tzinfo=UTC)


def test_recorder_begins_the_journal_once() -> None:
    """The first write, or `begin`, starts the journal and records the run of the plan."""
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
    """Between its intent and its result a chunk is unknown, with the step that was tried."""
    world = World()
    world.recorder.intent([REF], "confirm")
    assert world.held.synced == len(world.held.lines)
    assert world.recorder.chunk(REF).is_unknown()
    assert world.recorder.chunk(REF).step == "confirm"
    world.recorder.result([REF], ChunkState.DRAFT, message_id=7)
    chunk = world.recorder.chunk(REF)
    assert (chunk.state, chunk.message_id, chunk.step) == (ChunkState.DRAFT, 7, None)
    assert world.held.synced == len(world.held.lines)


def test_recorder_records_one_phone_of_a_chunk() -> None:
    """With `row`, intent and result concern only that phone."""
    world = World()
    world.recorder.intent([REF], None)
    assert (world.recorder.chunk(REF).is_unknown(1), world.recorder.was_accepted(REF, 1)) == (True, False)
    world.recorder.note_phones(REF, PhoneStates.uniform(PhoneState.PENDING, 4), (0, 0, 0, 0))
    for row in (0, 1, 2):
        world.recorder.intent([REF], None, row)
        assert [world.recorder.chunk(REF).is_unknown(one) for one in range(4)] == [
            one <= row for one in range(4)
        ]
    world.recorder.result([REF], ChunkState.ACCEPTED, 1)
    world.recorder.note(REF, ChunkState.REJECTED, 2)
    phones = world.recorder.chunk(REF).phones
    assert phones is not None
    expected = [PhoneState.UNKNOWN, PhoneState.ACCEPTED, PhoneState.REJECTED, PhoneState.PENDING]
    assert [phones[row] for row in range(4)] == expected
    assert [world.recorder.was_accepted(REF, row) for row in range(4)] == [False, True, False, False]
    assert world.recorder.chunk(REF).state is ChunkState.UNKNOWN


@pytest.mark.parametrize(
    "change",
    [
        lambda recorder: recorder.intent([REF], None),
        lambda recorder: recorder.note(REF, ChunkState.PENDING),
        lambda recorder: recorder.doubt([REF], "lost"),
        lambda recorder: recorder.note_phones(REF, PhoneStates.uniform(PhoneState.PENDING, 2), (0, 0)),
        lambda recorder: recorder.note_upload(REF, UploadRecord("digest")),
        lambda recorder: recorder.learn("m/0", 2, 2, None),
    ],
)
def test_recorder_claims_what_another_plan_recorded(change: Callable[[Recorder], None]) -> None:
    """An entry of another plan that is changed becomes this plan's; an own entry needs no extra line."""
    world = World()
    other = entry_of(0, 3)
    other = replace(other, applied=replace(other.applied, plan="other"))
    world.recorder.begin()
    world.recorder.lock = world.recorder.lock.with_entry("m/0", other)
    before = len(world.held.events)
    change(world.recorder)
    claimed, *written = world.held.events[before:]
    assert (claimed, len(written)) == ("mailing", 1)
    assert world.recorder.lock.mailings["m/0"].applied.plan == "p"
    change(world.recorder)
    assert world.held.events[before + 2 :] == written


@pytest.mark.parametrize(
    ("is_handing_over", "approval", "plan"),
    [(True, None, "other"), (True, _APPROVAL, "p"), (False, None, "p")],
)
def test_recorder_leaves_a_later_wave_to_its_plan(
    is_handing_over: bool, approval: Approval | None, plan: str
) -> None:
    """A later wave keeps the plan that approved it, and a hand-over is recorded under the approving plan."""
    world = World()
    other = entry_of(0, 3)
    other = replace(other, applied=replace(other.applied, plan="other"), approval=approval)
    world.held.lock = world.held.lock.with_entry("m/0", other)
    recorder = _recorder(world, is_handing_over=is_handing_over)
    recorder.intent([REF], None)
    assert recorder.lock.mailings["m/0"].applied.plan == plan


def test_recorder_keeps_the_lock_if_the_disk_is_full() -> None:
    """A line that cannot be written does not change the lock in memory, and is in the error."""
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
    world.recorder.write_entry(action_of("m/0", entry), revision, entry.chunks)
    return world.recorder.lock.mailings["m/0"]


def test_recorder_keeps_earlier_revisions() -> None:
    """A new revision is added before the previous one; the same revision replaces it."""
    world = World()
    assert _written(world, 1).earlier == ()
    second = _written(world, 2)
    assert (second.revision, [entry.revision for entry in second.earlier]) == (2, [1])
    third = _written(world, 3)
    assert [entry.revision for entry in third.earlier] == [2, 1]
    assert all(entry.earlier == () for entry in third.earlier)


def test_recorder_writes_who_applied_what() -> None:
    """An entry has the plan, the tool, the time of the apply, and how its requests are written."""
    entry = _written(World(), 1)
    assert (entry.applied.plan, entry.applied.tool) == ("p", TOOL)
    assert entry.applied.at == "2026-12-01T07:00:00+00:00"
    assert entry.body == "json"


def test_recorder_learns_what_only_sms_by_knows() -> None:
    """The count and cost of a list mailing are recorded as sms.by reports them, the cost as a decimal string."""
    world = World()
    world.recorder.learn("m/0", 25, 50, Decimal("1.30"))
    entry = world.recorder.lock.mailings["m/0"]
    assert (entry.recipients, entry.parts, entry.cost) == (25, 50, "1.30")


def test_recorder_learns_what_was_billed() -> None:
    """A new billed amount is recorded, and the mailing stays that of the plan that sent it."""
    world = World()
    other = entry_of(0, 3)
    other = replace(other, applied=replace(other.applied, plan="other"))
    world.recorder.lock = world.recorder.lock.with_entry("m/0", other)
    for billed in (Billed(3, "0.09"), Billed(3, "0.09"), Billed(2, "0.06")):
        world.recorder.learn_billed("m/0", billed)
        assert world.recorder.lock.mailings["m/0"].billed == billed
    assert world.held.events == ["begin", "facts", "facts"]
    assert world.recorder.lock.mailings["m/0"].applied.plan == "other"


def test_recorder_notes_the_progress_of_a_list() -> None:
    """The upload of a list and its progress are recorded on the chunk; an intent to fill a list makes nothing unknown."""
    world = World()
    upload = UploadRecord("digest", list_id=34, uploaded=500)
    world.recorder.intent([REF], "contacts")
    world.recorder.note_upload(REF, upload, error="busy")
    chunk = world.recorder.chunk(REF)
    assert (chunk.upload, chunk.error, chunk.state) == (upload, "busy", ChunkState.PENDING)


def _recorder(world: World, plan: Plan | None = None, **changes: Any) -> Recorder:
    held: Any = world.held
    return Recorder(held, plan or plan_of(), world.project, clock=world.clock, **changes)


def test_recorder_records_all_of_a_plan() -> None:
    """The entry has what the plan says of a mailing and its chunks, for later plans, waves and reports."""
    planned = ChunkPlan(
        *("0123456789", 2, "d", 2),
        schedule_time="2026-12-01T10:00:00+03:00",
        variant="a",
        opted_out="3",
        left_out="3,5",
    )
    figures = {"37529": PrefixCount(2, 2, "0.06")}
    action = replace(
        action_of("m/0", entry_of(0, 1)),
        chunks=(planned,),
        cost=Decimal("0.06"),
        text_digest="text",
        recipients_digest="recipients",
        own_digest="own",
        labels={"owner": "anna"},
        prefixes=figures,
        signed_by=("boris",),
        approval=_APPROVAL,
        contact_list=NamedId("News", 7),
    )
    recorder = _recorder(World(), plan_of(currency="BYN"))
    recorder.write_entry(action, 1, [record_of(planned), record_of(planned._replace(wave=2))])
    entry = recorder.lock.mailings["m/0"]
    assert (entry.text_digest, entry.recipients_digest, entry.own_digest) == ("text", "recipients", "own")
    assert (entry.cost, entry.currency, entry.prefixes) == ("0.06", "BYN", figures)
    assert (entry.labels, entry.variants) == ({"owner": "anna"}, {"a": VariantCount(2, 2, None)})
    assert (entry.signed_by, entry.approval) == (("boris",), _APPROVAL)
    assert entry.contact_list == NamedId("News", 7)
    recorder.write_entry(action, 1, [record_of(planned, ChunkState.ACCEPTED)])
    assert recorder.lock.mailings["m/0"].contact_list is None  # found at sms.by: its list is not known
    whole, wave = entry.chunks
    assert (whole.schedule_time, whole.variant, whole.opted_out) == (planned.schedule_time, "a", "3")
    assert (whole.left_out, wave.left_out, wave.wave) == (
        None,
        "3,5",
        2,
    )  # a later run caps anew only for waves


def test_recorder_holds_what_is_approved() -> None:
    """An approval is recorded with its window, its plan and the source of fresh recipients."""
    world = World()
    action = replace(action_of("m/0", entry_of(0, 1)), window=(AT, AT + timedelta(hours=2)))
    capped = action.chunks[0]._replace(left_out="0")
    recorder = _recorder(world, by="anna")
    source = AudienceSource("source", ("opt-outs",))
    recorder.hold(replace(action, chunks=(capped,)), 1, UploadRecord("d", 5), source)
    entry = recorder.lock.mailings["m/0"]
    opens, closes = "2026-12-01T07:00:00+00:00", "2026-12-01T09:00:00+00:00"
    assert entry.approval == Approval(opens, "p", "anna", opens, closes, True, "source", ("opt-outs",))
    assert [(chunk.upload, chunk.left_out) for chunk in entry.chunks] == [(UploadRecord("d", 5), "0")]
    recorder.hold(action, 1, None, None)
    assert recorder.lock.mailings["m/0"].approval == Approval(opens, "p", "anna", opens, closes)


def test_recorder_says_when_a_run_of_several_journals_began() -> None:
    """A hand-over that writes several journals is recorded as one run."""
    recorder = _recorder(World(), plan_of(created_at="2026-12-01T06:00:00+00:00"), is_handing_over=True)
    recorder.begin()
    assert [run.at for run in recorder.lock.applies] == ["2026-12-01T06:00:00+00:00"]


@pytest.mark.parametrize(
    ("account", "has_mailings", "is_replaced"),
    [("old", True, True), ("new", True, False), (None, True, False), ("old", False, False)],
)
def test_recorder_notes_a_replaced_token(account: str | None, has_mailings: bool, is_replaced: bool) -> None:
    """A new account of a lock with mailings is recorded, even if nothing else is."""
    world = World(mailings=int(has_mailings))
    world.held.lock = replace(world.held.lock, account=account)
    recorder = _recorder(world, plan_of(binding=Binding("production", "https://app.sms.by", "new")))
    assert recorder.note_account() == is_replaced
    assert world.held.events == (["begin", "bind"] if is_replaced else [])
    assert recorder.lock.account == ("new" if is_replaced else account)
    assert not _recorder(World()).note_account()


@pytest.mark.parametrize(("by", "shown"), [("anna", "anna"), (None, "unknown")])
def test_recorder_ends_an_approval_that_a_revision_replaces(by: str | None, shown: str) -> None:
    """If a raised revision replaces a waiting one, its approval ends; one that was sent needs no end."""
    world = World()
    action = replace(action_of("m/0", entry_of(0, 1)), window=(AT, AT + timedelta(hours=2)))
    recorder = _recorder(world, by=by)
    recorder.hold(action, 1, None, None)
    recorder.write_entry(action, 2, [record_of(action.chunks[0], ChunkState.ACCEPTED)])
    recorder.write_entry(action, 3, [record_of(action.chunks[0])])
    endings = [one.ending for one in recorder.lock.mailings["m/0"].revisions]
    ending = Ending(EndingKind.LAPSED, "2026-12-01T07:00:00+00:00", shown, "revision 2 replaced it")
    assert endings == [None, None, ending]


def test_recorder_seals_digests() -> None:
    """The seal that a key rotation needs is recorded with each mailing and each list."""
    key = DigestKey("0123456789abcdef" * 2)
    digest, upload = key.apply("ab" * 32), key.apply("cd" * 32)
    world = World()
    world.project.digest_key = key
    recorder = _recorder(world)
    action = replace(action_of("m/0", entry_of(0, 1)), audience_digest=digest)
    recorder.write_entry(action, 1, [record_of(action.chunks[0])])
    assert (recorder.lock.digest_key, {*recorder.lock.sealed}) == (key.id, {digest})
    recorder.note_upload(REF, UploadRecord(upload, list_id=34))
    assert {*recorder.lock.sealed} == {digest, upload}
