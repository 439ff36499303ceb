"""What is sent to chats: counts, addresses and outcomes, never a phone or a text.

None of it comes from data or from sms.by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from smsby_deploy.apply.result import MailingOutcome
from smsby_deploy.errors import OutcomeUnknown, SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.notify import Notification, NotificationKind
from smsby_deploy.output.apply_text import summary_line
from smsby_deploy.output.plan_text import plan_totals_line
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.apply.result import ApplyResult
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.plan.result import PlanResult
    from smsby_deploy.status.status_report import StatusReport

_MOST_LINES = 20
_NEWS = frozenset(MailingOutcome) - {MailingOutcome.SKIPPED}
_LOG = "The log of this run says more."
_WAYS_OUT = {
    ExitCode.FILES_INVALID: "the files are not valid",
    ExitCode.REFUSED: "a guardrail, the balance or a blocked mailing",
    ExitCode.PLAN_REFUSED: "the plan is stale, used or unreadable: make a new one",
    ExitCode.UNREACHABLE: "sms.by cannot be reached, or refuses the token",
    ExitCode.LOCK_HELD: "another run holds the lock",
}


def apply_notification(result: ApplyResult, project: Project, *, is_due: bool) -> Notification | None:
    """What an apply has done; None if nothing happened.

    A hand-over runs every few minutes, so it only reports what it sent or tried to send.
    """
    news = [mailing for mailing in result.mailings if mailing.outcome in _NEWS or mailing.was_judged]
    if not news and not result.was_stopped and (is_due or result.exit_code == ExitCode.DONE):
        return None
    outcomes = {mailing.outcome for mailing in news}
    if MailingOutcome.UNKNOWN in outcomes:
        kind, what = NotificationKind.FAILURE, "the outcome of a send is unknown"
    elif result.was_stopped:
        kind, what = NotificationKind.WARNING, "an apply was stopped"
    elif result.exit_code == ExitCode.DONE:
        kind, what = NotificationKind.SUCCESS, "an apply has finished"
    elif outcomes & {MailingOutcome.PARTIAL, MailingOutcome.REJECTED}:
        kind, what = NotificationKind.FAILURE, "an apply did not send everything"
    else:
        kind, what = NotificationKind.WARNING, f"an apply ended with exit code {int(result.exit_code)}"
    lines = [summary_line(result), *_limited(f"{one.address}: {one.outcome}" for one in news)]
    if MailingOutcome.UNKNOWN in outcomes:
        lines.append("Nothing unknown is sent again by itself: see docs/runbook.md, and lock resolve.")
    elif result.exit_code != ExitCode.DONE:
        lines.append(_LOG)
    return Notification(kind, _title(project, what), "\n".join(lines))


def failed_apply_notification(error: SmsbyDeployError, project: Project) -> Notification:
    """An apply that ended without a result: it was refused, or could not record one."""
    if isinstance(error, OutcomeUnknown):
        what = "the outcome of a send is unknown: its result could not be recorded"
        return Notification(NotificationKind.FAILURE, _title(project, what), _LOG)
    why = _WAYS_OUT.get(error.exit_code, "it failed")
    body = f"Nothing was sent (exit code {int(error.exit_code)}): {why}. {_LOG}"
    return Notification(NotificationKind.FAILURE, _title(project, "an apply was refused"), body)


def unsent_notification(result: PlanResult, project: Project) -> Notification | None:
    """What was merged and is not sent, by a plan of the whole project.

    None if there is nothing.
    """
    plan = result.plan
    unsent = [*plan.to_do, *plan.obstacles]
    if not unsent:
        return None
    lines = (f"{action.address}: {action.action}" for action in unsent)
    body = "\n".join([plan_totals_line(plan), *_limited(lines), "Plan it, and have the plan approved."])
    what = f"{counted(len(unsent), 'mailing')} merged and not sent"
    return Notification(NotificationKind.WARNING, _title(project, what), body)


def status_notification(report: StatusReport, project: Project, least: float | None) -> Notification | None:
    """Final mailings of which less than `least` percent were delivered; None if it is enough."""
    if least is None or not report.is_under(least):
        return None
    final = [mailing for mailing in report.mailings if mailing.is_counted]
    delivered, recipients = (sum(getattr(one, name) for one in final) for name in ("delivered", "recipients"))
    under = (one for one in final if one.delivered * 100 < least * one.recipients)
    lines = (f"{one.name}: {one.delivered:,} of {counted(one.recipients, 'recipient')}" for one in under)
    what = f"{delivered * 100 / recipients:.1f}% delivered, less than {least:g}%"
    body = f"{delivered:,} of {counted(recipients, 'recipient')} of final mailings got the SMS."
    return Notification(NotificationKind.WARNING, _title(project, what), "\n".join([body, *_limited(lines)]))


def _title(project: Project, what: str) -> str:
    environment = project.environment.name
    return f"{project.name}{'' if environment == PRODUCTION else f' ({environment})'}: {what}"


def _limited(lines: Iterable[str]) -> Iterator[str]:
    """The first twenty of `lines`, then how many more there are."""
    every = list(lines)
    yield from every[:_MOST_LINES]
    if len(every) > _MOST_LINES:
        yield f"and {counted(len(every) - _MOST_LINES, 'more mailing')}"
