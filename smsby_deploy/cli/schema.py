"""`schema`: the JSON Schemas, for editors and for other programs."""

from __future__ import annotations

import click

from smsby_deploy.cli.examples import examples
from smsby_deploy.resources import schema_file


@click.command(
    "schema",
    epilog=examples(
        "smsby-deploy schema campaign > campaign.schema.json",
        "smsby-deploy schema plan",
    ),
)
@click.argument("name", type=click.Choice(["project", "campaign", "plan", "lock"]))
def command(name: str) -> int:
    """Print the JSON Schema of NAME.

    Name the printed file in the first line of a YAML file, and an editor completes and explains every key:
    `# yaml-language-server: $schema=campaign.schema.json`.
    """
    click.echo(schema_file(name).read_text(encoding="utf-8"), nl=False)
    return 0
