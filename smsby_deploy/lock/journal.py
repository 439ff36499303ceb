"""The journal: an append-only file that records what is about to happen before it happens.

Each line is a JSON object with a checksum over itself and the previous line, so that a partly written last line can be
distinguished from any other damage. Every line is on disk (fsync) before the program continues, except an accepted result,
which shares the fsync of the next intent. A journal is folded into the lock at the end of its run, or by the next command
after a crash; see events.py for the meaning of its events.

`lock rescue` keeps what can be read of a damaged journal. Nothing is guessed in favor of sending: in every mailing that a
readable line names, or an illegible line may have named, chunks that are not certainly done become unknown.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from smsby_deploy.errors import LockDamaged
from smsby_deploy.fault_points import fault_point
from smsby_deploy.files import SAFE_OPEN, sync_folder
from smsby_deploy.lock.document_checks import UnknownContent, check_events, is_event, storable
from smsby_deploy.lock.entry_json import read_entry
from smsby_deploy.lock.events import Event, EventKind, fold_event
from smsby_deploy.lock.lease import StoreFailed
from smsby_deploy.lock.records import DONE, ChunkState, Entry, Lock
from smsby_deploy.privacy import mask_phones

_CHECKSUM_LENGTH = 16  # hex digits
_HEAD = '{"sum":"'
_PROSE = frozenset({"error", "reason", "by"})  # fields whose text comes from users or sms.by
_ERROR = "the journal of the run that sent it was damaged"
_MISMATCH = (KeyError, IndexError, ValueError, TypeError)  # raised by an event that builds on a lost line


class ResultNotSaved(Exception):
    """The journal cannot be written, so nothing more may be sent.

    `events` are the lines that are not on disk.
    """

    def __init__(self, reason: str, *events: Event) -> None:
        super().__init__(reason)
        self.events = list(events)

    @property
    def remedy(self) -> str:
        """What the user must do before the journal can be written again."""
        cause = self.__cause__
        return cause.remedy if isinstance(cause, StoreFailed) else "free disk space or fix permissions"


class Journal:
    """A journal that is open for writing by the run that holds the lock."""

    def __init__(self, path: Path, mirror: Callable[[bytes], None] | None = None) -> None:
        """Open nothing yet.

        Args:
            path: the file, which must not exist.
            mirror: stores lines elsewhere as well, and raises OSError if that fails. It is slow, so it is called only
                before a request and when a result must be durable, with all lines since its last call.
        """
        self.path = path
        self._mirror = mirror
        self._unmirrored = b""
        self._previous = ""
        self._broken = False
        self._length = 0
        self._synced_length = 0
        self._unsynced: list[Event] = []
        self._file: int | None = None

    def append(self, kind: EventKind, **fields: Any) -> Event:
        """Write one line, wait until it is on disk, and return the event with phone numbers masked.

        Raises:
            ResultNotSaved: the line, or one before it that was not synced, could not be written.
        """
        event = self._write(kind, fields)
        if self._mirror is None or kind is EventKind.INTENT:
            self.sync()
        fault_point(f"journal.after:{kind}")
        return event

    def write(self, kind: EventKind, **fields: Any) -> Event:
        """Write one line like `append`, without waiting for the disk.

        The next append or sync waits for this line, too.
        """
        event = self._write(kind, fields)
        fault_point(f"journal.after:{kind}")
        return event

    def sync(self) -> None:
        """Wait until all lines are on disk; raises as append."""
        if self._file is None or not self._unsynced:
            return
        try:
            os.fsync(self._file)
            if self._mirror is not None:
                self._mirror(self._unmirrored)
        except OSError as error:
            self._broken = True
            raise ResultNotSaved(error.strerror or str(error), *self._take_back_unsynced()) from error
        self._unsynced, self._unmirrored = [], b""
        self._synced_length = self._length

    def _write(self, kind: EventKind, fields: dict[str, Any]) -> Event:
        event = {"event": kind.value, **_mask_prose(fields)}
        line, checksum = _seal_line(event, self._previous)
        fault_point(f"journal.before:{kind}")
        try:
            self._write_line(line)
        except OSError as error:
            self._broken = True  # no line may ever follow one that may be torn
            lost = [event] if self._cut_off() else [*self._take_back_unsynced(), event]
            raise ResultNotSaved(error.strerror or str(error), *lost) from error
        self._previous = checksum
        self._length += len(line)
        if self._mirror is not None:
            self._unmirrored += line
        self._unsynced.append(event)
        return event

    def _write_line(self, line: bytes) -> None:
        if self._broken:
            raise OSError("an earlier line could not be written")
        if self._file is None:
            self._file = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | SAFE_OPEN, 0o644
            )
            sync_folder(self.path.parent)
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes were written")

    def _cut_off(self) -> bool:
        """Remove a partly written line.

        An intent left there would make a request unknown that was never sent. A line that cannot be removed is torn, and is
        read as such.

        Returns:
            Whether exactly the lines before it are now on disk.
        """
        if self._file is None:
            return False
        try:
            os.ftruncate(self._file, self._length)
            os.fsync(self._file)
        except OSError:
            return False
        self._unsynced = []
        return True

    def _take_back_unsynced(self) -> list[Event]:
        """Remove the lines that may not be on disk, and return their events."""
        events, self._unsynced = self._unsynced, []
        self._length = self._synced_length
        self._cut_off()
        return events

    def close(self) -> None:
        """Close the file, which stays on disk until it is folded into the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_journal(path: Path) -> list[Event]:
    """Return the events of a journal, without a torn last line, which never took effect.

    Raises:
        LockDamaged: any other damage.
    """
    events: list[Event] = []
    previous = ""
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if number == len(lines) and (not line or _is_torn(line)):
            break
        try:
            event, previous = open_line(line, previous)
        except (ValueError, KeyError) as error:
            raise LockDamaged(
                f"{path.name}:{number}: the journal is damaged: {error}", hint=_recovery(path)
            ) from error
        events.append(event)
    try:
        check_events(events)
    except UnknownContent as error:
        raise error.in_intact(path.name, _recovery(path)) from error
    except ValueError as error:
        raise LockDamaged(f"{path.name}: the journal is damaged: {error}", hint=_recovery(path)) from error
    return events


