"""`validate`: everything that can be checked without sms.by."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples


@click.command(
    "validate",
    epilog=examples(
        "smsby-deploy validate",
        "smsby-deploy -C my-shop validate --format json",
        "smsby-deploy validate --format github",
    ),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.pass_obj
def command(context: Context, form: str) -> int:
    """Check every file, audience and text; offline, needs no token."""
    from smsby_deploy.cli.session import load
    from smsby_deploy.errors import FilesInvalid
    from smsby_deploy.plan.make import validate_project
    from smsby_deploy.problems import has_errors
    from smsby_deploy.report.json_out import json_text, validate_document
    from smsby_deploy.report.problems_text import github_annotations, write_problems

    try:
        problems = tuple(validate_project(load(context)))
    except FilesInvalid as error:
        problems = error.problems
    if form == "json":
        click.echo(json_text(validate_document(problems)), nl=False)
    elif form == "github":
        click.echo(github_annotations(problems), nl=False)
    else:
        write_problems(problems, sys.stdout, color=context.color)
    return FilesInvalid.exit_code if has_errors(problems) else 0
