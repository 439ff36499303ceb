"""The archive: what is appended can be read, and a damaged archive is never taken for an empty one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.digest_key import NO_KEY, DigestKey
from smsby_deploy.errors import LockDamaged, SmsbyDeployError
from smsby_deploy.lock import archive
from smsby_deploy.lock.archive import (
    append_archive,
    archive_path,
    find_archived,
    read_archive,
    rekey_archive,
    sent_at,
    with_archived,
    with_newer,
)
from smsby_deploy.lock.entry_json import read_entry
from smsby_deploy.lock.records import ChunkState, Entry, Lock
from tests.lock.examples import entry as sample

AT = "2026-12-01T07:00:00+00:00"
LATER = datetime(2026, 11, 25, tzinfo=UTC)


def _entry(letter: str = "a", revision: int = 1, **changes: Any) -> Entry:
    """Return a sent mailing whose digests repeat one letter."""
    digests = dict.fromkeys(
        ("content_digest", "audience_digest", "text_digest", "recipients_digest"), letter * 64
    )
    chunks = tuple(replace(chunk, digest=letter * 64) for chunk in sample(ChunkState.ACCEPTED).chunks)
    return replace(sample(revision=revision), **{**digests, "chunks": chunks, **changes})


def _lock(folder: Path, **mailings: Entry) -> Lock:
    """Return a lock next to its archive, with mailings of one campaign."""
    path = archive_path(folder / "smsby.lock.json")
    assert path == folder / "smsby.lock.json.archive.jsonl"
    return Lock("shop", mailings={f"sale/{name}": entry for name, entry in mailings.items()}, archive=path)


def _archived(lock: Lock, *names: str) -> Lock:
    """Return the lock after these mailings were archived."""
    assert lock.archive is not None
    addresses = {f"sale/{name}" for name in names}
    count = append_archive(lock, lock.archive, addresses, AT)
    rest = {address: entry for address, entry in lock.mailings.items() if address not in addresses}
    return replace(lock, mailings=rest, archived=count)


def _text(lock: Lock) -> bytes:
    assert lock.archive is not None
    return lock.archive.read_bytes()


def test_archive_reads_what_was_appended(tmp_path: Path) -> None:
    """Each line of the archive is one mailing with all its revisions, as in the lock."""
    vip = _entry(revision=3, earlier=(_entry("b", 1),))
    lock = _archived(_lock(tmp_path, vip=vip, staff=_entry("c")), "vip")
    assert [(one.address, one.entry()) for one in read_archive(lock)] == [("sale/vip", vip)]
    lock = _archived(lock, "staff")
    assert [one.address for one in read_archive(lock)] == ["sale/vip", "sale/staff"]
    assert lock.archived == 2
    assert list(read_archive(Lock("shop"))) == []


def test_archive_does_not_append_a_mailing_twice(tmp_path: Path) -> None:
    """A mailing that a crash left in both the lock and the archive is not appended twice."""
    before = _lock(tmp_path, vip=_entry(), staff=_entry("c"))
    _archived(before, "vip")
    assert _archived(before, "vip", "staff").archived == 2


def test_with_archived_merges_revisions(tmp_path: Path) -> None:
    """Only the requested mailings are read, and their older revisions are added to a newer one in the lock."""
    lock = _archived(_lock(tmp_path, vip=_entry(), old=_entry("b"), both=_entry("c")), "vip", "old", "both")
    lock = replace(lock, mailings={"sale/both": _entry("d", 2)})
    found, addresses = with_archived(lock, {"sale/vip", "sale/both", "sale/new"})
    assert addresses == {"sale/vip", "sale/old", "sale/both"}
    assert {a: (e.revision, e.is_archived, len(e.earlier)) for a, e in found.mailings.items()} == {
        "sale/both": (2, False, 1),
        "sale/vip": (1, True, 0),
    }
    assert with_archived(found, addresses).lock.mailings["sale/vip"] is found.mailings["sale/vip"]


def test_with_archived_leaves_what_the_lock_has(tmp_path: Path) -> None:
    """By default every archived mailing is added, and a revision that is in both is taken from the lock."""
    vip = _entry(revision=3, earlier=(_entry("b", 1),))
    lock = _archived(_lock(tmp_path, both=_entry("c"), vip=vip, old=_entry("d")), "both", "vip", "old")
    lock = replace(lock, mailings={"sale/both": _entry("c"), "sale/vip": _entry("e", 4)})
    found = with_archived(lock).lock.mailings
    assert {address: entry.is_archived for address, entry in found.items()} == {
        "sale/both": False,
        "sale/vip": False,
        "sale/old": True,
    }
    assert [(one.revision, one.earlier) for one in found["sale/vip"].earlier] == [(3, ()), (1, ())]


def test_with_archived_takes_the_highest_revision(tmp_path: Path) -> None:
    """If a mailing was archived several times, its highest revision counts, even if the lock has a lower one."""
    lock = _archived(_lock(tmp_path, vip=_entry()), "vip")
    lock = _archived(replace(lock, mailings={"sale/vip": _entry("b", 2)}), "vip")
    for mailings in ({}, {"sale/vip": _entry()}):
        entry = with_archived(replace(lock, mailings=mailings), {"sale/vip"}).lock.mailings["sale/vip"]
        assert (entry.revision, entry.is_archived, [one.revision for one in entry.earlier]) == (2, True, [1])


@pytest.mark.parametrize(
    ("texts", "recipients", "since", "is_found"),
    [
        ("a", "", LATER, True),
        ("", "a", datetime(2026, 11, 1, tzinfo=UTC), True),
        ("", "a", LATER, False),
        ("", "a", datetime(2026, 11, 24, 7, tzinfo=UTC), True),  # its last time
        ("b", "b", datetime(2026, 11, 1, tzinfo=UTC), False),
        ("", "", LATER, False),
    ],
)
def test_find_archived_by_digest(
    tmp_path: Path, texts: str, recipients: str, since: datetime, is_found: bool
) -> None:
    """A mailing is found by its text at any time, or by its recipients for a limited time."""
    lock = _archived(_lock(tmp_path, vip=_entry()), "vip")
    found = list(
        find_archived(lock, [texts * 64] if texts else [], [recipients * 64] if recipients else [], since)
    )
    assert bool(found) == is_found


def test_archive_decodes_only_what_concerns_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand archived mailings, only the one in the files and the one with the same text are decoded."""
    texts = [sha256(b"%d" % n).hexdigest() for n in range(1000)]
    mailings = {
        f"m{n}": _entry("ab"[n % 2], content_digest=text, text_digest=text) for n, text in enumerate(texts)
    }
    lock = _archived(_lock(tmp_path, **mailings), *mailings)
    decoded: list[dict[str, Any]] = []

    def count(document: dict[str, Any]) -> Entry:
        decoded.append(document)
        return read_entry(document)

    monkeypatch.setattr(archive, "read_entry", count)
    assert len(with_archived(lock, {"sale/m7"}).addresses) == 1000
    assert [address for address, _ in find_archived(lock, [texts[17]], ["a" * 64], LATER)] == ["sale/m17"]
    assert len(decoded) == 2


