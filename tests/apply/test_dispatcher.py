"""The dispatcher: what is sent and when, its order with the journal, and what is recorded whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from smsby_deploy.apply.context import Event
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.apply.worker_pool import WorkerPool
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.send_client import PreparedSend
from tests.apply.fake_dispatch import (
    ACCEPTED,
    OFFLINE,
    REJECTED,
    TOKEN_REFUSED,
    UNKNOWN,
    FakeRequest,
    World,
    busy,
)

# --- one request -----------------------------------------------------------------------------------------------------


def test_dispatcher_writes_intent_before_and_result_after() -> None:
    """The intent is in the journal before the request is sent, and its result when `send` returns."""
    world = World()
    request = world.request(0)
    events_when_sent: list[list[str]] = []
    world.workers.on_submit = lambda: events_when_sent.append(world.held.events)
    world.dispatcher().send(request)
    assert events_when_sent == [["begin", "intent"]]
    assert world.held.events == ["begin", "intent", "result"]
    assert world.states() == ["accepted", "pending", "pending"]


@pytest.mark.parametrize(
    ("outcome", "state", "stop_reason"),
    [(REJECTED, "rejected", "refused"), (UNKNOWN, "unknown", "unknown: lost")],
)
def test_dispatcher_stops_a_mailing_after_a_bad_answer(
    outcome: Outcome, state: str, stop_reason: str
) -> None:
    """No more of a rejected or unknown mailing is sent; the other mailing goes on."""
    world = World(concurrency=1, mailings=2)
    requests = [world.request(0, outcome), world.request(1), world.request(0, mailing=1)]
    world.dispatcher().send_all(requests)
    assert world.states() == [state, "pending", "pending"]
    assert world.context.runs["m/0"].stop_reason == stop_reason
    assert world.states(1) == ["accepted", "pending", "pending"]


def test_dispatcher_removes_stopped_chunks_when_prepared() -> None:
    """A prepared request with chunks of two mailings is rebuilt without the mailing that was stopped meanwhile."""
    world = World(concurrency=2, mailings=2)
    bad = world.request(0, REJECTED, latency=1)
    slow = world.request(0, mailing=1, latency=2)
    both = world.request(1)
    both.chunks.append(("m/1", 1))
    world.dispatcher().send_all([bad, slow, both])
    assert both.chunks == [("m/1", 1)]
    assert world.states() == ["rejected", "pending", "pending"]
    assert world.states(1) == ["accepted", "accepted", "pending"]


# --- several in flight -----------------------------------------------------------------------------------------------


def test_dispatcher_prepares_one_request_ahead() -> None:
    """While two requests are in flight the third is prepared, but not the fourth, and the journal has neither."""
    world = World(concurrency=2, chunks=4)
    seen: list[tuple[int, list[str]]] = []
    world.clock.at(1, lambda: seen.append((len(world.prepared), world.held.events)))
    world.dispatcher().send_all(world.request(index, latency=1.05) for index in range(4))
    assert seen == [(3, ["begin", "intent", "intent"])]
    assert world.states() == ["accepted"] * 4


def test_dispatcher_syncs_a_result_with_the_next_intent() -> None:
    """A result is synced together with the intent of the prepared request, or alone if there is none."""
    world = World(concurrency=2, chunks=4)
    world.dispatcher().send_all(world.request(index, latency=1 + index / 4) for index in range(4))
    results_and_intents = 2
    last_results = 2
    assert world.held.events[-6:] == ["result", "intent", "result", "intent", "result", "result"]
    assert world.held.syncs == len(["begin", "intent", "intent"]) + results_and_intents + last_results


@pytest.mark.parametrize(("shared_lock", "shared"), [(None, 0), ("git", 3)])
def test_dispatcher_saves_writes_to_a_shared_lock(shared_lock: object, shared: int) -> None:
    """With a shared lock a result and the next intent share one write, even with one request in flight: a push is slow."""
    world = World(concurrency=1, chunks=4, shared_lock=shared_lock)
    world.dispatcher().send_all(world.request(index, latency=1) for index in range(4))
    assert world.held.events == ["begin", *["intent", "result"] * 4]
    assert world.held.syncs == len(world.held.events) - shared


def test_dispatcher_announces_what_is_on_disk() -> None:
    """An answer is on disk before it is announced, even while another request is in flight."""
    world = World(concurrency=2)
    seen: list[tuple[bool, int]] = []
    world.clock.at(1.5, lambda: seen.append((world.held.synced == len(world.held.lines), len(world.events))))
    world.dispatcher().send_all(world.request(index, latency=1 + index) for index in range(2))
    assert seen == [(True, 1)]


def test_dispatcher_slows_down_after_429() -> None:
    """After a 429 nothing is sent until Retry-After ends; then half as many are in flight, the repeated one first."""
    world = World(concurrency=4, chunks=8)
    first = [world.request(0, busy(2), ACCEPTED, latency=0.5)]
    others = [world.request(index, latency=0.6) for index in range(1, 8)]
    world.dispatcher().send_all(first + others)
    times = [time for time, _ in world.sent]
    assert times[:4] == [0, 0, 0, 0]
    assert world.sent[4][1] == ("m/0", 0)
    assert min(times[4:]) == pytest.approx(2.5)
    assert sum(time == times[4] for time in times) == 2
    assert world.states() == ["accepted"] * 8


def test_dispatcher_allows_more_in_flight_after_ten_accepted() -> None:
    """After a 429 the number in flight grows again after ten accepted requests, up to the configured one."""
    world = World(concurrency=2, chunks=40)
    requests = [world.request(0, busy(0), ACCEPTED, latency=1)]
    requests += [world.request(index, latency=1) for index in range(1, 40)]
    world.dispatcher().send_all(requests)
    at_once = {time: sum(other == time for other, _ in world.sent) for time, _ in world.sent}
    assert next(iter(at_once.values())) == 2
    assert list(at_once.values())[-2] == 2
    assert set(at_once.values()) == {1, 2}


def test_dispatcher_waits_for_a_thread_while_one_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system allows no second thread, the next request is not in the journal before the first has its answer."""
    world = World(concurrency=2)
    monkeypatch.setattr(world.workers, "has_idle_thread", lambda: not world.workers.arrivals)
    world.dispatcher().send_all(world.request(index, latency=1) for index in range(3))
    assert [time for time, _ in world.sent] == pytest.approx([0, 1, 2])
    assert world.states() == ["accepted"] * 3


