"""`validate`: everything that can be checked without sms.by and without the lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from smsby_deploy.config.declarations import Mailing, RecipientsQuery
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.observers import NO_PROGRESS, Observers, ReadProgress
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.texts.template import compile_text


def validate_project(loaded: LoadedProject, progress: ReadProgress = NO_PROGRESS) -> tuple[Problem, ...]:
    """Return every problem of the files and audiences; every text is rendered."""
    suppressed, problems = load_suppression(loaded.project.suppress)
    found = [*loaded.problems, *problems]
    observers = Observers(progress=progress)
    for mailing in progress.over((*loaded.project.mailings, *loaded.flawed)):
        if isinstance(mailing.audience, RecipientsQuery) and mailing.audience.url is None:
            found.extend(_check_without_database(mailing, mailing.audience))
        else:
            found.extend(measure_mailing(loaded.project, mailing, suppressed, observers)[1])
    return tuple(found)


def _check_without_database(mailing: Mailing, query: RecipientsQuery) -> Iterator[Problem]:
    """Check a mailing whose database address is not set, so that nothing but its template can be checked."""
    if mailing.text is not None:
        try:
            compile_text(mailing.text)
        except FilesInvalid as error:
            for problem in error.problems:
                yield replace(problem, address=mailing.address)
    message = f"{query.url_env} is not set; recipients and their texts were not checked (plan needs it)"
    yield Problem(Severity.NOTE, "NOT_READ", message, mailing.address, query.location)
