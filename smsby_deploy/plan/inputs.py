"""The files that a plan was made from, by their hashes: a plan is stale once one of them changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from smsby_deploy.config.declarations import Mailing, Project, RecipientsFile
from smsby_deploy.config.project_loader import campaign_inputs
from smsby_deploy.texts.template import included_files


def hash_inputs(project: Project, mailings: Iterable[Mailing]) -> dict[str, str]:
    """Return the sha256 of every file that `mailings` depend on, suppression files too, by its path in the project."""
    paths: set[Path] = {project.root / project.file, *(source.path for source in project.suppress)}
    for mailing in mailings:
        paths.update(campaign_inputs(project, mailing))
        paths.update(project.root / name for name in included_files(mailing.text))
    return {path.relative_to(project.root).as_posix(): _hash_file(path) for path in sorted(paths)}


def query_input(address: str) -> str:
    """Return the name among the inputs of the query result of a mailing."""
    return f"sql:{address}"


def exempt_inputs(project: Project, mailings: Iterable[Mailing]) -> frozenset[str]:
    """Return the suppression files, by path: later opt-outs are honored and make no plan stale.

    A file that is also the recipients of a mailing is not among them.
    """
    recipients = {m.audience.path for m in mailings if isinstance(m.audience, RecipientsFile)}
    exempt = {source.path for source in project.suppress} - recipients
    return frozenset(path.relative_to(project.root).as_posix() for path in exempt)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