def test_dispatcher_gives_up_after_the_last_retry() -> None:
    """After five unsent tries with growing pauses, the run stops with exit code 7, and the chunk stays unsent."""
    world = World()
    with pytest.raises(StopSending, match="not sent: too many requests") as caught:
        world.dispatcher().send(world.request(0, busy()))
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert [time for time, _ in world.sent] == pytest.approx([0, 0.5, 1.5, 3.5, 7.5])
    assert world.states() == ["pending"] * 3


def test_dispatcher_leaves_a_long_retry_after_to_the_next_apply() -> None:
    """A Retry-After of an hour ends the run at once."""
    world = World()
    with pytest.raises(StopSending, match="too many requests"):
        world.dispatcher().send(world.request(0, busy(3600)))
    assert (world.clock.time, len(world.sent)) == (0, 1)


def test_dispatcher_asks_for_objections_after_the_pause() -> None:
    """After the pause, and not before it, a request may object to being repeated, which stops its mailing."""
    world = World()
    asked: list[float] = []

    class Objecting(FakeRequest):
        def objection_to_retry(self) -> str:
            asked.append(world.clock.time)
            return "a recipient opted out"

    world.dispatcher().send(Objecting(world, ("m/0", 0), [busy(5)]))
    assert asked == [pytest.approx(5)]
    assert len(world.sent) == 1
    assert world.context.runs["m/0"].stop_reason == "a recipient opted out"


# --- connections -----------------------------------------------------------------------------------------------------


def test_dispatcher_writes_no_intent_before_the_connection() -> None:
    """The intent is written when the connection is open, and the request is sent immediately after it."""
    world = World()
    world.connections.latency = 1.0
    seen: list[list[str]] = []
    world.clock.at(0.5, lambda: seen.append(world.held.events))
    world.dispatcher().send(world.request(0))
    assert seen == [[]]
    assert [time for time, _ in world.sent] == [pytest.approx(1.0, abs=0.11)]
    assert world.states()[0] == "accepted"


@pytest.mark.parametrize("concurrency", [1, 2])
def test_dispatcher_opens_connections_ahead(concurrency: int) -> None:
    """While a request is in flight, a connection opens for the next one, and none for a request that does not exist."""
    world = World(concurrency=concurrency, chunks=6)
    world.connections.latency = 0.5
    world.dispatcher().send_all(world.request(index, latency=1) for index in range(6))
    assert len(world.connections.opened) == 6
    times = [time for time, _ in world.sent]
    assert times[-1] - times[0] == pytest.approx(5 / concurrency, abs=0.6)


