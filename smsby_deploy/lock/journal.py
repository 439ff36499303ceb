"""The journal: what is about to happen, on disk before it happens.

One JSON object a line, each with a checksum over itself and the line before, so that a torn last line is told
from any other damage. Append-only, fsync'd line by line. A journal begins with a `begin` line that names it, and
is folded into the lock when its run ends, or by the next command after a crash.

Lines (`event`): begin, mailing (an entry before its first request), intent, result, chunk (a state change without
a request), rows (where all the phones of a chunk stand that are sent to one by one), upload (the result of a request
that makes or fills the contact list of a chunk), resolve. A `row` in an intent or result is a phone's place in its chunk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from smsby_deploy.errors import LockDamaged
from smsby_deploy.fault_points import fault_point
from smsby_deploy.lock.phone_states import PhoneStates
from smsby_deploy.lock.records import Apply, ChunkRecord, ChunkState, Lock, Resolution, UploadRecord
from smsby_deploy.lock.serialization import read_baseline, read_entry, read_state
from smsby_deploy.privacy import mask_phones

_SUM = 16  # hex digits of a line's checksum
_HEAD = '{"sum":"'
_PROSE = frozenset({"error", "reason", "by"})
REACHES_NOBODY = frozenset({"list", "contacts"})  # steps of an upload: repeated, they change nothing


class ResultNotSaved(Exception):
    """The journal can't be written: nothing more may be sent. `events` are what it did not take."""

    def __init__(self, reason: str, event: dict[str, Any]) -> None:
        super().__init__(reason)
        self.events = [event]


class Journal:
    """An open journal, with one writer: whoever holds the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._previous = ""
        self._broken = False
        self._length = 0
        self._file: int | None = None

    def append(self, event: str, **fields: Any) -> dict[str, Any]:
        """Write one line, wait until it is on disk, and return the event as it was written: phone numbers are masked.

        Raises:
            ResultNotSaved: the line could not be written.
        """
        content = {"event": event, **_mask_prose(fields)}
        line, checksum = _seal_line(content, self._previous)
        fault_point(f"journal.before:{event}")
        try:
            if self._broken:
                raise OSError("an earlier line could not be written")
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
                sync_folder(self.path.parent)
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written")
            os.fsync(self._file)
        except OSError as error:
            self._broken = True  # nothing may ever follow a line that may be torn
            self._cut_off()
            raise ResultNotSaved(error.strerror or str(error), content) from error
        self._previous = checksum
        self._length += len(line)
        fault_point(f"journal.after:{event}")
        return content

    def _cut_off(self) -> None:
        """Take back a line that was not written whole: an intent that stood there would make unknown what never left."""
        with contextlib.suppress(OSError):  # then it stays torn, and is read as such
            if self._file is not None:
                os.ftruncate(self._file, self._length)
                os.fsync(self._file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal; a torn last line is left out, it never took effect.

    Raises:
        LockDamaged: any other damage.
    """
    events: list[dict[str, Any]] = []
    previous = ""
    content = path.read_bytes()
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if number == len(lines) and (not line or _is_torn(line)):
            break
        try:
            event, previous = open_line(line, previous)
        except (ValueError, KeyError) as error:
            raise LockDamaged(
                f"{path.name}:{number}: the journal is damaged: {error}",
                hint=f"restore {path.name} from a backup; if there is none: `smsby-deploy lock rescue` keeps what can be "
                "read of it, and calls the rest unknown",
            ) from error
        events.append(event)
    return events


def fold(lock: Lock, events: list[dict[str, Any]]) -> Lock:
    """The lock after `events`. An intent without a result leaves its chunks unknown. Folding twice changes nothing."""
    if not events:
        return lock
    begin = events[0]
    if begin["id"] == lock.folded:
        return lock
    if lock.lineage is not None and lock.lineage != begin["lineage"]:
        raise LockDamaged(
            "the journal beside the lock belongs to another lock",
            hint="put back the lock file it was written with (git log shows it), then run the command again",
        )
    state = replace(lock, lineage=begin["lineage"], serial=lock.serial + 1, folded=begin["id"])
    for event in events:
        state = fold_event(state, event)
    return state


