"""The lock as JSON and back.

Writing and reading a lock gives the same lock, and damage is always detected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.documents import check_lock, check_mailings
from smsby_deploy.lock.entry_json import entry_document, read_entry
from smsby_deploy.lock.environment import PRODUCTION, SANDBOX
from smsby_deploy.lock.json_text import LockSeal, canonical, decode, indent, quote
from smsby_deploy.lock.records import (
    Apply,
    Entry,
    Lock,
    Resolution,
)

FORMAT = "smsby-lock"
VERSION = 1


_BINDING = (
    "environment",
    "service",
    "account",
)  # absent from locks of before, and from those bound to nothing


# Absent from locks without a digest key, or without an archive.
_OPTIONAL = ("digest_key", "sealed", "rekeyed", "archived")


# A lock is indented JSON and escapes line breaks in values, so none of its lines begins like this.
_CONFLICT_MARKER = "<<<<<<< "
_MAILINGS = "mailings"
_ENTRIES_BEGIN = '\n  "mailings": {\n'
_ENTRY_END = "\n    },\n"
_ENTRIES_END = "\n    }\n  }"
_BETWEEN = ",\n"
_BATCH = 50_000  # characters


def entry_digest(entry: Entry) -> str:
    """Return the sha256 of one entry; a plan stores it to notice that the lock has changed."""
    return hashlib.sha256(entry.stored or canonical(entry_document(entry))).hexdigest()


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


class ReadText(NamedTuple):
    """A text and the lock that was read from it."""

    text: str
    lock: Lock


def write_lock(lock: Lock, before: ReadText | None = None) -> str:
    """Return the text of the lock file, with its seal; `before` is as in iter_lock."""
    return "".join(iter_lock(lock, before))


def iter_lock(lock: Lock, before: ReadText | None = None) -> Iterator[str]:
    """Yield the text of the lock file piece by piece.

    Entries that are the very objects of `before` are taken from its text: in a lock of many years an apply changes few.
    """
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
    if not lock.mailings:
        document["seal"] = seal.close()
        yield indent(document) + "\n"
        return
    head, opening, tail = indent(document).partition(_ENTRIES_BEGIN[:-1])
    yield f"{head}{opening}\n"
    yield from _iter_entries(lock, before, seal)
    yield f"\n  {tail[:-2]},\n  {quote('seal')}: {quote(seal.close())}\n}}\n"


def _iter_entries(lock: Lock, before: ReadText | None, seal: LockSeal) -> Iterator[str]:
    """Yield the mailings as text, each also added to `seal`; of `before` many at once."""
    written = _written_entries(before) if before else {}
    first = last = 0  # of the text before, what is still to be yielded
    between = ""
    for address, entry in sorted(lock.mailings.items()):
        old = written.get(address)
        if before is not None and old is not None and before.lock.mailings[address] is entry and entry.stored:
            seal.add(address, entry.stored)
            if last and old[0] == last + len(_BETWEEN) and old[1] - first < _BATCH:
                last = old[1]
                continue
            following, (after_first, after_last) = "", old
        else:
            content = entry_document(entry)
            seal.add(address, canonical(content))
            following, after_first, after_last = f"    {quote(address)}: {indent(content, 2)}", 0, 0
        if before is not None and last:
            yield between + before.text[first:last]
            between = _BETWEEN
        first, last = after_first, after_last
        if following:
            yield between + following
            between = _BETWEEN
    if before is not None and last:
        yield between + before.text[first:last]


def _written_entries(before: ReadText) -> dict[str, tuple[int, int]]:
    """Return where a text has each mailing, by address."""
    span = _find_entries(before.text)
    spans = _split_entries(before.text, *span) if span is not None else iter(())
    places = dict(zip(before.lock.mailings, spans, strict=False))
    is_at = before.text.startswith
    return {
        address: place for address, place in places.items() if is_at(f"    {quote(address)}: {{\n", place[0])
    }


def recovery_of(where: str, environment: str = PRODUCTION, *, is_private: bool = False) -> str:
    """Return what to do about a damaged lock, which is in git unless it `is_private`."""
    if environment == SANDBOX:
        return f"delete {where} and the files beside it, and rehearse again: it records only what a sandbox received"
    if is_private:
        return (
            f"restore a backup of {where}, which is not in git; without one, move it away: what was sent is found again at "
            "sms.by"
        )
    return f"restore it from git (git checkout -- {where}); what was sent since is found again at sms.by"


def read_lock(text: str, where: str, recovery: str | None = None) -> Lock:
    """Return the lock that `text` contains.

    `where` names the file in errors, and `recovery` says what to do if it is damaged.

    Raises:
        LockDamaged: not JSON, truncated, edited manually, or of an unknown version.
    """
    recovery = recovery or recovery_of(where)
    if line := _conflict_line(text):
        raise LockDamaged(
            f"{where} has git conflict markers at line {line}",
            hint=f"take one side whole: git checkout --theirs -- {where} (or --ours; the one with the higher serial),"
            f" then git add {where}; what the other side sent is found again at sms.by",
        )
    try:
        try:
            return _open_lock(*_split_text(text), where)
        except (KeyError, TypeError, ValueError):  # another layout, or damage: what is wrong with the whole
            return _open_lock(*_split_document(text), where)
    except json.JSONDecodeError as error:
        raise LockDamaged(f"{where} is damaged at line {error.lineno}: {error.msg}", hint=recovery) from error
    except RecursionError as error:
        raise LockDamaged(f"{where} is damaged: nested too deep", hint=recovery) from error
    except (KeyError, TypeError, ValueError) as error:
        raise LockDamaged(f"{where} is damaged: {error}", hint=recovery) from error


def _version_text(version: object) -> str:
    return f"version {version}" if isinstance(version, int) and 0 < version < 1000 else "another version"


def _conflict_line(text: str) -> int | None:
    """Return the number of the first line with a conflict marker."""
    if text.startswith(_CONFLICT_MARKER):
        return 1
    before = text.find(f"\n{_CONFLICT_MARKER}")
    return None if before < 0 else text.count("\n", 0, before) + 2


def _split_text(text: str) -> tuple[Any, Iterator[dict[str, Any]]]:
    """Return a lock without its mailings, and these by batches.

    So they are never all in memory as JSON. ValueError if `text` is not laid out as `write_lock` does.
    """
    span = _find_entries(text)
    if span is None:
        raise ValueError("no mailings, or an unusual layout")
    first, end = span
    document = decode(text[: first - 1] + text[end + len(_ENTRIES_END) - 1 :])
    if not isinstance(document, dict) or document.get(_MAILINGS) != {}:
        raise ValueError("the mailings are elsewhere")
    pieces = _split_entries(text, first, end, _BATCH)
    return document, (decode(f"{{{text[begin:last]}}}") for begin, last in pieces)


def _find_entries(text: str) -> tuple[int, int] | None:
    begin, end = text.find(_ENTRIES_BEGIN), text.rfind(_ENTRIES_END)
    return (begin + len(_ENTRIES_BEGIN), end) if 0 < begin < end else None


def _split_entries(text: str, first: int, end: int, least: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where each mailing, or several with `least` characters, begins and ends."""
    while (last := text.find(_ENTRY_END, first + least, end)) >= 0:
        yield first, last + len(_ENTRY_END) - 2
        first = last + len(_ENTRY_END)
    yield first, end + len(_ENTRIES_END) - 4