def test_dispatcher_opens_connections_ahead_of_an_upload() -> None:
    """Connections are opened ahead for an upload, which is one chunk but takes many requests."""

    class Part(FakeRequest):
        is_repeatable = True

        def record(self, outcome: Outcome) -> bool:
            return True

    world = World(concurrency=4, chunks=1)
    world.connections.latency = 2.0
    world.dispatcher().send_all([Part(world, ("m/0", 0), [ACCEPTED], latency=1) for _ in range(20)])
    assert len(world.sent) == 20
    one_after_the_other = 20 * 2.0
    assert world.clock.time < one_after_the_other / 2


def test_dispatcher_opens_no_connection_long_before_its_turn() -> None:
    """A connection is not opened long before its request, since it could be closed by then."""
    world = World(concurrency=2, chunks=2, interval=10.0)
    world.dispatcher().send_all(world.request(index) for index in range(2))
    assert world.connections.opened == pytest.approx([0, 9], abs=0.11)


def test_dispatcher_repeats_what_had_no_connection() -> None:
    """A request without a connection has no intent and is repeated, with growing pauses and no connection meanwhile."""
    world = World(concurrency=2, chunks=1)
    world.connections.failures = [True, True]
    world.dispatcher().send(world.request(0))
    assert world.held.events == ["begin", "result", "result", "intent", "result"]
    assert [time for time, _ in world.sent] == pytest.approx([1.5])
    assert world.connections.opened == pytest.approx([0, 0.5, 1.5])
    assert world.states() == ["accepted"]


def test_dispatcher_gives_up_without_a_connection() -> None:
    """After five tries without a connection, the run stops with exit code 7, and no intent was written."""
    world = World()
    world.connections.failures = [True] * 9
    with pytest.raises(StopSending, match=OFFLINE.message.replace(".", r"\.")) as caught:
        world.dispatcher().send(world.request(0))
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert "intent" not in world.held.events
    assert world.states()[0] == "pending"


def test_dispatcher_stops_while_it_waits_for_a_connection() -> None:
    """A signal ends the wait for a connection, and nothing is sent."""
    world = World()
    world.connections.latency = 60.0
    world.signal_at(1.0)
    with pytest.raises(StopSending, match="stopped by a signal before it was sent"):
        world.dispatcher().send(world.request(0))
    assert world.clock.time < 2
    assert world.held.events == []


# --- the pace --------------------------------------------------------------------------------------------------------


def test_dispatcher_writes_no_intent_before_the_turn() -> None:
    """A request that waits for its rate-limit slot is not in the journal."""
    world = World(concurrency=2, interval=1.0)
    seen: list[list[str]] = []
    world.clock.at(0.5, lambda: seen.append(world.held.events))
    world.dispatcher().send_all(world.request(index, latency=5) for index in range(2))
    assert seen == [["begin", "intent"]]
    assert [time for time, _ in world.sent] == pytest.approx([0, 1])


def test_dispatcher_wastes_no_turn_after_a_pause() -> None:
    """After a 429 the requests are sent one interval apart, not several at once."""
    world = World(concurrency=2, interval=1.0, chunks=4)
    requests = [world.request(0, busy(3), ACCEPTED, latency=0.1)]
    requests += [world.request(index, latency=0.1) for index in range(1, 4)]
    world.dispatcher().send_all(requests)
    times = [time for time, _ in world.sent]
    assert times == pytest.approx([0, 3.1, 4.1, 5.1, 6.1])


def test_dispatcher_waits_for_no_turn_once_it_stops() -> None:
    """If the token is refused, the run ends at once, even if the next slot is a hundred seconds away."""
    world = World(concurrency=2, interval=100.0)
    with pytest.raises(StopSending, match="not sent: incorrect token") as caught:
        world.dispatcher().send_all([world.request(0, TOKEN_REFUSED, latency=1), world.request(1)])
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert world.clock.time == pytest.approx(1)
    assert world.states() == ["pending"] * 3


def test_dispatcher_handles_what_is_in_flight_when_it_stops() -> None:
    """While the run stops, an unknown outcome still stops its mailing, and the first reason is the one reported."""
    world = World(concurrency=3, mailings=3)
    other = Outcome(OutcomeKind.TOKEN_REFUSED, error="token expired")
    with pytest.raises(StopSending, match="not sent: incorrect token"):
        world.dispatcher().send_all(
            [
                world.request(0, TOKEN_REFUSED, latency=1),
                world.request(0, UNKNOWN, mailing=1, latency=2),
                world.request(0, other, mailing=2, latency=3),
                world.request(1, mailing=1, latency=1),
            ]
        )
    assert [world.states(mailing)[0] for mailing in range(3)] == ["pending", "unknown", "pending"]
    assert world.context.runs["m/1"].stop_reason == "unknown: lost"
    assert len(world.sent) == 3
    assert {event.addresses for event in world.events} == {("m/0",), ("m/1",), ("m/2",)}


