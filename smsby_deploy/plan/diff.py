"""The decision table: files × lock × remote list give each mailing one action.

RULES is read from top to bottom; the first rule that applies decides. `make_action` turns its decision into an action of
the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import ContactList, TextsByVariant
from smsby_deploy.lock.decisions import Approval
from smsby_deploy.lock.phone_states import UNSENT, PhoneStates
from smsby_deploy.lock.records import DONE, ChunkState, Entry, EntryState, NamedId
from smsby_deploy.lock.stored_mailings import Mailings, read_some, recipients_of
from smsby_deploy.plan import collision_reasons, reasons, scheduled
from smsby_deploy.plan.account_names import AccountNames
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.fingerprint import hash_json
from smsby_deploy.plan.model import (
    NEW_COMMITTING,
    SENDING,
    Action,
    ActionKind,
    Orphans,
    ReasonCode,
    with_code,
)
from smsby_deploy.plan.situation import Situation, is_recorded_singly
from smsby_deploy.plan.waves import Gate, why_due, why_stopped, why_waiting
from smsby_deploy.recipients.suppression import opted_out_places
from smsby_deploy.wording import read_money

_A, _R = ActionKind, ReasonCode
_WAITING = frozenset({ActionKind.HOLD, ActionKind.WAITING, ActionKind.DUE})


class Note(NamedTuple):
    """Something a reviewer should know about a mailing, as a problem code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The action of one mailing and why.

    `unsent` is set for a resumed mailing: how many recipients of each chunk get it now; None for all of them. An overdue
    mailing expired before it was approved.
    """

    action: ActionKind
    reason: str
    code: ReasonCode | None = None
    notes: tuple[Note, ...] = ()
    unsent: tuple[int | None, ...] = ()
    is_overdue: bool = False
    window: Window | None = None  # of a mailing that is held or waits
    approval: Approval | None = None  # an earlier one that still holds
    signed_by: tuple[str, ...] = ()  # whose signatures it is sent with
    wave: int | None = None  # the only one that is sent


class Rule(NamedTuple):
    """If `when` holds, the mailing gets the action `outcome`, or is blocked with that code."""

    outcome: ActionKind | ReasonCode
    when: Callable[[Situation], object]
    reason: Callable[[Situation], str] | str


def _was_handed_over(here: Situation) -> bool:
    """Whether sms.by lists a phone-by-phone mailing that is waiting according to the lock."""
    is_waiting = here.entry is not None and here.entry.state is EntryState.WAITING
    is_same = is_recorded_singly(here.entry, here.desired.revision, here.desired.fingerprints)
    return is_waiting and is_same and here.is_listed and not here.is_handing_over


RULES = (
    # An unknown chunk blocks every revision, because its recipients may have got it.
    Rule(_R.UNKNOWN, lambda here: here.has_unknown, reasons.unknown_outcome),
    Rule(_R.CHANGED, lambda here: here.is_lowered, reasons.lowered_revision),
    Rule(_R.WITHDRAWN, lambda here: here.is_taken_back, scheduled.withdrawn),
    # This revision was accepted completely, or the rest was abandoned. Until its time, it can still be deleted in the
    # account; after that, only a change to its own content counts.
    Rule(
        _R.CHANGED,
        lambda here: here.is_finished and here.has_new_content and here.is_scheduled,
        scheduled.changed_while_scheduled,
    ),
    Rule(_R.CHANGED, lambda here: here.is_gone and here.has_new_own_content, reasons.other_content),
    Rule(_A.ADOPT, lambda here: here.is_finished and here.is_newly_found, reasons.ALREADY_SENT),
    Rule(_A.NOOP, lambda here: here.is_finished, reasons.unchanged),
    # It was sent in part.
    Rule(
        _R.CHANGED,
        lambda here: here.is_begun and here.has_new_chunks and here.is_scheduled,
        scheduled.part_changed_while_scheduled,
    ),
    Rule(_R.CHANGED, lambda here: here.is_begun and here.has_new_chunks, reasons.other_chunks),
    # The lock does not have it, but sms.by lists it; the absence of some chunks proves nothing.
    Rule(_R.UNKNOWN, lambda here: ChunkState.UNKNOWN in here.listed, collision_reasons.listed_in_part),
    Rule(_A.ADOPT, lambda here: here.listed and not here.has_draft, reasons.ALREADY_SENT),
    # Something will be sent, unless recipients would get two revisions, sms.by has another mailing in its place, or its
    # time has passed.
    Rule(_R.SCHEDULED, lambda here: here.scheduled_before, scheduled.earlier_is_scheduled),
    Rule(_R.SCHEDULED, lambda here: not here.is_begun and here.listed_before, scheduled.listed_is_scheduled),
    Rule(_R.COLLISION, collision_reasons.collision, collision_reasons.collision),
    # A part of it was sent, and its figures decide about the rest. First the lock must record that part.
    Rule(_A.ADOPT, lambda here: here.wave.is_next and here.is_newly_found, reasons.ALREADY_SENT),
    Rule(
        _R.WAVE,
        lambda here: here.wave.gate is Gate.STOPPED,
        lambda here: why_stopped(here.wave, here.desired.address),
    ),
    Rule(_A.WAITING, lambda here: here.wave.gate is Gate.EARLY, lambda here: why_waiting(here.wave)),
    Rule(_A.DUE, lambda here: here.wave.gate is Gate.JUDGE, lambda here: why_due(here.wave)),
    Rule(
        _A.DUE, lambda here: here.wave.is_next and not here.is_handing_over, lambda here: why_due(here.wave)
    ),
    Rule(
        _R.CHANGED,
        lambda here: here.is_handing_over and not _is_approved(here),
        reasons.CHANGED_SINCE_APPROVAL,
    ),
    Rule(_R.UNKNOWN, _was_handed_over, reasons.LISTED_WHILE_WAITING),
    Rule(_R.EXPIRED, lambda here: here.is_expired, reasons.expired),
    Rule(_R.EXPIRED, lambda here: here.has_missed_window, reasons.missed_window),
    Rule(_R.CHANGED, lambda here: here.has_outdated_draft, reasons.outdated_draft),
    Rule(_R.CHANGED, lambda here: here.has_draft_for_other_list, reasons.draft_for_other_list),
    Rule(_A.CONFIRM, lambda here: here.has_draft, reasons.unconfirmed_draft),
    Rule(_A.RESUME, lambda here: here.is_begun, reasons.rest),
    # None of it was sent: it waits on our side until its window opens.
    Rule(_A.WAITING, lambda here: here.is_approved and here.is_early, reasons.waiting),
    Rule(_A.DUE, lambda here: here.is_approved and not here.is_handing_over, reasons.due),
    Rule(_A.HOLD, lambda here: here.is_early, reasons.held),
    Rule(_A.UPLOAD, lambda here: here.desired.contacts is not None, reasons.upload_and_send),
    Rule(_A.CREATE, lambda here: True, reasons.first_send),
)


def diff_mailing(here: Situation) -> Decision:
    """Return the one action of a mailing; guardrails and renames are checked later."""
    outcome, _, reason = next(rule for rule in RULES if rule.when(here))
    why = reason if isinstance(reason, str) else reason(here)
    if isinstance(outcome, ReasonCode):
        is_overdue = outcome is _R.EXPIRED and not here.was_approved
        return replace(block(outcome, why), is_overdue=is_overdue)
    return Decision(
        outcome,
        why,
        notes=tuple(_notes(here, outcome)),
        unsent=_unsent(here) if outcome is ActionKind.RESUME else (),
        window=(here.wave.window or here.next_window) if outcome in _WAITING else None,
        wave=here.wave.number or None if outcome in SENDING else None,
        approval=here.approval if here.is_approved or here.is_begun else None,
    )


def _is_approved(here: Situation) -> bool:
    """Whether it may be handed over: it was held, or its first wave was sent."""
    return here.approval is not None or (here.wave.judged is not None and not here.goes_elsewhere)


def block(code: ReasonCode, why: str) -> Decision:
    """Return the decision that nothing is sent, and why."""
    return Decision(ActionKind.BLOCKED, with_code(code, why), code)


def _notes(here: Situation, action: ActionKind) -> Iterator[Note]:
    if here.is_gone and here.has_new_content:
        yield Note("CHANGED_SHARED", reasons.changed_shared(here))
    if action is ActionKind.NOOP and here.is_abandoned:
        yield Note("ABANDONED", reasons.abandoned(here))
    elif action is ActionKind.NOOP and here.has_new_audience:
        yield Note("AUDIENCE_CHANGED", reasons.audience_changed(here))
    is_new = action in NEW_COMMITTING and not here.is_handing_over
    if is_new and (again := reasons.sent_again(here)):
        yield Note("SENT_AGAIN", again)


def _unsent(here: Situation) -> tuple[int | None, ...]:
    """Count the recipients of each recorded chunk who certainly got nothing, minus opt-outs."""
    assert here.entry is not None
    return tuple(
        0
        if state in DONE or (here.wave.number or chunk.wave) != chunk.wave
        else None
        if chunk.phones is None
        else _count_unsent(chunk.phones, planned.opted_out)
        for chunk, planned, state in zip(here.entry.chunks, here.desired.chunks, here.recorded, strict=True)
    )


def _count_unsent(phones: PhoneStates, opted_out: str | None) -> int:
    gone = set(opted_out_places(opted_out))
    return sum(state in UNSENT for place, state in enumerate(phones) if place not in gone)


def make_action(
    mailing: Mailing, desired: Desired, decision: Decision, names: AccountNames, entry: Entry | None = None
) -> Action:
    """Return the action of a mailing in the files; `entry` is its record in the lock."""
    schedule = mailing.schedule_time
    action = Action(
        address=mailing.address,
        action=decision.action,
        reason=decision.reason,
        reason_code=decision.code,
        is_overdue=decision.is_overdue,
        is_finished=decision.action is ActionKind.NOOP,
        via=desired.via,
        recipients=desired.recipients,
        parts=desired.parts,
        cost=desired.cost,
        gsm7=desired.gsm7,
        ucs2=desired.ucs2,
        alphaname=mailing.alphaname,
        alphaname_id=names.alphaname_id(mailing.alphaname),
        contact_list=_contact_list(mailing, decision.action, names, entry),
        schedule_time=schedule.isoformat() if schedule else None,
        digest=hash_json([desired.content_digest, desired.audience_digest]),
        content_digest=desired.content_digest,
        audience_digest=desired.audience_digest,
        chunks=desired.chunks,
        audience=desired.audience,
        text_digest=desired.text_digest,
        recipients_digest=desired.recipients_digest,
        window=decision.window,
        approval=decision.approval,
        own_digest=desired.own.digest if desired.own is not None else None,
        languages=desired.languages,
        revision=desired.revision,
        signed_by=decision.signed_by,
        labels=mailing.labels,
        prefixes=desired.prefixes,
        control=mailing.text.control if isinstance(mailing.text, TextsByVariant) else "",
        wave=decision.wave,
    )
    return _count_rest(action, desired, decision.unsent) if decision.action is ActionKind.RESUME else action


def _contact_list(
    mailing: Mailing, action: ActionKind, names: AccountNames, entry: Entry | None
) -> NamedId | None:
    """Return the list that a mailing is sent to.

    A new draft is made for the list that the reference means now; for an existing draft and for a sent mailing, only the
    lock knows the list.
    """
    if not isinstance(mailing.audience, ContactList):
        return None
    now = names.contact_list(mailing.audience.ref)
    if action in NEW_COMMITTING or action is ActionKind.BLOCKED:
        return now
    is_recorded = entry is not None and entry.revision == mailing.revision
    recorded = entry.contact_list if entry is not None and is_recorded else None
    return NamedId(now.name, None) if recorded is None else recorded


def make_orphans(addresses: tuple[str, ...], mailings: Mailings) -> Orphans:
    """Return the recorded `mailings` at `addresses`, which are no longer in the files."""

    def make() -> list[Action]:
        entries = read_some(mailings, frozenset(addresses))
        return sorted((make_orphan(*one) for one in entries), key=attrgetter("address"))

    return Orphans(addresses, lambda: recipients_of(mailings, addresses), make)


def make_orphan(address: str, entry: Entry) -> Action:
    """Return the action of a recorded mailing that is no longer in the files."""
    return Action(
        address=address,
        action=ActionKind.ORPHAN,
        reason=reasons.orphaned(address, entry),
        via=entry.transport,
        recipients=entry.recipients,
        parts=entry.parts,
        cost=read_money(entry.cost),
        gsm7=0,
        ucs2=0,
        alphaname=entry.alphaname,
        alphaname_id=entry.alphaname_id,
        contact_list=entry.contact_list,
        schedule_time=entry.schedule_time,
        digest=hash_json([entry.content_digest, entry.audience_digest]),
        content_digest=entry.content_digest,
        audience_digest=entry.audience_digest,
        chunks=tuple(
            ChunkPlan(
                one.fingerprint,
                one.recipients,
                one.digest,
                schedule_time=one.schedule_time,
                variant=one.variant,
                wave=one.wave,
            )
            for one in entry.chunks
        ),
        audience=AudienceCounts(),
        text_digest=entry.text_digest,
        recipients_digest=entry.recipients_digest,
        own_digest=entry.own_digest,
        revision=entry.revision,
        is_finished=entry.is_finished or entry.state is EntryState.WITHDRAWN,
    )


def make_recorded(address: str, entry: Entry, decision: Decision) -> Action:
    """Return the action of a mailing whose files are not read, based on its record."""
    action = make_orphan(address, entry)
    return replace(action, action=decision.action, reason=decision.reason, reason_code=decision.code)


def _count_rest(action: Action, desired: Desired, unsent: tuple[int | None, ...]) -> Action:
    """Count only what was not sent so far; what was sent is already paid for."""
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
