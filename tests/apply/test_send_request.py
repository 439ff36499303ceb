"""A request: its mailings, the defaults of a subclass, what each answer records, and what users read about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.apply.remote_list import RecentList
from smsby_deploy.apply.send_request import AnswerHandler, SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from tests.apply.fake_dispatch import ACCEPTED, REJECTED, TOKEN_REFUSED, UNKNOWN, FakeRequest, World, busy

REFS = st.lists(st.tuples(st.sampled_from(["m/0", "m/1", "m/2"]), st.integers(0, 3)), max_size=8)


def _with_chunks(chunks: list[ChunkRef]) -> FakeRequest:
    request = FakeRequest(World(), ("m/0", 0), [ACCEPTED])
    request.chunks = chunks
    return request


@given(REFS)
def test_send_request_names_each_mailing_once(chunks: list[ChunkRef]) -> None:
    """A request names each of its mailings once, in the order of its chunks, and drops those the dispatcher removes."""
    request = _with_chunks(chunks)
    assert sorted(request.addresses) == sorted({address for address, _ in chunks})
    assert [chunks[0][0]] == list(request.addresses[:1]) if chunks else not request.addresses
    request.chunks = [ref for ref in chunks if ref[0] != "m/1"]
    assert "m/1" not in request.addresses


def test_send_request_keeps_its_own_list_of_chunks() -> None:
    """Removing chunks from a request does not change the caller's list."""
    given_chunks = [("m/0", 0), ("m/0", 1)]
    request = FakeRequest(World(), given_chunks[0], [ACCEPTED])
    request.chunks.clear()
    assert given_chunks == [("m/0", 0), ("m/0", 1)]


def test_send_request_may_be_repeated_by_default() -> None:
    """By default a request can be repeated."""
    request = _with_chunks([("m/0", 0)])
    assert (request.tries, request.step, request.row) == (0, None, None)
    assert request.objection_to_retry() == ""


def test_send_request_looks_for_its_present_chunks() -> None:
    """Chunks that were removed from the request are not looked for."""
    looked: list[list[ChunkRef]] = []

    class Reconciler:
        def look_for(self, chunks: list[ChunkRef]) -> None:
            looked.append(list(chunks))

    reconciler: Any = Reconciler()
    request = _with_chunks([("m/0", 0), ("m/1", 0)])
    request.chunks = [("m/1", 0)]
    request.look_for_lost(reconciler)
    assert looked == [[("m/1", 0)]]


def _handle(world: World, request: SendRequest, outcome: Outcome) -> None:
    AnswerHandler(world.context, Reconciler(world.context)).handle(request, outcome)


def _request(world: World, step: str | None = None) -> FakeRequest:
    request = world.request(0)
    request.step = step
    world.recorder.intent(request.chunks, step)
    return request


@pytest.mark.parametrize(
    ("step", "outcome", "state", "line"),
    [
        (None, ACCEPTED, "accepted", "accepted          2 recipients  m/0 [1/3]"),
        (
            "draft",
            Outcome(OutcomeKind.ACCEPTED, message_id=9),
            "draft",
            "drafted           6 recipients  m/0",
        ),
        ("confirm", ACCEPTED, "accepted", "confirmed         6 recipients  m/0"),
        (None, REJECTED, "rejected", "rejected          2 recipients  m/0 [1/3]"),
        ("draft", REJECTED, "rejected", "rejected          6 recipients  m/0"),
        ("confirm", REJECTED, "draft", "rejected          6 recipients  m/0"),
        (None, UNKNOWN, "unknown", "unknown           2 recipients  m/0 [1/3]"),
    ],
)
def test_answer_handler_records_and_announces(
    step: str | None, outcome: Outcome, state: str, line: str
) -> None:
    """Each answer is recorded and announced; a rejected confirmation leaves the draft, and a new draft is not sent yet."""
    world = World()
    _handle(world, _request(world, step), outcome)
    assert world.states()[0] == state
    assert world.events[-1].line == line
    assert world.context.runs["m/0"].was_sent is (state in ("accepted", "unknown"))


@pytest.mark.parametrize("outcome", [busy(), TOKEN_REFUSED], ids=["busy", "token"])
@pytest.mark.parametrize(("step", "state"), [(None, "pending"), ("draft", "pending"), ("confirm", "draft")])
def test_answer_handler_stops_the_run_if_nothing_was_sent(
    outcome: Outcome, step: str | None, state: str
) -> None:
    """If nothing was sent the chunk is recorded as before, and the run stops: exit code 7."""
    world = World()
    request = _request(world, step)
    with pytest.raises(StopSending) as caught:
        _handle(world, request, outcome)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert world.states()[0] == state
    assert not world.context.runs["m/0"].is_stopped


