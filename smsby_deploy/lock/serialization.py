"""The lock as JSON and back.

Writing and reading a lock gives the same lock, and damage is always detected.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from typing import Any

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.documents import check_lock
from smsby_deploy.lock.phone_states import PhoneStates, format_runs, parse_runs
from smsby_deploy.lock.records import (
    AppliedBy,
    Apply,
    ChunkRecord,
    ChunkState,
    Entry,
    Lock,
    NamedId,
    Resolution,
    UploadRecord,
    chunk_state_of,
)

FORMAT = "smsby-lock"
VERSION = 1
DECLARED_UNSENT_ERROR = "said not to be sent"


_BINDING = (
    "environment",
    "service",
    "account",
)  # absent from locks of before, and from those bound to nothing


_KEYED = ("digest_key", "sealed", "rekeyed")  # absent from locks without a digest key
_OPTIONAL_DIGESTS = ("text_digest", "recipients_digest")  # absent from locks of before


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return one mailing as JSON, with its keys in reading order."""
    return {
        "revision": entry.revision,
        "state": entry.state.value,
        "transport": entry.transport,
        **({"body": entry.body} if entry.body else {}),
        "alphaname": {"name": entry.alphaname, "id": entry.alphaname_id},
        **({"list": entry.contact_list._asdict()} if entry.contact_list else {}),
        "schedule_time": entry.schedule_time,
        "recipients": entry.recipients,
        "parts": entry.parts,
        "cost": entry.cost,
        **({"currency": entry.currency} if entry.currency else {}),
        "content_digest": entry.content_digest,
        "audience_digest": entry.audience_digest,
        **{key: value for key in _OPTIONAL_DIGESTS if (value := getattr(entry, key)) is not None},
        "chunks": [_chunk_document(chunk) for chunk in entry.chunks],
        "applied": asdict(entry.applied),
        "earlier": [entry_document(old) for old in entry.earlier],
    }


def read_entry(document: dict[str, Any]) -> Entry:
    """Return the entry that `entry_document` wrote.

    KeyError, TypeError or ValueError if `document` is no such entry.
    """
    return Entry(
        revision=document["revision"],
        content_digest=document["content_digest"],
        audience_digest=document["audience_digest"],
        **{key: document.get(key) for key in _OPTIONAL_DIGESTS},
        transport=document["transport"],
        body=document.get("body"),
        alphaname=document["alphaname"]["name"],
        alphaname_id=document["alphaname"]["id"],
        contact_list=NamedId(**document["list"]) if "list" in document else None,
        schedule_time=document["schedule_time"],
        recipients=document["recipients"],
        parts=document["parts"],
        cost=document["cost"],
        currency=document.get("currency"),
        chunks=tuple(_read_chunk(chunk) for chunk in document["chunks"]),
        applied=AppliedBy(**document["applied"]),
        earlier=tuple(read_entry(old) for old in document["earlier"]),
    )


def stored_state(state: ChunkState) -> str:
    """Return the word for `state` in the lock file and the journal.

    The format has none for DECLARED_UNSENT: it is "pending" with the error DECLARED_UNSENT_ERROR.
    """
    return (ChunkState.PENDING if state is ChunkState.DECLARED_UNSENT else state).value


def read_state(stored: str, error: str | None) -> ChunkState:
    """Return the state of a chunk from its stored word and its error."""
    state = ChunkState(stored)
    is_declared = state is ChunkState.PENDING and error == DECLARED_UNSENT_ERROR
    return ChunkState.DECLARED_UNSENT if is_declared else state


def parse_baseline(text: str) -> tuple[int, ...]:
    """Return the counts of a stored baseline; ValueError if `text` is not one."""
    return tuple(map(int, parse_runs(text)))


def _chunk_document(chunk: ChunkRecord) -> dict[str, Any]:
    """Return one chunk as JSON, with the fields of phones and of an upload only if it has them."""
    document: dict[str, Any] = {
        "fingerprint": chunk.fingerprint,
        "recipients": chunk.recipients,
        "digest": chunk.digest,
        "state": stored_state(chunk.state),
        "uuid": chunk.uuid,
        "message_id": chunk.message_id,
        "accepted_at": chunk.accepted_at,
        "error": chunk.error,
        "step": chunk.step,
    }
    if chunk.phones is not None:
        baseline = None if chunk.baseline is None else format_runs(map(str, chunk.baseline))
        document |= {"rows": str(chunk.phones), "baseline": baseline, "foreign": chunk.foreign}
    if chunk.upload is not None:
        document["upload"] = asdict(chunk.upload)
    if chunk.declared:
        document["declared"] = True
    return document


