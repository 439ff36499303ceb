"""Mailings that were removed from the files although something of them was still to be sent."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from datetime import datetime

from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState, Entry, EntryState, Lock
from smsby_deploy.lock.stored_mailings import find, read_some
from smsby_deploy.plan.remote_state import RemoteView, merge_entry
from smsby_deploy.plan.scheduled import listed_and_taken_back
from smsby_deploy.plan.wave_progress import would_go_on
from smsby_deploy.plan.wave_reasons import why_removed
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import sentence

REMOVED = sentence("it was removed from the files, or cancelled there, after it was approved")


def find_removed(
    lock: Lock, addresses: Container[str], remote: RemoteView | None, now: datetime
) -> Iterator[Problem]:
    """Warn about removed mailings that have waves left, or wait by the lock but are listed.

    `addresses` are those of the mailings that no file has.
    """
    unfinished = {one for one in find(lock.mailings, lambda file: file.unfinished()) if one in addresses}
    for address, entry in read_some(lock.mailings, unfinished):
        if not (would_go_on(entry) or entry.state is EntryState.WAITING):
            continue
        if remote is not None and is_outdated(entry, remote):
            said = listed_and_taken_back(lock.scope, address, _as_listed(entry, remote), REMOVED, now)
            yield Problem(Severity.WARNING, "REMOVED", said, address)
        elif entry.state is not EntryState.WAITING:
            yield Problem(Severity.WARNING, "REMOVED", why_removed(entry, address), address)


def is_outdated(entry: Entry, remote: RemoteView) -> bool:
    """Whether sms.by lists a chunk that the lock has as not sent, because the lock is older."""
    return any(
        chunk.state in SURELY_NOT_SENT and chunk.fingerprint in remote.by_fingerprint
        for chunk in entry.chunks
    )


def _as_listed(entry: Entry, remote: RemoteView) -> Entry:
    """Return a recorded mailing with the states that `remote` proves."""
    states = merge_entry(entry, remote)
    if entry.transport == "single":  # a listed message proves nothing about a phone
        states = (ChunkState.UNKNOWN,) * len(states)
    chunks = (replace(chunk, state=state) for chunk, state in zip(entry.chunks, states, strict=True))
    return replace(entry, chunks=tuple(chunks))