def fold_event(lock: Lock, event: dict[str, Any]) -> Lock:
    """The lock after one event."""
    match event["event"]:
        case "begin":
            if event["plan"] is None:
                return lock
            run = Apply(event["plan"], event["at"], event["commit"], event["tool"], by=event.get("by"))
            return replace(lock, applies=(*lock.applies, run))
        case "mailing":
            return lock.with_entry(event["address"], read_entry(event["entry"]))
        case "intent":
            if event.get("step") in REACHES_NOBODY:
                return lock
            changes = {"state": ChunkState.UNKNOWN.value, "step": event.get("step")}
            for address, index in event["chunks"]:
                lock = _change(lock, address, index, event.get("row"), changes)
            return lock
        case "result" | "chunk":
            for address, index in event["chunks"]:
                lock = _change(lock, address, index, event.get("row"), event["changes"])
            return lock
        case "upload":
            ((address, index),) = event["chunks"]
            entry = lock.mailings[address]
            changes = {**event["changes"], "upload": UploadRecord(**event["upload"])}
            return lock.with_entry(address, entry.put_chunk(index, replace(entry.chunks[index], **changes)))
        case "rows":
            ((address, index),) = event["chunks"]
            entry = lock.mailings[address]
            changes = {**event["changes"], "baseline": read_baseline(event["baseline"])}
            chunk = entry.chunks[index].with_phones(PhoneStates.parse(event["rows"]), **changes)
            return lock.with_entry(address, entry.put_chunk(index, chunk))
        case "facts":
            entry = lock.mailings[event["address"]]
            return lock.with_entry(event["address"], replace(entry, **event["changes"]))
        case "resolve":
            return replace(lock, resolutions=(*lock.resolutions, Resolution(**event["resolution"])))
        case "remove":
            return replace(lock, mailings={a: e for a, e in lock.mailings.items() if a != event["address"]})
        case "move":
            mailings = {event["to"] if a == event["address"] else a: e for a, e in lock.mailings.items()}
            return replace(lock, mailings=mailings)
        case "end":
            *before, last = lock.applies
            done = replace(last, mailings=event["mailings"], recipients=event["recipients"])
            return replace(lock, applies=(*before, done))
        case other:
            raise LockDamaged(
                f"the journal holds an event this program does not know: {other}",
                hint="use the smsby-deploy that wrote it, or a newer one",
            )


def _change(lock: Lock, address: str, index: int, position: int | None, changes: dict[str, Any]) -> Lock:
    """Return the lock after stored `changes` of one chunk, or only of its phone at `position`."""
    entry = lock.mailings[address]
    chunk = _changed_chunk(entry.chunks[index], position, dict(changes))
    return lock.with_entry(address, entry.put_chunk(index, chunk))


def _changed_chunk(chunk: ChunkRecord, position: int | None, changes: dict[str, Any]) -> ChunkRecord:
    error = changes.get("error", chunk.error if chunk.phones is None else None)
    state = read_state(changes.pop("state"), error)
    if position is None:
        return chunk.with_state(state, **changes)
    return chunk.with_phone_state(position, state, **changes)


def _mask_prose(fields: dict[str, Any]) -> dict[str, Any]:
    """Return `fields` with phone numbers masked in what users and sms.by wrote; ids and digests stay as they are."""
    return {name: _mask_value(name, value) for name, value in fields.items()}


def _mask_value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _mask_prose(value)
    if isinstance(value, list):
        return [_mask_value(name, item) for item in value]
    return mask_phones(value) if name in _PROSE and isinstance(value, str) else value


def _seal_line(event: dict[str, Any], previous: str) -> tuple[bytes, str]:
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    checksum = hashlib.sha256((previous + body).encode()).hexdigest()[:_SUM]
    return f'{_HEAD}{checksum}",{body[1:]}\n'.encode(), checksum


def _is_torn(line: bytes) -> bool:
    """Whether a line without its end is the beginning of one: anything else that stands there is damage."""
    text = line.decode("utf-8", "ignore")  # it may be cut within a letter
    if not text.startswith(_HEAD[: len(text)]) or not text.isprintable():
        return False
    try:
        json.JSONDecoder().raw_decode(text)
    except ValueError:
        return True
    return False


def open_line(line: bytes, previous: str) -> tuple[dict[str, Any], str]:
    """The event of one line and its checksum; ValueError if it does not fit the line before, of which `previous` is."""
    text = line.decode("utf-8")
    start = len(_HEAD)
    checksum = text[start : start + _SUM]
    if text[:start] != _HEAD or text[start + _SUM : start + _SUM + 2] != '",':
        raise ValueError("it is not a line of a journal")
    body = "{" + text[start + _SUM + 2 :]
    if hashlib.sha256((previous + body).encode()).hexdigest()[:_SUM] != checksum:
        raise ValueError("its checksum does not fit")
    event: dict[str, Any] = json.loads(body)
    return event, checksum


def sync_folder(folder: Path) -> None:
    """Make a new or renamed file's name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
