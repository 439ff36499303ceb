"""The journal: what is written, and how it is read back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.decisions import Ending, EndingKind
from smsby_deploy.lock.entry_json import entry_document
from smsby_deploy.lock.events import Event, EventKind
from smsby_deploy.lock.journal import Journal, ResultNotSaved, read_journal, salvage
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.lock.store import LockStore
from tests.lock.examples import begin_journal, entry

PHONE = "375291234567"
_RESOLUTION = {
    "address": "a/b",
    "what": "removed",
    "at": "2026-11-24T07:00:00Z",
    "by": "anna",
    "reason": f"call +{PHONE}",
}


def _entry_with(error: str) -> dict[str, Any]:
    recorded = entry()
    return entry_document(recorded.put_chunk(0, replace(recorded.chunks[0], error=error)))


def test_journal_append_masks_phones_in_prose(tmp_path: Path) -> None:
    """Phones in texts of users and sms.by are masked on disk and in the returned event; ids are not."""
    journal = Journal(tmp_path / "journal")
    written = [
        journal.append(EventKind.BEGIN, id="1234567890", by=f"user {PHONE}"),
        journal.append(
            EventKind.RESULT, chunks=[["a/b", 0]], changes={"error": f"{PHONE} refused", "uuid": PHONE}
        ),
        journal.append(EventKind.MAILING, address="a/b", entry=_entry_with(PHONE)),
        journal.append(EventKind.RESOLVE, resolution=_RESOLUTION),
    ]
    journal.close()
    assert read_journal(tmp_path / "journal") == written
    assert written[0] == {"event": "begin", "id": "1234567890", "by": "user 37529*****67"}
    assert written[1]["changes"] == {"error": "37529*****67 refused", "uuid": PHONE}
    (chunk,) = written[2]["entry"]["chunks"]
    assert (chunk["error"], chunk["fingerprint"]) == ("37529*****67", "0000000000")
    assert written[3]["resolution"]["reason"] == "call +37529*****67"


def test_read_journal_with_damage_at_every_byte(tmp_path: Path) -> None:
    """A journal cut at any offset gives its complete lines; with any byte changed it is refused or means the same."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = begin_journal(store)
    journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    journal.append(
        EventKind.RESULT, chunks=[["a/b", 0]], changes={"state": "rejected", "error": "номер не тот"}
    )
    journal.close()
    content = store.journal_path.read_bytes()
    whole = read_journal(store.journal_path)
    for offset in range(len(content)):
        store.journal_path.write_bytes(content[:offset])
        lines = content[:offset].count(b"\n")
        # A last line that lacks only its line break was written; counting it is the safe choice.
        complete = lines + (content[offset : offset + 1] == b"\n")
        assert read_journal(store.journal_path) == whole[:complete], offset
        for other in b"\x00x9\n":
            if content[offset] == other:
                continue
            store.journal_path.write_bytes(content[:offset] + bytes([other]) + content[offset + 1 :])
            try:
                read = read_journal(store.journal_path)
            except LockDamaged as error:
                assert store.journal_path.name in error.message
                assert error.hint
            else:
                assert read == whole, (offset, other)


def test_journal_append_takes_back_a_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk accepts only part of a line, the part is removed, the event is in the error, and nothing can follow."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = begin_journal(store)
    before = store.journal_path.read_bytes()
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr("smsby_deploy.lock.journal.os.write", lambda file, line: real(file, line[:20]))
        with pytest.raises(ResultNotSaved) as caught:
            journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    assert caught.value.events == [{"event": "intent", "chunks": [["a/b", 0]], "step": None}]
    assert store.journal_path.read_bytes() == before
    with pytest.raises(ResultNotSaved):
        journal.append(EventKind.INTENT, chunks=[["a/b", 0]], step=None)
    journal.close()
    assert store.journal_path.read_bytes() == before


def _write_result(journal: Journal) -> Event:
    """Write a result without syncing it."""
    return journal.write(EventKind.RESULT, chunks=[["a/b", 0]], changes={"state": "accepted"})


def test_journal_append_syncs_the_lines_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unsynced line is synced together with the next one, and can be read before that."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = begin_journal(store)
    synced: list[bytes] = []
    real = os.fsync

    def sync(file: int) -> None:
        real(file)
        synced.append(store.journal_path.read_bytes())

    monkeypatch.setattr("smsby_deploy.lock.journal.os.fsync", sync)
    result = _write_result(journal)
    assert not synced
    intent = journal.append(EventKind.INTENT, chunks=[["a/b", 1]], step=None)
    journal.sync()
    journal.close()
    assert synced == [store.journal_path.read_bytes()]
    assert read_journal(store.journal_path)[-2:] == [result, intent]


