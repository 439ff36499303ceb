"""The previews of the mailings that a selection names."""

from __future__ import annotations

from collections.abc import Sequence

from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.lock.records import Lock
from smsby_deploy.plan.planner import select_mailings
from smsby_deploy.problems import Problem
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.texts.samples import Preview, sample_mailing


def sample_mailings(
    loaded: LoadedProject, select: Sequence[str], *, limit: int, rows: Sequence[int]
) -> tuple[list[Preview], list[Problem]]:
    """What the mailings of `select` look like, and everything that is wrong with their files.

    Raises:
        FilesInvalid: nothing fits, and campaigns that could are not valid.
        UsageError: nothing fits, or there is no such row.
    """
    project = loaded.project
    suppressed, found = load_suppression(project.suppress)
    problems = [*loaded.problems, *found]
    mailings, _ = select_mailings(loaded, Lock(project.name), select)
    previews = []
    for mailing in mailings:
        try:
            preview = sample_mailing(project, mailing, suppressed, limit=limit, rows=rows)
        except FilesInvalid as error:
            problems.extend(error.problems)
            continue
        problems.extend(preview.problems)
        previews.append(preview)
    return previews, problems