def test_with_newer_has_what_is_from_then_on(tmp_path: Path) -> None:
    """The mailings archived since a time are selected by the last time in their records."""
    late = _entry("b", schedule_time="2026-11-26T10:00:00+03:00")
    lock = _archived(_lock(tmp_path, early=_entry(), late=late), "early", "late")
    assert with_newer(lock, LATER).mailings.keys() == {"sale/late"}
    assert sent_at(late) == datetime(2026, 11, 26, 7, tzinfo=UTC)


def test_torn_line_is_no_line(tmp_path: Path) -> None:
    """A torn last line is ignored: the lock still has its mailing, and the next run removes the line."""
    lock = _lock(tmp_path, vip=_entry(), staff=_entry("c"), all=_entry("d"))
    kept = _archived(lock, "vip")
    assert kept.archive is not None
    before = _text(lock)
    _archived(lock, "staff")
    after = _text(lock)
    for length in range(len(before) + 1, len(after) - 1, 9):
        kept.archive.write_bytes(after[:length])
        assert [one.address for one in read_archive(kept)] == ["sale/vip"]
        assert _archived(lock, "staff", "vip").archived == 2
        assert _text(lock) == after
    kept.archive.write_bytes(after.rstrip(b"\n"))  # as an editor would leave it
    assert _archived(lock, "staff", "vip").archived == 2
    assert [one.address for one in read_archive(_archived(lock, "all"))] == [
        "sale/vip",
        "sale/staff",
        "sale/all",
    ]


