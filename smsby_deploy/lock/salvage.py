"""Recovery of a damaged journal: keep what can be read, and mark the rest unknown.

Nothing is guessed in favor of sending. In every mailing that a readable line names, the chunks that are not certainly done
become unknown, until they are found at sms.by or resolved manually.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from smsby_deploy.lock.fold import Event, EventKind, fold_event
from smsby_deploy.lock.journal import open_line
from smsby_deploy.lock.records import DONE, ChunkState, Entry, Lock
from smsby_deploy.lock.serialization import read_entry

_ERROR = "the journal of the run that sent it was damaged"
_MISMATCH = (KeyError, IndexError, ValueError, TypeError)  # an event that builds on a lost line


def salvage(lock: Lock, journal: Path) -> tuple[Lock, list[str]]:
    """Return the lock after a damaged journal, and the addresses that have unknown chunks now."""
    intact, damaged = _read_lines(journal)
    begin = next((event for event in intact if event["event"] == EventKind.BEGIN), {})
    state = replace(
        lock,
        lineage=lock.lineage or begin.get("lineage") or uuid4().hex,
        serial=lock.serial + 1,
        folded=begin.get("id", lock.folded),
    )
    for event in intact:
        try:
            state = fold_event(state, event)
        except _MISMATCH:
            damaged.append(event)
    for event in damaged:
        state = _add_missing_entry(state, event)
    named = {address for event in (*intact, *damaged) for address in _addresses(event)}
    doubtful = []
    for address in sorted(named & state.mailings.keys()):
        entry = _doubt(state.mailings[address])
        if entry.has_unknown:
            doubtful.append(address)
            state = state.with_entry(address, entry)
    return state, doubtful


def _doubt(entry: Entry) -> Entry:
    """Return `entry` with every chunk unknown that is not certainly done."""
    for index, chunk in enumerate(entry.chunks):
        if chunk.state not in DONE:
            entry = entry.put_chunk(index, chunk.with_state(ChunkState.UNKNOWN, error=_ERROR))
    return entry


def _add_missing_entry(lock: Lock, event: Event) -> Lock:
    """Return the lock with the entry of a damaged `mailing` event, if it is legible and missing."""
    if event.get("event") != EventKind.MAILING or event.get("address") in lock.mailings:
        return lock
    try:
        return lock.with_entry(event["address"], read_entry(event["entry"]))
    except _MISMATCH:
        return lock


def _read_lines(journal: Path) -> tuple[list[Event], list[Event]]:
    """Return the events whose checksum matches, and those of other lines that are still JSON.

    A line is checked against the checksum that the previous line claims, so one bad line does not spoil those after it.
    """
    intact: list[Event] = []
    damaged: list[Event] = []
    previous = ""
    for line in journal.read_bytes().split(b"\n"):
        try:
            event, previous = open_line(line, previous)
            intact.append(event)
        except (ValueError, KeyError):
            try:
                legible = json.loads(line)
            except ValueError:
                continue
            if isinstance(legible, dict):
                previous = str(legible.get("sum", ""))
                damaged.append(legible)
    return intact, damaged


def _addresses(event: dict[str, Any]) -> set[str]:
    """Return the mailings that an event is about, as far as it can be read."""
    chunks = event.get("chunks")
    named = {ref[0] for ref in chunks if isinstance(ref, list) and ref} if isinstance(chunks, list) else set()
    return {name for name in (*named, event.get("address")) if isinstance(name, str)}
