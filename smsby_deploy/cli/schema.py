"""`schema`: the JSON Schemas, for editors and other programs."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.options import examples
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_text
from smsby_deploy.resources import schema_file


@click.command(
    "schema",
    epilog=examples("smsby-deploy schema campaign > campaign.schema.json", "smsby-deploy schema plan"),
)
@click.argument("name", type=click.Choice(["project", "campaign", "plan", "lock", "approval", "facts"]))
def command(name: str) -> ExitCode:
    """Print the JSON Schema NAME.

    Refer to the saved schema in the first line of a YAML file, and editors complete and explain every key:

    \b
      # yaml-language-server: $schema=campaign.schema.json
    """
    write_text(schema_file(name).read_text(encoding="utf-8"), sys.stdout)
    return ExitCode.DONE
