"""Mailings that were removed from the files before they were completely sent."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from datetime import datetime

from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState, Entry, EntryState, Lock
from smsby_deploy.lock.stored_mailings import find, read_some
from smsby_deploy.plan.diff import make_orphan
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.remote_state import RemoteView, merge_entry
from smsby_deploy.plan.scheduled import listed_and_taken_back, still_scheduled
from smsby_deploy.plan.waves import has_later_wave, why_removed
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import sentence

REMOVED = sentence("it was removed from the files, or cancelled there, after it was approved")


def find_removed(
    lock: Lock, addresses: Container[str], remote: RemoteView | None, now: datetime
) -> Iterator[Problem]:
    """Warn about removed mailings that have waves left or in doubt, or wait but are listed.

    `addresses` are the recorded mailings that no file has.
    """
    for address, entry in _unfinished(lock, addresses):
        is_waiting = entry.state is EntryState.WAITING
        if not (is_waiting or (has_later_wave(entry) and entry.ending is None)):
            continue
        if entry.has_unknown or (remote is not None and _is_outdated(address, entry, remote)):
            said = listed_and_taken_back(lock.scope, address, _as_listed(entry, remote), REMOVED, now)
            yield Problem(Severity.WARNING, "REMOVED", said, address)
        elif not is_waiting:
            yield Problem(Severity.WARNING, "REMOVED", why_removed(entry, address), address)


def find_unknown(lock: Lock, addresses: Container[str]) -> Iterator[Action]:
    """Yield the mailings at `addresses`, which no file has, whose outcome is unknown."""
    for address, entry in _unfinished(lock, addresses):
        if entry.has_unknown:
            yield make_orphan(address, entry)


def _unfinished(lock: Lock, addresses: Container[str]) -> Iterator[tuple[str, Entry]]:
    unfinished = {one for one in find(lock.mailings, lambda file: file.unfinished()) if one in addresses}
    return read_some(lock.mailings, unfinished)


def warn_of_scheduled(address: str, entry: Entry, remote: RemoteView, now: datetime) -> Iterator[Problem]:
    """Warn if sms.by will still send a complete mailing that no file has."""
    if entry.state is EntryState.COMPLETE:
        why = sentence("it was removed from the files")
        if said := still_scheduled(remote.scope, address, entry, remote, now, why):
            yield Problem(Severity.WARNING, "REMOVED", said, address)


def _is_outdated(address: str, entry: Entry, remote: RemoteView) -> bool:
    """Whether sms.by lists something that an outdated lock records as not sent."""
    if entry.state is EntryState.WAITING:
        return remote.shows_mailing(address, entry)
    return has_news(entry, remote)


def has_news(entry: Entry, remote: RemoteView) -> bool:
    """Whether the list says more about a mailing's chunks than the lock."""
    return merge_entry(entry, remote) != tuple(chunk.state for chunk in entry.chunks)


def _as_listed(entry: Entry, remote: RemoteView | None) -> Entry:
    """Return a mailing with the states that `remote` proves; other waiting chunks are unknown."""
    states = merge_entry(entry, remote)
    if entry.state is EntryState.WAITING:
        states = tuple(ChunkState.UNKNOWN if one in SURELY_NOT_SENT else one for one in states)
    chunks = (replace(chunk, state=state) for chunk, state in zip(entry.chunks, states, strict=True))
    return replace(entry, chunks=tuple(chunks))
