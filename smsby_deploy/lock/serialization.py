"""The lock as JSON: written, and read with all checks.

Reading what was written gives the same lock, and damage is always detected.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.decisions import Resolution
from smsby_deploy.lock.document_checks import UnknownContent, check_lock, check_mailings
from smsby_deploy.lock.entry_json import entry_document, read_entry
from smsby_deploy.lock.json_text import LockSeal, canonical, decode, decode_mailings, indent
from smsby_deploy.lock.mailing_file import MailingFile
from smsby_deploy.lock.places import PRODUCTION, SANDBOX
from smsby_deploy.lock.records import Apply, Entry, Lock
from smsby_deploy.lock.stored_mailings import Mailings, StoredMailings, runs

FORMAT = "smsby-lock"
_FORMAT_KEY = re.compile(rb'"format"\s*:\s*"smsby-lock"')
VERSION = 1
_BINDING = ("environment", "service", "account")  # absent from older locks and from locks not yet bound
# Absent from locks without a digest key, or without an archive.
_OPTIONAL = ("digest_key", "sealed", "archived")
# A lock is indented JSON with escaped line breaks in values, so none of its lines begins like this.
_CONFLICT_MARKER = b"<<<<<<< "
_MAILINGS = "mailings"
_NO_MAILINGS = b'\n  "mailings": {}'
_MAILINGS_BEGIN, _MAILINGS_END = b'\n  "mailings": {\n', b"\n  }"
_LAST_END = b"\n    }"  # of the last mailing
_MAILING_END = b"\n    },\n"  # of any other; no line inside a mailing looks like this
_BATCH = 50_000  # bytes


def entry_digest(entry: Entry) -> str:
    """Return the sha256 of one entry; a plan stores it to notice that the lock has changed.

    It excludes the deliveries, which the archive records, because they change nothing for a plan.
    """
    if entry.deliveries is not None:
        variants = entry.variants and {n: one._replace(deliveries=None) for n, one in entry.variants.items()}
        entry = replace(entry, deliveries=None, variants=variants)
    return hashlib.sha256(canonical(entry_document(entry))).hexdigest()


def _apply_document(apply: Apply) -> dict[str, Any]:
    """Return one apply as JSON, without `by` if it is not recorded, as in older locks."""
    document = {
        "plan": apply.plan,
        "at": apply.at,
        "commit": apply.commit,
        "tool": apply.tool,
        "mailings": apply.mailings,
        "recipients": apply.recipients,
    }
    return document if apply.by is None else document | {"by": apply.by}


def write_lock(lock: Lock) -> str:
    """Return the text of the lock file, with its seal."""
    return b"".join(iter_lock(lock)).decode()


def iter_lock(lock: Lock) -> Iterator[bytes]:
    """Yield the lock file in pieces, most of them as read, since an apply changes few mailings."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "project": lock.project,
        "serial": lock.serial,
        "lineage": lock.lineage,
        **{key: value for key in _BINDING if (value := getattr(lock, key)) is not None},
        "folded": lock.folded,
        _MAILINGS: {},
        "applies": [_apply_document(apply) for apply in lock.applies],
        "resolutions": [asdict(resolution) for resolution in lock.resolutions],
        **{key: value for key in _OPTIONAL if (value := getattr(lock, key))},
    }
    seal = LockSeal(document)
    head, empty, tail = indent(document).partition(_NO_MAILINGS)
    yield head
    between = _MAILINGS_BEGIN
    for run in runs(lock.mailings):
        yield between
        yield run.text
        seal.add(run.encoded)
        between = b",\n"
    yield _MAILINGS_END if lock.mailings else empty
    yield b'%b,\n  "seal": %b\n}\n' % (tail.removesuffix(b"\n}"), indent(seal.close()))


def recovery_of(where: str, environment: str = PRODUCTION, *, is_private: bool = False) -> str:
    """Return how to recover a damaged lock, which is in git unless it `is_private`."""
    if environment == SANDBOX:
        return f"delete {where} and the files next to it, and rehearse again: it records only what a sandbox received"
    if is_private:
        return (
            f"restore a backup of {where}, which is not in git; without one, move it away: {found_again('')}"
        )
    return f"restore it from git (git checkout -- {where}); {found_again(' since')}"


def found_again(when: str) -> str:
    """Say what to repeat after restoring an older lock; `when` follows "what was sent"."""
    return (
        f"what was sent{when} is found again at sms.by, but repeat each `lock withdraw` and `lock abandon` before the next "
        "apply"
    )


def read_lock(content: bytes | str | BinaryIO, where: str, recovery: str | None = None) -> Lock:
    """Return the lock that the file `content` contains.

    `where` names the file in errors, and `recovery` says what to do if it is damaged.

    Raises:
        LockDamaged: not JSON, truncated, edited manually, or of an unknown version.
        UnicodeDecodeError: not UTF-8.
    """
    recovery = recovery or recovery_of(where)
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    try:
        with suppress(KeyError, TypeError, ValueError):
            return _read_written(BytesIO(content) if isinstance(content, bytes) else content, where)
        return _read_other_layout(content, where)  # another layout, or damage, which it explains
    except json.JSONDecodeError as error:
        why = f"not JSON, or truncated (line {error.lineno})"
        raise LockDamaged(f"{where} is damaged: {why}", hint=recovery) from error
    except RecursionError as error:
        raise LockDamaged(f"{where} is damaged: nested too deep", hint=recovery) from error
    except UnicodeDecodeError:
        raise
    except UnknownContent as error:  # and the seal matches
        raise error.in_intact(where, recovery) from error
    except (KeyError, TypeError, ValueError) as error:
        raise LockDamaged(f"{where} is damaged: {error}", hint=recovery) from error


