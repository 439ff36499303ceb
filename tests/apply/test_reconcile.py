"""Reconciler: what is found at sms.by is recorded, and absence proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from smsby_deploy.apply.reconcile import Reconciler, note_found, record_listed
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.events import fold
from smsby_deploy.lock.records import ELSEWHERE, ChunkState, UploadRecord
from smsby_deploy.plan.remote_state import merge_entry
from smsby_deploy.smsby.parsers import (
    KeepMailing,
    ListInfo,
    MailingList,
    RemoteMailing,
    read_list_info,
    read_mailings,
)
from tests.apply.fake_dispatch import World, action_of, entry_of
from tests.smsby.conftest import keep_all

REF = ("m/0", 0)


class _SmsBy:
    """The list and the drafts that sms.by reports at each time of the virtual clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.listed: Callable[[float], list[RemoteMailing]] = lambda time: []
        self.draft_status: Callable[[float], str | None] = lambda time: None
        self.asked: list[int] = []  # the drafts that confirm=0 was called for

    def get_sms_messages(self, *, keep: KeepMailing) -> MailingList:
        listed = self.listed(self._world.clock.time)
        return MailingList(tuple(one for one in listed if keep(one.id, one.name)), len(listed))

    def confirm_info(self, message_id: int) -> ListInfo:
        self.asked.append(message_id)
        status = self.draft_status(self._world.clock.time)
        return read_list_info({} if status is None else {"status": status})


def _world(seconds: float = 10) -> tuple[World, _SmsBy, Reconciler]:
    world = World()
    sms_by = _SmsBy(world)
    client: Any = sms_by
    object.__setattr__(world.context, "client", client)
    world.context.project.api.reconcile_seconds = seconds
    return world, sms_by, Reconciler(world.context)


def _remote(
    world: World, index: int = 0, *, status: str = "NEW", number: int = 7, phones: int | None = None
) -> RemoteMailing:
    mark = world.recorder.chunk(("m/0", index)).fingerprint
    row = {"id": number, "name": f"m/0 [{index + 1}/3] shop#{mark}", "status": status, "count_phones": phones}
    (mailing,) = read_mailings([row], keep_all)
    return mailing


def _lose(world: World, *, step: str | None = None, message_id: int | None = None) -> None:
    changes = {} if message_id is None else {"message_id": message_id}
    world.recorder.result([REF], ChunkState.UNKNOWN, step=step, **changes)


def test_reconciler_finds_a_lost_request_that_is_listed_late() -> None:
    """The search continues until a lost request is listed, records its id, and then stops at once."""
    world, sms_by, reconciler = _world()
    _lose(world)
    sms_by.listed = lambda time: [_remote(world)] if time >= 3 else []
    reconciler.look_for([REF])
    chunk = world.recorder.chunk(REF)
    assert (chunk.state, chunk.message_id) == (ChunkState.ACCEPTED, 7)
    assert 3 <= world.clock.time < 5


def test_reconciler_leaves_unknown_what_is_not_listed() -> None:
    """After `reconcile_seconds` without a result the outcome stays unknown, as absence proves nothing."""
    world, _, reconciler = _world(seconds=10)
    _lose(world)
    reconciler.look_for([REF])
    assert world.recorder.chunk(REF).is_unknown()
    assert world.clock.time == pytest.approx(10)


def test_reconciler_stops_looking_after_a_second_signal() -> None:
    """A first signal does not end the search; a second one does."""
    world, _, reconciler = _world(seconds=60)
    _lose(world)
    world.clock.at(1, lambda: setattr(world.shutdown, "count", 1))
    world.clock.at(4, lambda: setattr(world.shutdown, "count", 2))
    reconciler.look_for([REF])
    assert world.recorder.chunk(REF).is_unknown()
    assert 4 <= world.clock.time < 5


