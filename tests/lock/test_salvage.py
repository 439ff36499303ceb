"""Salvage: nothing of a damaged journal is guessed in favor of sending."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.lock.fold import EventKind
from smsby_deploy.lock.records import ChunkState, Lock
from smsby_deploy.lock.salvage import salvage
from smsby_deploy.lock.serialization import entry_document
from smsby_deploy.lock.store import LockStore
from tests.lock.examples import begin_journal, entry

ACCEPTED, UNKNOWN = ChunkState.ACCEPTED, ChunkState.UNKNOWN


def _journal(folder: Path) -> list[bytes]:
    """The lines: begin, mailing a/b, mailing c/d with two chunks, the intent and the result of c/d's first chunk."""
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
        (2, b"x\n", {"a/b": [UNKNOWN]}),  # c/d is named, but nothing of it is recorded
        (3, b"x\n", {"a/b": [UNKNOWN], "c/d": [UNKNOWN, UNKNOWN]}),
        (4, b"x\n", {"a/b": [UNKNOWN], "c/d": [UNKNOWN, UNKNOWN]}),
        (4, b'{"event": "result", "chunks": [["e/f", 0]]}\n', {"a/b": [UNKNOWN], "c/d": [UNKNOWN, UNKNOWN]}),
    ],
)
def test_salvage_doubts_what_is_not_done(
    tmp_path: Path, damaged: int, replacement: bytes, states: dict[str, list[ChunkState]]
) -> None:
    """Verified results count; every other chunk of a mailing that is named becomes unknown."""
    lines = _journal(tmp_path)
    lines[damaged] = replacement
    path = tmp_path / "journal"
    path.write_bytes(b"".join(lines))
    state, doubtful = salvage(Lock("shop", 1, "line"), path)
    assert {address: [c.state for c in e.chunks] for address, e in state.mailings.items()} == states
    assert doubtful == sorted(states)
    assert (state.serial, state.lineage) == (2, "line")


def test_salvage_reads_the_entry_of_a_line_with_a_wrong_checksum(tmp_path: Path) -> None:
    """A mailing line that is still JSON is recorded, as unknown."""
    lines = _journal(tmp_path)
    lines[2] = lines[2].replace(b'"sum":"', b'"sum":"0', 1)
    path = tmp_path / "journal"
    path.write_bytes(b"".join(lines))
    state, doubtful = salvage(Lock("shop", 1, "line"), path)
    assert doubtful == ["a/b", "c/d"]
    assert [chunk.state for chunk in state.mailings["c/d"].chunks] == [UNKNOWN, UNKNOWN]
