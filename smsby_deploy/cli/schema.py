"""`schema`: the JSON Schemas, for editors and for other programs."""

from __future__ import annotations

import click

from smsby_deploy.resources import schema_file


@click.command("schema")
@click.argument("name", type=click.Choice(["project", "campaign", "plan", "lock"]))
def command(name: str) -> int:
    """Print the JSON Schema of NAME."""
    click.echo(schema_file(name).read_text(encoding="utf-8"), nl=False)
    return 0
