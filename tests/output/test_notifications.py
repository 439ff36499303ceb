"""notifications: which results are notified, and that they contain nothing but counts and addresses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome, MailingResult
from smsby_deploy.config.declarations import ApiSettings, Guardrails, Project
from smsby_deploy.config.environments import Environment
from smsby_deploy.errors import LockHeld, OutcomeUnknown, SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.notify import NotificationKind
from smsby_deploy.output.notifications import (
    apply_notification,
    failed_apply_notification,
    status_notification,
    unsent_notification,
)
from smsby_deploy.plan.plan_result import PlanResult
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples

_PROJECT = Project(Path(), "shop", ApiSettings(), Guardrails(), None, (), Path("lock"), ())
# Of projects, mailings, files, commands and currencies.
_NAMES = {
    "shop",
    "sale",
    "docs",
    "runbook",
    "lock",
    "resolve",
    "sms",
    "spring",
    "vip",
    "gold",
    "letter",
    "news",
    "staff",
    "found",
    "rest",
    "stuck",
}
_ERROR = "375291234567: the text Hello is not allowed"


def _result(*outcomes: MailingOutcome, code: ExitCode = ExitCode.DONE) -> ApplyResult:
    mailings = (MailingResult(f"sale/m{n}", one, 12, error=_ERROR) for n, one in enumerate(outcomes))
    return replace(examples.apply_result(*mailings), exit_code=code)


@pytest.mark.parametrize(
    ("outcome", "code", "kind", "title"),
    [
        (MailingOutcome.SENT, ExitCode.DONE, NotificationKind.SUCCESS, "an apply has finished"),
        (MailingOutcome.HELD, ExitCode.DONE, NotificationKind.SUCCESS, "an apply has finished"),
        (MailingOutcome.UNKNOWN, ExitCode.OUTCOME_UNKNOWN, NotificationKind.FAILURE, "the outcome of a send is unknown"),
        (MailingOutcome.PARTIAL, ExitCode.OUTCOME_UNKNOWN, NotificationKind.FAILURE, "an apply did not send everything"),
        (MailingOutcome.SKIPPED, ExitCode.REFUSED, NotificationKind.WARNING, "an apply ended with exit code 4"),
    ],
)  # fmt: skip
def test_apply_notification_by_outcome(
    outcome: MailingOutcome, code: ExitCode, kind: NotificationKind, title: str
) -> None:
    """The notification has counts by outcome, and no errors, which can contain words of sms.by and values of rows."""
    found = apply_notification(_result(outcome, code=code), _PROJECT, is_due=False)
    assert found is not None
    assert (found.kind, found.title) == (kind, f"shop: {title}")
    assert "Hello" not in found.body
    assert "37529" not in found.body


def test_apply_notification_says_that_a_mailing_was_left_out() -> None:
    """A mailing that was left out, such as an expired one, is notified although the exit code is 0."""
    found = apply_notification(_result(MailingOutcome.SENT, MailingOutcome.SKIPPED), _PROJECT, is_due=False)
    assert found is not None
    title = "shop: an apply has finished, 1 mailing was not sent"
    assert (found.kind, found.title) == (NotificationKind.WARNING, title)


def test_apply_that_did_nothing_is_not_notified() -> None:
    """Nothing to do is not notified, nor what a hand-over skipped, but a stopped run is."""
    assert apply_notification(_result(MailingOutcome.SKIPPED), _PROJECT, is_due=False) is None
    refused = _result(MailingOutcome.SKIPPED, code=ExitCode.REFUSED)
    assert apply_notification(refused, _PROJECT, is_due=True) is None
    stopped = apply_notification(replace(refused, was_stopped=True), _PROJECT, is_due=True)
    assert stopped is not None
    assert stopped.title == "shop: an apply was stopped"


def test_stop_after_a_wave_asks_for_a_decision() -> None:
    """A stop after a wave is notified, also from a hand-over, since the rest waits for a user's decision."""
    stop = MailingResult("sale/vip", MailingOutcome.SKIPPED, 12, error=_ERROR, was_judged=True)
    result = replace(examples.apply_result(stop), exit_code=ExitCode.REFUSED)
    found = apply_notification(result, _PROJECT, is_due=True)
    assert found is not None
    assert (found.kind, found.title) == (NotificationKind.WARNING, "shop: 1 mailing stopped after a wave")
    assert "sale/vip: stopped after a wave\n" in found.body
    assert "`lock resolve ADDRESS --go`" in found.body
    assert "Hello" not in found.body
    part = replace(stop, outcome=MailingOutcome.PARTIAL)  # a watch had sent an earlier wave
    watched = apply_notification(replace(result, mailings=(part,)), _PROJECT, is_due=True)
    assert watched is not None
    assert (watched.kind, watched.title) == (found.kind, found.title)