def test_journal_sync_failure_names_every_lost_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If neither a result nor the next intent can be synced, both are named once and removed from the file."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = begin_journal(store)
    before = store.journal_path.read_bytes()
    result = _write_result(journal)

    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("smsby_deploy.lock.journal.os.fsync", fail)
        with pytest.raises(ResultNotSaved) as caught:
            journal.append(EventKind.INTENT, chunks=[["a/b", 1]], step=None)
    assert caught.value.events == [result, {"event": "intent", "chunks": [["a/b", 1]], "step": None}]
    with pytest.raises(ResultNotSaved) as caught:
        _write_result(journal)
    assert caught.value.events == [result]
    journal.sync()
    journal.close()
    assert store.journal_path.read_bytes() == before


@pytest.mark.parametrize("is_kept", [True, False])
def test_journal_full_disk_keeps_the_line_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    """If an intent does not fit, only it is lost if the result before it can be synced, and otherwise both."""
    store = LockStore(tmp_path / "lock.json", "shop")
    journal = begin_journal(store)
    begun = store.journal_path.read_bytes()
    result = _write_result(journal)
    whole = store.journal_path.read_bytes()

    def fail(file: int, line: bytes = b"") -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("smsby_deploy.lock.journal.os.write", fail)
        if not is_kept:
            patched.setattr("smsby_deploy.lock.journal.os.fsync", fail)
        with pytest.raises(ResultNotSaved) as caught:
            journal.append(EventKind.INTENT, chunks=[["a/b", 1]], step=None)
    intent = {"event": "intent", "chunks": [["a/b", 1]], "step": None}
    assert caught.value.events == ([intent] if is_kept else [result, intent])
    with pytest.raises(
        ResultNotSaved
    ) as caught:  # nothing follows, and a saved line is not reported as lost again
        journal.append(EventKind.INTENT, chunks=[["a/b", 1]], step=None)
    assert caught.value.events == [intent]
    journal.close()
    assert store.journal_path.read_bytes() == (whole if is_kept else begun)


def test_journal_of_a_run_is_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run has a new journal file, whose name is on disk with its first line; without that line no file is left."""
    synced: list[Path] = []
    monkeypatch.setattr("smsby_deploy.lock.journal.sync_folder", synced.append)
    path = tmp_path / "journal"

    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("smsby_deploy.lock.journal.os.fsync", fail)
        with pytest.raises(ResultNotSaved):
            Journal(path).append(EventKind.BEGIN, id="1")
    assert (path.read_bytes(), synced) == (b"", [tmp_path])
    with pytest.raises(ResultNotSaved, match="File exists"):
        Journal(path).append(EventKind.BEGIN, id="2")
    assert path.read_bytes() == b""


def test_read_journal_refuses_what_no_run_writes(tmp_path: Path) -> None:
    """Lines that no run writes are refused, whatever their checksums, and the error says how to go on."""
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append(EventKind.REMOVE, address="no address")
    journal.close()
    with pytest.raises(LockDamaged, match="journal: the journal is damaged") as caught:
        read_journal(path)
    assert "smsby-deploy lock rescue" in caught.value.hint


def test_read_journal_names_a_newer_version(tmp_path: Path) -> None:
    """A journal of a newer version is refused as such: a rescue would make unknown what that version knows."""
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append(EventKind.RESULT, chunks=[["s/half", 0]], changes={"state": "accepted", "step": "beside"})
    journal.close()
    with pytest.raises(
        LockDamaged, match="journal: this version of smsby-deploy does not know all of it"
    ) as caught:
        read_journal(path)
    assert caught.value.hint.startswith("use the version of smsby-deploy that wrote it, or a newer one")


ACCEPTED, UNKNOWN = ChunkState.ACCEPTED, ChunkState.UNKNOWN


def _journal(folder: Path) -> list[bytes]:
    """Return the lines: begin, mailing a/b, mailing c/d with two chunks, the intent and the result of c/d's first chunk."""
    store = LockStore(folder / "lock.json", "shop")
    journal = begin_journal(store)
    two = entry(ChunkState.PENDING, ChunkState.PENDING)
    journal.append(EventKind.MAILING, address="c/d", entry=entry_document(two))
    journal.append(EventKind.INTENT, chunks=[["c/d", 0]], step=None)
    journal.append(EventKind.RESULT, chunks=[["c/d", 0]], changes={"state": "accepted", "uuid": "u"})
    journal.close()
    return store.journal_path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("damaged", "replacement", "states"),
    [
        (0, b"x\n", {"a/b": [UNKNOWN], "c/d": [ACCEPTED, UNKNOWN]}),
        # The line after an unreadable one cannot be verified. No line names a/b any more: no request of it was sent.
        (1, b"x\n", {"c/d": [UNKNOWN, UNKNOWN]}),
        (2, b"x\n", {"a/b": [UNKNOWN]}),  # c/d is named, but none of it is recorded
        (3, b"x\n", {"a/b": [UNKNOWN], "c/d": [UNKNOWN, UNKNOWN]}),
        (4, b"x\n", {"a/b": [UNKNOWN], "c/d": [UNKNOWN, UNKNOWN]}),
        (4, b'{"event": "result", "chunks": [["e/f", 0]]}\n', {"a/b": [UNKNOWN], "c/d": [UNKNOWN, UNKNOWN]}),
    ],
)
def test_salvage_doubts_what_is_not_done(
    tmp_path: Path, damaged: int, replacement: bytes, states: dict[str, list[ChunkState]]
) -> None:
    """Verified results count, and every other chunk of a named mailing becomes unknown."""
    lines = _journal(tmp_path)
    lines[damaged] = replacement
    path = tmp_path / "journal"
    path.write_bytes(b"".join(lines))
    state, doubtful = salvage(Lock("shop", 1, "line"), path)
    assert {address: [c.state for c in e.chunks] for address, e in state.mailings.items()} == states
    assert doubtful == sorted(states)
    assert (state.serial, state.lineage) == (2, "line")


