"""A sending HTTP request, and what its answer means for the lock and its mailings.

The table of outcomes itself is in smsby/outcome.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from smsby_deploy.apply.context import ApplyContext, Event, request_event, step_event
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.send_client import PreparedSend
from smsby_deploy.wording import sentence


class SendRequest(ABC):
    """A request with `chunks`; each sender has a subclass for its kind of request.

    `step` is "draft" or "confirm" for a list mailing. With `row`, the request is sent only to that phone of its single
    chunk. The dispatcher sets `order`, counts `tries`, and removes the chunks of stopped mailings. A request that
    `is_repeatable` reaches no recipient, and repeating it changes nothing.
    """

    is_repeatable = False

    def __init__(
        self, chunks: Sequence[ChunkRef], *, step: str | None = None, row: int | None = None
    ) -> None:
        self.chunks = list(chunks)
        self.step = step
        self.row = row
        self.tries = 0
        self.order = 0

    @property
    def addresses(self) -> tuple[str, ...]:
        """The mailings it carries, each once, in order."""
        return tuple(dict.fromkeys(address for address, _ in self.chunks))

    @abstractmethod
    def prepare(self) -> PreparedSend | None:
        """Build the HTTP request with the current `chunks`; None if no recipient remains.

        Raises:
            FilesChanged: its mailings must be stopped.
        """

    def objection_to_retry(self) -> str:
        """Return why the request must not be retried; empty if it may be. Called after the pause."""
        return ""

    def record(self, outcome: Outcome) -> bool:
        """Record the final outcome; return False to have it recorded like that of a send.

        Raises:
            StopSending: nothing more can be sent in this run.
        """
        return False

    def record_retry(self, outcome: Outcome, pause: float) -> bool:
        """Record and report a retry after `pause` seconds; return False as in `record`."""
        return False

    def look_for_lost(self, reconciler: Reconciler) -> None:
        """After a lost answer, find out whether sms.by accepted the request, and record it."""
        reconciler.look_for(self.chunks)

    def on_recorded(self) -> None:  # noqa: B027 - a hook that most need not fill
        """Called once its result is recorded and announced."""


class AnswerHandler:
    """Records the answers to requests, and stops mailings that must not go on."""

    def __init__(self, context: ApplyContext, reconciler: Reconciler) -> None:
        self._recorder = context.recorder
        self._runs = context.runs
        self._say = context.say
        self._reconciler = reconciler

    def handle(self, request: SendRequest, outcome: Outcome) -> None:
        """Record the final answer to `request` and announce it.

        Raises:
            StopSending: it was certainly not sent, and neither would any other request be.
        """
        try:
            self.record(request, outcome)
        except StopSending:
            self._say_outcome(request, outcome)
            raise
        self.announce(request, outcome)

    def announce(self, request: SendRequest, outcome: Outcome) -> None:
        """Announce the answer to `request`, which is recorded."""
        self._say_outcome(request, outcome)
        request.on_recorded()

    def record(self, request: SendRequest, outcome: Outcome) -> None:
        """Record the final answer to `request` without announcing it. Raises as handle.

        Only an acceptance may not be on disk yet; the next intent or `Recorder.sync` syncs it.
        """
        if request.record(outcome):
            return
        match outcome.kind:
            case OutcomeKind.ACCEPTED:
                self._record_accepted(request, outcome)
            case OutcomeKind.REJECTED:
                self._record_rejected(request, outcome)
            case OutcomeKind.NOT_SENT | OutcomeKind.TOKEN_REFUSED:
                self._record_not_sent(request, outcome)
                raise StopSending(sentence("not sent: {why}", why=outcome.explanation), ExitCode.UNREACHABLE)
            case OutcomeKind.UNKNOWN:
                self._record_unknown(request, outcome)

    def record_retry(self, request: SendRequest, outcome: Outcome, pause: float) -> None:
        """Record that `request` was not sent and is retried after `pause` seconds."""
        if request.record_retry(outcome, pause):
            return
        self._record_not_sent(request, outcome)
        line = f"not sent ({outcome.error}); trying again in {pause:.3g} s"
        self._warn("retry", line, request, outcome)

    def _record_accepted(self, request: SendRequest, outcome: Outcome) -> None:
        record = self._recorder
        if request.step == "draft":
            record.write_result(request.chunks, ChunkState.DRAFT, message_id=outcome.message_id, error=None)
            return
        ids: dict[str, str | int] = {}
        if outcome.uuid:
            ids["uuid"] = outcome.uuid
        if outcome.message_id and request.step is None and request.row is None:
            ids["message_id"] = outcome.message_id
        record.write_result(
            request.chunks, ChunkState.ACCEPTED, request.row, accepted_at=record.now(), error=None, **ids
        )
        self._mark_sent(request)

    def _record_rejected(self, request: SendRequest, outcome: Outcome) -> None:
        error = outcome.error or "rejected"
        state = ChunkState.DRAFT if request.step == "confirm" else ChunkState.REJECTED
        self._recorder.result(request.chunks, state, request.row, error=error)
        for address in request.addresses:
            self._runs[address].was_rejected = True
            if request.row is None or not outcome.blames_phone:
                self._runs[address].stop(error)

    def _record_not_sent(self, request: SendRequest, outcome: Outcome) -> None:
        state = ChunkState.DRAFT if request.step == "confirm" else ChunkState.PENDING
        self._recorder.result(request.chunks, state, request.row, error=outcome.error)

    def _record_unknown(self, request: SendRequest, outcome: Outcome) -> None:
        record, error = self._recorder, outcome.error
        record.result(request.chunks, ChunkState.UNKNOWN, request.row, error=error, step=request.step)
        if request.step != "draft":
            self._mark_sent(request)
        line = f"the outcome of a request is unknown ({error}); looking for it at sms.by"
        self._warn("lost", line, request, outcome)
        self._reconciler.recent.forget()
        request.look_for_lost(self._reconciler)
        for ref in request.chunks:
            if record.chunk(ref).is_unknown(request.row):
                self._runs[ref[0]].stop(with_code(ReasonCode.UNKNOWN, error or ""))

    def _mark_sent(self, request: SendRequest) -> None:
        for address in request.addresses:
            self._runs[address].was_sent = True

    def _warn(self, name: str, line: str, request: SendRequest, outcome: Outcome) -> None:
        addresses = tuple(sorted(request.addresses))
        self._say(Event(name, line, addresses, outcome=outcome.kind.value, is_warning=True))

    def _say_outcome(self, request: SendRequest, outcome: Outcome) -> None:
        """Announce the outcome; a lost request that was found at sms.by is accepted.

        For requests to a single phone, only failures are announced, because there may be thousands.
        """
        if request.is_repeatable:
            return
        records = [self._recorder.chunk(ref) for ref in request.chunks]
        mailings = self._recorder.lock.mailings
        chunks = [(address, index, len(mailings[address].chunks)) for address, index in request.chunks]
        if request.row is not None:
            if not self._recorder.was_accepted(request.chunks[0], request.row):
                self._say(request_event(outcome.kind.value, chunks, 1))
            return
        is_accepted = all(record.state is ChunkState.ACCEPTED for record in records)
        word = OutcomeKind.ACCEPTED.value if is_accepted else outcome.kind.value
        if request.step is None:
            self._say(request_event(word, chunks, sum(record.recipients or 0 for record in records)))
        else:
            address = request.chunks[0][0]
            self._say(step_event(word, request.step, address, mailings[address].recipients))
