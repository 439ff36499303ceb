"""Requests on their way: the intent on disk, the request, its result on disk.

What an answer means is decided in smsby/outcome.py. Only what was surely not sent is tried again here. Several requests
may be in flight: whichever thread lets one go writes its intent, and one thread every result as it comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from smsby_deploy.apply.events import Event, request_event, step_event
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.send_gate import SendGate
from smsby_deploy.apply.worker_pool import Sender
from smsby_deploy.clock import Clock
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.fault_points import fault_point
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.retry import SEND_RETRIES

_CALM = 10  # requests that went well before one more is let into flight, after sms.by asked to slow down


class StopSending(Exception):
    """Nothing more goes out in this run; `error` says why, `exit_code` is its code."""

    def __init__(self, error: str, exit_code: ExitCode) -> None:
        super().__init__(error)
        self.error = error
        self.exit_code = exit_code


@dataclass(slots=True)
class Request:
    """One request: the chunks that it carries, the call that makes it, and returns what sends it, and who hears that it was
    answered. Chunks of a mailing that was stopped are left out of it. `step` is "draft" or "confirm" for a list mailing."""

    chunks: Sequence[ChunkRef]
    call: Callable[[Sequence[ChunkRef]], Callable[[], Outcome]]
    step: str | None = None
    done: Callable[[], None] = lambda: None
    row: int | None = None  # only this phone of its one chunk leaves
    # Whether a refusal with this text concerns no other phone, and what looks for a lost one: where it is but a phone.
    is_alone: Callable[[str], bool] = lambda error: False
    look: Callable[[], None] | None = None
    objection: Callable[[], str] = lambda: ""  # why it may not be tried again, asked after the pause
    tries: int = 0

    @property
    def addresses(self) -> set[str]:
        return {address for address, _ in self.chunks}


@dataclass(slots=True)
class _Flight:
    """A request in the hands of a thread. It `has_left` once its intent is on disk."""

    request: Request
    has_left: bool = False
    failure: Exception | None = None  # its intent could not be written


@dataclass(slots=True)
class Dispatcher:
    """Sends requests. `stopped` names the mailings of which nothing more goes out, and why."""

    recorder: Recorder
    sender: Sender
    clock: Clock
    say: Callable[[Event], None]
    look_for: Callable[[Sequence[ChunkRef]], None]  # reconciles chunks whose answer was lost
    take_turn: Callable[[], float]  # reserves the next turn of the pace, in so many seconds
    concurrency: int = 1
    stopped: dict[str, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)  # addresses of which a request left that was not refused
    rejected: set[str] = field(default_factory=set)
    _allowed: int = 0  # requests in flight at once: fewer than `concurrency` once sms.by asked to slow down
    _calm: int = 0
    _flying: dict[int, _Flight] = field(default_factory=dict)
    _again: deque[Request] = field(default_factory=deque)
    _kept_back: deque[Request] = field(default_factory=deque)  # not let go as things stood: they come first
    _resume_at: float = 0.0
    _wire: SendGate = field(init=False)

    def check_stop(self) -> None:
        """Raise StopSending once a signal asked to stop."""
        if self.sender.is_stopping:
            raise StopSending("stopped by a signal before it was sent", ExitCode.FAILED)

    def stop(self, chunks: Sequence[ChunkRef], why: str) -> None:
        for address, _ in chunks:
            self.stopped.setdefault(address, why)

    def send(self, request: Request) -> None:
        """Send one request and record what became of it; raises as send_all."""
        self.send_all([request])

    def send_all(self, requests: Iterable[Request]) -> None:
        """Send `requests` in order, up to `concurrency` of them in flight, and record what became of each.

        Raises:
            StopSending: something was surely not sent, and neither will the others be. What was in flight is recorded.
            ResultNotSaved: the disk did not take a line; it bears every result that is not on it.
        """
        coming = iter(requests)
        stop: StopSending | None = None
        self._allowed = self._allowed or self.concurrency
        self._wire = SendGate(self._allowed, self.take_turn, self._pause)
        try:
            while True:
                try:
                    if stop is None:
                        self._launch(coming)
                    if not self._flying:
                        break
                    key, outcome = self.sender.wait()
                    self._land(self._flying.pop(key), outcome)
                except StopSending as error:
                    stop = stop or error
                    self._wire.close()
        except Exception as error:  # whatever broke: nothing may leave behind the back of who gave up
            self._wire.close()
            self._drain(error)
            raise
        self._again.clear()
        self._kept_back.clear()
        if stop is not None:
            raise stop

    def _launch(self, coming: Iterator[Request]) -> None:
        """Hand over requests while there is room, and one more where several may be on their way; waits if all that is left
        was asked to wait."""
        spare = 1 if self.concurrency > 1 else 0
        while len(self._flying) < self._allowed + spare:
            following: Request | None
            if self._again and (not self._flying or self.clock.monotonic() >= self._resume_at):
                self.sender.pause(self._resume_at - self.clock.monotonic(), self.clock)
                following = self._again.popleft()
                if why := following.objection():
                    self.stop(following.chunks, why)
            elif self._again:
                return
            elif self._kept_back:
                following = self._kept_back.popleft()
            else:
                following = next(coming, None)
            if following is None:
                return
            self.check_stop()
            following.chunks = [ref for ref in following.chunks if ref[0] not in self.stopped]
            if following.chunks:
                flight = _Flight(following)
                self._flying[self.sender.start(partial(self._fly, flight, self._wire))] = flight

    def _pause(self, seconds: float, is_over: Callable[[], bool]) -> None:
        self.sender.pause(seconds, self.clock, is_over=is_over)

    def _fly(self, flight: _Flight, wire: SendGate) -> Outcome:
        """Make one request, let it leave when there is room, and wait for its answer: in a thread of its own."""
        request = flight.request
        try:
            send = request.call(request.chunks)
        except Exception as error:  # noqa: BLE001 - whatever broke, nothing has left
            return Outcome(OutcomeKind.NOT_SENT, error=f"{type(error).__name__} while the request was made")
        if not wire.enter(lambda: self._leave(flight)):
            return _KEPT_BACK
        is_well = False
        try:
            fault_point("send.before")
            outcome = send()
            is_well = outcome.kind is OutcomeKind.ACCEPTED
        finally:
            wire.exit(is_well=is_well)
        return outcome

    def _leave(self, flight: _Flight) -> bool:
        """Write the intent of a request that may leave; False if it is not to leave as things are now. Called in whichever
        thread lets it go."""
        request = flight.request
        if (
            self.sender.is_stopping
            or self.clock.monotonic() < self._resume_at
            or not self.stopped.keys().isdisjoint(request.addresses)
        ):
            return False
        try:
            self.recorder.intent(request.chunks, request.step, request.row)
        except Exception as error:  # noqa: BLE001 - raised by who waits for it
            flight.failure = error
            return False
        request.tries += 1
        flight.has_left = True
        return True

    def _land(self, flight: _Flight, outcome: Outcome) -> None:
        if flight.failure is not None:
            raise flight.failure
        if self._has_left(flight):
            fault_point("send.after")
            self._look_at(flight.request, outcome)
            if outcome.kind is not OutcomeKind.ACCEPTED:
                self._wire.look()
        elif outcome.kind is OutcomeKind.NOT_SENT and outcome is not _KEPT_BACK:
            raise StopSending(
                f"not sent: {outcome.error}", ExitCode.UNREACHABLE
            )  # no thread took it, or it could not be made
        else:
            self._kept_back.append(flight.request)

    def _has_left(self, flight: _Flight) -> bool:
        """Whether it left. If it did not, it never will: it came back, or a second signal gave it up, and no request leaves
        after a signal."""
        with self._wire.stand_still():
            return flight.has_left

    def _look_at(self, request: Request, outcome: Outcome) -> None:
        pause = SEND_RETRIES.pause_after(request.tries, outcome.retry_after)
        if outcome.kind is OutcomeKind.NOT_SENT and pause is not None:
            self._wait_and_try_again(request, outcome, pause)
            return
        self._calm += outcome.kind is OutcomeKind.ACCEPTED
        if self._calm >= _CALM and self._allowed < self.concurrency:
            self._allowed, self._calm = self._allowed + 1, 0
            self._wire.set_width(self._allowed)
        try:
            self._settle(request, outcome)
        except StopSending:
            self._say_answer(request, outcome)
            raise
        self._say_answer(request, outcome)
        request.done()

    def _say_answer(self, request: Request, outcome: Outcome) -> None:
        """Tell what became of it: accepted too if its answer was lost, but sms.by was found to have it."""
        lock, chunks = self.recorder.lock, request.chunks
        records = [self.recorder.chunk(ref) for ref in chunks]
        is_found = all(record.state is ChunkState.ACCEPTED for record in records)
        told = OutcomeKind.ACCEPTED.value if is_found else outcome.kind.value
        if request.row is not None:
            self._say_phone(request, outcome)
        elif request.step is None:
            parts = [(address, index, len(lock.mailings[address].chunks)) for address, index in chunks]
            self.say(request_event(told, parts, sum(record.recipients or 0 for record in records)))
        else:
            address = chunks[0][0]
            self.say(step_event(told, request.step, address, lock.mailings[address].recipients))

    def _say_phone(self, request: Request, outcome: Outcome) -> None:
        """Tell of a single phone only what went wrong: thousands that went well are told at the end."""
        ((address, index),) = request.chunks
        if not self.recorder.was_accepted((address, index), request.row or 0):
            parts = [(address, index, len(self.recorder.lock.mailings[address].chunks))]
            self.say(request_event(outcome.kind.value, parts, 1))

    def _wait_and_try_again(self, request: Request, outcome: Outcome, pause: float) -> None:
        """It was surely not sent. All requests slow down: sms.by asked for it, or can't be reached."""
        self.recorder.result(request.chunks, _state_before(request.step), request.row, error=outcome.error)
        line = f"not sent ({outcome.error}); again in {pause:.3g} s"
        addresses = tuple(sorted(request.addresses))
        self.say(Event("retry", line, addresses, outcome=outcome.kind.value, is_warning=True))
        self._resume_at = max(self._resume_at, self.clock.monotonic() + pause)
        self._allowed, self._calm = max(1, self._allowed // 2), 0
        self._wire.set_width(self._allowed)
        self._again.append(request)

    def _settle(self, request: Request, outcome: Outcome) -> None:
        """Record what an answer means, and stop what has to stop."""
        record, error, row = self.recorder, outcome.error, request.row
        chunks, step = request.chunks, request.step
        match outcome.kind:
            case OutcomeKind.ACCEPTED if step == "draft":
                record.result(chunks, ChunkState.DRAFT, message_id=outcome.message_id, error=None)
            case OutcomeKind.ACCEPTED:
                found: dict[str, str | int] = {}
                if outcome.uuid:
                    found["uuid"] = outcome.uuid
                if outcome.message_id and step is None and row is None:
                    found["message_id"] = outcome.message_id
                record.result(chunks, ChunkState.ACCEPTED, row, accepted_at=record.now(), error=None, **found)
                self.sent |= request.addresses
            case OutcomeKind.REJECTED:
                state = ChunkState.DRAFT if step == "confirm" else ChunkState.REJECTED
                record.result(chunks, state, row, error=error)
                self.rejected |= request.addresses
                if not request.is_alone(error or ""):
                    self.stop(chunks, error or "rejected")
            case OutcomeKind.NOT_SENT | OutcomeKind.TOKEN_REFUSED:
                record.result(chunks, _state_before(step), row, error=error)
                raise StopSending(f"not sent: {error}", ExitCode.UNREACHABLE)
            case OutcomeKind.UNKNOWN:
                record.result(chunks, ChunkState.UNKNOWN, row, error=error, step=step)
                if step != "draft":
                    self.sent |= request.addresses
                line = f"its outcome is unknown ({error}); looking for it at sms.by"
                addresses = tuple(sorted(request.addresses))
                self.say(Event("lost", line, addresses, outcome="unknown", is_warning=True))
                if request.look is None:
                    self.look_for(chunks)
                else:
                    request.look()
                lost = [ref for ref in chunks if record.is_unknown(ref, row)]
                self.stop(lost, f"unknown: {error}")

    def _drain(self, error: Exception) -> None:
        """All is over: record what is in flight as it comes; if the disk takes no more, let `error` bear its results."""
        while self._flying:
            try:
                key, outcome = self.sender.wait()
                flight = self._flying.pop(key)
                if self._has_left(flight):
                    self._settle(flight.request, outcome)
            except ResultNotSaved as another:
                if isinstance(error, ResultNotSaved):
                    error.events.extend(another.events)
            except Exception:  # noqa: BLE001, S112 - `error` came first
                continue


_KEPT_BACK = Outcome(OutcomeKind.NOT_SENT, error="it did not leave")


def _state_before(step: str | None) -> ChunkState:
    """What a request that was surely not sent goes back to."""
    return ChunkState.DRAFT if step == "confirm" else ChunkState.PENDING
