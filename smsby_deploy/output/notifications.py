"""Notifications for chats: counts, addresses and outcomes, never a phone or a text.

Nothing in them comes from data or from sms.by. They are in the language of the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from smsby_deploy.apply.apply_result import MailingOutcome
from smsby_deploy.errors import OutcomeUnknown, SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.places import PRODUCTION
from smsby_deploy.notify import Notification, NotificationKind
from smsby_deploy.output.apply_report import summary_line
from smsby_deploy.output.plan_text import plan_totals_line
from smsby_deploy.output.translation import Translator, translator
from smsby_deploy.wording import Sentence, sentence

if TYPE_CHECKING:
    from smsby_deploy.apply.apply_result import ApplyResult
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.plan.plan_result import PlanResult
    from smsby_deploy.status.status_report import StatusReport

_MOST_LINES = 20
_NEWS = frozenset(MailingOutcome) - {MailingOutcome.SKIPPED}
_FAILED = (MailingOutcome.PARTIAL, MailingOutcome.REJECTED)
_LOG = sentence("See the log of this run for details.")
_STOP = sentence("stopped after a wave")
_AFTER_A_STOP = sentence(
    "Check it with `smsby-deploy status`; then `lock resolve ADDRESS --go` sends its next wave, "
    "and `lock abandon ADDRESS` ends it."
)
_WAYS_OUT = {
    ExitCode.FILES_INVALID: sentence("the files are not valid"),
    ExitCode.REFUSED: sentence("a guardrail, the balance or a blocked mailing"),
    ExitCode.PLAN_REFUSED: sentence("the plan is stale, used or unreadable: make a new one"),
    ExitCode.OUTCOME_UNKNOWN: sentence("the outcome of an earlier send is unknown"),
    ExitCode.UNREACHABLE: sentence("sms.by cannot be reached, or refuses the token"),
    ExitCode.LOCK_HELD: sentence("another run holds the lock"),
}


def apply_notification(result: ApplyResult, project: Project, *, is_due: bool) -> Notification | None:
    """The notification about an apply; None if nothing happened.

    A hand-over runs every few minutes, so it only reports what it sent or tried to send.
    """
    t = translator(project.language)
    news = [mailing for mailing in result.mailings if mailing.outcome in _NEWS or mailing.was_judged]
    if not news and not result.was_stopped and (is_due or result.exit_code == ExitCode.DONE):
        return None
    outcomes = {mailing.outcome for mailing in news}
    stops = {mailing.address for mailing in news if mailing.was_judged}
    if MailingOutcome.UNKNOWN in outcomes:
        kind, what = NotificationKind.FAILURE, sentence("the outcome of a send is unknown")
    elif result.was_stopped:
        kind, what = NotificationKind.WARNING, sentence("an apply was stopped")
    elif result.exit_code == ExitCode.DONE and result.left_out:
        count, kind = len(result.left_out), NotificationKind.WARNING
        what = sentence("an apply has finished, {count:mailing was|mailings were} not sent", count=count)
    elif result.exit_code == ExitCode.DONE:
        kind, what = NotificationKind.SUCCESS, sentence("an apply has finished")
    elif any(one.outcome in _FAILED and one.address not in stops for one in news):
        kind, what = NotificationKind.FAILURE, sentence("an apply did not send everything")
    elif result.exit_code == ExitCode.REFUSED and stops:
        kind = NotificationKind.WARNING
        what = sentence("{count:mailing|mailings} stopped after a wave", count=len(stops))
    else:
        kind = NotificationKind.WARNING
        what = sentence("an apply ended with exit code {code}", code=int(result.exit_code))
    lines = [
        summary_line(result, t),
        *_limited(
            (
                f"{one.address}: {t.sentence(_STOP) if one.address in stops else t.name(one.outcome)}"
                for one in news
            ),
            t,
        ),
    ]
    if stops:
        lines.append(t.sentence(_AFTER_A_STOP))
    if MailingOutcome.UNKNOWN in outcomes:
        lines.append(
            t.gettext(
                "A send with an unknown outcome is never repeated automatically: see docs/runbook.md, and lock resolve."
            )
        )
    elif result.exit_code != ExitCode.DONE:
        lines.append(t.sentence(_LOG))
    return Notification(kind, _title(project, what, t), "\n".join(lines))


def failed_apply_notification(
    error: SmsbyDeployError, project: Project, *, has_begun: bool = False
) -> Notification:
    """The notification about an apply that was refused, or could not record its result.

    Once it `has_begun`, something may have been sent.
    """
    t = translator(project.language)
    body = t.sentence(_LOG)
    if isinstance(error, OutcomeUnknown):
        what = sentence("the outcome of a send is unknown: its result could not be recorded")
    elif has_begun:
        what = sentence("an apply ended with exit code {code}", code=int(error.exit_code))
    else:
        what = sentence("an apply was refused")
        body = t.gettext(
            "Nothing was sent (exit code {code}): {why}. {log}",
            code=int(error.exit_code),
            why=_WAYS_OUT.get(error.exit_code, sentence("it failed")),
            log=_LOG,
        )
    return Notification(NotificationKind.FAILURE, _title(project, what, t), body)


def unsent_notification(result: PlanResult, project: Project) -> Notification | None:
    """The notification about mailings that were merged but not sent, from a plan of all.

    None if there is nothing.
    """
    t, plan = translator(project.language), result.plan
    unsent = [*plan.to_do, *plan.obstacles]
    if not unsent:
        return None
    lines = (f"{action.address}: {t.name(action.action)}" for action in unsent)
    advice = t.gettext("Plan it, and have the plan approved.")
    what = sentence("{count:mailing|mailings} merged but not sent", count=len(unsent))
    body = "\n".join([plan_totals_line(plan, t), *_limited(lines, t), advice])
    return Notification(NotificationKind.WARNING, _title(project, what, t), body)


def status_notification(
    report: StatusReport, project: Project, least: float | None, *, was_watched: bool = False
) -> Notification | None:
    """The notification about low delivery, or the end of a watch; None without either."""
    final = [mailing for mailing in report.mailings if mailing.is_counted]
    is_low = least is not None and report.is_under(least)
    if not is_low and not (was_watched and final):
        return None
    t = translator(project.language)
    delivered, recipients = (sum(getattr(one, name) for one in final) for name in ("delivered", "recipients"))
    kind, what = NotificationKind.SUCCESS, sentence("{count:mailing is|mailings are} final", count=len(final))
    if is_low and least is not None:
        share, kind = delivered * 100 / recipients, NotificationKind.WARNING
        what = sentence("{share:.1f}% delivered, less than {least:g}%", share=share, least=float(least))
        final = [one for one in final if one.delivered * 100 < least * one.recipients]
    lines = (
        t.gettext(
            "{name}: {delivered:,} of {recipients:recipient|recipients}",
            name=one.name,
            delivered=one.delivered,
            recipients=one.recipients,
        )
        for one in final
    )
    body = t.gettext(
        "{delivered:,} of {recipients:recipient|recipients} of final mailings got the SMS.",
        delivered=delivered,
        recipients=recipients,
    )
    return Notification(kind, _title(project, what, t), "\n".join([body, *_limited(lines, t)]))


def _title(project: Project, what: Sentence, t: Translator) -> str:
    environment = project.environment.name
    place = "" if environment == PRODUCTION else f" ({environment})"
    return f"{project.name}{place}: {t.sentence(what)}"


def _limited(lines: Iterable[str], t: Translator) -> Iterator[str]:
    """The first twenty of `lines`, then how many more there are."""
    every = list(lines)
    yield from every[:_MOST_LINES]
    if len(every) > _MOST_LINES:
        yield t.gettext("and {count:more mailing|more mailings}", count=len(every) - _MOST_LINES)