def test_reconciler_goes_on_if_sms_by_cannot_be_asked() -> None:
    """A query that fails is announced and repeated."""
    world, sms_by, reconciler = _world()
    _lose(world)

    def listed(time: float) -> list[RemoteMailing]:
        if time < 1:
            raise SmsbyUnavailable("offline")
        return [_remote(world)]

    sms_by.listed = listed
    reconciler.look_for([REF])
    assert world.recorder.chunk(REF).state is ChunkState.ACCEPTED
    assert world.events[0].line == "looking for the lost request: offline"


@pytest.mark.parametrize(
    ("status", "state", "seconds"),
    [("sending", ChunkState.ACCEPTED, 0), ("DRAFT", ChunkState.DRAFT, 10), (None, ChunkState.UNKNOWN, 10)],
)
def test_reconciler_settles_a_lost_confirmation(
    status: str | None, state: ChunkState, seconds: float
) -> None:
    """After a lost confirmation another status means confirmed; DRAFT counts only at the end; no status stays unknown."""
    world, sms_by, reconciler = _world(seconds=10)
    _lose(world, step="confirm", message_id=7)
    sms_by.draft_status = lambda time: status
    reconciler.look_for([REF])
    assert world.recorder.chunk(REF).state is state
    assert world.clock.time == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("status", "state", "seconds"),
    [("sending", ChunkState.ACCEPTED, 0), ("DRAFT", ChunkState.DRAFT, 10), (None, ChunkState.UNKNOWN, 0)],
)
def test_reconciler_settles_confirmations_of_an_earlier_run(
    status: str | None, state: ChunkState, seconds: float
) -> None:
    """A search is made for a draft of an earlier run, but not for a lost send without a draft."""
    world, sms_by, reconciler = _world(seconds=10)
    _lose(world, step="confirm", message_id=7)
    world.recorder.result([("m/0", 1)], ChunkState.UNKNOWN, message_id=8)
    world.recorder.result([("m/0", 2)], ChunkState.UNKNOWN, step="confirm")
    sms_by.draft_status = lambda time: status
    reconciler.look_at_confirmations("m/0")
    assert world.states() == [state, "unknown", "unknown"]
    assert world.clock.time == pytest.approx(seconds)
    assert set(sms_by.asked) == {7}


def test_reconciler_takes_the_word_of_the_list_for_a_draft() -> None:
    """If confirm=0 reports no status, a draft that the list calls DRAFT was not confirmed."""
    world, sms_by, reconciler = _world(seconds=10)
    _lose(world, step="confirm", message_id=7)
    sms_by.listed = lambda time: [_remote(world, status="DRAFT")]
    note_found(world.recorder, "m/0", reconciler.read())
    assert world.recorder.chunk(REF).is_unknown()  # it can be listed as a draft for a while
    reconciler.look_for([REF])
    assert world.recorder.chunk(REF).state is ChunkState.DRAFT


def test_reconciler_guesses_nothing_of_a_draft() -> None:
    """A draft without a usable status leaves the confirmation unknown, and the output says why."""
    world, sms_by, reconciler = _world(seconds=10)
    _lose(world, step="confirm", message_id=7)

    def draft_status(time: float) -> str | None:
        raise SmsbyUnavailable("offline")

    sms_by.draft_status = draft_status
    reconciler.look_at_confirmations("m/0")
    assert world.recorder.chunk(REF).is_unknown()
    assert [event.line for event in world.events] == ["looking at the draft: offline"]


def test_reconciler_keeps_a_draft_unknown_after_a_second_signal() -> None:
    """After a second signal a draft stays unknown: only a full search proves that it was not confirmed."""
    world, sms_by, reconciler = _world(seconds=60)
    _lose(world, step="confirm", message_id=7)
    sms_by.draft_status = lambda time: "DRAFT"
    world.shutdown.count = 2
    reconciler.look_for([REF])
    assert world.recorder.chunk(REF).is_unknown()


