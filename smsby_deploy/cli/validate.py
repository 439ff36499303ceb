"""`validate`: everything that can be checked without sms.by."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.machine_formats import MACHINE_FORMATS, machine_text

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import RecipientsFile


@click.command(
    "validate",
    epilog=examples(
        "smsby-deploy validate",
        "smsby-deploy -C my-shop validate --format json",
        "smsby-deploy validate --format github",
        "smsby-deploy validate --format sarif > smsby.sarif",
    ),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", *MACHINE_FORMATS]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell how each file of phones was read.")
@click.pass_obj
def command(context: Context, form: str, verbose: bool) -> int:
    """Check every file, audience and text; offline, needs no token."""
    from smsby_deploy.cli.session import load, progress_of, watch_with
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.config.project_loader import ProjectFlawed
    from smsby_deploy.errors import FilesInvalid
    from smsby_deploy.plan.validation import validate_project
    from smsby_deploy.problems import has_errors

    addresses: list[str] = []
    try:
        try:
            loaded = load(context)
        except ProjectFlawed as flawed:
            loaded = flawed.loaded  # what else is wrong is told together
        addresses = [mailing.address for mailing in loaded.project.mailings]
        with progress_of(context, SystemClock()) as progress:
            problems = tuple(validate_project(loaded, watch_with(progress)))
        if verbose or context.verbosity:
            _tell_shapes(context, loaded.project.phone_files)
    except FilesInvalid as error:
        problems = error.problems
    if form == "json":
        from smsby_deploy.output.json_documents import validate_document, write_json

        write_json(validate_document(problems), sys.stdout)
    elif form in MACHINE_FORMATS:
        click.echo(machine_text(context, problems, form, addresses), nl=False)
    else:
        from smsby_deploy.output.problems_text import write_problems

        write_problems(problems, sys.stdout, color=context.color)
    return FilesInvalid.exit_code if has_errors(problems) else 0


def _tell_shapes(context: Context, files: Iterable[RecipientsFile]) -> None:
    """How each file of phones is read."""
    from smsby_deploy.recipients.csv_dialect import RecipientsError, detect_shape

    for source in files:
        with suppress(RecipientsError):  # it is among the problems
            context.note(f"{source.name}: read as {detect_shape(source)}")
