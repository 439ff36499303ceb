"""Mailings that are sent phone by phone: createSmsMessage once a text, then sendSMS for each phone, never twice.

createSmsMessage reaches nobody and may be tried again; each sendSMS has its intent and its result on disk. What became of
a lost one is told by the deliveries of its message (message_ids.py); what they don't tell stays unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property

from smsby_deploy.apply.bulk import FilesChanged, read_opt_outs
from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.delivery_ledger import DeliveryLedger, Reuse, baseline_of
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.message_factory import MessageFactory
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import NO_PROOF, UNSENT, PhoneState, PhoneStates
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState
from smsby_deploy.plan.chunks import Chunk, ChunkReport, stream_chunks
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.smsby.known_errors import NotFound, WrongPhone, error_for
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.retry import poll
from smsby_deploy.texts.template import compile_text

_OLDER = "the lock is older than what sms.by tells of this message"


class PhoneRequest(SendRequest):
    """sendSMS to one phone of a chunk, whose message was made."""

    def __init__(
        self, context: ApplyContext, book: DeliveryLedger, address: str, chunk: Chunk, place: int
    ) -> None:
        self._ref = (address, chunk.index)
        super().__init__([self._ref], row=place)
        self._context = context
        self._book = book
        self._place = place
        self._phone = chunk.phones[place]
        self._line = chunk.lines[place]

    def prepare(self) -> Callable[[], Outcome]:
        message_id = self._context.recorder.chunk(self._ref).message_id
        assert message_id is not None  # SingleSender made it
        return self._context.client.prepare_sms(message_id, self._phone)

    def concerns_one_phone(self, error: str) -> bool:
        return isinstance(error_for("sendSMS", error, status=200), WrongPhone)

    def on_recorded(self) -> None:
        self._context.advance(1)
        record = self._context.recorder.chunk(self._ref)
        if record.phones is not None and record.phones[self._place] is PhoneState.REJECTED:
            address = self._ref[0]
            line = f"{address}: the phone of line {self._line}: {record.error}"
            self._context.say(Event("refused", line, (address,), is_warning=True))

    def look_for_lost(self, reconciler: Reconciler) -> None:
        """Look for `reconcile_seconds` whether a sendSMS whose answer was lost is among its message's deliveries."""
        context = self._context
        record = context.recorder.chunk(self._ref)
        known = record.baseline[self._place] if record.baseline else 0
        if known == NO_PROOF:
            return
        seconds, pause = context.project.api.reconcile_seconds, context.shutdown.pause_until_urgent
        for _ in poll(seconds, clock=context.clock, pause=pause):
            try:
                if self._book.deliveries([record.message_id or 0])[self._phone] > known:
                    now = context.recorder.now()
                    context.recorder.note(
                        self._ref, ChunkState.ACCEPTED, self._place, accepted_at=now, error=None
                    )
                    return
            except (SmsbyUnavailable, ApiError) as error:
                line = f"looking for the lost request: {error}"
                context.say(Event("looking", line, (self._ref[0],), is_warning=True))
            if context.shutdown.is_urgent:
                return


