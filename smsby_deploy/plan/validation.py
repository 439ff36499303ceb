"""The work of `validate` and `test`: finds all problems of a project and runs its tests.

No plan is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import unset_variable_of
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.gone import excuse_errors, excuse_missing
from smsby_deploy.plan.measure import (
    NO_PROGRESS,
    Observers,
    ReadProgress,
    find_flaws,
    measure_mailing,
    problems_of,
)
from smsby_deploy.problems import Problem, Severity, has_errors
from smsby_deploy.recipients.suppression import check_without_databases, load_suppression, read_test_phones
from smsby_deploy.texts.compiler import compile_texts
from smsby_deploy.wording import sentence

if TYPE_CHECKING:  # most mailings have no tests
    from smsby_deploy.plan.mailing_test_results import MailingTestResult


def excuse_none(mailing: Mailing) -> bool:
    """Excuse no mailing, because the files of all are needed."""
    return False


def validate_project(
    loaded: LoadedProject,
    progress: ReadProgress = NO_PROGRESS,
    excuses: Callable[[Mailing], bool] = excuse_none,
) -> tuple[Problem, ...]:
    """Return every problem of the files and audiences; every text is rendered.

    Cancelled mailings are not read. `excuses` says whether a mailing may have errors.
    """
    loaded = excuse_missing(loaded, excuses)
    entries, notes = check_without_databases(loaded.project.suppress)
    suppressed, problems = load_suppression(entries, loaded.project.only_to)
    found = [*loaded.problems, *notes, *read_test_phones(loaded.project)[1], *problems]
    mailings = [one for one in loaded.project.mailings if one.cancelled is None]
    for mailing in progress.over((*mailings, *loaded.flawed)):
        if (variable := unset_variable_of(mailing.audience)) is not None:
            found.extend(_check_without_recipients(loaded.project, mailing, variable))
        else:
            flaws = find_flaws(loaded.project, mailing, suppressed, progress)
            is_excused = has_errors(flaws) and excuses(mailing)
            found.extend(excuse_errors(mailing, flaws) if is_excused else flaws)
    return tuple(found)


def _run_without_recipients(project: Project, mailing: Mailing, variable: str) -> list[MailingTestResult]:
    """Run only the tests of rows, because the `variable` that the recipients need is not set.

    Raises:
        FilesInvalid: the text cannot be compiled.
    """
    if not mailing.tests:
        return []
    from smsby_deploy.plan.mailing_test_run import MailingTests

    tests = MailingTests(project, mailing)
    tests.begin()
    return tests.judge(None, unread=sentence("{variable} is not set", variable=variable))


def _check_without_recipients(project: Project, mailing: Mailing, variable: str) -> Iterator[Problem]:
    """Check a mailing whose recipients need a `variable` that is not set: only its template."""
    try:
        if mailing.text is not None:
            compile_texts(mailing.text)
        results = _run_without_recipients(project, mailing, variable)
        yield from (one.problem for one in results if one.failures)
    except FilesInvalid as error:
        yield from problems_of(mailing, error)
    message = sentence(
        "{variable} is not set; recipients and their texts were not checked (plan needs it)",
        variable=variable,
    )
    yield Problem(Severity.NOTE, "NOT_READ", message, mailing.address, mailing.audience.location)


def run_mailing_tests(
    loaded: LoadedProject,
    mailings: Sequence[Mailing],
    progress: ReadProgress = NO_PROGRESS,
    excuses: Callable[[Mailing], bool] = excuse_none,
) -> tuple[list[MailingTestResult], list[Problem]]:
    """Return the results of the tests of `mailings`, and the errors that may explain them.

    A failed test is skipped if its mailing will not be sent any more, as `excuses` says.
    """
    from smsby_deploy.plan.mailing_test_run import MailingTests

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
                found = _run_without_recipients(project, mailing, variable)
            except FilesInvalid as error:
                found = MailingTests(project, mailing).fail_all()
                problems += problems_of(mailing, error)
        else:
            observers = Observers(progress=progress, runs_tests=True)
            measured = measure_mailing(project, mailing, suppressed, observers)
            found = list(measured.tests)
            problems += measured.problems
        if any(one.failures for one in found) and excuses(mailing):
            why = sentence("no more of the mailing will be sent")
            found = [replace(one, failures=(), skipped=why) if one.failures else one for one in found]
            problems = [one for one in problems if one.address != mailing.address]
        results += found
    return results, [one for one in problems if one.is_error and one.code != "TEST"]