# --- signals ---------------------------------------------------------------------------------------------------------


def test_dispatcher_records_what_is_in_flight_after_a_signal() -> None:
    """After a signal both answers in flight are recorded, and the third request is not sent."""
    world = World(concurrency=2)
    world.signal_at(0.5)
    with pytest.raises(StopSending, match="stopped by a signal before it was sent"):
        world.dispatcher().send_all(world.request(index, latency=1) for index in range(3))
    assert world.states() == ["accepted", "accepted", "pending"]


def test_dispatcher_ignores_a_signal_after_the_last_request() -> None:
    """A signal after the last request does not make the run stopped, since nothing was kept from being sent."""
    world = World(concurrency=2)
    world.signal_at(0.5)
    world.dispatcher().send_all(world.request(index, latency=1) for index in range(2))
    assert world.states() == ["accepted", "accepted", "pending"]


def test_dispatcher_ends_the_pause_of_a_slow_pace_on_a_signal() -> None:
    """A signal between two requests, 50 seconds apart, stops the run at once."""
    world = World(concurrency=1, interval=50)
    world.signal_at(2)
    with pytest.raises(StopSending, match="stopped by a signal"):
        world.dispatcher().send_all(world.request(index) for index in range(3))
    assert world.clock.time < 2.5
    assert world.states() == ["accepted", "pending", "pending"]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_dispatcher_stops_when_frozen(concurrency: int) -> None:
    """After a freeze the answers in flight are recorded, and nothing more is sent."""
    world = World(concurrency=concurrency, chunks=4)
    why: list[str] = []
    world.shutdown.freeze = lambda: "".join(why)
    world.clock.at(0.5, lambda: why.append("frozen: wrong price"))
    with pytest.raises(StopSending, match="frozen: wrong price") as stopped:
        world.dispatcher().send_all(world.request(index, latency=1) for index in range(4))
    assert stopped.value.exit_code is ExitCode.REFUSED
    assert world.states() == ["accepted"] * concurrency + ["pending"] * (4 - concurrency)


def test_dispatcher_ends_the_pause_before_a_retry_when_frozen() -> None:
    """A freeze during a Retry-After of 50 seconds stops the run at once, with the request certainly not sent."""
    world = World(concurrency=1)
    world.shutdown.freeze = lambda: "frozen" if world.clock.time > 2 else ""
    with pytest.raises(StopSending, match="frozen"):
        world.dispatcher().send(world.request(0, busy(50), ACCEPTED))
    assert world.clock.time < 2.5
    assert world.states() == ["pending"] * 3


def test_dispatcher_stops_when_frozen_while_it_prepares() -> None:
    """A request is not sent if the project was frozen while it was prepared."""
    world = World(concurrency=1)
    world.shutdown.freeze = lambda: "frozen" if world.prepared else ""
    with pytest.raises(StopSending, match="frozen"):
        world.dispatcher().send(world.request(0))
    assert not world.sent
    assert world.held.events == []


def test_dispatcher_ends_the_pause_before_a_retry_on_a_signal() -> None:
    """A signal during a Retry-After of 50 seconds stops the run at once."""
    world = World()
    world.signal_at(2)
    with pytest.raises(StopSending, match="stopped by a signal"):
        world.dispatcher().send(world.request(0, busy(50)))
    assert world.clock.time < 3
    assert world.states() == ["pending"] * 3


def test_dispatcher_abandons_requests_after_a_second_signal() -> None:
    """After a second signal the requests in flight are unknown, and the others stay unsent."""
    world = World(concurrency=2)
    world.signal_at(0.5, 0.6)
    with pytest.raises(StopSending):
        world.dispatcher().send_all(world.request(index, latency=1000) for index in range(3))
    assert world.clock.time < 10
    assert world.states() == ["unknown", "unknown", "pending"]


# --- whatever breaks -------------------------------------------------------------------------------------------------


