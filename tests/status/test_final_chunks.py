"""The record of final chunks: what is kept, when it is used, and when its file is trusted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.lock.places import private_file
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.status.delivery_counts import DeliveryCounts
from smsby_deploy.status.final_chunks import FinalChunks, read_final
from smsby_deploy.status.mailing_details import MissedRows
from tests.status.examples import A, B, chunk, count_deliveries, deliveries

DELIVERED = count_deliveries(deliveries("DELIVERED", "DELIVERED"), list_missed=False)
MIXED = count_deliveries(deliveries("DELIVERED", "UNDELIVERED"), list_missed=True)


def _find(final: FinalChunks, record: ChunkRecord, *, phones: bool = False) -> DeliveryCounts | None:
    return final.find(record, is_overdue=False, needs_phones=phones)


@pytest.mark.posix
@pytest.mark.parametrize("counts", [DELIVERED, MIXED])
def test_final_chunks_keep_every_count(tmp_path: Path, counts: DeliveryCounts) -> None:
    """Every count is read back as it was written, without the phones."""
    lock, path = tmp_path / "lock.json", tmp_path / ".smsby/lock.json.status"
    final = read_final(lock, "secret")
    final.add(chunk(A, 2), counts, is_overdue=False)
    final.save()
    assert _find(read_final(lock, "secret"), chunk(A, 2)) == replace(counts, missed=MissedRows())
    assert "37529" not in path.read_text()
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "other",
    [
        chunk(B, 2),
        chunk(A, 3),
        replace(chunk(A, 2), uuid="u2"),
        replace(chunk(A, 2), message_id=9),
    ],
)
def test_final_chunks_of_another_send_are_not_used(other: ChunkRecord) -> None:
    """A record is used only if fingerprint, ids and size are the same."""
    final = FinalChunks()
    final.add(chunk(A, 2), DELIVERED, is_overdue=False)
    assert _find(final, other) is None


@pytest.mark.parametrize(
    ("record", "statuses"),
    [
        (chunk(A, 2), ("DELIVERED", "SENT")),
        (chunk(A, 2), ("DELIVERED", "Odd")),
        (chunk(A, 3), ("DELIVERED", "DELIVERED")),
        (chunk(A, None), ("DELIVERED", "DELIVERED")),
        (replace(chunk(A, 2), state=ChunkState.UNKNOWN), ("DELIVERED", "DELIVERED")),
        (chunk(A, 0), ()),
    ],
)
def test_final_chunks_keep_nothing_that_may_change(record: ChunkRecord, statuses: tuple[str, ...]) -> None:
    """A chunk that may still get another status or recipient is not recorded."""
    final = FinalChunks()
    final.add(record, count_deliveries(deliveries(*statuses), list_missed=False), is_overdue=False)
    assert _find(final, record) is None
    assert not final.has_changed


def test_final_chunks_keep_no_phone() -> None:
    """Phones in status words and times, which are texts of sms.by, are not kept."""
    final = FinalChunks()
    final.add(
        chunk(A, 1),
        DeliveryCounts(Counter({"no 375291234567": 1}), Counter({"no 375291234567": 1})),
        is_overdue=False,
    )
    assert final.known == {}
    final.add(
        chunk(A, 1),
        DeliveryCounts(Counter(DELIVERED=1), timeline=Counter({"375291234567": 1})),
        is_overdue=False,
    )
    (text,) = final.known.values()
    assert "37529" not in text


def test_final_chunks_are_asked_again_for_phones() -> None:
    """For phones, final chunks with missed recipients are asked about again, since the file has none, and no others."""
    final = FinalChunks()
    final.add(chunk(A, 2), DELIVERED, is_overdue=False)
    final.add(chunk(B, 2), MIXED, is_overdue=False)
    assert _find(final, chunk(A, 2), phones=True) == DELIVERED
    assert _find(final, chunk(B, 2), phones=True) is None
    assert _find(final, chunk(B, 2)) is not None


def test_final_chunks_that_were_overdue_may_be_open_again() -> None:
    """With a longer `settle_after`, messages that were overdue may be open again."""
    final = FinalChunks()
    counts = count_deliveries(deliveries("DELIVERED", "SENT"), list_missed=False)
    counts.settle()
    final.add(chunk(A, 3), counts, is_overdue=True)
    assert final.find(chunk(A, 3), is_overdue=True, needs_phones=False) == counts
    assert _find(final, chunk(A, 3)) is None


def test_read_final_believes_no_damaged_file(tmp_path: Path) -> None:
    """A file that is changed at any byte, cut off, or written with another token counts as missing."""
    lock, path = tmp_path / "lock.json", tmp_path / ".smsby/lock.json.status"
    final = read_final(lock, "secret")
    assert final.find(chunk(A, 2), is_overdue=True, needs_phones=False) is None
    final.add(chunk(A, 2), MIXED, is_overdue=False)
    final.save()
    content = path.read_bytes()
    assert _find(read_final(lock, "other"), chunk(A, 2)) is None
    for offset in range(len(content)):
        for damaged in (content[:offset], content[:offset] + b"\xff" + content[offset + 1 :]):
            path.write_bytes(damaged)
            assert _find(read_final(lock, "secret"), chunk(A, 2)) is None, offset


def test_final_chunks_need_no_folder_that_can_be_written(tmp_path: Path) -> None:
    """A report does not fail if the record cannot be written."""
    (tmp_path / ".smsby").write_text("a file")
    final = read_final(tmp_path / "lock.json", "secret")
    final.add(chunk(A, 2), DELIVERED, is_overdue=False)
    final.save()
    assert _find(read_final(tmp_path / "lock.json", "secret"), chunk(A, 2)) is None


def test_final_chunks_follow_no_link(tmp_path: Path) -> None:
    """A link in place of the file or its folder is not followed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / ".smsby").symlink_to(elsewhere)
    final = read_final(tmp_path / "lock.json", "secret")
    final.add(chunk(A, 2), DELIVERED, is_overdue=False)
    final.save()
    assert list(elsewhere.iterdir()) == []
    assert private_file(tmp_path / ".smsby" / "x.json", "status").parent == tmp_path / ".smsby"
