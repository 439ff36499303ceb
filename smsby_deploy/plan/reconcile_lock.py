"""Merge what the remote list shows into what the lock knows of a mailing."""

from __future__ import annotations

from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.remote_state import RemoteView


def merge_entry(entry: Entry, remote: RemoteView | None) -> tuple[ChunkState, ...]:
    """Return the state of each chunk of `entry`, by lock and remote list together.

    A listed chunk was accepted, whatever the lock says. If the lock calls a listed chunk certainly not sent, the lock is
    outdated, and the other chunks that it calls so are unknown. A manual resolution is the exception: it casts no doubt on
    other chunks. Mailings sent phone by phone keep their recorded states: a listed message proves nothing about a single
    phone, so apply asks for its deliveries.
    """
    if entry.transport == "single":
        return tuple(chunk.state for chunk in entry.chunks)
    states = [_merge_chunk(chunk, remote) for chunk in entry.chunks]
    chunks = list(zip(entry.chunks, states, strict=True))
    if any(_is_certainly_unsent(chunk) and state is not chunk.state for chunk, state in chunks):
        states = [
            ChunkState.UNKNOWN if _is_certainly_unsent(chunk) and state is chunk.state else state
            for chunk, state in chunks
        ]
    return tuple(states)


def _merge_chunk(chunk: ChunkRecord, remote: RemoteView | None) -> ChunkState:
    listed = remote.by_fingerprint.get(chunk.fingerprint) if remote else None
    if listed is None or chunk.state in DONE:
        return chunk.state
    return ChunkState.DRAFT if listed.is_draft else ChunkState.ACCEPTED


def _is_certainly_unsent(chunk: ChunkRecord) -> bool:
    """Whether the program itself recorded that this chunk was not sent."""
    return chunk.state in SURELY_NOT_SENT and chunk.state is not ChunkState.DECLARED_UNSENT
