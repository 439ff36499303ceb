"""`init`: the sample project, copied; never over anything that exists."""

from __future__ import annotations

from pathlib import Path

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.resources import sample_project, schema_file

_SCHEMAS = ".schema"  # a dot folder holds no campaigns, so the schemas are never taken for some


def copy_sample(folder: Path) -> list[Path]:
    """Copy the sample project into `folder` and return the files written, relative to it.

    Raises:
        SmsbyDeployError: one of the files exists already; nothing is written then.
    """
    sample = sample_project()
    contents: dict[Path, str] = {}
    for path in sorted(sample.rglob("*")):
        if path.is_file() and not path.name.startswith("smsby.lock"):
            text = path.read_text(encoding="utf-8")
            contents[path.relative_to(sample)] = text.replace("$schema=../schema/", f"$schema={_SCHEMAS}/")
    for name in ("project", "campaign"):
        source = schema_file(name)
        contents[Path(_SCHEMAS, source.name)] = source.read_text(encoding="utf-8")
    for relative in contents:
        if (folder / relative).exists():
            raise SmsbyDeployError(
                f"{folder / relative} exists already; nothing was written",
                hint="name an empty folder: smsby-deploy init DIR",
            )
    for relative, text in contents.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return list(contents)


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def command(context: Context, folder: Path) -> int:
    """Start a project in DIR (default: here) that works against the sandbox at once."""
    for name in copy_sample(folder):
        click.echo(folder / name)
    context.note(
        "next: smsby-deploy validate; then, with `smsby-deploy sandbox` in another terminal,\n"
        "  SMSBY_API_URL=http://127.0.0.1:8025 SMSBY_TOKEN=any smsby-deploy plan"
    )
    return 0