def _read_chunk(document: dict[str, Any]) -> ChunkRecord:
    fields = dict(document)
    stored, rows, baseline = fields.pop("state"), fields.pop("rows", None), fields.pop("baseline", None)
    upload = UploadRecord(**fields.pop("upload")) if "upload" in fields else None
    chunk = ChunkRecord(**fields, state=read_state(stored, fields["error"]), upload=upload)
    if rows is None:
        if chunk.state is ChunkState.PARTIAL:
            raise ValueError("a chunk that was sent in part has no phone states")
        return chunk
    phones = PhoneStates.parse(rows)
    counts = None if baseline is None else parse_baseline(baseline)
    state = chunk_state_of(phones)
    if stored_state(state) != stored or (counts is not None and len(counts) != len(phones)):
        raise ValueError("the phone states of a chunk do not match its state")
    return replace(chunk, state=state, phones=phones, baseline=counts)


# A lock is indented JSON and escapes line breaks in values, so none of its lines begins like this.
_CONFLICT_MARKER = re.compile(r"^<{7} ", re.MULTILINE)


def entry_digest(entry: Entry) -> str:
    """Return the sha256 of one entry; a plan stores it to notice that the lock has changed."""
    return hashlib.sha256(_canonical(entry_document(entry))).hexdigest()


def _apply_document(apply: Apply) -> dict[str, Any]:
    """Return one apply as JSON, without `by` if it is not recorded, as in older locks."""
    return {key: value for key, value in asdict(apply).items() if key != "by" or value is not None}


def write_lock(lock: Lock) -> str:
    """Return the text of the lock file, with its seal."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "project": lock.project,
        "serial": lock.serial,
        "lineage": lock.lineage,
        **{key: value for key in _BINDING if (value := getattr(lock, key)) is not None},
        "folded": lock.folded,
        "mailings": {address: entry_document(lock.mailings[address]) for address in sorted(lock.mailings)},
        "applies": [_apply_document(apply) for apply in lock.applies],
        "resolutions": [asdict(resolution) for resolution in lock.resolutions],
        **{key: value for key in _KEYED if (value := getattr(lock, key))},
    }
    document["seal"] = hashlib.sha256(_canonical(document)).hexdigest()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def read_lock(text: str, where: str) -> Lock:
    """Return the lock that `text` contains; `where` names the file in errors.

    Raises:
        LockDamaged: not JSON, truncated, edited manually, or of an unknown version.
    """
    recovery = f"restore it from git (git checkout -- {where}); what was sent since is found again at sms.by"
    if conflict := _CONFLICT_MARKER.search(text):
        raise LockDamaged(
            f"{where} has git conflict markers at line {text.count(chr(10), 0, conflict.start()) + 1}",
            hint=f"take one side whole: git checkout --theirs -- {where} (or --ours; the one with the higher serial),"
            f" then git add {where}; what the other side sent is found again at sms.by",
        )
    try:
        document = json.loads(text, object_pairs_hook=_no_duplicates)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("not a lock file")
        if document["version"] != VERSION:
            raise LockDamaged(
                f"{where} has {_version_text(document['version'])}; this program reads version {VERSION}",
                hint="use the version of smsby-deploy that wrote it, or a newer one",
            )
        sealed = {key: value for key, value in document.items() if key != "seal"}
        if document["seal"] != hashlib.sha256(_canonical(sealed)).hexdigest():
            raise ValueError("the seal does not match the content: it was edited or damaged")
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
            mailings={address: read_entry(entry) for address, entry in document["mailings"].items()},
            applies=tuple(Apply(**apply) for apply in document["applies"]),
            resolutions=tuple(Resolution(**resolution) for resolution in document["resolutions"]),
        )
    except json.JSONDecodeError as error:
        raise LockDamaged(f"{where} is damaged at line {error.lineno}: {error.msg}", hint=recovery) from error
    except RecursionError as error:
        raise LockDamaged(f"{where} is damaged: nested too deep", hint=recovery) from error
    except (KeyError, TypeError, ValueError) as error:
        raise LockDamaged(f"{where} is damaged: {error}", hint=recovery) from error


def _version_text(version: object) -> str:
    return f"version {version}" if isinstance(version, int) and 0 < version < 1000 else "another version"


def _canonical(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("duplicate key")
    return document