def test_answer_handler_records_the_ids_of_an_accepted_request() -> None:
    """An accepted chunk has the uuid and message_id that identify it at sms.by, a time, and no error."""
    world = World()
    _handle(world, _request(world), Outcome(OutcomeKind.ACCEPTED, uuid="u-1", message_id=7))
    chunk = world.recorder.chunk(("m/0", 0))
    assert (chunk.uuid, chunk.message_id, chunk.error) == ("u-1", 7, None)
    assert chunk.accepted_at == "2026-12-01T07:00:00+00:00"


@pytest.mark.parametrize(
    ("row", "blames_phone", "is_stopped"), [(0, True, False), (0, False, True), (None, True, True)]
)
def test_answer_handler_rejects_one_phone_only(row: int | None, blames_phone: bool, is_stopped: bool) -> None:
    """A rejection of the one phone of a request does not stop the mailing, which still counts as rejected."""
    world, ref = World(), ("m/0", 0)
    if row is not None:
        world.recorder.note_phones(ref, PhoneStates.uniform(PhoneState.PENDING, 2), (0, 0), message_id=5)
    request = FakeRequest(world, ref, [REJECTED])
    request.row = row
    _handle(world, request, replace(REJECTED, blames_phone=blames_phone))
    run = world.context.runs["m/0"]
    assert (run.is_stopped, run.was_rejected) == (is_stopped, True)


def test_answer_handler_continues_with_what_was_found() -> None:
    """A lost request that is found at sms.by counts as accepted, and its mailing goes on."""
    world = World()

    class Found(FakeRequest):
        def look_for_lost(self, reconciler: Reconciler) -> None:
            world.recorder.note(self.chunks[0], ChunkState.ACCEPTED)

    request = Found(world, ("m/0", 0), [UNKNOWN])
    _handle(world, request, UNKNOWN)
    assert world.states()[0] == "accepted"
    assert not world.context.runs["m/0"].is_stopped
    assert [event.line for event in world.events] == [
        "the outcome of a request is unknown (lost); looking for it at sms.by",
        "accepted          2 recipients  m/0 [1/3]",
    ]


def test_answer_handler_finds_a_part_of_a_request() -> None:
    """A result is on disk before sms.by is asked, and one of two chunks can be found."""
    world = World()
    seen: list[object] = []

    class InPart(FakeRequest):
        def look_for_lost(self, reconciler: Reconciler) -> None:
            seen.append((world.held.events[-1], world.held.synced == len(world.held.lines)))
            world.recorder.note(self.chunks[0], ChunkState.ACCEPTED)

    request = InPart(world, ("m/0", 0), [UNKNOWN])
    request.chunks.append(("m/0", 1))
    _handle(world, request, UNKNOWN)
    assert seen == [("result", True)]
    assert (world.states()[:2], world.recorder.chunk(("m/0", 1)).error) == (["accepted", "unknown"], "lost")
    assert world.events[-1].outcome == "unknown"
    assert world.context.runs["m/0"].is_stopped


@pytest.mark.parametrize(
    ("outcome", "lines"), [(ACCEPTED, []), (REJECTED, ["rejected          1 recipient   m/0 [1/3]"])]
)
def test_answer_handler_announces_single_phones_that_failed(outcome: Outcome, lines: list[str]) -> None:
    """Only failed phones of a single mailing are announced, since the others may be thousands."""
    world = World()
    ref = ("m/0", 0)
    world.recorder.note_phones(ref, PhoneStates.uniform(PhoneState.PENDING, 2), (0, 0), message_id=5)
    request = FakeRequest(world, ref, [outcome])
    request.row = 0
    world.recorder.intent([ref], None, 0)
    _handle(world, request, outcome)
    assert [event.line for event in world.events] == lines
    assert world.recorder.chunk(ref).message_id == 5


def test_answer_handler_warns_of_a_retry() -> None:
    """An unsent request that is retried is a warning, and its chunk is as before."""
    world = World()
    AnswerHandler(world.context, Reconciler(world.context)).record_retry(_request(world), busy(), 2.5)
    assert world.states()[0] == "pending"
    (event,) = world.events
    assert (event.name, event.is_warning) == ("retry", True)
    assert event.line == "not sent (too many requests); trying again in 2.5 s"


def test_answer_handler_forgets_a_list_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that was read before a request was lost is discarded, and not used to look for it."""
    world = World()
    order: list[str] = []
    monkeypatch.setattr(RecentList, "forget", lambda self: order.append("forget"))

    class Lost(FakeRequest):
        def look_for_lost(self, reconciler: Reconciler) -> None:
            order.append("look")

    _handle(world, Lost(world, ("m/0", 0), [UNKNOWN]), UNKNOWN)
    assert order == ["forget", "look"]