def test_dispatcher_sends_nothing_after_a_failure() -> None:
    """If the next request cannot be read, the answers in flight are recorded, and nothing more is sent."""
    world = World(concurrency=2)

    def requests() -> Iterator[SendRequest]:
        yield world.request(0, latency=1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.dispatcher().send_all(requests())
    assert world.states() == ["accepted", "pending", "pending"]
    assert world.held.synced == len(world.held.lines)


def test_dispatcher_records_answers_if_output_is_closed() -> None:
    """If an answer cannot be announced, those of the requests in flight are still recorded."""
    world = World(concurrency=2, chunks=4)

    def say(event: Event) -> None:
        raise BrokenPipeError

    world.say = say
    with pytest.raises(BrokenPipeError):
        world.dispatcher().send_all(world.request(index, latency=index + 1.0) for index in range(4))
    assert world.states() == ["accepted", "accepted", "accepted", "pending"]


def test_dispatcher_records_answers_if_a_signal_is_not_shown() -> None:
    """If neither an answer nor the shutdown can be announced, the answers in flight are still recorded."""
    world = World(concurrency=2, chunks=4)

    def announce() -> None:
        raise BrokenPipeError

    def say(event: Event) -> None:
        raise BrokenPipeError

    world.say = say
    world.workers._announce_shutdown = announce
    world.signal_at(1.5)
    with pytest.raises(BrokenPipeError):
        world.dispatcher().send_all(world.request(index, latency=index * 4 + 1.0) for index in range(4))
    assert world.states() == ["accepted", "accepted", "accepted", "pending"]


def test_dispatcher_writes_no_intent_if_preparing_fails() -> None:
    """A request that cannot be prepared writes no intent and is not repeated; the answers in flight are recorded."""
    world = World(concurrency=2)

    class Broken(FakeRequest):
        def prepare(self) -> PreparedSend:
            raise MemoryError

    requests = [world.request(0, latency=1), Broken(world, ("m/0", 1), [ACCEPTED])]
    with pytest.raises(StopSending, match="not sent: MemoryError while preparing the request"):
        world.dispatcher().send_all(requests)
    assert world.held.events == ["begin", "intent", "result"]
    assert world.states() == ["accepted", "pending", "pending"]


def test_dispatcher_stops_a_mailing_whose_files_changed() -> None:
    """A mailing whose files changed is stopped as no longer the reviewed one; the other mailing goes on."""
    world = World(concurrency=2, mailings=2)

    class Changed(FakeRequest):
        def prepare(self) -> PreparedSend:
            raise FilesChanged("its files changed")

    requests = [Changed(world, ("m/0", 0), [ACCEPTED]), world.request(1), world.request(0, mailing=1)]
    world.dispatcher().send_all(requests)
    assert world.prepared == [("m/1", 0)]
    run = world.context.runs["m/0"]
    assert run.stop_reason == "its files changed; any part already sent is recorded"
    assert (run.exit_codes, world.states(1)[0]) == ({ExitCode.PLAN_REFUSED}, "accepted")


def test_dispatcher_ends_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system allows no thread, the request has no intent, is certainly not sent, and is not retried forever."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    world = World()
    with pytest.raises(StopSending, match="not sent: the system allows no more threads"):
        world.dispatcher(WorkerPool(world.shutdown)).send(world.request(0))
    assert world.held.events == []


def test_dispatcher_prefers_a_lost_result_to_a_lost_message() -> None:
    """If the disk is full and the output fails as well, the raised error is the one that holds the results."""
    world = World(concurrency=2)

    def fill_disk() -> None:
        world.held.is_full = True

    def say(event: Event) -> None:
        raise OSError("No space left on device")

    world.say = say
    world.clock.at(0.5, fill_disk)
    with pytest.raises(ResultNotSaved) as caught:
        world.dispatcher().send_all(world.request(index, latency=index + 1.0) for index in range(2))
    assert [event["event"] for event in caught.value.events] == ["result", "result"]


def test_dispatcher_reports_results_lost_after_another_error() -> None:
    """If the disk fills up after the output was closed, the raised error holds the later results."""
    world = World(concurrency=2)

    def say(event: Event) -> None:
        world.held.is_full = True
        raise BrokenPipeError

    world.say = say
    with pytest.raises(ResultNotSaved) as caught:
        world.dispatcher().send_all(world.request(index, latency=index + 1.0) for index in range(2))
    assert [event["event"] for event in caught.value.events] == ["result"]


def test_dispatcher_sends_nothing_if_an_intent_is_not_saved() -> None:
    """If the disk does not accept an intent, its request is not sent."""
    world = World()
    world.held.is_full = True
    with pytest.raises(ResultNotSaved):
        world.dispatcher().send(world.request(0))
    assert not world.sent