def names_its_format(path: Path) -> bool:
    """Whether a file claims to be a lock, damaged or not."""
    with path.open("rb") as file:
        return any(_FORMAT_KEY.search(line) for line in file)


def _read_other_layout(content: bytes | BinaryIO, where: str) -> Lock:
    """Return the lock of a file that has another layout or is damaged; raises as `read_lock`."""
    if not isinstance(content, bytes):
        content.seek(0)
        content = content.read()
    if line := _conflict_line(content):
        raise LockDamaged(
            f"{where} has git conflict markers at line {line}",
            hint=f"take one side as a whole: git checkout --theirs -- {where} (or --ours; the one with the higher serial),"
            f" then git add {where}; {found_again(' by the other side')}",
        )
    return _read_any(content.decode(), where)


def _version_text(version: object) -> str:
    return f"version {version}" if isinstance(version, int) and 0 < version < 1000 else "another version"


def _conflict_line(content: bytes) -> int | None:
    """Return the number of the first line with a conflict marker."""
    if content.startswith(_CONFLICT_MARKER):
        return 1
    before = content.find(b"\n" + _CONFLICT_MARKER)
    return None if before < 0 else content.count(b"\n", 0, before) + 2


def _read_written(file: BinaryIO, where: str) -> Lock:
    """Return the lock of a file as `iter_lock` writes it, read piece by piece.

    A mailing is decoded when it is asked for.

    Raises:
        LockDamaged: its version is unknown.
        KeyError, TypeError, ValueError: it has another layout, or is damaged.
    """
    file.seek(0)
    head, found, _ = file.read(_BATCH).partition(_MAILINGS_BEGIN)
    last_end, tail = _read_tail(file)
    first, end = len(head) + len(found), last_end + len(_LAST_END)
    if not found or first >= end:
        raise ValueError("no mailings, or an unusual layout")
    document = decode((head + _NO_MAILINGS + tail).decode())
    seal = _begin_seal(document, where)
    mailings = MailingFile()
    file.seek(first)
    for piece in _split_mailings(file, end - first):
        batch = decode_mailings(piece)
        check_mailings(batch)
        if b'"rows"' in piece or b'"partial"' in piece:
            for entry in batch.values():
                read_entry(entry)  # only these can contradict themselves
        seal.add(mailings.append(piece, batch))
    seal.check(document["seal"])
    return _read_document(document, StoredMailings(mailings))


def _read_tail(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the last mailing ends, and what follows; ValueError if no end is found."""
    size, taken = file.seek(0, SEEK_END), 0
    while taken < size:
        taken = min(size, 4 * taken or _BATCH)
        file.seek(size - taken)
        text = file.read(taken)
        if (place := text.rfind(_LAST_END + _MAILINGS_END)) >= 0:
            return size - taken + place, text[place + len(_LAST_END + _MAILINGS_END) :]
    raise ValueError("no mailings, or an unusual layout")


def _split_mailings(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next `size` bytes, a few mailings at a time."""
    rest = b""
    while size:
        block = file.read(min(_BATCH, size))
        if not block:
            raise ValueError("the file has become shorter")
        size -= len(block)
        rest += block
        place = rest.rfind(_MAILING_END)
        if size and place >= 0:
            yield rest[: place + len(_LAST_END)]
            rest = rest[place + len(_MAILING_END) :]
    yield rest


def _read_any(text: str, where: str) -> Lock:
    """Return the lock of a file with any layout; raises as `_read_written`.

    The seal is checked before the mailings, so that an edited file is reported as edited.
    """
    document = decode(text)
    if not isinstance(document, dict):
        raise ValueError("not a lock file")
    mailings = document.get(_MAILINGS)
    if isinstance(mailings, dict):
        document[_MAILINGS] = {}
    else:
        mailings = {}
    seal = _begin_seal(document, where)
    if mailings:
        seal.add(canonical(mailings)[1:-1])
    seal.check(document["seal"])
    check_mailings(mailings)
    return _read_document(
        document, {address: read_entry(entry) for address, entry in sorted(mailings.items())}
    )


def _begin_seal(document: Any, where: str) -> LockSeal:
    """Return the seal of a lock, to which its mailings must be added.

    Raises:
        LockDamaged: its version is unknown.
        KeyError, ValueError: it is not a lock.
    """
    if document.get("format") != FORMAT:
        raise ValueError("not a lock file")
    if document["version"] != VERSION:
        raise LockDamaged(
            f"{where} has {_version_text(document['version'])}; this program reads version {VERSION}",
            hint="use the version of smsby-deploy that wrote it, or a newer one",
        )
    return LockSeal({key: value for key, value in document.items() if key != "seal"})


def _read_document(document: dict[str, Any], mailings: Mailings) -> Lock:
    """Return the lock of `document`; ValueError if it violates the schema."""
    check_lock(document)
    return Lock(
        project=document["project"],
        serial=document["serial"],
        lineage=document["lineage"],
        folded=document["folded"],
        **{key: document.get(key) for key in _BINDING},
        digest_key=document.get("digest_key"),
        sealed=document.get("sealed", {}),
        archived=document.get("archived", 0),
        mailings=mailings,
        applies=tuple(Apply(**apply) for apply in document["applies"]),
        resolutions=tuple(Resolution(**resolution) for resolution in document["resolutions"]),
    )