class SingleSender:
    """Sends and looks for mailings with `via: single`; the lock must have their entries."""

    def __init__(self, context: ApplyContext, dispatcher: Dispatcher, reconciler: Reconciler) -> None:
        self._context = context
        self._project = context.project
        self._recorder = context.recorder
        self._runs = context.runs
        self._dispatcher = dispatcher
        self._reconciler = reconciler
        self._book = DeliveryLedger(context.client, context.recorder)
        self._maker = MessageFactory(context, dispatcher)

    @cached_property
    def _suppressed(self) -> PhoneSet:
        return read_opt_outs(self._project)

    # --- what sms.by has already -----------------------------------------------------------------------------------

    def adopt(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        """Record a mailing that sms.by lists and the lock does not have: whoever is not among the deliveries of its
        messages is unknown, but for those who opted out.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked; nothing was recorded.
        """
        try:
            chunks = self._chunks(mailing, action)
        except FilesChanged:
            chunks = []  # whose phones they were is not known, so all of it is unknown
        records = [
            ChunkRecord(c.fingerprint, c.recipients, c.digest, ChunkState.UNKNOWN) for c in action.chunks
        ]
        found = [self._book.deliveries(remote.ids.get(chunk.fingerprint, [])) for chunk in chunks]
        self._recorder.write_entry(mailing.address, mailing.revision, action, records)
        for chunk, counts in zip(chunks, found, strict=True):
            states = PhoneStates(self._adopted_state(phone, counts) for phone in chunk.phones)
            is_unknown = PhoneState.UNKNOWN in states
            error = "sms.by tells nothing of it, and the lock was lost" if is_unknown else None
            ids = remote.ids.get(chunk.fingerprint)
            self._note(mailing, chunk, states, error=error, message_id=max(ids) if ids else None)

    def _adopted_state(self, phone: str, counts: Counter[str]) -> PhoneState:
        if counts[phone]:
            return PhoneState.ACCEPTED
        return PhoneState.SUPPRESSED if phone in self._suppressed else PhoneState.UNKNOWN

    def look_again(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        """Record what the deliveries of its messages prove of a recorded mailing. One that the lock calls surely not
        sent and that was: then the lock is older than what happened, and nothing that it calls so is sure.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked.
        """
        entry = self._recorder.lock.mailings[mailing.address]
        if [c.fingerprint for c in entry.chunks] != [c.fingerprint for c in action.chunks]:
            return  # the files are not those that were sent: who its phones were is not known
        try:
            chunks = self._chunks(mailing, action)
        except FilesChanged:
            return
        after: list[tuple[Chunk, ChunkRecord, PhoneStates, PhoneStates]] = []
        is_older = False
        for chunk, record in zip(chunks, entry.chunks, strict=True):
            if record.state in DONE:
                continue
            before = _phone_states(record, chunk)
            states, surprised = self._compare(mailing, chunk, record, before, remote)
            is_older = is_older or surprised
            after.append((chunk, record, before, states))
        for chunk, record, before, states in after:
            if is_older:
                states = states.replacing({PhoneState.PENDING, PhoneState.REJECTED}, PhoneState.UNKNOWN)
            if states != before:
                is_unknown = PhoneState.UNKNOWN in states
                error = None if not is_unknown else _OLDER if is_older else record.error
                self._note(mailing, chunk, states, error=error)

    def _compare(
        self, mailing: Mailing, chunk: Chunk, record: ChunkRecord, before: PhoneStates, remote: RemoteView
    ) -> tuple[PhoneStates, bool]:
        """The phones of `chunk` as they stand by the deliveries, and whether one was sent that surely was not."""
        ids = {*remote.ids.get(chunk.fingerprint, []), *filter(None, [record.message_id])}
        try:
            counts = self._book.deliveries(ids)
        except NotFound:
            return before, False  # absence proves nothing
        if not counts:
            return before, False
        baseline = record.baseline or (0,) * len(before)
        # Of a message that is another mailing's too nobody can tell whose delivery it was.
        is_shared = bool(self._book.elsewhere(record.message_id, mailing.address))
        states, surprised = list(before), False
        for place, (phone, state, known) in enumerate(zip(chunk.phones, before, baseline, strict=True)):
            if known == NO_PROOF or counts[phone] <= known:
                continue
            if state is PhoneState.UNKNOWN:
                states[place] = PhoneState.ACCEPTED
            elif state in UNSENT:
                states[place] = PhoneState.UNKNOWN if is_shared else PhoneState.ACCEPTED
                surprised = surprised or state is not PhoneState.DECLARED_UNSENT
        return PhoneStates(states), surprised

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, mailing: Mailing, action: Action) -> None:
        """Make the messages that are not made, wait until they may be sent, and send them to who surely got none.

        Raises:
            FilesChanged: nothing more of it may leave.
            StopSending, ResultNotSaved: as Dispatcher.send_all.
        """
        chunks = self._chunks(mailing, action)
        when = mailing.time_on_wire(self._context.clock.now())
        for chunk in chunks:
            if self._recorder.chunk((mailing.address, chunk.index)).state in DONE:
                continue
            if not self._prepare(mailing, action, chunk, when):
                return
        left = [c for c in chunks if self._recorder.chunk((mailing.address, c.index)).state not in DONE]
        ids = [self._recorder.chunk((mailing.address, chunk.index)).message_id for chunk in left]
        awaiting = self._maker.wait_for_approval(mailing.address, ids)
        if awaiting is not None:
            why = (
                f"not sent: sms.by has not approved the text yet (message {awaiting}); the next apply goes on"
            )
            self._runs[mailing.address].stop(why, ExitCode.FAILED)
            return
        before = {
            chunk.index: self._recorder.chunk((mailing.address, chunk.index)).phones or PhoneStates()
            for chunk in left
        }
        self._dispatcher.send_all(self._requests(mailing, left, before))
        self._sum_up(mailing, left)

    def _prepare(self, mailing: Mailing, action: Action, chunk: Chunk, when: datetime | None) -> bool:
        """Leave out who opted out, and make the message of `chunk`; False if nothing more of the mailing may leave."""
        ref = (mailing.address, chunk.index)
        record = self._recorder.chunk(ref)
        states = PhoneStates(
            PhoneState.SUPPRESSED if state in UNSENT and phone in self._suppressed else state
            for phone, state in zip(chunk.phones, _phone_states(record, chunk), strict=True)
        )
        if not states.has_any(UNSENT) or record.message_id is not None:
            if states != record.phones:
                self._note(mailing, chunk, states)
            return True
        outcome = self._maker.make(mailing, action, chunk, when)
        if outcome.kind is OutcomeKind.ACCEPTED:
            self._note(mailing, chunk, states, message_id=outcome.message_id)
            return True
        if outcome.message_id is None:
            self._reject(mailing, chunk, states, outcome.error or "rejected")
            return False
        return self._reuse(mailing, action, chunk, states, outcome.message_id, when)

    def _reuse(
        self,
        mailing: Mailing,
        action: Action,
        chunk: Chunk,
        states: PhoneStates,
        message_id: int,
        when: datetime | None,
    ) -> bool:
        """Use the message that has this text already, once its deliveries were read; False if it may not be used."""
        phones = [phone for phone, state in zip(chunk.phones, states, strict=True) if state in UNSENT]
        try:
            verdict: Reuse = self._book.check_reuse(
                self._reconciler.read(),
                message_id,
                project=self._project.name,
                ref=(mailing.address, chunk.index),
                phones=phones,
                alphaname=mailing.alphaname,
                when=when,
                now=self._context.clock.now(),
            )
        except (SmsbyUnavailable, ApiError) as error:
            raise StopSending(
                f"not sent: the message {message_id} could not be read: {error}", ExitCode.UNREACHABLE
            ) from error
        if verdict.refusal:
            self._reject(mailing, chunk, states, verdict.refusal)
            return False
        if verdict.waits_for:
            self._runs[mailing.address].stop(verdict.waits_for, ExitCode.OUTCOME_UNKNOWN)
            return False
        baseline = baseline_of(chunk.phones, verdict.counts, proves=verdict.proves)
        if verdict.doubt:
            states = states.replacing(UNSENT, PhoneState.UNKNOWN)
        self._note(
            mailing,
            chunk,
            states,
            baseline=baseline,
            message_id=message_id,
            foreign=verdict.foreign,
            error=verdict.doubt,
        )
        if verdict.doubt:
            self._runs[mailing.address].stop(f"unknown: {verdict.doubt}")
        return not verdict.doubt

    def _requests(
        self, mailing: Mailing, chunks: Sequence[Chunk], before: dict[int, PhoneStates]
    ) -> Iterator[PhoneRequest]:
        for chunk in chunks:
            for place, state in enumerate(before[chunk.index]):
                if state in UNSENT:
                    yield self._request(mailing, chunk, place)

    def _request(self, mailing: Mailing, chunk: Chunk, place: int) -> PhoneRequest:
        return PhoneRequest(self._context, self._book, mailing.address, chunk, place)

    def _sum_up(self, mailing: Mailing, chunks: Sequence[Chunk]) -> None:
        """Tell what became of it; a phone that was refused is told as the mailing's error."""
        records = [self._recorder.chunk((mailing.address, chunk.index)) for chunk in chunks]
        states = PhoneStates(state for record in records for state in record.phones or ())
        refused = states.count(PhoneState.REJECTED)
        if refused:
            why = (
                f"sms.by refused {refused} of its phones; opt them out (suppress) and the mailing is complete"
            )
            self._runs[mailing.address].stop(why)
        accepted, total = states.count(PhoneState.ACCEPTED), len(states) - states.count(PhoneState.SUPPRESSED)
        line = f"{mailing.address}: {accepted} of {total} recipients: accepted"
        self._say("mailing", line, mailing.address)

    # --- recording ---------------------------------------------------------------------------------------------------

    def _say(self, name: str, line: str, address: str, *, is_warning: bool = False) -> None:
        self._context.say(Event(name, line, (address,), is_warning=is_warning))

    def _reject(self, mailing: Mailing, chunk: Chunk, states: PhoneStates, error: str) -> None:
        """The message of `chunk` can't be made: nobody of it was sent to."""
        self._note(mailing, chunk, states.replacing(UNSENT, PhoneState.REJECTED), error=error)
        self._runs[mailing.address].reject(error)

    def _note(
        self,
        mailing: Mailing,
        chunk: Chunk,
        states: PhoneStates,
        *,
        baseline: tuple[int, ...] = (),
        **changes: str | int | None,
    ) -> None:
        ref = (mailing.address, chunk.index)
        record = self._recorder.chunk(ref)
        if PhoneState.ACCEPTED in states and record.accepted_at is None:
            changes["accepted_at"] = self._recorder.now()
        baseline = baseline or record.baseline or (0,) * len(states)
        recipients = len(states) - states.count(PhoneState.SUPPRESSED)
        self._recorder.note_phones(ref, states, baseline, recipients=recipients, **changes)

    def _chunks(self, mailing: Mailing, action: Action) -> list[Chunk]:
        """The chunks as planned.

        Raises:
            FilesChanged: they are not.
        """
        template = compile_text(mailing.text) if mailing.text else None
        mailing = mailing.pinned(self._context.inputs)
        chunks = list(stream_chunks(self._project, mailing, template, self._suppressed, ChunkReport()))
        if [chunk.digest for chunk in chunks] != [chunk.digest for chunk in action.chunks]:
            raise FilesChanged("its files changed while it was being sent")
        return chunks


def _phone_states(record: ChunkRecord, chunk: Chunk) -> PhoneStates:
    """Return the state of each phone of `chunk`, also if only the state of the whole chunk is recorded."""
    if record.phones is not None:
        return record.phones
    first = {
        ChunkState.UNKNOWN: PhoneState.UNKNOWN,
        ChunkState.DECLARED_UNSENT: PhoneState.DECLARED_UNSENT,
    }.get(record.state, PhoneState.PENDING)
    return PhoneStates.uniform(first, len(chunk.phones))
