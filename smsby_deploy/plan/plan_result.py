"""The result of `plan`: the plan, what prevents applying it, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum, auto

from smsby_deploy.config.declarations import Project
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.guardrails import Breach, check_apply
from smsby_deploy.plan.model import ActionKind, Plan, ReasonCode
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.wording import sentence


class Verdict(Enum):
    """The answer to "may this be applied?"; the first that applies."""

    INVALID = auto()  # the files have errors
    REFUSED = auto()  # a guardrail or the balance forbids the whole apply
    BLOCKED = auto()  # some mailings are blocked, the others may be applied
    READY = auto()
    NOTHING_TO_SEND = auto()


class Funds(Enum):
    """What the balance covers."""

    ALL = auto()
    THIS_APPLY = auto()  # but not what this apply approves and a later one hands over
    TOO_LOW = auto()  # apply refuses the whole plan


class SavedPlanUse(Enum):
    """What a plan file can be used for."""

    APPLY = auto()
    NO_SEND = auto()  # nothing in it is to be sent, approved or recorded
    REFUSED = auto()  # a guardrail forbids the whole apply
    VIEW_ONLY = auto()  # made offline or from invalid files


@dataclass(frozen=True, slots=True)
class ScheduledSend:
    """A mailing that is sent at a time, `wait` after the plan was made."""

    address: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan and what a reviewer needs to know next to it.

    `refusal` is a guardrail that forbids the whole apply. `balance` is the account's money in the plan's currency; None if
    it is unknown or nothing has to be paid.
    """

    plan: Plan
    refusal: Breach | None = None
    balance: Decimal | None = None

    @property
    def balance_after(self) -> Decimal | None:
        """The balance after everything that the apply sends or approves, contact lists excluded.

        None if unknown; negative if the balance is too low.
        """
        totals = self.plan.committed
        if self.balance is None or self.plan.currency is None or not totals.mailings:
            return None
        return self.balance - totals.cost

    @property
    def funds(self) -> Funds | None:
        """What the balance covers; None if unknown."""
        if self.balance_after is None:
            return None
        if self.balance_after >= 0:
            return Funds.ALL
        return Funds.THIS_APPLY if self.balance_after + self.plan.held.cost >= 0 else Funds.TOO_LOW

    @property
    def scheduled(self) -> tuple[ScheduledSend, ...]:
        """The mailings that are sent at a later time, the earliest first.

        All others, late ones included, are sent on apply.
        """
        sends = [
            ScheduledSend(action.address, action.send_time - self.plan.made_at)
            for action in self.plan.decided
            if action.commits and action.send_time is not None
        ]
        return tuple(sorted((one for one in sends if one.wait > timedelta(0)), key=lambda one: one.wait))

    @property
    def verdict(self) -> Verdict:
        """The first that applies of: invalid files, refused as a whole, blocked mailings, ready."""
        if self.plan.has_errors:
            return Verdict.INVALID
        if self.refusal is not None or self.funds is Funds.TOO_LOW:
            return Verdict.REFUSED
        if self.plan.obstacles:
            return Verdict.BLOCKED
        return Verdict.READY if self.plan.committed.mailings else Verdict.NOTHING_TO_SEND

    @property
    def saved_plan_use(self) -> SavedPlanUse:
        """What a saved plan can be used for: applying it, signing it, or only viewing it."""
        if self.plan.account is None or self.plan.has_errors:
            return SavedPlanUse.VIEW_ONLY
        if self.refusal is not None:
            return SavedPlanUse.REFUSED
        has_use = self.plan.to_do or any(one.lacks_approval for one in self.plan.decided)
        return SavedPlanUse.APPLY if has_use else SavedPlanUse.NO_SEND

    @property
    def is_worth_applying(self) -> bool:
        """Whether an apply would be accepted and change something."""
        return (
            bool(self.plan.to_do)
            and self.saved_plan_use is SavedPlanUse.APPLY
            and self.funds is not Funds.TOO_LOW
        )

    @property
    def is_hand_over_due(self) -> bool:
        """Whether `apply --due` has something to send or to judge now."""
        return self.plan.counts[ActionKind.DUE] > 0 and not self.plan.has_errors

    @property
    def may_be_running(self) -> bool:
        """Whether another run may be sending some of it, which then looks partly sent or unknown."""
        return any(
            one.action is ActionKind.RESUME or one.reason_code is ReasonCode.UNKNOWN
            for one in self.plan.decided
        )

    def find_problems(self, project: Project) -> tuple[Problem, ...]:
        """The plan's problems, followed by its blocked mailings and its refusal as errors.

        Overdue mailings are left out: the plan already has a warning about them.
        """
        locations = {mailing.address: mailing.location for mailing in project.mailings}
        found = list(self.plan.problems)
        for action in self.plan.obstacles:
            location = locations.get(action.address)
            found.append(Problem(Severity.ERROR, "BLOCKED", action.reason, action.address, location))
        if self.refusal is not None:
            location = project.locations.get(f"guardrails.{self.refusal.key}", Location(PROJECT_FILE))
            found.append(Problem(Severity.ERROR, "REFUSED", self.refusal.message, location=location))
        return (*found, *self._changes(project.locations))

    def _changes(self, places: Mapping[str, Location]) -> Iterator[Problem]:
        """What `--compare` found besides the mailings, as warnings."""
        changes = self.plan.changes
        for one in changes.settings if changes is not None else ():
            unset = sentence("not set")
            message = sentence(
                "{key}: {before} → {after}", key=one.key, before=one.before or unset, after=one.after or unset
            )
            place = places.get(one.key, Location(PROJECT_FILE))  # a key that is no longer set has none
            yield Problem(Severity.WARNING, "SETTING_CHANGED", message, location=place)
        for gap in changes.gaps if changes is not None else ():
            yield Problem(Severity.WARNING, "NOT_READ", gap, location=Location(PROJECT_FILE))

    def exit_code(self, *, is_detailed: bool = False) -> ExitCode:
        """The exit code of `plan`; CHANGES_TO_APPLY only if `is_detailed` (--detailed-exitcode)."""
        if self.plan.has_errors:
            return ExitCode.FILES_INVALID
        if self.plan.obstacles or self.refusal is not None:
            return ExitCode.REFUSED
        return ExitCode.CHANGES_TO_APPLY if is_detailed and self.plan.to_do else ExitCode.DONE


def review_plan(plan: Plan, project: Project) -> PlanResult:
    """Check `plan` against the guardrails on a whole apply, without the balance."""
    return PlanResult(plan, check_apply(project.guardrails, plan.decided))
