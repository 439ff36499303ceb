"""The tests of several mailings, run apart from a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import unset_variable_of
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.mailing_tests import MailingTestResult, MailingTests
from smsby_deploy.plan.measure import excuse_none, measure_mailing, problems_of, run_without_recipients
from smsby_deploy.plan.observers import NO_PROGRESS, Observers, ReadProgress
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.suppression import check_without_databases, load_suppression


def run_mailing_tests(
    loaded: LoadedProject,
    mailings: Sequence[Mailing],
    progress: ReadProgress = NO_PROGRESS,
    excuses: Callable[[Mailing], bool] = excuse_none,
) -> tuple[list[MailingTestResult], list[Problem]]:
    """Return the results of the tests of `mailings`, and the errors that may explain them.

    Nothing is judged of a mailing that is not sent any more, as `excuses` says.
    """
    project = loaded.project
    entries, _ = check_without_databases(project.suppress)
    suppressed, problems = load_suppression(entries, project.only_to)
    results: list[MailingTestResult] = []
    for mailing in progress.over([one for one in mailings if one.tests and one.cancelled is None]):
        found: list[MailingTestResult] = []
        variable = unset_variable_of(mailing.audience)
        if mailing.unreadable:
            found = MailingTests(project, mailing).fail_all()
        elif variable is not None:
            try:
                found = run_without_recipients(project, mailing, variable)
            except FilesInvalid as error:
                found = MailingTests(project, mailing).fail_all()
                problems += problems_of(mailing, error)
        else:
            observers = Observers(progress=progress, tests=found)
            problems += measure_mailing(project, mailing, suppressed, observers)[1]
        if any(one.failures for one in found) and excuses(mailing):
            why = "nothing of the mailing will be sent any more"
            found = [replace(one, failures=(), skipped=why) if one.failures else one for one in found]
            problems = [one for one in problems if one.address != mailing.address]
        results += found
    errors = (one for one in problems if one.severity is Severity.ERROR and one.code != "TEST")
    return results, list(errors)
