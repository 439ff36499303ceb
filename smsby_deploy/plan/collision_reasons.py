"""The sentences about a collision.

In a collision, sms.by or the lock has the mailing under another fingerprint or address. Each sentence says what is known,
how to keep the record, and how to send the mailing again on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from smsby_deploy.lock.records import ChunkState, Entry
from smsby_deploy.plan.fingerprint import RemoteName, read_remote_name
from smsby_deploy.plan.model import ReasonCode
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.scheduled import delete_ahead, only_listed, other_is_scheduled, sending_time, take_back
from smsby_deploy.plan.similar import Other
from smsby_deploy.plan.situation import Situation
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.wording import sentence

_MOST_OPTIONS = 5  # messages of a collision that the suggested command names


def listed_in_part(here: Situation) -> str:
    """Say that sms.by lists only a part of it, or, of a list mailing, no status."""
    if here.desired.via == "list":
        return sentence(
            "sms.by lists it without a status, and the lock does not have it; it may or may not have been confirmed, so "
            "apply records it as unknown; then resolve it with `smsby-deploy lock resolve {address}`",
            address=here.desired.address,
        )
    listed = len(here.listed) - here.listed.count(ChunkState.UNKNOWN)
    whole = sentence(" as sent to all recipients") if here.desired.via == "single" else ""
    return sentence(
        "sms.by lists {listed} of its {total:chunk|chunks}{whole}, the lock has none of them; a chunk that is "
        "not listed may have been sent, so apply records it as unknown; then resolve it with `smsby-deploy lock resolve "
        "{address}`",
        listed=listed,
        total=len(here.listed),
        whole=whole,
        address=here.desired.address,
    )


def collision(here: Situation) -> str:
    if here.is_rehearsal:  # an earlier version of it was rehearsed
        return ""
    desired = here.desired
    now = here.now.astimezone(here.zone)
    return find_collision(desired.address, desired.revision, desired.fingerprints, here.remote, now)


def find_collision(
    address: str, revision: int, fingerprints: Sequence[str], remote: RemoteView | None, now: datetime
) -> str:
    """Say which other mailing sms.by lists under this address and revision, or a higher one.

    Empty if there is none. Times are shown in the zone of `now`.
    """
    if remote is None:
        return ""
    if later := remote.find_later(address, revision):
        return sentence(
            "sms.by has revision {last} of it, the file says {revision}: restore the lock, or {again}",
            last=later[0],
            revision=revision,
            again=delete_ahead(later[1], now)
            or sentence("raise `revision` above {last} to send it again", last=later[0]),
        )
    others = remote.other_fingerprints(address, revision, frozenset(fingerprints))
    listed = [remote.by_fingerprint[mark] for mark in others]
    ids = [str(one.id) for one in listed]
    options = " ".join(
        f"--message-id {number}" for number in (ids if 0 < len(ids) <= _MOST_OPTIONS else ["N"])
    )
    if others:
        ways = sentence(
            "`smsby-deploy import {address} {options}`, restore the lock, or {again}",
            address=address,
            options=options,
            again=delete_ahead(listed, now) or sentence("raise `revision`"),
        )
        return sentence(
            "sms.by has it under another fingerprint (#{mark}): {ways}", mark=others[0], ways=ways
        )
    if remote.truncated_name(address, revision) is None:
        return ""
    # A raised revision may collide, too, or that mailing may not be gone: only its record decides.
    ways = sentence(
        "`smsby-deploy import {address} {options}` (then a raised `revision` sends it again), or restore the lock",
        address=address,
        options=options,
    )
    return sentence("sms.by lists a mailing whose truncated name begins like this one: {ways}", ways=ways)


def _send_again(here: Situation, listed: RemoteMailing, revision: int) -> str:
    """Say how to send it although sms.by lists the same mailing, as `listed`, in `revision`."""
    if deletion := delete_ahead([listed], here.now.astimezone(here.zone)):
        return sentence("to send this one instead, {take_back}", take_back=deletion)
    return sentence("to send it again, raise `revision` to {revision}", revision=revision + 1)


def listed_under_a_short_name(here: Situation) -> str:
    """Say which listed mailing may be this one under a truncated name; empty if there is none."""
    if here.remote is None or here.is_rehearsal:
        return ""
    address, revision = here.desired.address, here.desired.revision
    name = here.remote.short_name(address, revision)
    if name is None:
        return ""
    return sentence(
        "sms.by lists a mailing named “{name}”: if that is this one, and its name was cut off, it would be sent again; "
        "then `smsby-deploy import {address} --message-id N`",
        name=name,
        address=address,
    )


def listed_as(here: Situation, listed: RemoteName) -> tuple[ReasonCode, str]:
    """Say what to do about a mailing that was renamed and whose record was lost."""
    assert here.remote is not None  # it was found there
    old, mailing = listed.address, here.remote.by_fingerprint[listed.fingerprint]
    if listed.revision < here.desired.revision:
        return ReasonCode.SCHEDULED, only_listed(here, mailing)
    why = sentence(
        "sms.by lists {old}, with the same text and recipients, but the lock does not have it as sent; if it was "
        "renamed, restore the lock, or name it {old} again, apply, rename it, and run "
        "`smsby-deploy lock move {old} {address}`; {again}",
        old=old,
        address=here.desired.address,
        again=_send_again(here, mailing, listed.revision),
    )
    return ReasonCode.COLLISION, why


def listed_in_project(here: Situation, listed: RemoteMailing) -> tuple[ReasonCode, str]:
    """Say what to do about a mailing that sms.by lists under another project."""
    name = read_remote_name(listed.name)
    assert name is not None  # it was found by its fingerprint
    why = sentence(
        "sms.by lists exactly this mailing under the project {project}; if this project was renamed, restore its name; "
        "{again}",
        project=name.project.partition("~")[0],
        again=_send_again(here, listed, name.revision),
    )
    is_raised = name.revision < here.desired.revision
    return ReasonCode.SCHEDULED if is_raised else ReasonCode.COLLISION, why


def renamed(here: Situation, sent_as: Other, entry: Entry | None) -> tuple[ReasonCode, str]:
    """Say how to keep the record of a renamed mailing, and how to send it again."""
    old, is_raised = sent_as.address, sent_as.revision < here.desired.revision
    outcome = sentence("has a draft")
    if sent_as.was_sent:
        outcome = sentence("was sent")
    elif sent_as.has_unknown:
        outcome = sentence("may have been sent")
    again = sentence("to send it again, raise `revision` to {revision}", revision=sent_as.revision + 1)
    if sent_as.has_unknown:
        again = sentence(
            "first resolve it with `smsby-deploy lock resolve {old} --sent` or `--not-sent`", old=old
        )
    elif entry is not None and sent_as.is_scheduled(here.now):
        if is_raised:
            return ReasonCode.SCHEDULED, other_is_scheduled(here, old, entry)
        outcome = sentence("will be sent {when}", when=sending_time(entry, here.remote))
        again = sentence("to send this one instead, {take_back}", take_back=take_back(here, entry, old))
    return ReasonCode.COLLISION, _renamed(here, sent_as, outcome, again)


def _renamed(here: Situation, sent_as: Other, outcome: str, again: str) -> str:
    old = sent_as.address
    if sent_as.is_archived:
        return sentence(
            "{old}, with the same text and recipients, {outcome} and is archived; remove it, or {again}",
            old=old,
            outcome=outcome,
            again=again,
        )
    return sentence(
        "{old}, with the same text and recipients, {outcome}; if it was renamed, run "
        "`smsby-deploy lock move {old} {address}`; {again}",
        old=old,
        outcome=outcome,
        address=here.desired.address,
        again=again,
    )
