"""Desired × lock × remote: the one action of each mailing.

`Desired` comes from the files, the entry from the lock, the view from getSMSMessages (None when offline).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smsby_deploy.lock.phone_states import UNSENT, PhoneState
from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkState, Entry
from smsby_deploy.plan.desired_state import ChunkPlan, Desired
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.model import ActionKind
from smsby_deploy.plan.reconcile_lock import merge_entry
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.wording import counted

OPTED_OUT = "changed: opt-outs changed since its draft was made"  # so begins the reason
_NAMED = 5  # messages of a collision; of more the hint shows only how to name them


@dataclass(frozen=True, slots=True)
class Verdict:
    """The action, why, and the state of each desired chunk (a found one is accepted); `left` tells of a resumed mailing
    how many of each chunk surely got nothing, None where it is all or nothing."""

    action: ActionKind
    reason: str
    states: tuple[ChunkState, ...]
    note: str = ""
    left: tuple[int | None, ...] = ()


def diff_mailing(
    project: str, desired: Desired, entry: Entry | None, remote: RemoteView | None, now: datetime
) -> Verdict:
    """The one action of a mailing, guardrails aside."""
    pending = (ChunkState.PENDING,) * len(desired.chunks)
    reached = 0  # by what is recorded, or found at sms.by of it
    if entry is not None:
        states = merge_entry(entry, remote)
        if ChunkState.UNKNOWN in states:
            return Verdict(
                ActionKind.BLOCKED, _unknown_reason(project, desired.address, entry, states), states
            )
        if entry.revision > desired.revision:
            reason = f"changed: revision {entry.revision} was sent, the file says {desired.revision}"
            return Verdict(
                ActionKind.BLOCKED, f"{reason}; raise it above {entry.revision} to send again", states
            )
        if entry.revision == desired.revision and not all(state in SURELY_NOT_SENT for state in states):
            return _diff_recorded(project, desired, entry, states, remote, now)
        reached = sum(
            chunk.recipients or 0
            for chunk, state in zip(entry.chunks, states, strict=True)
            if chunk.was_sent or state is ChunkState.ACCEPTED
        )
    return _diff_new(project, desired, entry, pending, remote, now, reached)


def _diff_recorded(
    project: str,
    desired: Desired,
    entry: Entry,
    states: tuple[ChunkState, ...],
    remote: RemoteView | None,
    now: datetime,
) -> Verdict:
    found = [new for old, new in zip(entry.chunks, states, strict=True) if old.state is not new]
    if all(state in DONE for state in states):
        if entry.content_digest != desired.content_digest:
            return Verdict(
                ActionKind.BLOCKED,
                f"changed: its text, sender or time differs from what was sent; raise `revision` to "
                f"{entry.revision + 1} to send it again, or put the file back",
                states,
            )
        if found:
            return Verdict(ActionKind.ADOPT, "sms.by has it already: only recorded", states)
        note = ""
        if entry.audience_digest != desired.audience_digest:
            note = "the audience changed after it was sent: nothing is sent to the new rows"
        return Verdict(ActionKind.NOOP, "sent, unchanged", states, note)
    same = [chunk.fingerprint for chunk in entry.chunks] == desired.fingerprints
    is_written_alike = entry.transport == desired.via and entry.body in (None, desired.body)
    if not (same and is_written_alike):
        return Verdict(
            ActionKind.BLOCKED,
            "changed: a part of it was sent, and its content, recipients, chunk size, `via` or `body` changed since; put "
            f"the files back to send the rest (revision {entry.revision + 1} would send to all again)",
            states,
        )
    collision = collision_of(project, desired.address, desired.revision, desired.fingerprints, remote)
    if collision:
        return Verdict(ActionKind.BLOCKED, collision, states)
    if expired := expired_reason(desired.schedule_time, now):
        return Verdict(ActionKind.BLOCKED, expired, states)
    if ChunkState.DRAFT in states:
        upload = entry.chunks[0].upload
        if upload is not None and upload.digest not in ("", desired.contacts):
            return Verdict(ActionKind.BLOCKED, opted_out_reason(entry.revision), states)
        return Verdict(ActionKind.CONFIRM, "its draft stands at sms.by, not confirmed", states)
    if entry.transport == "single":
        accepted = sum(c.phones.count(PhoneState.ACCEPTED) for c in entry.chunks if c.phones is not None)
        people = counted(accepted, "person", "people")
        left = tuple(None if c.phones is None else c.phones.count(*UNSENT) for c in entry.chunks)
        return Verdict(ActionKind.RESUME, f"{people} got it; the rest goes out", states, left=left)
    done = sum(state in DONE for state in states)
    return Verdict(ActionKind.RESUME, f"{done} of {len(states)} chunks were sent; the rest goes out", states)


def _diff_new(
    project: str,
    desired: Desired,
    entry: Entry | None,
    pending: tuple[ChunkState, ...],
    remote: RemoteView | None,
    now: datetime,
    reached: int,
) -> Verdict:
    if remote is not None:
        listed = [remote.by_fingerprint.get(chunk.fingerprint) for chunk in desired.chunks]
        if any(listed) and not is_recorded_singly(entry, desired.revision, desired.fingerprints):
            states = tuple(
                _listed_state(mailing, chunk, desired.via)
                for mailing, chunk in zip(listed, desired.chunks, strict=True)
            )
            if ChunkState.UNKNOWN in states:
                missing = states.count(ChunkState.UNKNOWN)
                whole = " as sent to all" if desired.via == "single" else ""
                return Verdict(
                    ActionKind.BLOCKED,
                    f"unknown: sms.by lists {len(states) - missing} of its {len(states)} chunks{whole} and the lock none; "
                    f"absence proves nothing: see `smsby-deploy lock resolve {desired.address}`",
                    states,
                )
            if ChunkState.DRAFT in states:
                if expired := expired_reason(desired.schedule_time, now):
                    return Verdict(ActionKind.BLOCKED, expired, states)
                return Verdict(ActionKind.CONFIRM, "its draft stands at sms.by, not confirmed", states)
            return Verdict(
                ActionKind.ADOPT, "sms.by has it already, the lock does not: only recorded", states
            )
        collision = collision_of(project, desired.address, desired.revision, desired.fingerprints, remote)
        if collision:
            return Verdict(ActionKind.BLOCKED, collision, pending)
    if expired := expired_reason(desired.schedule_time, now):
        return Verdict(ActionKind.BLOCKED, expired, pending)
    start = ActionKind.CREATE if desired.contacts is None else ActionKind.UPLOAD
    if entry is None:
        return Verdict(start, "new" if desired.contacts is None else _upload_reason(desired, None), pending)
    if entry.revision < desired.revision:
        people = counted(reached, "person", "people")
        note = f"revision {desired.revision} sends a second time to up to {people} who got revision {entry.revision}"
        return Verdict(start, f"revision {desired.revision}", pending, note if reached else "")
    reason = "nothing of it was sent so far"
    if desired.contacts is not None:
        reason = _upload_reason(desired, entry)
    return Verdict(start, reason, pending)


def _upload_reason(desired: Desired, entry: Entry | None) -> str:
    upload = entry.chunks[0].upload if entry is not None and len(entry.chunks) == 1 else None
    people = counted(desired.audience.final, "contact")
    if upload is None or upload.digest != desired.contacts or not upload.uploaded:
        again = "" if upload is None or upload.digest == desired.contacts else " anew, as opt-outs changed"
        return f"{people} go into a list at sms.by{again}; then it is sent to it"
    if upload.uploaded < desired.audience.final:
        return f"{upload.uploaded:,} of {people} are in its list at sms.by; the rest follow, then it is sent to it"
    return f"its list at sms.by holds {people}; it is sent to it"


def opted_out_reason(revision: int) -> str:
    """Why a draft for an uploaded list must not be confirmed: there is no way to take a contact, or a draft, back."""
    return (
        f"{OPTED_OUT}, and a draft can't be changed: raise `revision` to {revision + 1} for a new list "
        "(nobody got anything yet), and delete the draft at sms.by"
    )


def is_recorded_singly(entry: Entry | None, revision: int, fingerprints: Sequence[str]) -> bool:
    """Whether the lock has this very mailing as one that is sent phone by phone: then it knows more than the list."""
    return (
        entry is not None
        and entry.transport == "single"
        and entry.revision == revision
        and [chunk.fingerprint for chunk in entry.chunks] == list(fingerprints)
    )


def _listed_state(listed: RemoteMailing | None, chunk: ChunkPlan, via: str) -> ChunkState:
    """What the list tells of a chunk that the lock does not have. Of one that is sent phone by phone only the number of
    phones tells whether it went to all; apply looks at each."""
    if listed is None:
        return ChunkState.UNKNOWN
    if via == "single" and (listed.count_phones or 0) < (chunk.recipients or 0):
        return ChunkState.UNKNOWN
    return ChunkState.DRAFT if listed.is_draft else ChunkState.ACCEPTED


def collision_of(
    project: str, address: str, revision: int, fingerprints: Sequence[str], remote: RemoteView | None
) -> str:
    """Why this mailing must not be created: sms.by lists one of its address and revision that is not it. Else empty."""
    if remote is None:
        return ""
    foreign = remote.foreign(address, revision, frozenset(fingerprints))
    ids = [str(remote.by_fingerprint[mark].id) for mark in foreign]
    options = " ".join(f"--message-id {number}" for number in (ids if 0 < len(ids) <= _NAMED else ["N"]))
    ways = f"`smsby-deploy import {address} {options}`, restore the lock, or raise `revision`"
    if foreign:
        return f"collision: sms.by has it under another fingerprint ({foreign[0]}): {ways}"
    if remote.cut_off(project, address, revision):
        return f"collision: sms.by lists a mailing whose cut-off name begins like this one: {ways}"
    return ""


def _unknown_reason(project: str, address: str, entry: Entry, states: Sequence[ChunkState]) -> str:
    """What to look for, by the name that it would have at sms.by, and how to say what was found."""
    names = [
        remote_name(project, address, entry.revision, index, len(states), chunk.fingerprint)
        for index, (chunk, state) in enumerate(zip(entry.chunks, states, strict=True))
        if state is ChunkState.UNKNOWN
    ]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"unknown: whether an earlier request arrived is not known; look at sms.by for `{names[0]}`{more}, then "
        f"`smsby-deploy lock resolve {address} --sent` or `--not-sent`"
    )


def expired_reason(schedule_time: datetime | None, now: datetime) -> str:
    """That the time of a mailing has passed; empty if it has not, or there is none."""
    if schedule_time is None or schedule_time > now:
        return ""
    return f"expired: its schedule_time {schedule_time:%Y-%m-%d %H:%M} has passed; set a new one"
