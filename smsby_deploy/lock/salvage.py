"""A damaged journal: what can still be read of it is kept, and whatever it may have been about is unknown.

Nothing is guessed in favour of sending: of every mailing that any readable line names, the chunks that are not surely
done become unknown, and wait for what sms.by lists or for a person's word.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from smsby_deploy.lock.journal import fold_event, open_line
from smsby_deploy.lock.records import DONE, ChunkState, Lock
from smsby_deploy.lock.serialization import read_entry

_ERROR = "the journal of the run that sent it was damaged"


def salvage(lock: Lock, journal: Path) -> tuple[Lock, list[str]]:
    """The lock after what can be read of a damaged journal, and the addresses of which something is unknown now."""
    sure, unsure = _read_lines(journal)
    begin = next((event for event in sure if event["event"] == "begin"), {})
    state = replace(
        lock,
        lineage=lock.lineage or begin.get("lineage") or uuid4().hex,
        serial=lock.serial + 1,
        folded=begin.get("id", lock.folded),
    )
    named: set[str] = set()
    for event in sure:
        named |= _addresses(event)
        try:
            state = fold_event(state, event)
        except (KeyError, IndexError, ValueError, TypeError):
            unsure.append(event)  # it builds on a line that is lost
    for event in unsure:
        named |= _addresses(event)
        if event.get("event") == "mailing" and event.get("address") not in state.mailings:
            try:
                state = state.with_entry(event["address"], read_entry(event["entry"]))
            except (KeyError, ValueError, TypeError):
                continue  # its address is named all the same
    doubtful = []
    for address in sorted(named & state.mailings.keys()):
        entry = state.mailings[address]
        for index, chunk in enumerate(entry.chunks):
            if chunk.state not in DONE:
                entry = entry.put_chunk(index, chunk.with_state(ChunkState.UNKNOWN, error=_ERROR))
        if entry.has_unknown:
            doubtful.append(address)
            state = state.with_entry(address, entry)
    return state, doubtful


def _read_lines(journal: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines whose checksum fits, and what is legible of the others. A line is checked against the checksum that the
    one before it bears, so that one bad line does not spoil all that follow."""
    sure: list[dict[str, Any]] = []
    unsure: list[dict[str, Any]] = []
    previous = ""
    for line in journal.read_bytes().split(b"\n"):
        try:
            event, previous = open_line(line, previous)
            sure.append(event)
        except (ValueError, KeyError):
            try:
                legible = json.loads(line)
            except ValueError:
                continue
            if isinstance(legible, dict):
                previous = str(legible.get("sum", ""))
                unsure.append(legible)
    return sure, unsure


def _addresses(event: dict[str, Any]) -> set[str]:
    """The mailings that an event is about, as far as it can be read."""
    chunks = event.get("chunks")
    named = {ref[0] for ref in chunks if isinstance(ref, list) and ref} if isinstance(chunks, list) else set()
    return {name for name in (*named, event.get("address")) if isinstance(name, str)}
