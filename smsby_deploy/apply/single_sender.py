"""Sends mailings with `via: single`, phone by phone.

createSmsMessage is called once for each text, then sendSMS once for each phone. createSmsMessage reaches no recipient
and may be repeated; each sendSMS has its intent and its result on disk. A lost sendSMS is looked up in the deliveries of
its message (delivery_ledger.py); what they do not prove stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.delivery_ledger import (
    DeliveryLedger,
    MessageFactory,
    MessageUse,
    Reuse,
    ReuseVerdict,
    awaits_moderation,
    baseline_of,
)
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.drift_check import DriftCheck
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.apply.single_chunks import SingleChunks, recorded_states
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import NO_PROOF, UNSENT, PhoneState, PhoneStates
from smsby_deploy.lock.records import DONE, ChunkState
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.drift import ReportedValues
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import read_message_state
from smsby_deploy.smsby.retry import poll
from smsby_deploy.smsby.send_client import PreparedSend
from smsby_deploy.texts.parts import measure_text
from smsby_deploy.wording import counted, sentence


class PhoneRequest(SendRequest):
    """sendSMS to one phone of a chunk whose message exists."""

    def __init__(
        self, context: ApplyContext, ledger: DeliveryLedger, address: str, chunk: Chunk, place: int
    ) -> None:
        self._ref = (address, chunk.index)
        super().__init__([self._ref], row=place)
        self._context = context
        self._ledger = ledger
        self._place = place
        self._phone, self._text = chunk.phones[place], chunk.text or ""
        self._line = chunk.lines[place]

    def prepare(self) -> PreparedSend | None:
        recorder, later = self._context.recorder, self._context.opt_outs.later()
        record = recorder.chunk(self._ref)
        if later is not None and self._phone in later:
            left = None if record.recipients is None else record.recipients - 1
            recorder.note(self._ref, ChunkState.SUPPRESSED, self._place, recipients=left, error=record.error)
            return None
        message_id = record.message_id
        assert message_id is not None  # SingleSender made it
        return self._context.client.prepare_sms(message_id, self._phone, self._text)

    def on_recorded(self) -> None:
        self._context.advance(1)
        record = self._context.recorder.chunk(self._ref)
        if record.phones is not None and record.phones[self._place] is PhoneState.REJECTED:
            self._warn("refused", f"{self._ref[0]}: line {self._line}: {record.error}")

    def look_for_lost(self, reconciler: Reconciler) -> None:
        """Look for a new delivery for `reconcile_seconds`; if found, the phone is accepted."""
        context = self._context
        record = context.recorder.chunk(self._ref)
        known = record.baseline[self._place] if record.baseline else 0
        if known == NO_PROOF:
            return
        seconds, pause = context.project.api.reconcile_seconds, context.shutdown.pause_until_urgent
        for _ in poll(seconds, clock=context.clock, pause=pause):
            try:
                count = self._ledger.deliveries([record.message_id or 0])[self._phone]
            except (SmsbyUnavailable, ApiError) as error:
                self._warn("looking", f"looking for the lost request: {error}")
                count = 0
            if count > known:
                now = context.recorder.now()
                context.recorder.note(
                    self._ref, ChunkState.ACCEPTED, self._place, accepted_at=now, error=None
                )
            if count > known or context.shutdown.is_urgent:
                return

    def _warn(self, name: str, line: str) -> None:
        self._context.say(Event(name, line, (self._ref[0],), is_warning=True))


@dataclass(frozen=True, slots=True)
class _Sending:
    """A single mailing that is being sent; `time` is its send time, None for at once.

    `made` are the messages that this run created and compared.
    """

    mailing: Mailing
    run: MailingRun
    time: datetime | None
    made: set[int | None] = field(default_factory=set)


class SingleSender:
    """Sends single mailings, which must already be in the lock."""

    def __init__(
        self,
        context: ApplyContext,
        dispatcher: Dispatcher,
        reconciler: Reconciler,
        chunks: SingleChunks,
        ledger: DeliveryLedger,
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._reconciler = reconciler
        self._chunks = chunks
        self._ledger = ledger
        self._factory = MessageFactory(context, dispatcher)
        self._check = DriftCheck(context)

    def send(self, mailing: Mailing) -> None:
        """Create the missing messages, wait for their approval, and send them.

        They are sent only to phones that certainly did not get them.

        Raises:
            FilesChanged: the files differ from the plan.
            StopSending, ResultNotSaved: as Dispatcher.send_all.
        """
        run = self._context.runs[mailing.address]
        time = mailing.time_on_wire(self._context.clock.now())
        sending = _Sending(mailing, run, time)
        chunks = self._open_chunks(mailing, self._chunks.read(mailing))
        for chunk in chunks:
            self._prepare(sending, chunk)
            if run.is_stopped:
                return
        chunks = self._open_chunks(mailing, chunks)
        if self._may_be_sent(sending, chunks):
            self._dispatcher.send_all(list(self._requests(mailing, chunks)))
            self._report(sending, chunks)

    def _open_chunks(self, mailing: Mailing, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Return the chunks that are not done."""
        return [chunk for chunk in chunks if self._chunks.record_of(mailing, chunk).state not in DONE]

    def _may_be_sent(self, sending: _Sending, chunks: Sequence[Chunk]) -> bool:
        """Whether all messages are approved and as reviewed; if not, stop the mailing."""
        mailing, run = sending.mailing, sending.run
        ids = {chunk.index: self._chunks.record_of(mailing, chunk).message_id for chunk in chunks}
        states = self._factory.wait_for_approval(mailing.address, ids.values())
        waiting = next((number for number, state in states.items() if awaits_moderation(state)), None)
        if waiting is not None:
            why = sentence(
                "not sent: sms.by has not approved the text yet (message {id}); the next apply continues",
                id=waiting,
            )
            run.stop(why, ExitCode.FAILED)
        numbers = [number for number in ids.values() if number is not None]
        # For a message from an earlier run, the answer to its creation is no longer known.
        is_resumed = not sending.made.issuperset(numbers)
        remote = self._reconciler.read_before_sending(*numbers) if is_resumed else None
        for chunk in chunks:
            number = ids[chunk.index]
            state = states.get(number) if number is not None else None
            row = remote.find_id(number) if remote is not None and number is not None else None
            answers = [ReportedValues(None, None, state.alphaname, state.parts)] if state else []
            answers += [ReportedValues(row.d_schedule, None, row.alphaname)] if row else []
            self._stop_if_different(sending, chunk, number, answers)
        return not run.is_stopped

    def _stop_if_different(
        self, sending: _Sending, chunk: Chunk, message_id: int | None, answers: Sequence[ReportedValues]
    ) -> None:
        """Stop the mailing if a message, as sms.by reports it, differs from the review."""
        run, parts = sending.run, measure_text(chunk.text).parts if chunk.text else None
        what = sentence("message {id}", id=message_id)
        objection = self._check.objection(what, sending.mailing, answers, parts=parts)
        if objection:
            run.stop(sentence("not sent: {why}", why=objection), ExitCode.REFUSED)

    def _requests(self, mailing: Mailing, chunks: Sequence[Chunk]) -> Iterator[PhoneRequest]:
        for chunk in chunks:
            states = self._chunks.record_of(mailing, chunk).phones or PhoneStates()
            for place, state in enumerate(states):
                if state in UNSENT:
                    yield PhoneRequest(self._context, self._ledger, mailing.address, chunk, place)

    # --- messages --------------------------------------------------------------------------------------------------

    def _prepare(self, sending: _Sending, chunk: Chunk) -> None:
        """Leave out the recipients who get nothing, and create the message.

        If that fails, stop the mailing.
        """
        mailing = sending.mailing
        record = self._chunks.record_of(mailing, chunk)
        states = self._without_suppressed(chunk, recorded_states(record, chunk))
        if not states.has_any(UNSENT) or record.message_id is not None:
            if states != record.phones:
                self._chunks.record(mailing, chunk, states)
            return
        outcome = self._factory.make(mailing, chunk, sending.time)
        if outcome.kind is OutcomeKind.ACCEPTED:
            self._use_new(sending, chunk, states, outcome)
        elif outcome.message_id is None:
            self._reject(sending, chunk, states, outcome.error or "rejected")
        else:
            self._use_existing(sending, chunk, states, outcome.message_id)

    def _use_new(self, sending: _Sending, chunk: Chunk, states: PhoneStates, outcome: Outcome) -> None:
        """Record a new message; one that is not as reviewed is recorded so that no run sends it."""
        zone = self._context.project.api.account_zone
        made = read_message_state(outcome.raw, zone)
        reported = ReportedValues(made.time, None, made.alphaname, made.parts)
        self._stop_if_different(sending, chunk, outcome.message_id, [reported])
        if sending.run.is_stopped:
            self._chunks.record(sending.mailing, chunk, states, refused_id=outcome.message_id)
            return
        sending.made.add(outcome.message_id)
        self._chunks.record(sending.mailing, chunk, states, message_id=outcome.message_id)

    def _without_suppressed(self, chunk: Chunk, states: PhoneStates) -> PhoneStates:
        """Leave out opt-outs and recipients who would get too many messages."""
        return PhoneStates(
            state if is_reached or state not in UNSENT else PhoneState.SUPPRESSED
            for is_reached, state in zip(chunk.not_suppressed, states, strict=True)
        )

    def _use_existing(self, sending: _Sending, chunk: Chunk, states: PhoneStates, message_id: int) -> None:
        """Use the existing message with this text, if its reuse is allowed and safe."""
        reuse = self._check_reuse(sending, chunk, states, message_id)
        match reuse.verdict:
            case ReuseVerdict.REFUSED:
                self._reject(sending, chunk, states, reuse.reason)
                return
            case ReuseVerdict.WAIT:
                sending.run.stop(with_code(ReasonCode.UNKNOWN, reuse.reason), ExitCode.OUTCOME_UNKNOWN)
                return
            case ReuseVerdict.IN_DOUBT:
                states = states.replacing(UNSENT, PhoneState.UNKNOWN)
                sending.run.stop(with_code(ReasonCode.UNKNOWN, reuse.reason))
            case ReuseVerdict.USABLE:
                pass
        self._chunks.record(
            sending.mailing,
            chunk,
            states,
            baseline=baseline_of(chunk.phones, reuse.counts, is_complete=reuse.is_complete),
            message_id=message_id,
            foreign=reuse.foreign,
            error=reuse.reason or None,
        )

    def _check_reuse(self, sending: _Sending, chunk: Chunk, states: PhoneStates, message_id: int) -> Reuse:
        mailing = sending.mailing
        use = MessageUse(
            project=self._context.project.scope,
            ref=(mailing.address, chunk.index),
            phones=[phone for phone, state in zip(chunk.phones, states, strict=True) if state in UNSENT],
            alphaname=self._context.names.sender_name(sending.run.action.alphaname),
            time=sending.time,
        )
        try:
            remote, now = self._reconciler.read(message_id), self._context.clock.now()
            return self._ledger.check_reuse(remote, message_id, use, now=now)
        except (SmsbyUnavailable, ApiError) as error:
            what = sentence(
                "not sent: message {id} could not be read: {why}", id=message_id, why=error.message
            )
            raise StopSending(what, ExitCode.UNREACHABLE) from error

    def _reject(self, sending: _Sending, chunk: Chunk, states: PhoneStates, error: str) -> None:
        """Record that the message of `chunk` cannot be created, so none of it was sent."""
        rejected = states.replacing(UNSENT, PhoneState.REJECTED)
        self._chunks.record(sending.mailing, chunk, rejected, error=error)
        sending.run.reject(error)

    # --- the result ------------------------------------------------------------------------------------------------

    def _report(self, sending: _Sending, chunks: Sequence[Chunk]) -> None:
        """Report how many phones were accepted; rejected phones are the mailing's error."""
        address = sending.mailing.address
        records = [self._chunks.record_of(sending.mailing, chunk) for chunk in chunks]
        states = PhoneStates(state for record in records for state in record.phones or ())
        rejected = states.count(PhoneState.REJECTED)
        if rejected:
            why = sentence(
                "sms.by rejected {count:phone|phones}; add {count:|it|them} to `suppress` to complete the mailing",
                count=rejected,
            )
            sending.run.stop(why)
        accepted = states.count(PhoneState.ACCEPTED)
        total = counted(len(states) - states.count(PhoneState.SUPPRESSED), "recipient")
        line = f"{address}: {accepted:,} of {total} accepted"
        self._context.say(Event("mailing", line, (address,)))
