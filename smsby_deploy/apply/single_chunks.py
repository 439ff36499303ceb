"""The planned chunks of mailings with `via: single`, and the states of their phones."""

from __future__ import annotations

from dataclasses import replace

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.chunks import Chunk, ChunkReport, stream_chunks
from smsby_deploy.recipients.suppression import leave_out, opted_out_places
from smsby_deploy.texts.compiler import compile_mailing
from smsby_deploy.wording import sentence

_FIRST_STATES = {
    ChunkState.UNKNOWN: PhoneState.UNKNOWN,
    ChunkState.DECLARED_UNSENT: PhoneState.DECLARED_UNSENT,
}


class SingleChunks:
    """Reads the planned chunks of single mailings, and records the states of their phones."""

    def __init__(self, context: ApplyContext) -> None:
        self._context = context
        self._project = context.project
        self._opt_outs = context.opt_outs
        self._recorder = context.recorder

    def read(self, mailing: Mailing) -> list[Chunk]:
        """Return the chunks as planned.

        Raises:
            FilesChanged: they differ from the plan, or the opt-outs cannot be read.
        """
        template = compile_mailing(mailing)
        action = self._context.action_of(mailing)
        suppressed = self._opt_outs.current(action.capped)
        chunks = list(stream_chunks(self._project, mailing, template, suppressed, ChunkReport()))
        if [chunk.digest for chunk in chunks] != [chunk.digest for chunk in action.chunks]:
            raise FilesChanged(sentence("its files changed while it was being sent"))
        # After a rotation of the digest key the plan has the fingerprints by which sms.by knows them.
        for chunk, planned in zip(chunks, action.chunks, strict=True):
            leave_out(chunk.not_suppressed, opted_out_places(planned.opted_out))
        return [
            replace(chunk, fingerprint=mark) for chunk, mark in zip(chunks, action.fingerprints, strict=True)
        ]

    def record_of(self, mailing: Mailing, chunk: Chunk) -> ChunkRecord:
        """Return what the lock records about `chunk`."""
        return self._recorder.chunk((mailing.address, chunk.index))

    def record(
        self,
        mailing: Mailing,
        chunk: Chunk,
        states: PhoneStates,
        *,
        baseline: tuple[int, ...] = (),
        **changes: str | int | None,
    ) -> None:
        """Record the states of all phones of `chunk`, and other changes to its record."""
        record = self.record_of(mailing, chunk)
        if PhoneState.ACCEPTED in states and record.accepted_at is None:
            changes["accepted_at"] = self._recorder.now()
        self._recorder.note_phones(
            (mailing.address, chunk.index),
            states,
            baseline or record.baseline or (0,) * len(states),
            recipients=len(states) - states.count(PhoneState.SUPPRESSED),
            **changes,
        )


def recorded_states(record: ChunkRecord, chunk: Chunk) -> PhoneStates:
    """Return the state of each phone of `chunk`.

    If only the state of the whole chunk is recorded, it applies to all phones.
    """
    if record.phones is not None:
        return record.phones
    first = _FIRST_STATES.get(record.state, PhoneState.PENDING)
    return PhoneStates.uniform(first, len(chunk.phones))
