"""One request: its intent on disk, the request, its result on disk.

What an answer means is decided in smsby/outcome.py. Only what was surely not sent is tried again here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.signals import Sender
from smsby_deploy.clock import Clock
from smsby_deploy.faults import fault_point
from smsby_deploy.lock.model import ChunkState
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind

_TRIES = 5  # of a request that was surely not sent
_LONGEST_PAUSE = 60.0  # seconds between them, whatever Retry-After says


class StopSending(Exception):
    """Nothing more goes out in this run; `error` says why, `exit_code` is its code."""

    def __init__(self, error: str, exit_code: int) -> None:
        super().__init__(error)
        self.error = error
        self.exit_code = exit_code


@dataclass(slots=True)
class Exchange:
    """Sends requests one by one. `stopped` names the mailings of which nothing more goes out, and why."""

    recorder: Recorder
    sender: Sender
    clock: Clock
    tell: Callable[[str], None]
    look_for: Callable[[Sequence[ChunkRef]], None]  # reconciles chunks whose answer was lost
    stopped: dict[str, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)  # addresses of which a request left that was not refused
    rejected: set[str] = field(default_factory=set)

    def check_stop(self) -> None:
        """Raise StopSending once a signal asked to stop."""
        if self.sender.is_stopping:
            raise StopSending("stopped by a signal before it was sent", 1)

    def send(self, chunks: Sequence[ChunkRef], step: str | None, call: Callable[[], Outcome]) -> Outcome:
        """Send one request and record what became of it. `step` is "draft" or "confirm" for a list mailing.

        Raises:
            StopSending: it was surely not sent, and neither will the others be.
            ResultNotSaved: the disk did not take a line.
        """
        self.check_stop()
        outcome = self._try(chunks, step, call)
        self._settle(chunks, step, outcome)
        addresses = {address for address, _ in chunks}
        if outcome.kind is OutcomeKind.REJECTED:
            self.rejected |= addresses
        elif step != "draft":
            self.sent |= addresses
        return outcome

    def stop(self, chunks: Sequence[ChunkRef], why: str) -> None:
        for address, _ in chunks:
            self.stopped.setdefault(address, why)

    def _try(self, chunks: Sequence[ChunkRef], step: str | None, call: Callable[[], Outcome]) -> Outcome:
        delay = 0.5
        for attempt in range(1, _TRIES + 1):
            self.recorder.intent(chunks, step)
            fault_point("send.before")
            outcome = self.sender.send(call)
            fault_point("send.after")
            if outcome.kind is not OutcomeKind.NOT_SENT or attempt == _TRIES:
                break
            self.recorder.result(chunks, _state_before(step), error=outcome.error)
            pause = min(outcome.retry_after if outcome.retry_after is not None else delay, _LONGEST_PAUSE)
            self.tell(f"not sent ({outcome.error}); again in {pause:g} s")
            self.sender.pause(pause, self.clock)
            self.check_stop()
            delay *= 2
        return outcome

    def _settle(self, chunks: Sequence[ChunkRef], step: str | None, outcome: Outcome) -> None:
        record, error = self.recorder, outcome.error
        match outcome.kind:
            case OutcomeKind.ACCEPTED if step == "draft":
                record.result(chunks, ChunkState.DRAFT, message_id=outcome.message_id, error=None)
            case OutcomeKind.ACCEPTED:
                found: dict[str, str | int] = {}
                if outcome.uuid:
                    found["uuid"] = outcome.uuid
                if outcome.message_id and step is None:
                    found["message_id"] = outcome.message_id
                record.result(chunks, ChunkState.ACCEPTED, accepted_at=record.now(), error=None, **found)
            case OutcomeKind.REJECTED:
                state = ChunkState.DRAFT if step == "confirm" else ChunkState.REJECTED
                record.result(chunks, state, error=error)
                self.stop(chunks, error or "rejected")
            case OutcomeKind.NOT_SENT | OutcomeKind.TOKEN_REFUSED:
                record.result(chunks, _state_before(step), error=error)
                raise StopSending(f"not sent: {error}", 7)
            case OutcomeKind.UNKNOWN:
                record.result(chunks, ChunkState.UNKNOWN, error=error, step=step)
                self.tell(f"its outcome is unknown ({error}); looking for it at sms.by")
                self.look_for(chunks)
                lost = [ref for ref in chunks if record.chunk(ref).state is ChunkState.UNKNOWN]
                self.stop(lost, f"unknown: {error}")


def _state_before(step: str | None) -> ChunkState:
    """What a request that was surely not sent goes back to."""
    return ChunkState.DRAFT if step == "confirm" else ChunkState.PENDING
