"""Finds what sms.by already has of a `via: single` mailing: the deliveries of its messages.

Absence proves nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.delivery_ledger import DeliveryLedger
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.recorder import record_of
from smsby_deploy.apply.single_chunks import SingleChunks, recorded_states
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.phone_states import NO_PROOF, UNSENT, PhoneState, PhoneStates
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.smsby.response import NotFound

_OLDER_LOCK = "the lock is older than the deliveries that sms.by reports for this message"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The states of a chunk's phones before and after a look at the deliveries.

    `shows_older_lock`: a phone that the lock calls certainly unsent has a delivery.
    """

    chunk: Chunk
    record: ChunkRecord
    before: PhoneStates
    after: PhoneStates
    shows_older_lock: bool


class SingleReconciler:
    """Records what the deliveries at sms.by prove about single mailings."""

    def __init__(self, context: ApplyContext, chunks: SingleChunks, ledger: DeliveryLedger) -> None:
        self._recorder = context.recorder
        self._opt_outs = context.opt_outs
        self._chunks = chunks
        self._ledger = ledger

    def adopt(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        """Record a mailing that sms.by lists and the lock lacks.

        Phones without a delivery are unknown, except opt-outs.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked; nothing was recorded.
        """
        try:
            chunks, opt_outs = self._chunks.read(mailing), self._opt_outs.current()
        except FilesChanged:
            chunks, opt_outs = [], PhoneSet()  # without the phones, all of it is unknown
        found = [self._ledger.deliveries(remote.ids.get(chunk.fingerprint, [])) for chunk in chunks]
        records = [replace(record_of(chunk, ChunkState.UNKNOWN), opted_out=None) for chunk in action.chunks]
        self._recorder.write_entry(action, mailing.revision, records)
        for chunk, counts in zip(chunks, found, strict=True):
            states = PhoneStates(_adopted_state(phone, counts, opt_outs) for phone in chunk.phones)
            is_unknown = PhoneState.UNKNOWN in states
            error = "sms.by reports no delivery, and the lock was lost" if is_unknown else None
            ids = remote.ids.get(chunk.fingerprint)
            self._chunks.record(mailing, chunk, states, error=error, message_id=max(ids) if ids else None)

    def look_again(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        """Record what the deliveries prove about a recorded mailing.

        If one contradicts the lock, the lock is older than the send, and whatever it calls unsent is unknown.

        Raises:
            SmsbyUnavailable, ApiError: sms.by could not be asked.
        """
        entry = self._recorder.lock.mailings[mailing.address]
        if entry.fingerprints != action.fingerprints:
            return  # the files changed, so the phones of the recorded chunks are unknown
        try:
            chunks = self._chunks.read(mailing)
        except FilesChanged:
            return
        comparisons = [
            self._compare(mailing, chunk, record, remote)
            for chunk, record in zip(chunks, entry.chunks, strict=True)
            if record.state not in DONE
        ]
        is_older = any(comparison.shows_older_lock for comparison in comparisons)
        # Doubtful chunks are recorded first, so that after a crash in between, the others still show why.
        for comparison in sorted(comparisons, key=lambda one: one.shows_older_lock):
            self._record(mailing, comparison, is_older=is_older)

    def _record(self, mailing: Mailing, comparison: _Comparison, *, is_older: bool) -> None:
        states = comparison.after
        if is_older:
            states = states.replacing({PhoneState.PENDING, PhoneState.REJECTED}, PhoneState.UNKNOWN)
        if states == comparison.before:
            return
        error = _OLDER_LOCK if is_older else comparison.record.error
        is_unknown = PhoneState.UNKNOWN in states
        self._chunks.record(mailing, comparison.chunk, states, error=error if is_unknown else None)

    def _compare(
        self, mailing: Mailing, chunk: Chunk, record: ChunkRecord, remote: RemoteView
    ) -> _Comparison:
        """Compare the recorded states of the phones of a chunk with its deliveries."""
        before = recorded_states(record, chunk)
        counts = self._deliveries(chunk, record, remote)
        baseline = record.baseline or (0,) * len(before)
        # If another mailing shares the message, the deliveries may be that mailing's.
        is_shared = self._ledger.is_shared(record.message_id, mailing.address)
        after, shows_older_lock = list(before), False
        for place, (phone, state, known) in enumerate(zip(chunk.phones, before, baseline, strict=True)):
            if known == NO_PROOF or counts[phone] <= known:
                continue
            if state is PhoneState.UNKNOWN:
                after[place] = PhoneState.ACCEPTED
            elif state in UNSENT:
                after[place] = PhoneState.UNKNOWN if is_shared else PhoneState.ACCEPTED
                shows_older_lock = shows_older_lock or state is not PhoneState.DECLARED_UNSENT
        return _Comparison(chunk, record, before, PhoneStates(after), shows_older_lock)

    def _deliveries(self, chunk: Chunk, record: ChunkRecord, remote: RemoteView) -> Counter[str]:
        ids = {*remote.ids.get(chunk.fingerprint, []), *filter(None, [record.message_id])}
        try:
            return self._ledger.deliveries(ids)
        except NotFound:
            return Counter()  # absence proves nothing


def _adopted_state(phone: str, counts: Counter[str], opt_outs: PhoneSet) -> PhoneState:
    if counts[phone]:
        return PhoneState.ACCEPTED
    return PhoneState.SUPPRESSED if phone in opt_outs else PhoneState.UNKNOWN