def test_append_that_fails_leaves_the_archive_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a line cannot be written completely or synced nothing is archived; otherwise file and folder are on disk."""
    lock = _lock(tmp_path, vip=_entry(), staff=_entry("c"))
    _archived(lock, "vip")
    before, write = _text(lock), os.write

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    for name, broken in (("write", lambda handle, text: write(handle, text[:99])), ("fsync", fail)):
        with monkeypatch.context() as patched:
            patched.setattr(f"smsby_deploy.lock.archive.os.{name}", broken)
            with pytest.raises(SmsbyDeployError, match="cannot write") as caught:
                _archived(lock, "staff")
        assert "nothing was archived" in caught.value.hint
        assert _text(lock) == before
    synced: list[object] = []
    monkeypatch.setattr("smsby_deploy.lock.archive.os.fsync", synced.append)
    monkeypatch.setattr("smsby_deploy.lock.archive.sync_folder", synced.append)
    _archived(lock, "staff")
    assert (len(synced), synced[-1]) == (2, tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"sale/vip", b"sale/old"),
        lambda text: text.replace(b'"revision":1', b'"revision":2'),
        lambda text: b"{}\n" + text,
        lambda text: text[:-40] + b"\n",
        lambda text: text + b"<<<<<<< main\n",
        lambda text: text + b"\xff\xfe",
        lambda text: text.replace(b'"scope":"shop"', b'"scope":"other"'),
        lambda text: b"",
    ],
)
def test_damaged_archive_is_never_empty(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Any other damage to the archive is refused, however it is read."""
    lock = _archived(_lock(tmp_path, vip=_entry()), "vip")
    assert lock.archive is not None
    lock.archive.write_bytes(damage(_text(lock)))
    with pytest.raises(LockDamaged):
        list(read_archive(lock))


def _forge(lock: Lock, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the one line of the archive, and give it a matching checksum."""
    assert lock.archive is not None
    document = json.loads(_text(lock))
    change(document)
    del document["sum"]
    body = json.dumps(document, separators=(",", ":"))[1:].encode()
    lock.archive.write_bytes(b'{"sum":"%s",%s\n' % (archive._checksum(b"," + body), body))


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.update(address="sale/\u001b"),
        lambda line: line.update(address="../../etc"),
        lambda line: line.update(scope="other"),
        lambda line: line.update(last="2020-01-01T00:00:00+00:00"),
        lambda line: line.update(digests="0" * 16),
        lambda line: line.update(more=1),
        lambda line: line["entry"].update(transport="x\u0007"),
        lambda line: line["entry"].update(revision=0),
        lambda line: line["entry"]["chunks"][0].update(state="sent"),
    ],
)
def test_forged_line_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The content of a line is checked even if its checksum matches, as the author of a pull request can make one."""
    lock = _archived(_lock(tmp_path, vip=_entry()), "vip")
    _forge(lock, lambda line: None)
    assert [one.entry() for one in read_archive(lock)] == [_entry()]
    _forge(lock, change)
    with pytest.raises(LockDamaged):
        with_archived(lock, {one.address for one in read_archive(lock)})


def test_archive_of_a_newer_version(tmp_path: Path) -> None:
    """An archive of a newer version is refused as such, not as damaged."""
    lock = _archived(_lock(tmp_path, vip=_entry()), "vip")
    _forge(lock, lambda line: line["entry"]["chunks"][0].update(step="beside"))
    with pytest.raises(LockDamaged, match="this version of smsby-deploy does not know all of it") as caught:
        with_archived(lock, {"sale/vip"})
    assert "use the version of smsby-deploy that wrote it, or a newer one" in caught.value.hint


def test_archive_of_another_checkout_may_have_other_line_ends(tmp_path: Path) -> None:
    """Line endings changed by git, and empty lines from a merge, are accepted."""
    lock = _archived(_lock(tmp_path, vip=_entry(), staff=_entry("c")), "vip", "staff")
    assert lock.archive is not None
    lock.archive.write_bytes(_text(lock).replace(b"\n", b"\r\n\r\n"))
    assert len(list(read_archive(lock))) == 2


def test_archive_that_cannot_be_written(tmp_path: Path) -> None:
    """If the archive cannot be written, nothing is archived, and the error names the file."""
    lock = _lock(tmp_path, vip=_entry())
    with pytest.raises(SmsbyDeployError, match=r"cannot write nowhere\.jsonl"):
        append_archive(lock, tmp_path / "missing" / "nowhere.jsonl", {"sale/vip"}, AT)


def test_rekey_replaces_the_digests_of_the_archive(tmp_path: Path) -> None:
    """A rekey replaces the archive's digests: to a key, to another key and back; a second run changes nothing."""
    one, two = DigestKey("first"), DigestKey("second")
    lock = _archived(_lock(tmp_path, vip=_entry()), "vip")
    assert lock.archive is not None
    for old, new in ((NO_KEY, one), (one, two), (two, NO_KEY)):
        for _ in range(2):
            rekey_archive(lock, lock.archive, old, new)
            (line,) = read_archive(lock)
            assert line.entry().text_digest == new.apply("a" * 64)
            assert line.document()["digest_key"] == new.id
    rekey_archive(lock, lock.archive, NO_KEY, one)
    both = _archived(
        replace(lock, mailings={"sale/staff": _entry("c")}), "staff"
    )  # as after a crash between the two
    rekey_archive(both, lock.archive, NO_KEY, one)
    digests = [line.entry().text_digest for line in read_archive(both)]
    assert digests == [one.apply(letter * 64) for letter in "ac"]
