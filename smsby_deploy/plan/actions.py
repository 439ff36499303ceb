"""Turn the decision on a mailing into the action that a plan shows."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal

from smsby_deploy.config.declarations import ContactList, Mailing
from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.account_names import AccountNames
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.diff import Decision
from smsby_deploy.plan.fingerprint import canonical_json
from smsby_deploy.plan.model import Action, ActionKind
from smsby_deploy.plan.reasons import orphaned


def make_action(mailing: Mailing, desired: Desired, decision: Decision, names: AccountNames) -> Action:
    """Return the action of a mailing in the files."""
    schedule = mailing.schedule_time
    action = Action(
        address=mailing.address,
        action=decision.action,
        reason=decision.reason,
        reason_code=decision.code,
        via=desired.via,
        recipients=None if isinstance(mailing.audience, ContactList) else desired.audience.final,
        parts=desired.parts,
        cost=desired.cost,
        gsm7=desired.gsm7,
        ucs2=desired.ucs2,
        alphaname=mailing.alphaname,
        alphaname_id=names.alphaname_id(mailing.alphaname),
        schedule_time=schedule.isoformat() if schedule else None,
        digest=_digest(desired.content_digest, desired.audience_digest),
        content_digest=desired.content_digest,
        audience_digest=desired.audience_digest,
        chunks=desired.chunks,
        audience=desired.audience,
    )
    return _count_rest(action, desired, decision.unsent) if decision.action is ActionKind.RESUME else action


def make_orphan(address: str, entry: Entry) -> Action:
    """Return the action of a recorded mailing that is no longer in the files."""
    return Action(
        address=address,
        action=ActionKind.ORPHAN,
        reason=orphaned(entry),
        via=entry.transport,
        recipients=entry.recipients,
        parts=entry.parts,
        cost=None if entry.cost is None else Decimal(entry.cost),
        gsm7=0,
        ucs2=0,
        alphaname=entry.alphaname,
        alphaname_id=entry.alphaname_id,
        schedule_time=entry.schedule_time,
        digest=_digest(entry.content_digest, entry.audience_digest),
        content_digest=entry.content_digest,
        audience_digest=entry.audience_digest,
        chunks=tuple(ChunkPlan(chunk.fingerprint, chunk.recipients, chunk.digest) for chunk in entry.chunks),
        audience=AudienceCounts(),
    )


def _count_rest(action: Action, desired: Desired, unsent: tuple[int | None, ...]) -> Action:
    """A resumed mailing counts only what will be sent now: the rest was paid for before."""
    rest = [
        chunk if recipients is None else chunk.share(recipients)
        for chunk, recipients in zip(desired.chunks, unsent, strict=True)
    ]
    return replace(
        action,
        recipients=sum(chunk.recipients or 0 for chunk in rest),
        parts=sum(chunk.parts for chunk in rest),
        cost=None if action.cost is None else sum((chunk.cost or Decimal(0) for chunk in rest), Decimal(0)),
        gsm7=sum(chunk.gsm7 for chunk in rest),
        ucs2=sum(chunk.ucs2 for chunk in rest),
    )


def _digest(content: str, audience: str) -> str:
    return hashlib.sha256(canonical_json([content, audience])).hexdigest()
