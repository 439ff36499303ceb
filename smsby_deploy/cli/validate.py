"""`validate`: every check that needs no server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.options import MACHINE_FORMATS, Context, examples, format_option
from smsby_deploy.cli.session import (
    excuses_of,
    folder_from_here,
    load,
    progress_of,
    reading_progress,
    refuse_damaged_lock,
)
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import output_of, write_parts, write_text
from smsby_deploy.problems import has_errors

if TYPE_CHECKING:
    from smsby_deploy.config.sources import RecipientsFile
    from smsby_deploy.problems import Problem


@click.command(
    "validate",
    epilog=examples(
        "smsby-deploy validate",
        "smsby-deploy -C my-shop validate --format json",
        "smsby-deploy validate --format github",
        "smsby-deploy validate --format sarif > smsby.sarif",
    ),
)
@format_option("text", "json", *MACHINE_FORMATS)
@click.pass_obj
def command(context: Context, form: str) -> ExitCode:
    """Check all files, audiences and texts. Works offline, without a token.

    With -v it also says how each file with phone numbers was read.
    """
    addresses, problems = _find_problems(context)
    exit_code = ExitCode.FILES_INVALID if has_errors(problems) else ExitCode.DONE
    with output_of(exit_code):
        _write(context, form, problems, addresses)
    return exit_code


def _find_problems(context: Context) -> tuple[list[str], Sequence[Problem]]:
    """The addresses of all mailings, and all problems."""
    from smsby_deploy.config.project_loader import ProjectFlawed, check_environments
    from smsby_deploy.gc_tuning import keep_until_exit
    from smsby_deploy.plan.validation import validate_project
    from smsby_deploy.recipients.suppression import check_test_phones

    addresses: list[str] = []
    try:
        try:
            loaded = load(context)
        except ProjectFlawed as flawed:
            loaded = flawed.loaded  # check what could be read, and report everything together
        keep_until_exit(loaded)
        addresses = [mailing.address for mailing in loaded.project.mailings]
        with progress_of(context) as progress:
            problems = validate_project(loaded, reading_progress(progress), excuses_of(loaded.project))
        if context.verbose:
            _note_dialects(context, loaded.project.phone_files)
        is_chosen = context.environment or context.environ.get("SMSBY_ENV")
        only = loaded.project.environment.name if is_chosen else None
        others = check_environments(loaded.project.root, context.environ, check_test_phones, only)
        problems = (*problems, *(problem for problem in others if problem not in problems))
        if not has_errors(problems):
            refuse_damaged_lock(loaded.project)
    except FilesInvalid as error:
        problems = error.problems
    return addresses, problems


def _write(context: Context, form: str, problems: Sequence[Problem], addresses: Sequence[str]) -> None:
    if form == "json":
        from smsby_deploy.output.json_documents import json_parts, validate_document

        write_parts(json_parts(validate_document(problems)), sys.stdout)
    elif form == "text":
        from smsby_deploy.output.problems_text import write_problems

        write_problems(problems, sys.stdout, color=context.color)
    else:
        from smsby_deploy.output.ci_reports import ci_report, list_findings

        findings = list_findings(problems, folder=folder_from_here(context))
        write_text(ci_report(form, findings, addresses), sys.stdout, has_commands=form == "github")


def _note_dialects(context: Context, files: Iterable[RecipientsFile]) -> None:
    from smsby_deploy.recipients.csv_dialect import detect_dialect
    from smsby_deploy.recipients.rows import RecipientsError

    for source in files:
        with suppress(RecipientsError):  # reported as a problem
            context.note(f"{source.name}: read as {detect_dialect(source)}")
