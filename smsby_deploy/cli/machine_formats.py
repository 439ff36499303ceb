"""Problems in the formats of machines, for `validate` and `plan` alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smsby_deploy.cli.context import Context

if TYPE_CHECKING:
    from smsby_deploy.problems import Problem

MACHINE_FORMATS = ("github", "sarif", "junit", "codeclimate")


def machine_text(
    context: Context, problems: Iterable[Problem], form: str, addresses: Sequence[str] = ()
) -> str:
    """The problems in `form`, one of MACHINE_FORMATS. Files are named from the working folder, as CI's annotations
    want it, though a project may lie below it."""
    from smsby_deploy.config.project_loader import find_project
    from smsby_deploy.output.codeclimate import codeclimate_document
    from smsby_deploy.output.findings import list_findings
    from smsby_deploy.output.json_documents import inert_json_text
    from smsby_deploy.output.junit import problems_junit
    from smsby_deploy.output.problems_text import github_annotations
    from smsby_deploy.output.sarif import sarif_document

    root, here = find_project(context.project, context.environ).resolve(), Path.cwd()
    folder = root.relative_to(here).as_posix() if root.is_relative_to(here) else "."
    findings = list_findings(problems, folder=folder)
    if form == "github":
        return github_annotations(findings)
    if form == "sarif":
        return inert_json_text(sarif_document(findings))
    if form == "codeclimate":
        return inert_json_text(codeclimate_document(findings))
    return problems_junit(findings, addresses)