def _split_document(text: str) -> tuple[Any, list[dict[str, Any]]]:
    """Return the same for any layout."""
    document = decode(text)
    if not isinstance(document, dict):
        raise ValueError("not a lock file")
    mailings = document.get(_MAILINGS)
    if not isinstance(mailings, dict):
        return document, []
    document[_MAILINGS] = {}
    return document, [dict(sorted(mailings.items()))] if mailings else []


def _open_lock(document: Any, batches: Iterable[dict[str, Any]], where: str) -> Lock:
    """Return the lock of a document without its mailings, and of these.

    With a list of batches, the seal is checked before anything else, so that an edited file is called that.

    Raises:
        LockDamaged: its version is not known.
        KeyError, TypeError, ValueError: it is damaged.
    """
    if document.get("format") != FORMAT:
        raise ValueError("not a lock file")
    if document["version"] != VERSION:
        raise LockDamaged(
            f"{where} has {_version_text(document['version'])}; this program reads version {VERSION}",
            hint="use the version of smsby-deploy that wrote it, or a newer one",
        )
    sealed = {key: value for key, value in document.items() if key != "seal"}
    if isinstance(batches, list):
        seal = LockSeal(sealed)
        for address, entry in (item for batch in batches for item in batch.items()):
            seal.add(address, canonical(entry))
        seal.check(document["seal"])
    seal = LockSeal(sealed)
    mailings = _read_batches(batches, seal)
    seal.check(document["seal"])
    check_lock(document)
    return Lock(
        project=document["project"],
        serial=document["serial"],
        lineage=document["lineage"],
        folded=document["folded"],
        **{key: document.get(key) for key in _BINDING},
        digest_key=document.get("digest_key"),
        sealed=document.get("sealed", {}),
        rekeyed=document.get("rekeyed", False),
        archived=document.get("archived", 0),
        mailings=mailings,
        applies=tuple(Apply(**apply) for apply in document["applies"]),
        resolutions=tuple(Resolution(**resolution) for resolution in document["resolutions"]),
    )


def _read_batches(batches: Iterable[dict[str, Any]], seal: LockSeal) -> dict[str, Entry]:
    """Return the mailings, each added to `seal`; ValueError if addresses do not ascend."""
    mailings: dict[str, Entry] = {}
    last = ""
    for batch in batches:
        check_mailings(batch)
        for (address, document), stored in zip(batch.items(), _canonical_entries(batch), strict=True):
            if mailings and address <= last:
                raise ValueError("duplicate key")
            entry, last = read_entry(document), address
            object.__setattr__(entry, "stored", stored)  # only of this object, never of a changed copy
            seal.add(address, stored)
            mailings[address] = entry
    return mailings


def _canonical_entries(batch: dict[str, Any]) -> Iterator[bytes]:
    """Yield the canonical form of each mailing of a batch, in ascending order.

    The batch keeps the schema. Its mailings are encoded together, which takes half of the time, and taken apart before
    the next address: no text has it between such quotes.
    """
    whole = canonical(batch)
    keys = [canonical(address) + b":" for address in sorted(batch)]
    ends = [b"," + key for key in keys[1:]]
    begin = 1
    for key, end in zip(keys, [*ends, None], strict=True):
        begin += len(key)
        last = len(whole) - 1 if end is None else whole.index(end, begin)
        yield whole[begin:last]
        begin = last + 1