def test_reconciler_doubts_other_chunks_if_the_lock_was_wrong() -> None:
    """If a chunk that the lock calls pending is listed, the other chunks and their opt-outs are in doubt."""
    world, sms_by, reconciler = _world()
    world.recorder.result([REF], ChunkState.PENDING, opted_out="3")
    sms_by.listed = lambda time: [_remote(world, 1)]
    note_found(world.recorder, "m/0", reconciler.read())
    assert world.states() == ["unknown", "accepted", "unknown"]
    assert world.recorder.chunk(REF).opted_out is None


@pytest.mark.parametrize("is_removed", [False, True])
def test_crash_at_an_older_lock_leaves_chunks_unknown(*, is_removed: bool) -> None:
    """After a crash at any line of the journal, the next look at the list finds the same as without it."""
    world, sms_by, reconciler = _world()
    sms_by.listed = lambda time: [_remote(world)]
    remote, before = reconciler.read(), world.recorder.lock
    (record_listed if is_removed else note_found)(world.recorder, "m/0", remote)
    assert world.states() == ["accepted", "unknown", "unknown"]
    for written in range(len(world.held.lines) + 1):
        entry = fold(before, world.held.lines[:written]).mailings["m/0"]
        assert [*merge_entry(entry, remote)] == ["accepted", "unknown", "unknown"], written


def test_reconciler_adopts_a_mailing_that_is_listed_in_part() -> None:
    """If a mailing is listed in part, the listed chunks are recorded as sms.by has them, and the others as unknown."""
    world, sms_by, reconciler = _world()
    sms_by.listed = lambda time: [_remote(world), _remote(world, 1, status="DRAFT", number=8)]
    reconciler.adopt(action_of("m/0", entry_of(0, 3)), 1, reconciler.read())
    assert world.states() == ["accepted", "draft", "unknown"]
    chunks = [world.recorder.chunk(("m/0", index)) for index in range(3)]
    assert [chunk.message_id for chunk in chunks] == [7, 8, None]
    assert [chunk.accepted_at is not None for chunk in chunks] == [True, False, False]


@pytest.mark.parametrize(("wave", "opted_out"), [(None, None), (2, "3")])
def test_reconciler_adopts_who_had_opted_out(wave: int | None, opted_out: str | None) -> None:
    """A later hand-over leaves out the opt-outs of an adopted chunk; those of another run's request are unknown."""
    world, sms_by, reconciler = _world()
    action = action_of("m/0", entry_of(0, 1))
    chunks = (action.chunks[0]._replace(opted_out="3", wave=wave),)
    reconciler.adopt(replace(action, chunks=chunks), 1, reconciler.read())
    assert world.recorder.chunk(REF).opted_out == opted_out
    sms_by.listed = lambda time: [_remote(world, phones=None)]
    reconciler.recent.forget()
    reconciler.adopt(replace(action, chunks=chunks), 1, reconciler.read())
    assert (world.states(), world.recorder.chunk(REF).opted_out) == (["accepted"], None)


@pytest.mark.parametrize(
    ("state", "listed", "recorded"),
    [
        (ChunkState.UNKNOWN, 9, (9, "3", None)),  # our own request
        (ChunkState.UNKNOWN, None, (9, "3", None)),
        (ChunkState.UNKNOWN, 8, (9, None, ELSEWHERE)),  # sms.by did not accept it, or another run sent it
        (ChunkState.UNKNOWN, 10, (10, None, None)),
        (ChunkState.PENDING, 9, (9, None, None)),  # another run sent it, perhaps without other opt-outs
        (ChunkState.PENDING, 8, (8, None, None)),
        (ChunkState.PENDING, None, (9, None, ELSEWHERE)),
    ],
)
def test_note_found_knows_opt_outs_of_its_own_requests_only(
    state: ChunkState, listed: int | None, recorded: tuple[int, str | None, str | None]
) -> None:
    """Opt-outs are recorded as known only for our own requests, so that `recipients` claims nothing about another run's."""
    world, sms_by, reconciler = _world()
    world.recorder.result([REF], state, recipients=9, opted_out="3")
    sms_by.listed = lambda time: [_remote(world, phones=listed)]
    note_found(world.recorder, "m/0", reconciler.read())
    chunk = world.recorder.chunk(REF)
    assert chunk.state is ChunkState.ACCEPTED
    assert (chunk.recipients, chunk.opted_out, chunk.step) == recorded


