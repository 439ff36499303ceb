"""`validate`: everything that can be said of a project without a server and without its lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from smsby_deploy.config.declarations import Mailing, Project, RecipientsQuery
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.plan.chunk_cache import Keep, keep_nothing
from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.desired_state import Desired
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.progress_callback import NO_PROGRESS, ReadProgress
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.texts.template import compile_text
from smsby_deploy.wording import counted


def validate_project(loaded: LoadedProject, progress: ReadProgress = NO_PROGRESS) -> tuple[Problem, ...]:
    """Every problem that can be found without a server: files, audiences, every text rendered."""
    suppressed, problems = load_suppression(loaded.project.suppress)
    found = [*loaded.problems, *problems]
    for mailing in progress.over((*loaded.project.mailings, *loaded.flawed)):
        if isinstance(mailing.audience, RecipientsQuery) and mailing.audience.url is None:
            found.extend(_unread(mailing, mailing.audience))
            continue
        found.extend(measure(loaded.project, mailing, suppressed, None, progress)[1])
    return tuple(found)


def measure(
    project: Project,
    mailing: Mailing,
    suppressed: PhoneSet,
    policy: ContentPolicy | None,
    progress: ReadProgress,
    keep: Keep = keep_nothing,
) -> tuple[Desired | None, list[Problem]]:
    """One mailing counted and hashed, and what is wrong with it; None if its template can't be compiled."""
    try:
        desired, found = measure_mailing(project, mailing, suppressed, policy, progress, keep)
    except FilesInvalid as error:
        return None, [replace(problem, address=mailing.address) for problem in error.problems]
    if desired.audience.suppressed and not desired.audience.final:
        at = mailing.audience.location
        people = counted(desired.audience.suppressed, "person", "people")
        message = f"everybody in it opted out ({people}): nobody is left to send to"
        found.append(Problem(Severity.WARNING, "ALL_SUPPRESSED", message, mailing.address, at))
    return desired, found


def _unread(mailing: Mailing, query: RecipientsQuery) -> Iterator[Problem]:
    """What `validate` can say of a mailing whose database it is not told of."""
    if mailing.text is not None:
        try:
            compile_text(mailing.text)
        except FilesInvalid as error:
            for problem in error.problems:
                yield replace(problem, address=mailing.address)
    at = query.location
    message = (
        f"{query.url_env} is not set, so neither its recipients nor their texts were checked; `plan` needs it"
    )
    yield Problem(Severity.NOTE, "NOT_READ", message, mailing.address, at)
