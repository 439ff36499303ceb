"""What each event of a journal means for the lock.

| event | fields | meaning |
|---|---|---|
| begin | id, lineage, plan, at, commit, tool, by | names the journal; with a plan, starts an apply |
| mailing | address, entry | a mailing, before its first request or as found at sms.by |
| intent | chunks, step, row | a request is about to be sent: its chunks are unknown until a result follows |
| result | chunks, changes, row | the outcome of a request |
| chunk | chunks, changes, row | a state that needed no request |
| rows | chunks, rows, baseline, changes | the state of every phone of a chunk |
| upload | chunks, upload, changes | the progress of a contact list |
| facts | address, changes | what only sms.by knows: about a list mailing, or what it billed |
| ending | address, revision, ending | a user ended a mailing; null takes that back |
| verdict | address, verdict | how a wave went, by its figures or as a user decided |
| resolve | resolution | a manual change, its author and reason |
| remove, move | address, to | a mailing is forgotten, or gets another address |
| archive | addresses, archived | mailings were moved to the archive, which now has this many lines |
| bind | environment, service, account | where the lock belongs |
| key | digest_key, sealed | the key of its digests, and unkeyed digests sealed with it |
| rekey | digest_key, digests, sealed | its digests, as another key makes them |
| end | mailings, recipients | the apply is over |

`row`, if present, limits an event to the phone at that position of its only chunk.

Reading checks these keys against `_event_schema` in document_checks.py; a key that is not in it is not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any
from uuid import uuid4

from smsby_deploy import TOOL
from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.counts import Billed
from smsby_deploy.lock.decisions import EndingKind, Resolution
from smsby_deploy.lock.entry_json import parse_baseline, read_ending, read_entry, read_state, read_verdict
from smsby_deploy.lock.keyed_digests import digests_of, replace_digests
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import Apply, ChunkRecord, ChunkState, Entry, Lock, UploadRecord
from smsby_deploy.lock.stored_mailings import without

Event = dict[str, Any]

# Steps of an upload. They reach no recipient and change nothing when repeated, so a lost result leaves nothing unknown.
_REPEATABLE_STEPS = frozenset({"list", "contacts"})


class EventKind(StrEnum):
    """The kind of a journal line, stored under `event`."""

    BEGIN = "begin"
    MAILING = "mailing"
    INTENT = "intent"
    RESULT = "result"
    CHUNK = "chunk"
    PHONES = "rows"
    UPLOAD = "upload"
    FACTS = "facts"
    ENDING = "ending"
    VERDICT = "verdict"
    RESOLVE = "resolve"
    REMOVE = "remove"
    MOVE = "move"
    ARCHIVE = "archive"
    BIND = "bind"
    KEY = "key"
    REKEY = "rekey"
    END = "end"


def begin_fields(
    lock: Lock, *, at: str, plan: str | None = None, commit: str | None = None
) -> dict[str, Any]:
    """Return the fields of the first event of a journal; without `plan`, it is that of an edit."""
    lineage = lock.lineage or uuid4().hex
    return {"id": uuid4().hex, "lineage": lineage, "plan": plan, "at": at, "commit": commit, "tool": TOOL}


def fold(lock: Lock, events: list[Event]) -> Lock:
    """Return the lock after all `events` of one journal.

    Folding the same journal again changes nothing.

    Raises:
        LockDamaged: the journal belongs to another lock, or contains an event of an unknown kind.
        KeyError, IndexError, TypeError, ValueError: an event does not match the lock.
    """
    if not events:
        return lock
    begin = events[0]
    if begin["id"] == lock.folded:
        return lock
    if lock.lineage is not None and lock.lineage != begin["lineage"]:
        raise LockDamaged(
            "the journal next to the lock belongs to another lock",
            hint="restore the lock file it was written with (git log shows it), then run the command again",
        )
    state = replace(lock, lineage=begin["lineage"], serial=lock.serial + 1, folded=begin["id"])
    for event in events:
        state = fold_event(state, event)
    return _without_stray_seals(state)


def _without_stray_seals(lock: Lock) -> Lock:
    """Return `lock` without the sealed digests of mailings that it no longer has."""
    if not lock.sealed:
        return lock
    recorded = {digest for entry in lock.mailings.values() for digest in digests_of(entry)}
    return replace(
        lock, sealed={digest: lock.sealed[digest] for digest in sorted(recorded & lock.sealed.keys())}
    )


def fold_event(lock: Lock, event: Event) -> Lock:
    """Return the lock after one event; raises as `fold`."""
    try:
        fold_kind = _FOLDS[EventKind(event["event"])]
    except ValueError as error:
        raise LockDamaged(
            f"the journal contains an event of an unknown kind: {event['event']}",
            hint="use the version of smsby-deploy that wrote it, or a newer one",
        ) from error
    return fold_kind(lock, event)


def _begin(lock: Lock, event: Event) -> Lock:
    if event["plan"] is None:
        return lock
    run = Apply(event["plan"], event["at"], event["commit"], event["tool"], by=event.get("by"))
    if lock.applies and replace(lock.applies[-1], mailings=0, recipients=0) == run:
        return lock  # a hand-over of several plans is one run with several journals
    return replace(lock, applies=(*lock.applies, run))


def _mailing(lock: Lock, event: Event) -> Lock:
    return lock.with_entry(event["address"], read_entry(event["entry"]))


def _intent(lock: Lock, event: Event) -> Lock:
    step = event.get("step")
    if step in _REPEATABLE_STEPS:
        return lock
    return _change_chunks(lock, event, {"state": ChunkState.UNKNOWN.value, "step": step})


def _result(lock: Lock, event: Event) -> Lock:
    return _change_chunks(lock, event, event["changes"])


def _phones(lock: Lock, event: Event) -> Lock:
    ((address, index),) = event["chunks"]
    phones, baseline = PhoneStates.parse(event["rows"]), parse_baseline(event["baseline"])
    changes = {**event["changes"], "baseline": baseline}
    chunk = lock.mailings[address].chunks[index]
    return _put_chunk(lock, address, index, chunk.with_phones(phones, **changes))


def _upload(lock: Lock, event: Event) -> Lock:
    ((address, index),) = event["chunks"]
    changes = {**event["changes"], "upload": UploadRecord(**event["upload"])}
    chunk = lock.mailings[address].chunks[index]
    return _put_chunk(lock, address, index, replace(chunk, **changes))


def _facts(lock: Lock, event: Event) -> Lock:
    address, changes = event["address"], dict(event["changes"])
    if "billed" in changes:
        changes["billed"] = Billed(**changes["billed"])
    return lock.with_entry(address, replace(lock.mailings[address], **changes))


def _ending(lock: Lock, event: Event) -> Lock:
    address, ending = event["address"], read_ending(event["ending"])
    entry = lock.mailings[address]
    revision = event.get("revision", entry.revision)
    earlier = tuple(replace(one, ending=ending) if one.revision == revision else one for one in entry.earlier)
    entry = replace(entry, earlier=earlier)
    return lock.with_entry(address, replace(entry, ending=ending) if entry.revision == revision else entry)


def _verdict(lock: Lock, event: Event) -> Lock:
    address, verdict = event["address"], read_verdict(event["verdict"])
    entry = lock.mailings[address]
    return lock.with_entry(address, replace(entry, verdicts=(*entry.verdicts, verdict)))


def _resolve(lock: Lock, event: Event) -> Lock:
    return replace(lock, resolutions=(*lock.resolutions, Resolution(**event["resolution"])))


def _remove(lock: Lock, event: Event) -> Lock:
    return replace(lock, mailings=without(lock.mailings, [event["address"]]))


def _archive(lock: Lock, event: Event) -> Lock:
    mailings = without(lock.mailings, frozenset(event["addresses"]))
    return replace(lock, mailings=mailings, archived=event["archived"])


def _move(lock: Lock, event: Event) -> Lock:
    address = event["address"]
    # In locks older than `declared`, only the address and the time show that a user settled a chunk.
    settled_at = {one.at for one in lock.resolutions if one.address == address}
    entry = _declared(lock.mailings[address], settled_at)
    moved = replace(entry, earlier=tuple(_declared(one, settled_at) for one in entry.earlier))
    return replace(lock, mailings=without(lock.mailings, [address])).with_entry(event["to"], moved)


def _declared(entry: Entry, settled_at: set[str]) -> Entry:
    chunks = (replace(c, declared=True) if c.accepted_at in settled_at else c for c in entry.chunks)
    return replace(entry, chunks=tuple(chunks))


def _bind(lock: Lock, event: Event) -> Lock:
    return replace(lock, **{key: event[key] for key in ("environment", "service", "account")})


def _key(lock: Lock, event: Event) -> Lock:
    return replace(lock, digest_key=event["digest_key"], sealed=lock.sealed | event["sealed"])


def _rekey(lock: Lock, event: Event) -> Lock:
    digests: dict[str, str] = event["digests"]
    mailings = {address: replace_digests(entry, digests) for address, entry in lock.mailings.items()}
    return replace(lock, mailings=mailings, digest_key=event["digest_key"], sealed=event["sealed"])


def _end(lock: Lock, event: Event) -> Lock:
    *before, last = lock.applies
    mailings, recipients = last.mailings + event["mailings"], last.recipients + event["recipients"]
    done = replace(last, mailings=mailings, recipients=recipients)
    return replace(lock, applies=(*before, done))


_FOLDS: dict[EventKind, Callable[[Lock, Event], Lock]] = {
    EventKind.BEGIN: _begin,
    EventKind.MAILING: _mailing,
    EventKind.INTENT: _intent,
    EventKind.RESULT: _result,
    EventKind.CHUNK: _result,
    EventKind.PHONES: _phones,
    EventKind.UPLOAD: _upload,
    EventKind.FACTS: _facts,
    EventKind.ENDING: _ending,
    EventKind.VERDICT: _verdict,
    EventKind.RESOLVE: _resolve,
    EventKind.REMOVE: _remove,
    EventKind.MOVE: _move,
    EventKind.ARCHIVE: _archive,
    EventKind.BIND: _bind,
    EventKind.KEY: _key,
    EventKind.REKEY: _rekey,
    EventKind.END: _end,
}


def _change_chunks(lock: Lock, event: Event, changes: dict[str, Any]) -> Lock:
    """Return the lock after stored `changes` to the event's chunks.

    With a `row`, only the phone at that position changes.
    """
    position = event.get("row")
    for address, index in event["chunks"]:
        chunk = _changed(lock.mailings[address].chunks[index], position, dict(changes))
        lock = _put_chunk(lock, address, index, chunk)
    return lock


def _changed(chunk: ChunkRecord, position: int | None, changes: dict[str, Any]) -> ChunkRecord:
    # Without an error in the changes, the chunk keeps its own, which may say that it was declared unsent.
    error = changes.get("error", chunk.error if chunk.phones is None else None)
    state = read_state(changes.pop("state"), error)
    if position is None:
        return chunk.with_state(state, **changes)
    return chunk.with_phone_state(position, state, **changes)


def _put_chunk(lock: Lock, address: str, index: int, chunk: ChunkRecord) -> Lock:
    """Return the lock with another record of a chunk.

    An approval can lapse only while nothing was sent, so the lapse is undone if something turns out to be at sms.by.
    """
    entry = lock.mailings[address].put_chunk(index, chunk)
    if entry.ending is not None and entry.ending.kind is EndingKind.LAPSED and entry.may_have_reached:
        entry = replace(entry, ending=None)
    return lock.with_entry(address, entry)