def test_salvage_reads_an_entry_with_a_wrong_checksum(tmp_path: Path) -> None:
    """A mailing line with a wrong checksum that is still JSON is recorded as unknown."""
    lines = _journal(tmp_path)
    lines[2] = lines[2].replace(b'"sum":"', b'"sum":"0', 1)
    path = tmp_path / "journal"
    path.write_bytes(b"".join(lines))
    state, doubtful = salvage(Lock("shop", 1, "line"), path)
    assert doubtful == ["a/b", "c/d"]
    assert [chunk.state for chunk in state.mailings["c/d"].chunks] == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(
    ("damaged", "replacement", "is_doubted"),
    [
        (3, b"x\n", True),
        (3, b'{"event": "intent", "chunks": [["s/x", 0]]}\n', True),  # a damaged name
        (3, b'{"event": "intent", "chunks": [["c/d", 0]]}\n', False),
        (4, b'{"sum":"0123', False),  # torn: it took no effect
        (4, b"\0\0\0\0", True),
    ],
)
def test_salvage_doubts_what_an_illegible_line_may_name(
    tmp_path: Path, damaged: int, replacement: bytes, is_doubted: bool
) -> None:
    """An illegible line may be the intent of any mailing in the lock, except one that a user has ended."""
    lines = _journal(tmp_path)
    lines[damaged] = replacement
    path = tmp_path / "journal"
    path.write_bytes(b"".join(lines))
    half = entry(ACCEPTED, ChunkState.PENDING)
    ended = replace(half, ending=Ending(EndingKind.ABANDONED, "t", "anna", ""))
    lapsed = replace(entry(ChunkState.PENDING), ending=Ending(EndingKind.LAPSED, "t", None, "changed"))
    before = {"s/done": entry(ACCEPTED), "s/half": half, "s/ended": ended, "s/lapsed": lapsed}
    state, doubtful = salvage(Lock("shop", 1, "line", before), path)
    assert doubtful == ["a/b", "c/d", *(["s/half", "s/lapsed"] if is_doubted else [])]
    assert state.mailings["s/half"].has_unknown == is_doubted
    assert all(state.mailings[address] == before[address] for address in ("s/done", "s/ended"))


def test_salvage_into_a_lock_without_a_lineage(tmp_path: Path) -> None:
    """The lineage and journal id come from the first line, or are new if that is damaged."""
    lines = _journal(tmp_path)
    path = tmp_path / "journal"
    begin = json.loads(lines[0])
    for first, lineage, folded in ((lines[0], begin["lineage"], begin["id"]), (b"x\n", None, "before")):
        path.write_bytes(b"".join([first, *lines[1:4], b"x\n"]))
        state, _ = salvage(Lock("shop", folded="before"), path)
        assert state.folded == folded
        assert state.lineage and (lineage is None or state.lineage == lineage)


@pytest.mark.parametrize(
    ("line", "doubtful"),
    [
        (b'{"event": "intent", "chunks": [5, [], ["s/half", 0]], "address": 7}', ["s/half"]),
        (b'{"event": "mailing", "address": "s/half", "entry": {}}', ["s/half"]),
        (b'{"event": "mailing", "address": "s/new", "entry": {}}', ["s/half", "s/other"]),
        (b"[]", ["s/half", "s/other"]),
    ],
)
def test_salvage_reads_what_a_damaged_line_names(tmp_path: Path, line: bytes, doubtful: list[str]) -> None:
    """A damaged line that names a mailing makes it unknown, and never replaces its record in the lock."""
    path = tmp_path / "journal"
    path.write_bytes(_journal(tmp_path)[0] + line + b"\n")
    half = entry(ACCEPTED, ChunkState.PENDING)
    state, found = salvage(Lock("shop", 1, "line", {"s/half": half, "s/other": half}), path)
    assert found == doubtful
    assert state.mailings["s/half"].chunks[0].state is ACCEPTED


@pytest.mark.parametrize("line", ["x" * 40, '{"sum":"0123456789abcdef";"event":"end"}'])
def test_read_journal_refuses_other_lines(tmp_path: Path, line: str) -> None:
    """A line of another format is refused, even if it looks like a journal's."""
    path = tmp_path / "journal"
    path.write_bytes(_journal(tmp_path)[0] + line.encode() + b"\n")
    with pytest.raises(LockDamaged, match="journal:2: the journal is damaged"):
        read_journal(path)