@pytest.mark.parametrize("how", ["adopted", "doubted", "contradicted"])
def test_note_found_knows_that_another_run_sent_it(how: str) -> None:
    """A chunk that is listed only after the run that doubted it still counts as another run's."""
    world, sms_by, reconciler = _world()
    world.recorder.result([REF], ChunkState.PENDING, recipients=9, opted_out="3", wave=2)
    action = action_of("m/0", world.recorder.lock.mailings["m/0"])
    chunks = (action.chunks[0]._replace(recipients=9, opted_out="3", wave=2), *action.chunks[1:])
    if how == "doubted":
        world.recorder.doubt([REF], "listed in part")
    else:
        sms_by.listed = lambda time: [_remote(world, 1)]
        if how == "adopted":
            reconciler.adopt(replace(action, chunks=chunks), 1, reconciler.read())
        note_found(world.recorder, "m/0", reconciler.read())
    chunk = world.recorder.chunk(REF)
    assert (chunk.state, chunk.opted_out) == (
        ChunkState.UNKNOWN,
        "3",
    )  # a hand-over of the rest leaves out this phone
    sms_by.listed = lambda time: [_remote(world, phones=9)]
    note_found(world.recorder, "m/0", reconciler.read())
    chunk = world.recorder.chunk(REF)
    assert (chunk.state, chunk.opted_out, chunk.step) == (ChunkState.ACCEPTED, None, None)


@pytest.mark.parametrize(("state", "digest"), [(ChunkState.UNKNOWN, "d" * 64), (ChunkState.PENDING, "")])
def test_note_found_knows_the_list_of_its_own_draft_only(state: ChunkState, digest: str) -> None:
    """The list of a draft is known only if it is our own draft: an outdated lock may have another list's progress."""
    world, sms_by, reconciler = _world()
    world.recorder.note_upload(REF, UploadRecord("d" * 64, 5, 2))
    world.recorder.result([REF], state)
    sms_by.listed = lambda time: [_remote(world)]
    note_found(world.recorder, "m/0", reconciler.read())
    upload = world.recorder.chunk(REF).upload
    assert upload is not None
    assert upload.digest == digest


def test_reconciler_stops_the_run_without_a_list() -> None:
    """If the remote list cannot be read, nothing is sent: exit code 7."""
    world, sms_by, reconciler = _world()

    def listed(time: float) -> list[RemoteMailing]:
        raise SmsbyUnavailable("offline")

    sms_by.listed = listed
    with pytest.raises(StopSending, match=r"sms\.by could not be asked before sending: offline") as caught:
        reconciler.read_before_sending()
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert not world.held.lines


def test_reconciler_stops_for_a_signal_during_the_question() -> None:
    """A signal during the query is reported as the reason, not as an unreachable sms.by."""
    world, sms_by, reconciler = _world()

    def listed(time: float) -> list[RemoteMailing]:
        world.shutdown.count = 1
        raise SmsbyUnavailable("offline")

    sms_by.listed = listed
    with pytest.raises(StopSending, match="stopped by a signal") as caught:
        reconciler.read_before_sending()
    assert caught.value.exit_code is ExitCode.FAILED


def test_reconciler_reuses_a_list_until_a_request_is_lost() -> None:
    """A list is reused for at most half of reconcile_seconds, and never after a later lost request."""
    world, sms_by, reconciler = _world(10)
    reads: list[float] = []

    def read(time: float) -> list[RemoteMailing]:
        reads.append(time)
        return []

    sms_by.listed = read
    for time in (0.0, 4.9, 5.0, 9.9):
        world.clock.time = time
        reconciler.read_recent()
    assert reads == [0.0, 5.0]
    reconciler.recent.forget()
    reconciler.read_recent()
    assert reads == [0.0, 5.0, 9.9]
