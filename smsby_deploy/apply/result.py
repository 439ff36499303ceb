"""What became of an apply, mailing by mailing."""

from __future__ import annotations

from dataclasses import dataclass, field

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.records import Entry
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.problems import Problem


@dataclass(slots=True)
class MailingResult:
    """What became of one mailing: sent, adopted, confirmed, skipped, rejected or unknown."""

    address: str
    outcome: str
    recipients: int | None
    uuids: list[str] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    error: str | None = None

    def name_requests(self, entry: Entry) -> None:
        """Name the uuids and message ids that are recorded of it."""
        self.uuids = list(dict.fromkeys(chunk.uuid for chunk in entry.chunks if chunk.uuid))
        self.message_ids = list(dict.fromkeys(chunk.message_id for chunk in entry.chunks if chunk.message_id))


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """`differences` are warnings: what sms.by reports of the mailings that were sent, otherwise than meant."""

    plan: Plan
    mailings: tuple[MailingResult, ...]
    differences: tuple[Problem, ...]
    exit_code: int

    def count(self, outcome: str) -> int:
        return sum(mailing.outcome == outcome for mailing in self.mailings)


def refused_result(plan: Plan, error: SmsbyDeployError) -> ApplyResult:
    """The result of a plan that was refused as a whole: every mailing is skipped."""

    def why(action: Action) -> str | None:
        if action.action is ActionKind.BLOCKED:
            return action.reason
        return error.message if action.sends else None

    mailings = (MailingResult(a.address, "skipped", a.recipients, error=why(a)) for a in plan.actions)
    return ApplyResult(plan, tuple(mailings), (), error.exit_code)