def _recovery(path: Path) -> str:
    return (
        f"restore {path.name} from a backup; without one, `smsby-deploy lock rescue` keeps what can be read "
        "and marks the rest unknown"
    )


def open_line(line: bytes, previous: str) -> tuple[Event, str]:
    """Return the event of one line and its checksum.

    `previous` is the checksum of the line before.

    Raises:
        ValueError: it is not a line of a journal, or its checksum does not match.
    """
    text = line.decode("utf-8")
    start, end = len(_HEAD), len(_HEAD) + _CHECKSUM_LENGTH
    checksum = text[start:end]
    if text[:start] != _HEAD or text[end : end + 2] != '",':
        raise ValueError("not a journal line")
    body = "{" + text[end + 2 :]
    if _checksum(body, previous) != checksum:
        raise ValueError("the checksum does not match")
    try:
        event: Event = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return event, checksum


def _seal_line(event: Event, previous: str) -> tuple[bytes, str]:
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    checksum = _checksum(body, previous)
    return f'{_HEAD}{checksum}",{body[1:]}\n'.encode(), checksum


def _checksum(body: str, previous: str) -> str:
    return hashlib.sha256((previous + body).encode()).hexdigest()[:_CHECKSUM_LENGTH]


def _is_torn(line: bytes) -> bool:
    """Return whether an unterminated line is the beginning of a journal line.

    Anything else is damage.
    """
    text = line.decode("utf-8", "ignore")  # it may end within a character
    if not text.startswith(_HEAD[: len(text)]) or not text.isprintable():
        return False
    try:
        json.JSONDecoder().raw_decode(text)
    except ValueError:
        return True
    return False


def _mask_prose(fields: dict[str, Any]) -> dict[str, Any]:
    """Return `fields` as the journal may contain them.

    Phone numbers are masked in texts by users and sms.by; ids and digests stay as they are. Control characters are removed
    and long texts are cut, because every line must be readable again.
    """
    return {name: _mask_value(name, value) for name, value in fields.items()}


def _mask_value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _mask_prose(value)
    if isinstance(value, list):
        return [_mask_value(name, item) for item in value]
    if not isinstance(value, str):
        return value
    return storable(name, mask_phones(value) if name in _PROSE else value)


def salvage(lock: Lock, journal: Path) -> tuple[Lock, list[str]]:
    """Return the lock after a damaged journal, and the addresses that now have unknown chunks."""
    intact, damaged, is_illegible = _read_lines(journal)
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
    if is_illegible or not named <= state.mailings.keys():
        # A lapsed mailing may have been approved again by such a line.
        is_open = (a for a, one in state.mailings.items() if not (one.is_withdrawn or one.is_abandoned))
        named.update(is_open)
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
    """Return the lock with the entry of a damaged `mailing` event.

    It is unchanged if the entry is illegible or already recorded.
    """
    if not is_event(event) or event["event"] != EventKind.MAILING or event.get("address") in lock.mailings:
        return lock
    try:
        return lock.with_entry(event["address"], read_entry(event["entry"]))
    except _MISMATCH:
        return lock


def _read_lines(journal: Path) -> tuple[list[Event], list[Event], bool]:
    """Return the intact events, those of other JSON lines, and whether any line is illegible.

    A line is checked against the checksum that the previous line claims, so one bad line does not spoil those after it. A
    torn last line never took effect.
    """
    intact: list[Event] = []
    damaged: list[Event] = []
    previous, is_illegible = "", False
    *lines, last = journal.read_bytes().split(b"\n")
    for line in lines if not last or _is_torn(last) else (*lines, last):
        try:
            event, previous = open_line(line, previous)
            (intact if is_event(event) else damaged).append(event)
        except (ValueError, KeyError):
            try:
                legible = json.loads(line)
            except (ValueError, RecursionError):
                legible = None
            if isinstance(legible, dict):
                previous = str(legible.get("sum", ""))
                damaged.append(legible)
            else:
                is_illegible = True
    return intact, damaged, is_illegible


def _addresses(event: dict[str, Any]) -> set[str]:
    """Return the mailings that an event names, as far as it can be read."""
    chunks = event.get("chunks")
    named = (
        {str(ref[0]) for ref in chunks if isinstance(ref, list) and ref}
        if isinstance(chunks, list)
        else set()
    )
    return {name for name in (*named, event.get("address")) if isinstance(name, str)}
