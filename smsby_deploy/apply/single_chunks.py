"""The chunks of a mailing with `via: single` and the states of their phones; the lock has no phone number."""

from __future__ import annotations

from functools import cached_property

from smsby_deploy.apply.bulk import FilesChanged, read_opt_outs
from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.chunks import Chunk, ChunkReport, stream_chunks
from smsby_deploy.plan.model import Action
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.texts.template import compile_text

_FIRST_STATES = {
    ChunkState.UNKNOWN: PhoneState.UNKNOWN,
    ChunkState.DECLARED_UNSENT: PhoneState.DECLARED_UNSENT,
}


class SingleChunks:
    """Reads the planned chunks of single mailings, and records the states of their phones."""

    def __init__(self, context: ApplyContext) -> None:
        self._project = context.project
        self._inputs = context.inputs
        self._recorder = context.recorder

    @cached_property
    def opt_outs(self) -> PhoneSet:
        """The present opt-outs, read once for all mailings; FilesChanged if they cannot be read."""
        return read_opt_outs(self._project)

    def read(self, mailing: Mailing, action: Action) -> list[Chunk]:
        """Return the chunks as planned.

        Raises:
            FilesChanged: they are not the planned ones, or the opt-outs cannot be read.
        """
        template = compile_text(mailing.text) if mailing.text else None
        pinned = mailing.pinned(self._inputs)
        chunks = list(stream_chunks(self._project, pinned, template, self.opt_outs, ChunkReport()))
        if [chunk.digest for chunk in chunks] != [chunk.digest for chunk in action.chunks]:
            raise FilesChanged("its files changed while it was being sent")
        return chunks

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
        """Record the states of all phones of `chunk`, and other changes of its record."""
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
    """Return the state of each phone of `chunk`, also if only the state of the whole chunk is recorded."""
    if record.phones is not None:
        return record.phones
    first = _FIRST_STATES.get(record.state, PhoneState.PENDING)
    return PhoneStates.uniform(first, len(chunk.phones))
