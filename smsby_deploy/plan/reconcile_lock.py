"""What is known of a recorded mailing once the remote list was read."""

from __future__ import annotations

from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.remote_state import RemoteView


def merge_entry(entry: Entry, remote: RemoteView | None) -> tuple[ChunkState, ...]:
    """The state of each chunk of `entry`, by the lock and by the list together.

    What was sent phone by phone stays as it is recorded: that its message is listed proves nothing of a single phone, so
    apply asks for its deliveries. Any other listed chunk was accepted, whatever was thought of it. If one is listed that
    the lock calls surely not sent, the lock is older than what happened, and nothing that it calls so is sure any more.
    Only a person's word may be wrong for itself alone.
    """
    if entry.transport == "single":
        return tuple(chunk.state for chunk in entry.chunks)
    states = [_merge_chunk(chunk, remote) for chunk in entry.chunks]
    chunks = list(zip(entry.chunks, states, strict=True))
    if any(_is_sure(chunk) and state is not chunk.state for chunk, state in chunks):
        states = [
            ChunkState.UNKNOWN if _is_sure(chunk) and state is chunk.state else state
            for chunk, state in chunks
        ]
    return tuple(states)


def _merge_chunk(chunk: ChunkRecord, remote: RemoteView | None) -> ChunkState:
    listed = remote.by_fingerprint.get(chunk.fingerprint) if remote else None
    if listed is None or chunk.state in DONE:
        return chunk.state
    return ChunkState.DRAFT if listed.is_draft else ChunkState.ACCEPTED


def _is_sure(chunk: ChunkRecord) -> bool:
    """Whether the program itself knows that this chunk was not sent."""
    return chunk.state in SURELY_NOT_SENT and chunk.state is not ChunkState.DECLARED_UNSENT
