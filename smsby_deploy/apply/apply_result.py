"""The result of an apply: outcomes, the exit code, and the next steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum, auto

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.model import Action, ActionKind, Plan, total_of
from smsby_deploy.problems import Problem

Key = tuple[str, int | None]  # the address and the revision of a mailing


class MailingOutcome(StrEnum):
    SENT = "sent"
    HELD = "held"  # approved, and handed over later
    ADOPTED = "adopted"
    CONFIRMED = "confirmed"
    PARTIAL = "partial"  # some recipients got it; the rest certainly did not
    SKIPPED = "skipped"  # none of it was sent
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def json_word(self) -> str:
        """The outcome in JSON, which has no word for a partial send."""
        return "skipped" if self is MailingOutcome.PARTIAL else self.value

    @property
    def was_sent_now(self) -> bool:
        """Whether this run sent the mailing."""
        return self in (MailingOutcome.SENT, MailingOutcome.CONFIRMED)


_RECORDED = frozenset(MailingOutcome) - {
    MailingOutcome.PARTIAL,
    MailingOutcome.SKIPPED,
    MailingOutcome.REJECTED,
}


class NextStep(Enum):
    """What the user should do after an apply, the most urgent step first."""

    RESOLVE_UNKNOWN = auto()
    COMMIT_LOCK = auto()
    CONTINUE = auto()  # apply the same plan again: it sends the rest
    PLAN_AGAIN = auto()
    HAND_OVER = auto()  # a mailing approved earlier is due
    WATCH_STATUS = auto()


@dataclass(frozen=True, slots=True)
class MailingResult:
    """One mailing's outcome. `error` says why it was not sent, or not completely.

    `concerned` counts the recipients that the outcome applies to, if it is certain whether the others got the mailing. A
    watch may have a result for each of several revisions.
    """

    address: str
    outcome: MailingOutcome
    recipients: int | None
    uuids: list[str] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    error: str | None = None
    waits: str = ""  # what must happen before its next wave is sent
    was_judged: bool = False  # a verdict on a wave was recorded
    is_recorded: bool = False  # its entry was written or changed, whatever the outcome
    concerned: int | None = None
    revision: int | None = None

    @property
    def key(self) -> Key:
        return self.address, self.revision

    @property
    def counted(self) -> int | None:
        """How many recipients the outcome applies to."""
        return self.recipients if self.concerned is None else self.concerned

    @property
    def is_done(self) -> bool:
        """Whether sms.by has the whole mailing and there is nothing to report."""
        return self.error is None and (self.outcome.was_sent_now or self.outcome is MailingOutcome.ADOPTED)

    @property
    def is_partial(self) -> bool:
        """Whether some recipients got it and the rest certainly did not."""
        is_rejected_rest = self.outcome is MailingOutcome.REJECTED and self.concerned is not None
        return is_rejected_rest or self.outcome is MailingOutcome.PARTIAL

    @property
    def has_record(self) -> bool:
        """Whether the lock records something new about it."""
        is_changed = self.is_recorded or self.was_judged
        return is_changed or self.outcome in _RECORDED or bool(self.uuids or self.message_ids)


@dataclass(frozen=True, slots=True)
class SentTotals:
    """Sums over the mailings that this run sent.

    `recipients` counts whole mailings; `recipients_now` leaves out recipients who got a resumed mailing in an earlier run.
    `uncounted_lists` is the number of lists whose size sms.by did not report. `partly_sent` counts other mailings that the
    run may have sent in part; no sum includes them. `cost` is the planned cost of this run without `unpriced_lists`; None
    without a price.
    """

    recipients: int
    recipients_now: int
    uncounted_lists: int
    cost: Decimal | None
    unpriced_lists: int
    partly_sent: int


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The result of one apply.

    `mailings` holds the mailings in the files, and orphans about which something new was found. `differences` are warnings
    about sent mailings whose values at sms.by are not the intended ones. `ended` is when the run ended, None if it sent
    nothing. `was_stopped`: a signal stopped it. After a hand-over, `next_opening` is when the next waiting mailing is due.
    """

    plan: Plan
    mailings: tuple[MailingResult, ...]
    differences: tuple[Problem, ...]
    exit_code: ExitCode
    ended: datetime | None = None
    was_stopped: bool = False
    next_opening: datetime | None = None

    def count(self, outcome: MailingOutcome) -> int:
        """How many mailings have this outcome; orphans are skipped."""
        orphans = len(self.orphans) if outcome is MailingOutcome.SKIPPED else 0
        return orphans + sum(mailing.outcome == outcome for mailing in self.mailings)

    @property
    def scheduled(self) -> frozenset[Key]:
        """The mailings that this run handed over for a later time."""
        sent = {one.key for one in self.mailings if one.outcome.was_sent_now and one.recipients != 0}
        return frozenset(
            (action.address, action.revision)
            for action in self.plan.decided
            if (action.address, action.revision) in sent and self._is_later(action.schedule_time)
        )

    def _is_later(self, time: str | None) -> bool:
        return time is not None and self.ended is not None and datetime.fromisoformat(time) > self.ended

    @property
    def orphans(self) -> Mapping[str, int | None]:
        """Recorded mailings that are no longer in the files, with their recipient counts.

        Those about which something new was found are in `mailings` instead.
        """
        found = {mailing.address for mailing in self.mailings}
        return {one: count for one, count in self.plan.orphans.recipients.items() if one not in found}

    @property
    def first_unknown(self) -> str | None:
        """The address of the first mailing whose outcome is unknown."""
        return next((m.address for m in self.mailings if m.outcome == MailingOutcome.UNKNOWN), None)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Mailings that were not sent for a reason such as an expired time."""
        skipped = (one for one in self.mailings if one.outcome is MailingOutcome.SKIPPED)
        return tuple(one.address for one in skipped if one.error)

    @property
    def has_news(self) -> bool:
        """Whether this run sent or recorded anything, or may have."""
        nothing = (MailingOutcome.SKIPPED, MailingOutcome.REJECTED)
        return any(
            one.outcome not in nothing or one.is_partial or one.uuids or one.message_ids
            for one in self.mailings
        )

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        """What the user should do next, most urgent first."""
        failed = {m.address for m in self.mailings if m.error and m.outcome != MailingOutcome.UNKNOWN}
        unsent = {action.address for action in self.plan.decided if action.commits}
        steps = {
            NextStep.RESOLVE_UNKNOWN: self.first_unknown is not None,
            NextStep.COMMIT_LOCK: any(mailing.has_record for mailing in self.mailings),
            NextStep.CONTINUE: bool(failed & unsent),
            NextStep.PLAN_AGAIN: bool(failed - unsent),
            NextStep.HAND_OVER: any(action.action is ActionKind.DUE for action in self.plan.decided)
            or any(mailing.waits for mailing in self.mailings),
            NextStep.WATCH_STATUS: any(mailing.outcome.was_sent_now for mailing in self.mailings),
        }
        return tuple(step for step, is_due in steps.items() if is_due)

    @property
    def sent(self) -> SentTotals | None:
        """The totals of what this run sent; None if it sent nothing."""
        sent = [mailing for mailing in self.mailings if mailing.outcome.was_sent_now]
        if not sent:
            return None
        planned = {(action.address, action.revision): of_this_run(action) for action in self.plan.decided}
        recipients = sum(mailing.recipients or 0 for mailing in sent)
        # Late opt-outs make a mailing smaller than planned; an earlier run's share makes it larger.
        now = sum(
            min(mailing.recipients or 0, planned[mailing.key].recipients or recipients) for mailing in sent
        )
        totals = total_of(planned[mailing.key] for mailing in sent)
        cost = totals.cost if totals.has_cost and self.plan.currency is not None else None
        uncounted = sum(mailing.recipients is None for mailing in sent)
        partly = sum(
            one.is_recorded and (one.is_partial or one.concerned is not None) for one in self.mailings
        )
        return SentTotals(recipients, now, uncounted, cost, totals.unpriced, partly)


def of_this_run(action: Action) -> Action:
    """Return `action` with the counts of the wave that this run sends, if any."""
    one = next((one for one in action.waves if one.key == action.wave), None)
    return (
        action if one is None else replace(action, recipients=one.recipients, parts=one.parts, cost=one.cost)
    )


def refused_result(plan: Plan, error: SmsbyDeployError) -> ApplyResult:
    """The result of a plan that was refused as a whole: every mailing is skipped."""

    def why(action: Action) -> str | None:
        if action.action is ActionKind.BLOCKED:
            return action.reason
        return error.message if action.commits else None

    mailings = (
        MailingResult(a.address, MailingOutcome.SKIPPED, a.recipients, error=why(a)) for a in plan.decided
    )
    return ApplyResult(plan, tuple(mailings), (), error.exit_code)
