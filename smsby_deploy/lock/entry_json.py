"""Converts one mailing of the lock to JSON and back, for the lock file and the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from smsby_deploy.lock.counts import Billed, Deliveries, PrefixCount, read_variants, variants_document
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, VerdictKind, WaveVerdict
from smsby_deploy.lock.phone_states import PhoneStates, format_runs, parse_runs
from smsby_deploy.lock.records import (
    AppliedBy,
    ChunkRecord,
    ChunkState,
    Entry,
    NamedId,
    UploadRecord,
    chunk_state_of,
)

DECLARED_UNSENT_ERROR = "said not to be sent"
# Other keys are absent if nothing is recorded.
_NULLABLE = frozenset({"schedule_time", "recipients", "parts", "cost"})


def entry_document(entry: Entry) -> dict[str, Any]:
    """Return one mailing as JSON, with its keys in reading order."""
    document = {
        "revision": entry.revision,
        "state": entry.state.value,
        "transport": entry.transport,
        "body": entry.body or None,
        "alphaname": {"name": entry.alphaname, "id": entry.alphaname_id},
        "list": entry.contact_list and entry.contact_list._asdict(),
        "schedule_time": entry.schedule_time,
        "recipients": entry.recipients,
        "parts": entry.parts,
        "cost": entry.cost,
        "currency": entry.currency or None,
        "billed": entry.billed and entry.billed._asdict(),
        "deliveries": entry.deliveries and entry.deliveries._asdict(),
        "labels": None if entry.labels is None else dict(entry.labels),
        "prefixes": None if entry.prefixes is None else _prefixes_document(entry.prefixes),
        "variants": None if entry.variants is None else variants_document(entry.variants),
        "content_digest": entry.content_digest,
        "audience_digest": entry.audience_digest,
        "text_digest": entry.text_digest,
        "recipients_digest": entry.recipients_digest,
        "own_digest": entry.own_digest,
        "chunks": [_chunk_document(chunk) for chunk in entry.chunks],
        "applied": _applied_document(entry.applied),
        "approval": entry.approval and _approval_document(entry.approval),
        "signed_by": list(entry.signed_by) or None,
        "ending": entry.ending and ending_document(entry.ending),
        "verdicts": list(map(verdict_document, entry.verdicts)) or None,
        "earlier": [entry_document(old) for old in entry.earlier],
    }
    return {key: value for key, value in document.items() if value is not None or key in _NULLABLE}


def read_entry(document: dict[str, Any]) -> Entry:
    """Return the entry that `entry_document` wrote.

    KeyError, TypeError or ValueError if `document` is not such an entry.
    """
    sender = document["alphaname"]
    return Entry(
        revision=document["revision"],
        content_digest=document["content_digest"],
        audience_digest=document["audience_digest"],
        text_digest=document.get("text_digest"),
        recipients_digest=document.get("recipients_digest"),
        own_digest=document.get("own_digest"),
        transport=document["transport"],
        body=document.get("body"),
        alphaname=sender["name"],
        alphaname_id=sender["id"],
        contact_list=NamedId(**document["list"]) if "list" in document else None,
        schedule_time=document["schedule_time"],
        recipients=document["recipients"],
        parts=document["parts"],
        cost=document["cost"],
        currency=document.get("currency"),
        chunks=tuple(map(_read_chunk, document["chunks"])),
        applied=AppliedBy(**document["applied"]),
        approval=_read_approval(document["approval"]) if "approval" in document else None,
        signed_by=tuple(document.get("signed_by", ())),
        ending=read_ending(document.get("ending")),
        verdicts=tuple(map(read_verdict, document.get("verdicts", ()))),
        labels=document.get("labels"),
        prefixes=_read_prefixes(document.get("prefixes")),
        variants=read_variants(document.get("variants")),
        billed=Billed(**document["billed"]) if "billed" in document else None,
        deliveries=Deliveries(**document["deliveries"]) if "deliveries" in document else None,
        earlier=tuple(map(read_entry, document["earlier"])),
    )


def _approval_document(approval: Approval) -> dict[str, Any]:
    document = asdict(approval) | {"suppress": list(approval.suppress)}
    return {key: value for key, value in document.items() if key not in ("source", "suppress") or value}


def _read_approval(document: dict[str, Any]) -> Approval:
    return Approval(**document | {"suppress": tuple(document.get("suppress", ()))})


def _prefixes_document(prefixes: Mapping[str, PrefixCount]) -> dict[str, Any]:
    return {prefix: count._asdict() for prefix, count in prefixes.items()}


def _read_prefixes(document: dict[str, Any] | None) -> dict[str, PrefixCount] | None:
    return None if document is None else {prefix: PrefixCount(**one) for prefix, one in document.items()}


def ending_document(ending: Ending) -> dict[str, Any]:
    """Return the decision that ended a mailing as JSON."""
    return asdict(ending) | {"kind": ending.kind.value}


def read_ending(document: dict[str, Any] | None) -> Ending | None:
    """Return the decision that ended a mailing, from its JSON; None if there is none."""
    return None if document is None else Ending(**{**document, "kind": EndingKind(document["kind"])})


def verdict_document(verdict: WaveVerdict) -> dict[str, Any]:
    """Return a verdict as JSON."""
    return asdict(verdict) | {"kind": verdict.kind.value}


def read_verdict(document: dict[str, Any]) -> WaveVerdict:
    """Return the verdict that `verdict_document` wrote."""
    return WaveVerdict(**{**document, "kind": VerdictKind(document["kind"])})


def stored_state(state: ChunkState) -> str:
    """Return the word for `state` in the lock file and the journal.

    The format has no word for DECLARED_UNSENT, which is "pending" with the error DECLARED_UNSENT_ERROR.
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


def _applied_document(applied: AppliedBy) -> dict[str, Any]:
    """Return the run as JSON; `asdict` takes ten times as long."""
    return {"at": applied.at, "plan": applied.plan, "commit": applied.commit, "tool": applied.tool}


# Keys that only some chunks have.
_OPTIONAL_OF_CHUNK = ("schedule_time", "variant", "wave", "opted_out", "left_out")


def _chunk_document(chunk: ChunkRecord) -> dict[str, Any]:
    """Return one chunk as JSON; keys of phones and of an upload only if it has them."""
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
    if chunk.refused_id is not None:
        document["refused_id"] = chunk.refused_id
    if chunk.upload is not None:
        document["upload"] = asdict(chunk.upload)
    if chunk.declared:
        document["declared"] = True
    optional = {key: getattr(chunk, key) for key in _OPTIONAL_OF_CHUNK}
    return document | {key: value for key, value in optional.items() if value is not None}


def _read_chunk(document: dict[str, Any]) -> ChunkRecord:
    stored = document["state"]
    fields = {**document, "state": read_state(stored, document["error"])}
    rows, baseline = fields.pop("rows", None), fields.pop("baseline", None)
    if "upload" in fields:
        fields["upload"] = UploadRecord(**fields["upload"])
    chunk = ChunkRecord(**fields)
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
