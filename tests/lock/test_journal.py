"""The journal: what is written, and how it is read back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.fold import EventKind
from smsby_deploy.lock.journal import Journal, ResultNotSaved, read_journal
from smsby_deploy.lock.store import LockStore
from tests.lock.examples import begin_journal

PHONE = "375291234567"


def test_journal_append_masks_phones_in_prose(tmp_path: Path) -> None:
    """What users and sms.by wrote is masked on disk and in the returned event; ids that look like numbers are not."""
    journal = Journal(tmp_path / "journal")
    written = [
        journal.append(EventKind.BEGIN, id="1234567890", by=f"user {PHONE}"),
        journal.append(
            EventKind.RESULT, chunks=[["a/b", 0]], changes={"error": f"{PHONE} refused", "uuid": PHONE}
        ),
        journal.append(EventKind.MAILING, entry={"chunks": [{"error": PHONE, "fingerprint": "1234567890"}]}),
        journal.append(EventKind.RESOLVE, resolution={"reason": f"call +{PHONE}", "at": "2026-12-01"}),
    ]
    journal.close()
    assert read_journal(tmp_path / "journal") == written
    assert written[0] == {"event": "begin", "id": "1234567890", "by": "user 37529*****67"}
    assert written[1]["changes"] == {"error": "37529*****67 refused", "uuid": PHONE}
    assert written[2]["entry"]["chunks"] == [{"error": "37529*****67", "fingerprint": "1234567890"}]
    assert written[3]["resolution"] == {"reason": "call +37529*****67", "at": "2026-12-01"}


def test_read_journal_with_damage_at_every_byte(tmp_path: Path) -> None:
    """Cut at any offset, the complete lines are read; with any byte changed, it is refused or still means the same."""
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
        # A last line that lacks only its line break was written; to count it is the safe choice.
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
    """If the disk takes only a part of a line, the part is removed, the event is in the error, and nothing may follow."""
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
