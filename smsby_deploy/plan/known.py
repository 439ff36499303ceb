"""What is known of a recorded mailing once the remote list was read."""

from __future__ import annotations

from smsby_deploy.lock.model import DONE, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.remote import RemoteView


def merge_entry(entry: Entry, remote: RemoteView | None) -> tuple[ChunkState, ...]:
    """The state of each chunk of `entry`, by the lock and by the list together.

    A listed chunk was accepted, whatever was thought of it. If one is listed that the lock says was never tried, the
    lock is older than what happened: its other chunks that were never tried may have gone out as well, and are unknown.
    """
    states = [_merge_chunk(chunk, remote) for chunk in entry.chunks]
    is_outdated = any(
        _was_never_tried(chunk) and state is not chunk.state
        for chunk, state in zip(entry.chunks, states, strict=True)
    )
    if is_outdated:
        states = [
            ChunkState.UNKNOWN if _was_never_tried(chunk) and state is chunk.state else state
            for chunk, state in zip(entry.chunks, states, strict=True)
        ]
    return tuple(states)


def _merge_chunk(chunk: ChunkRecord, remote: RemoteView | None) -> ChunkState:
    listed = remote.by_fingerprint.get(chunk.fingerprint) if remote else None
    if listed is None or chunk.state in DONE:
        return chunk.state
    return ChunkState.DRAFT if listed.is_draft else ChunkState.ACCEPTED


def _was_never_tried(chunk: ChunkRecord) -> bool:
    return chunk.state is ChunkState.PENDING and chunk.error is None