def test_apply_without_a_result() -> None:
    """Without a result the notification has the exit code and the environment, but not the error's message."""
    staging = _PROJECT._replace(api=ApiSettings(environment=Environment("staging")))
    found = failed_apply_notification(LockHeld(_ERROR, hint=""), staging)
    assert found.title == "shop (staging): an apply was refused"
    assert found.body.startswith("Nothing was sent (exit code 8): another run holds the lock.")
    assert "unknown" in failed_apply_notification(OutcomeUnknown(_ERROR, hint=""), staging).title
    full = failed_apply_notification(SmsbyDeployError(_ERROR), staging, has_begun=True)
    assert (full.title, "Nothing was sent" in full.body) == (
        "shop (staging): an apply ended with exit code 1",
        False,
    )


def test_long_list_is_cut() -> None:
    """A long list is truncated."""
    found = apply_notification(_result(*[MailingOutcome.SENT] * 25), _PROJECT, is_due=False)
    assert found is not None
    assert found.body.endswith("and 5 more mailings")


def test_what_was_not_sent() -> None:
    """Unsent and blocked mailings of a plan are notified, and a plan without either is not."""
    found = unsent_notification(PlanResult(examples.whole_plan()), _PROJECT)
    assert found is not None
    assert "merged but not sent" in found.title
    assert "37529" not in found.body
    assert unsent_notification(PlanResult(examples.plan()), _PROJECT) is None


def test_low_delivery_of_final_mailings() -> None:
    """Only final mailings below the threshold are notified, with their addresses."""
    report = examples.status()
    found = status_notification(report, _PROJECT, 100)
    assert found is not None
    assert found.title.endswith("% delivered, less than 100%")
    assert status_notification(report, _PROJECT, 0) is None
    assert status_notification(report, _PROJECT, None) is None


def test_end_of_a_watch_is_reported() -> None:
    """The end of a watch is notified with each final mailing's delivery, those with too few first."""
    report = examples.status()
    found = status_notification(report, _PROJECT, None, was_watched=True)
    assert found is not None
    (final,) = (one for one in report.mailings if one.state is State.FINAL)
    assert (found.kind, found.title) == (NotificationKind.SUCCESS, "shop: 1 mailing is final")
    assert f"{final.name}: {final.delivered:,} of" in found.body
    assert status_notification(StatusReport(()), _PROJECT, None, was_watched=True) is None
    low = status_notification(report, _PROJECT, 100, was_watched=True)
    assert low == status_notification(report, _PROJECT, 100)


def test_notifications_are_in_the_language_of_the_project() -> None:
    """Titles, outcomes, actions, plurals and numbers are in the project's language, and names are unchanged."""
    project = _PROJECT._replace(language="ru")
    outcomes = [MailingOutcome.UNKNOWN, *[MailingOutcome.SENT] * 25]
    sent = apply_notification(_result(*outcomes, code=ExitCode.OUTCOME_UNKNOWN), project, is_due=False)
    assert sent is not None
    assert sent.title == "shop: исход отправки неизвестен"
    assert "sale/m0: исход неизвестен" in sent.body
    assert "и ещё 6 рассылок" in sent.body
    failed = failed_apply_notification(LockHeld(_ERROR, hint=""), project)
    assert failed.body == (
        "Ничего не отправлено (код завершения 8): файл блокировки занят другим запуском. "
        "Подробности — в журнале этого запуска."
    )
    unsent = unsent_notification(PlanResult(examples.whole_plan()), project)
    assert unsent is not None
    assert "отправить: 1, " in unsent.body  # as in the comment, not `1 отправить`
    low = status_notification(examples.status(), project, 100)
    for one in (sent, failed, unsent, low):
        assert one is not None
        words = re.findall(r"[a-z]{3,}", one.title + one.body)
        assert set(words) <= _NAMES, set(words) - _NAMES
