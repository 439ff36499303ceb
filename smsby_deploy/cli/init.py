"""`init`: the sample project, copied; never over anything that exists."""

from __future__ import annotations

import shlex
from datetime import date, timedelta
from pathlib import Path

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.resources import sample_project, schema_file

_SCHEMAS = ".schema"  # a dot folder holds no campaigns, so the schemas are never taken for some
_IGNORED = """\
# What callbacks told holds phone numbers; who holds the lock is of this machine only.
# Everything else beside the lock belongs in git.
*.callbacks.jsonl
*.lock.json.lock
*.lock.json.holder
"""
_SAMPLE_DAY = "2027-03-01"  # the day of the sample's scheduled mailings


def copy_sample(folder: Path, today: date) -> list[Path]:
    """Copy the sample project into `folder` and return the files written, relative to it.

    Its scheduled mailings move to the first of March that comes after `today`: a copy made years from now is
    as little expired as one made now. A .gitignore that exists already stays as it is.

    Raises:
        SmsbyDeployError: one of the files exists already; nothing is written then.
    """
    sample = sample_project()
    day = next_first_of_march(today).isoformat()
    contents: dict[Path, str] = {}
    for path in sorted(sample.rglob("*")):
        if path.is_file() and not path.name.startswith("smsby.lock"):
            text = path.read_text(encoding="utf-8").replace(_SAMPLE_DAY, day)
            contents[path.relative_to(sample)] = text.replace("$schema=../schema/", f"$schema={_SCHEMAS}/")
    for name in ("project", "campaign"):
        source = schema_file(name)
        contents[Path(_SCHEMAS, source.name)] = source.read_text(encoding="utf-8")
    if not (folder / ".gitignore").exists():
        contents[Path(".gitignore")] = _IGNORED
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


def next_first_of_march(today: date) -> date:
    """The first of March after `today`, in whatever zone `today` was read: at least two days off."""
    this_year = date(today.year, 3, 1)
    return this_year if today + timedelta(days=2) <= this_year else date(today.year + 1, 3, 1)


@click.command("init", epilog=examples("smsby-deploy init my-shop", "cd my-shop && smsby-deploy validate"))
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def command(context: Context, folder: Path) -> int:
    """Start a project in DIR (default: here) that works against the sandbox at once."""
    from smsby_deploy.clock import SystemClock

    for name in copy_sample(folder, SystemClock().now().date()):
        click.echo(folder / name)
    enter = "" if folder == Path() else f"{shlex.join(['cd', str(folder)])} && "
    context.note(
        f"next: {enter}smsby-deploy validate\n"
        "then, with `smsby-deploy sandbox` in another terminal:\n"
        "      export SMSBY_API_URL=http://127.0.0.1:8025 SMSBY_TOKEN=any\n"
        "      smsby-deploy plan"
    )
    return 0
