"""The decision table: files × lock × remote list give each mailing one action.

RULES is read from top to bottom; the first rule that applies decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from smsby_deploy.lock.phone_states import UNSENT
from smsby_deploy.lock.records import DONE, ChunkState
from smsby_deploy.plan import reasons
from smsby_deploy.plan.model import STARTING, ActionKind, ReasonCode
from smsby_deploy.plan.situation import Situation


class Note(NamedTuple):
    """Something a reviewer should know about a mailing, as a problem code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The action of one mailing and why.

    `unsent` is set for a resumed mailing: how many recipients of each chunk get it now, None for all of them.
    """

    action: ActionKind
    reason: str
    code: ReasonCode | None = None
    note: Note | None = None
    unsent: tuple[int | None, ...] = ()


class Rule(NamedTuple):
    """If `when` holds, the mailing gets `action`; `code` is set for blocked ones, `reason` makes the sentence."""

    when: Callable[[Situation], object]
    action: ActionKind
    code: ReasonCode | None
    reason: Callable[[Situation], str]


_A, _R = ActionKind, ReasonCode
RULES = (
    # An unknown chunk blocks every revision: it is not known whether its recipients got it.
    Rule(lambda here: here.has_unknown, _A.BLOCKED, _R.UNKNOWN, reasons.unknown_outcome),
    Rule(lambda here: here.is_lowered, _A.BLOCKED, _R.CHANGED, reasons.lowered_revision),
    # This revision was sent completely.
    Rule(
        lambda here: here.is_finished and here.has_new_content,
        _A.BLOCKED,
        _R.CHANGED,
        reasons.other_content,
    ),
    Rule(lambda here: here.is_finished and here.is_newly_found, _A.ADOPT, None, reasons.already_sent),
    Rule(lambda here: here.is_finished, _A.NOOP, None, reasons.unchanged),
    # It was sent in part.
    Rule(lambda here: here.is_begun and here.has_new_chunks, _A.BLOCKED, _R.CHANGED, reasons.other_chunks),
    # The lock does not have it, but sms.by lists it: absence of some chunks proves nothing.
    Rule(
        lambda here: ChunkState.UNKNOWN in here.listed,
        _A.BLOCKED,
        _R.UNKNOWN,
        reasons.listed_in_part,
    ),
    Rule(lambda here: here.listed and not here.has_draft, _A.ADOPT, None, reasons.already_sent),
    # Something will be sent, unless sms.by has another mailing in its place, or its time has passed.
    Rule(
        lambda here: not here.listed and reasons.collision(here),
        _A.BLOCKED,
        _R.COLLISION,
        reasons.collision,
    ),
    Rule(lambda here: here.is_expired, _A.BLOCKED, _R.EXPIRED, reasons.expired),
    Rule(lambda here: here.has_outdated_draft, _A.BLOCKED, _R.CHANGED, reasons.outdated_draft),
    Rule(lambda here: here.has_draft, _A.CONFIRM, None, reasons.unconfirmed_draft),
    Rule(lambda here: here.is_begun, _A.RESUME, None, reasons.rest),
    Rule(lambda here: here.desired.contacts is not None, _A.UPLOAD, None, reasons.upload_and_send),
    Rule(lambda here: True, _A.CREATE, None, reasons.first_send),
)


def diff_mailing(here: Situation) -> Decision:
    """Return the one action of a mailing; guardrails and renamed mailings are judged later."""
    rule = next(rule for rule in RULES if rule.when(here))
    if rule.code is not None:
        return block(rule.code, rule.reason(here))
    unsent = _unsent(here) if rule.action is ActionKind.RESUME else ()
    return Decision(rule.action, rule.reason(here), None, _note(here, rule.action), unsent)


def block(code: ReasonCode, why: str) -> Decision:
    """Return the decision that nothing is sent, and why."""
    return Decision(ActionKind.BLOCKED, reasons.with_code(code, why), code)


def _note(here: Situation, action: ActionKind) -> Note | None:
    if action is ActionKind.NOOP and here.has_new_audience:
        return Note("AUDIENCE_CHANGED", reasons.audience_changed(here))
    if action in STARTING and here.sent_earlier and here.is_raised:
        return Note("SENT_AGAIN", reasons.sent_again(here))
    return None


def _unsent(here: Situation) -> tuple[int | None, ...]:
    """The recipients of each recorded chunk that surely got nothing."""
    assert here.entry is not None
    return tuple(
        0 if state in DONE else None if chunk.phones is None else chunk.phones.count(*UNSENT)
        for chunk, state in zip(here.entry.chunks, here.recorded, strict=True)
    )
