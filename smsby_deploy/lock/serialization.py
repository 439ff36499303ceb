"""The lock as JSON, and back: lock → text → lock is the identity, and damage never passes for a lock."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

from smsby_deploy.errors import LockDamaged
from smsby_deploy.lock.phone_states import count_runs, read_runs, state_of
from smsby_deploy.lock.records import (
    AppliedBy,
    Apply,
    ChunkRecord,
    ChunkState,
    Entry,
    Lock,
    Resolution,
    UploadRecord,
)

FORMAT = "smsby-lock"
VERSION = 1


def entry_document(entry: Entry) -> dict[str, Any]:
    """One mailing as JSON, in the order people read it."""
    return {
        "revision": entry.revision,
        "state": entry.state,
        "transport": entry.transport,
        **({"body": entry.body} if entry.body else {}),
        "alphaname": {"name": entry.alphaname, "id": entry.alphaname_id},
        "schedule_time": entry.schedule_time,
        "recipients": entry.recipients,
        "parts": entry.parts,
        "cost": entry.cost,
        **({"currency": entry.currency} if entry.currency else {}),
        "content_digest": entry.content_digest,
        "audience_digest": entry.audience_digest,
        "chunks": [_chunk_document(chunk) for chunk in entry.chunks],
        "applied": asdict(entry.applied),
        "earlier": [entry_document(old) for old in entry.earlier],
    }


def read_entry(document: dict[str, Any]) -> Entry:
    """The entry of an `entry_document`; KeyError, TypeError or ValueError if it is not one."""
    return Entry(
        revision=document["revision"],
        content_digest=document["content_digest"],
        audience_digest=document["audience_digest"],
        transport=document["transport"],
        body=document.get("body"),
        alphaname=document["alphaname"]["name"],
        alphaname_id=document["alphaname"]["id"],
        schedule_time=document["schedule_time"],
        recipients=document["recipients"],
        parts=document["parts"],
        cost=document["cost"],
        currency=document.get("currency"),
        chunks=tuple(_read_chunk(chunk) for chunk in document["chunks"]),
        applied=AppliedBy(**document["applied"]),
        earlier=tuple(read_entry(old) for old in document["earlier"]),
    )


def _chunk_document(chunk: ChunkRecord) -> dict[str, Any]:
    """What concerns single phones, or an uploaded list, stands only in a chunk that is sent so."""
    document = asdict(chunk) | {"state": chunk.state.value}
    if chunk.upload is None:
        del document["upload"]
    if chunk.rows is None:
        return {key: value for key, value in document.items() if key not in ("rows", "baseline", "foreign")}
    baseline = None if chunk.baseline is None else count_runs(chunk.baseline)
    return document | {"rows": count_runs(chunk.rows), "baseline": baseline}


def _read_chunk(document: dict[str, Any]) -> ChunkRecord:
    upload = UploadRecord(**document["upload"]) if "upload" in document else None
    chunk = ChunkRecord(**(document | {"state": ChunkState(document["state"]), "upload": upload}))
    if chunk.rows is None:
        if chunk.state is ChunkState.PARTIAL:
            raise ValueError("a chunk that is sent in part does not say to whom")
        return chunk
    rows = read_runs(chunk.rows)
    baseline = None if chunk.baseline is None else read_runs(chunk.baseline)
    if state_of(rows) is not chunk.state or (baseline is not None and len(baseline) != len(rows)):
        raise ValueError("the phones of a chunk don't fit its state")
    return replace(chunk, rows=rows, baseline=baseline)


def entry_digest(entry: Entry) -> str:
    """sha256 of one entry: what a plan remembers of the lock."""
    return hashlib.sha256(_canonical(entry_document(entry))).hexdigest()


def _apply_document(apply: Apply) -> dict[str, Any]:
    """One run as JSON; who did it is left out where it is not known, as in locks that were written before it was asked."""
    return {key: value for key, value in asdict(apply).items() if key != "by" or value is not None}


def write_lock(lock: Lock) -> str:
    """The text of the lock file, sealed."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "project": lock.project,
        "serial": lock.serial,
        "lineage": lock.lineage,
        "folded": lock.folded,
        "mailings": {address: entry_document(lock.mailings[address]) for address in sorted(lock.mailings)},
        "applies": [_apply_document(apply) for apply in lock.applies],
        "resolutions": [asdict(resolution) for resolution in lock.resolutions],
    }
    document["seal"] = hashlib.sha256(_canonical(document)).hexdigest()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def read_lock(text: str, where: str) -> Lock:
    """The lock that `text` holds.

    Raises:
        LockDamaged: not JSON, cut off, edited by hand, or of a version that this program does not know.
    """
    way_back = f"restore it from git (git checkout -- {where}); what was sent since is found at sms.by again"
    try:
        document = json.loads(text, object_pairs_hook=_no_duplicates)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("not a lock file")
        if document["version"] != VERSION:
            raise LockDamaged(
                f"{where} is of version {document['version']}, this program knows {VERSION}",
                hint="use the smsby-deploy that wrote it, or a newer one",
            )
        seal = document.pop("seal")
        if seal != hashlib.sha256(_canonical(document)).hexdigest():
            raise ValueError("its seal does not fit its content: it was edited or damaged")
        return Lock(
            project=document["project"],
            serial=document["serial"],
            lineage=document["lineage"],
            folded=document["folded"],
            mailings={address: read_entry(entry) for address, entry in document["mailings"].items()},
            applies=tuple(Apply(**apply) for apply in document["applies"]),
            resolutions=tuple(Resolution(**resolution) for resolution in document["resolutions"]),
        )
    except json.JSONDecodeError as error:
        raise LockDamaged(f"{where} is damaged at line {error.lineno}: {error.msg}", hint=way_back) from error
    except (KeyError, TypeError, ValueError) as error:
        raise LockDamaged(f"{where} is damaged: {error}", hint=way_back) from error


def _canonical(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document
