"""The archive next to a lock: final mailings, one per line, append-only.

A line begins with the keys that a plan searches for: the address, the last time, and the beginnings of the digests. So a
plan reads thousands of lines and decodes only those that concern it. Every line has a checksum. A partly written last line
never took effect: the lock still has its mailing, which is removed only afterwards.

The lock counts the lines, so a lost or truncated archive is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from smsby_deploy.digest_key import DigestKey
from smsby_deploy.errors import LockDamaged, SmsbyDeployError
from smsby_deploy.fault_points import fault_point
from smsby_deploy.files import SAFE_OPEN, refuse_link, sync_folder, write_file
from smsby_deploy.lock.document_checks import UnknownContent, check_archived
from smsby_deploy.lock.entry_json import entry_document, read_entry
from smsby_deploy.lock.keyed_digests import digests_of, rekey_fields, replace_digests
from smsby_deploy.lock.records import Entry, Lock

_SUFFIX = ".archive.jsonl"
_LINE = re.compile(
    rb'\{"sum":"([0-9a-f]{32})"(,"scope":"([a-z0-9~-]{1,60})","address":"([a-z0-9-]{1,40}/[a-z0-9-]{1,40})",'
    rb'"last":"([0-9T:+-]{25})","digests":"((?:[0-9a-f]{16} ?)*)",.*\})'
)
_START = b'{"sum":"'
_BEGINNING = 16  # characters of a digest
_RECOVERY = "restore it from git, or from a backup of the shared store; in a merge conflict, keep the lines of both sides"


def archive_path(lock: Path) -> Path:
    """Return the archive that belongs to the lock file `lock`."""
    return lock.with_name(lock.name + _SUFFIX)


@dataclass(frozen=True, slots=True)
class ArchivedMailing:
    """One line of an archive, with the values that can be read without decoding it.

    `last` is the last time in its record, in UTC; `digests` are the beginnings of its digests.
    """

    address: str
    last: str
    digests: bytes
    text: bytes
    where: str

    def entry(self) -> Entry:
        """Return its record.

        Raises:
            LockDamaged: this program cannot have written it.
        """
        return _read_document(self.document(), self)

    def document(self) -> dict[str, Any]:
        """Return the whole line as JSON; raises as `entry`."""
        try:
            document: dict[str, Any] = json.loads(self.text)
            check_archived(document)
        except UnknownContent as error:
            raise error.in_intact(self.where, _RECOVERY) from error
        except (ValueError, RecursionError) as error:
            raise _damaged(self.where, str(error)) from error
        return document

    def is_newer_than(self, start: datetime) -> bool:
        """Whether any time in its record is `start` or later."""
        return self.last >= _utc(start)


class WithArchive(NamedTuple):
    """A lock with some archived mailings, and the addresses of all archived ones."""

    lock: Lock
    addresses: frozenset[str]


def read_archive(lock: Lock) -> Iterator[ArchivedMailing]:
    """Yield the archived mailings of `lock`, in the order in which they were archived.

    Raises:
        LockDamaged: a line is damaged, belongs to another lock, or lines are missing.
        SmsbyDeployError: the file is a link.
    """
    count, name = 0, lock.archive.name if isinstance(lock.archive, Path) else "the archive"
    for number, line in enumerate(_open(lock.archive), 1):
        found = _read_line(line, f"{name}:{number}", lock.scope)
        if found is not None:
            count += 1
            yield found
    if count < lock.archived:
        raise LockDamaged(
            f"{name} has {count:,} of the {lock.archived:,} mailings that the lock has moved there; without them, they "
            "could be sent again",
            hint="restore it from git, together with the lock, or from a backup of the shared store",
        )


def _open(archive: Path | bytes | None) -> Iterator[bytes]:
    """Yield the lines of an archive, wherever it is; none if there is no file."""
    if isinstance(archive, Path):
        refuse_link(archive)
        with suppress(FileNotFoundError), archive.open("rb") as file:
            yield from file
    elif archive is not None:
        yield from BytesIO(archive)


def with_archived(lock: Lock, addresses: Collection[str] | None = None) -> WithArchive:
    """Return `lock` with the archived mailings at `addresses`, by default with all.

    Raises as `read_archive`.
    """
    found: list[tuple[str, Entry]] = []
    every = set()
    for line in read_archive(lock):
        every.add(line.address)
        known = lock.mailings.get(line.address)
        is_asked_for = addresses is None or line.address in addresses
        if is_asked_for and not (known is not None and known.is_archived):
            found.append((line.address, line.entry()))
    return WithArchive(_merge(lock, found), frozenset(every))


def find_recorded(lock: Lock, address: str) -> Entry | None:
    """Return the record of a mailing, archived or not; raises as `read_archive`."""
    return with_archived(lock, {address}).lock.mailings.get(address)


def with_newer(lock: Lock, start: datetime) -> Lock:
    """Return `lock` with the archived mailings that are from `start` or later.

    Raises as `read_archive`.
    """
    newer = (line for line in read_archive(lock) if line.is_newer_than(start))
    return _merge(lock, ((line.address, line.entry()) for line in newer))


def find_archived(
    lock: Lock, texts: Iterable[str], recipients: Iterable[str], since: datetime
) -> Iterator[tuple[str, Entry]]:
    """Yield the archived mailings that match a digest.

    Digests in `texts` match mailings of any time, digests in `recipients` only mailings from `since` or later.

    Raises as `read_archive`.
    """
    same_text, same_recipients = _beginnings(texts), _beginnings(recipients)
    for line in read_archive(lock) if same_text or same_recipients else ():
        digests = line.digests.split()
        is_recent = not same_recipients.isdisjoint(digests) and line.is_newer_than(since)
        if is_recent or not same_text.isdisjoint(digests):
            yield line.address, line.entry()


def _beginnings(digests: Iterable[str]) -> frozenset[bytes]:
    return frozenset(_beginning(digest).encode() for digest in digests)


def _merge(lock: Lock, archived_mailings: Iterable[tuple[str, Entry]]) -> Lock:
    """Return `lock` with archived mailings, and with archived revisions of its mailings."""
    found: dict[str, dict[int, Entry]] = {}
    for address, entry in archived_mailings:
        found.setdefault(address, {}).update({one.revision: one for one in (*entry.earlier, entry)})
    mailings: dict[str, Entry] = {}
    for address, archived in found.items():
        known = lock.mailings.get(address)
        recorded = {} if known is None else {one.revision: one for one in known.revisions}
        if archived.keys() <= recorded.keys():
            continue
        revisions = archived | recorded
        newest, *older = (revisions[number] for number in sorted(revisions, reverse=True))
        earlier = tuple(replace(one, earlier=()) if one.earlier else one for one in older)
        is_archived = newest.revision not in recorded
        mailings[address] = replace(newest, earlier=earlier, is_archived=is_archived)
    return replace(lock, mailings=lock.mailings | mailings) if mailings else lock


# --- Writing ---------------------------------------------------------------------------------------------------------


def append_archive(lock: Lock, path: Path, addresses: Collection[str], at: str) -> int:
    """Append the mailings at `addresses`, and return how many lines the archive has then.

    Mailings that are already archived, as after a crash, are not appended again.

    Raises:
        LockDamaged: as `read_archive`.
        SmsbyDeployError: the archive cannot be written.
    """
    count, present = 0, set()
    for line in read_archive(lock):
        count += 1
        if line.address in addresses and line.entry() == lock.mailings[line.address]:
            present.add(line.address)
    new = [address for address in sorted(addresses) if address not in present]
    fault_point("archive.before-append")
    try:
        _append(path, b"".join(_write_line(lock, address, at) for address in new))
    except OSError as error:
        raise SmsbyDeployError(
            f"cannot write {path.name}: {error.strerror or error}",
            hint="nothing was archived; free disk space or fix permissions, then run the command again",
        ) from error
    fault_point("archive.after-append")
    return count + len(new)


def rekey_archive(lock: Lock, path: Path, old: DigestKey, new: DigestKey) -> None:
    """Replace the digests in the archive, made with `old`, by those made with `new`.

    Lines that already have the new key, as after a crash, stay.

    Raises:
        LockDamaged, Refused: a line is damaged, or was not sealed with its key.
    """
    lines = [_rekey_line(lock, line, old, new) for line in read_archive(lock)]
    if lines:
        write_file(path, b"".join(lines).decode())


def _rekey_line(lock: Lock, line: ArchivedMailing, old: DigestKey, new: DigestKey) -> bytes:
    document = line.document()
    if document["digest_key"] == new.id:
        return line.text + b"\n"
    entry = _read_document(document, line)
    alone = replace(
        lock,
        mailings={line.address: entry},
        digest_key=document["digest_key"],
        sealed=document["sealed"],
    )
    fields = rekey_fields(alone, old, new)
    changed = replace(
        alone,
        mailings={line.address: replace_digests(entry, fields["digests"])},
        digest_key=fields["digest_key"],
        sealed=fields["sealed"],
    )
    return _write_line(changed, line.address, document["at"])


def _append(path: Path, text: bytes) -> None:
    """Append whole lines durably, after removing a torn line at the end."""
    if not text:
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | SAFE_OPEN, 0o644)
    try:
        end = os.fstat(handle).st_size
        rest = _last_line(handle)
        if _is_torn(rest):
            end -= len(rest)
            os.ftruncate(handle, end)
        elif rest:
            text = b"\n" + text
        try:
            written = os.write(handle, text)
            if written != len(text):
                raise OSError(f"only {written} of {len(text)} bytes were written")
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def _last_line(handle: int) -> bytes:
    """Return the last line of a file if it has no line break, otherwise nothing."""
    with open(handle, "rb", closefd=False) as file:
        last = next(iter(deque(file, maxlen=1)), b"")
    return b"" if last.endswith(b"\n") else last


def _write_line(lock: Lock, address: str, at: str) -> bytes:
    """Return the line of a mailing, after checking that it reads back the same.

    Raises:
        LockDamaged: it does not.
    """
    entry = lock.mailings[address]
    last, digests = _index(entry)
    document = {
        "scope": lock.scope,
        "address": address,
        "last": last,
        "digests": digests,
        "at": at,
        "digest_key": lock.digest_key,
        "sealed": {digest: lock.sealed[digest] for digest in digests_of(entry) if digest in lock.sealed},
        "entry": entry_document(entry),
    }
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))[1:].encode()
    line = b'%s%s",%s\n' % (_START, _checksum(b"," + body), body)
    written = _read_line(line, f"the record of {address}", lock.scope)
    if written is None or written.entry() != entry:
        raise _damaged(f"the record of {address}", "it does not read back as the same one")
    return line


# --- Lines -----------------------------------------------------------------------------------------------------------


def _read_line(line: bytes, where: str, scope: str) -> ArchivedMailing | None:
    """Return one line of the file; None for a torn last one and an empty one."""
    text = line.rstrip(b"\r\n")
    found = _LINE.fullmatch(text)
    if found is None or _checksum(found[2]) != found[1]:
        if not text or (not line.endswith(b"\n") and _is_torn(text)):
            return None
        raise _damaged(where, "it is not a line of an archive, or was changed")
    if found[3].decode() != scope:
        raise _damaged(where, f"it belongs to {found[3].decode()}, not to {scope}")
    return ArchivedMailing(found[4].decode(), found[5].decode(), found[6], text, where)


def _read_document(document: dict[str, Any], line: ArchivedMailing) -> Entry:
    try:
        entry = read_entry(document["entry"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(line.where, str(error)) from error
    if _index(entry) != (line.last, line.digests.decode()):
        raise _damaged(line.where, "its beginning does not match its record")
    return entry


def _damaged(where: str, why: str) -> LockDamaged:
    return LockDamaged(f"{where}: the archive is damaged: {why}", hint=_RECOVERY)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:32].encode()


def _is_torn(text: bytes) -> bool:
    """Whether an unterminated line is the beginning of one of ours; anything else is damage."""
    if not text or not text.startswith(_START[: len(text)]):
        return False
    found = _LINE.fullmatch(text)
    return found is None or _checksum(found[2]) != found[1]


def _index(entry: Entry) -> tuple[str, str]:
    """Return the keys that a line begins with: the last time and the beginnings of digests."""
    digests = dict.fromkeys(
        _beginning(digest)
        for one in entry.revisions
        for digest in (one.text_digest, one.content_digest, one.recipients_digest, one.audience_digest)
        if digest is not None
    )
    times = (time for one in entry.revisions for time in _times(one))
    return max(map(_utc, map(datetime.fromisoformat, times))), " ".join(digests)


def _beginning(digest: str) -> str:
    """Return the beginning of a digest; a lock may have any text in its place."""
    if re.fullmatch("[0-9a-f]{64}", digest) is None:
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest[:_BEGINNING]


def _times(entry: Entry) -> Iterator[str]:
    yield entry.applied.at
    yield from filter(None, (entry.schedule_time, *(chunk.accepted_at for chunk in entry.chunks)))
    yield from filter(None, (chunk.schedule_time for chunk in entry.chunks))


def sent_at(entry: Entry) -> datetime:
    """Return when the last message of a mailing was sent, or was to be sent."""
    return max(map(datetime.fromisoformat, _times(entry)))


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
