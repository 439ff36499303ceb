"""The result of an apply: an outcome for each mailing, the exit code, and what the user should do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum, auto

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.model import Action, ActionKind, Plan, total_of
from smsby_deploy.problems import Problem


class MailingOutcome(StrEnum):
    SENT = "sent"
    ADOPTED = "adopted"
    CONFIRMED = "confirmed"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def was_sent_now(self) -> bool:
        """Whether this run sent the mailing."""
        return self in (MailingOutcome.SENT, MailingOutcome.CONFIRMED)


class NextStep(Enum):
    """What the user should do after an apply, the most urgent step first."""

    RESOLVE_UNKNOWN = auto()
    COMMIT_LOCK = auto()
    PLAN_AGAIN = auto()
    WATCH_STATUS = auto()


@dataclass(frozen=True, slots=True)
class MailingResult:
    """One mailing's outcome. `error` says why it was not sent, or not completely."""

    address: str
    outcome: MailingOutcome
    recipients: int | None
    uuids: list[str] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    error: str | None = None

    @property
    def has_record(self) -> bool:
        """Whether the lock records something new about it; a partly sent mailing counts as skipped or rejected."""
        is_recorded = self.outcome.was_sent_now or self.outcome in (
            MailingOutcome.ADOPTED,
            MailingOutcome.UNKNOWN,
        )
        return is_recorded or bool(self.uuids or self.message_ids)


@dataclass(frozen=True, slots=True)
class SentTotals:
    """Sums over the mailings that this run sent.

    `recipients` counts whole mailings; `recipients_now` leaves out those who got a resumed mailing in an earlier run.
    `cost` is the planned cost of this run, None without a price; `unpriced_lists` are not part of it.
    """

    recipients: int
    recipients_now: int
    cost: Decimal | None
    unpriced_lists: int


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """`differences` are warnings about sent mailings for which sms.by reports other values than intended."""

    plan: Plan
    mailings: tuple[MailingResult, ...]
    differences: tuple[Problem, ...]
    exit_code: ExitCode

    def count(self, outcome: MailingOutcome) -> int:
        return sum(mailing.outcome == outcome for mailing in self.mailings)

    @property
    def first_unknown(self) -> str | None:
        """The address of the first mailing whose outcome is unknown."""
        return next((m.address for m in self.mailings if m.outcome == MailingOutcome.UNKNOWN), None)

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        """What the user should do now, in this order."""
        has_error = any(m.error and m.outcome != MailingOutcome.UNKNOWN for m in self.mailings)
        steps = {
            NextStep.RESOLVE_UNKNOWN: self.first_unknown is not None,
            NextStep.COMMIT_LOCK: any(mailing.has_record for mailing in self.mailings),
            NextStep.PLAN_AGAIN: has_error,
            NextStep.WATCH_STATUS: any(mailing.outcome.was_sent_now for mailing in self.mailings),
        }
        return tuple(step for step, is_due in steps.items() if is_due)

    @property
    def sent(self) -> SentTotals | None:
        """The totals of what this run sent; None if it sent nothing."""
        sent = [mailing for mailing in self.mailings if mailing.outcome.was_sent_now]
        if not sent:
            return None
        planned = {action.address: action for action in self.plan.actions}
        recipients = sum(mailing.recipients or 0 for mailing in sent)
        # Late opt-outs make a mailing smaller than planned; an earlier run's share makes it larger.
        now = sum(
            min(mailing.recipients or 0, planned[mailing.address].recipients or recipients)
            for mailing in sent
        )
        totals = total_of(planned[mailing.address] for mailing in sent)
        cost = totals.cost if totals.has_cost and self.plan.currency is not None else None
        return SentTotals(recipients, now, cost, unpriced_lists=totals.unpriced)


def refused_result(plan: Plan, error: SmsbyDeployError) -> ApplyResult:
    """The result of a plan that was refused as a whole: every mailing is skipped."""

    def why(action: Action) -> str | None:
        if action.action is ActionKind.BLOCKED:
            return action.reason
        return error.message if action.sends else None

    mailings = (
        MailingResult(a.address, MailingOutcome.SKIPPED, a.recipients, error=why(a)) for a in plan.actions
    )
    return ApplyResult(plan, tuple(mailings), (), error.exit_code)
