"""`init`: copy the sample project, never over existing files."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import date, timedelta
from pathlib import Path

import click

from smsby_deploy.cli.options import Context, NamedPath, examples
from smsby_deploy.clock import SystemClock
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.errors import SmsbyDeployError, UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.files import real_path
from smsby_deploy.output.terminal import write_line
from smsby_deploy.privacy import mask_phones
from smsby_deploy.resources import sample_project, schema_file

_SCHEMAS = ".schema"  # campaigns are not looked for in dot folders
_GITIGNORE = """\
# Callbacks contain phone numbers, and which process holds the lock concerns only this machine.
# Commit every other file next to the lock.
*.callbacks.jsonl
*.lock.json.lock
*.lock.json.holder
"""
_GITATTRIBUTES = """\
# Plans record the hashes of files: a checkout on Windows must not change their line endings.
* text=auto eol=lf
*.parquet binary
"""
_SAMPLE_NAME = "kvetka-shop"
_SAMPLE_DAY = "2027-03-01"  # on which the sample's scheduled mailings are sent


def copy_sample(folder: Path, today: date, name: str = _SAMPLE_NAME) -> list[Path]:
    """Copy the sample project into `folder` and return the files written, relative to it.

    Its scheduled mailings move to the next first of March after `today`, so that they are not expired. An existing
    .gitignore is kept.

    Raises:
        SmsbyDeployError: one of the files exists; nothing was written.
    """
    contents = _sample_files(next_first_of_march(today), name)
    for kept in (Path(".gitignore"), Path(".gitattributes")):
        if (folder / kept).exists():
            del contents[kept]
    for relative in contents:
        if (folder / relative).exists():
            raise SmsbyDeployError(
                f"{folder / relative} already exists; nothing was written",
                hint="name an empty directory: smsby-deploy init DIR",
            )
    for relative, text in contents.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return list(contents)


def project_name(folder: Path) -> str:
    """Derive a project name from the name of `folder`.

    Digits alone are not used: `Мой магазин (1)` and `Лето (1)` would be one project.
    """
    name = re.sub(r"[^a-z0-9]+", "-", real_path(folder).name.lower()).strip("-")[:40].rstrip("-")
    return name if re.search("[a-z]", name) and mask_phones(name) == name else _SAMPLE_NAME


def _sample_files(day: date, name: str) -> dict[Path, str]:
    """The files of a new project and their contents, the scheduled mailings on `day`."""
    sample = sample_project()
    contents: dict[Path, str] = {}
    for path in sorted(sample.rglob("*")):
        if path.is_file() and not path.name.startswith("smsby.lock"):
            text = path.read_text(encoding="utf-8").replace(_SAMPLE_DAY, day.isoformat())
            contents[path.relative_to(sample)] = text.replace("$schema=../schema/", f"$schema={_SCHEMAS}/")
    settings = contents[Path(PROJECT_FILE)]
    contents[Path(PROJECT_FILE)] = settings.replace(f"project: {_SAMPLE_NAME}", f"project: {name}", 1)
    for schema in ("project", "campaign"):
        source = schema_file(schema)
        contents[Path(_SCHEMAS, source.name)] = source.read_text(encoding="utf-8")
    contents[Path(".gitignore")] = _GITIGNORE
    contents[Path(".gitattributes")] = _GITATTRIBUTES
    return contents


def next_first_of_march(today: date) -> date:
    """The first of March at least two days after `today`.

    It is in the future in every time zone.
    """
    this_year = date(today.year, 3, 1)
    return this_year if today + timedelta(days=2) <= this_year else date(today.year + 1, 3, 1)


@click.command("init", epilog=examples("smsby-deploy init my-shop", "cd my-shop && smsby-deploy validate"))
@click.argument("folder", metavar="[DIR]", required=False, type=NamedPath(file_okay=False))
@click.pass_obj
def command(context: Context, folder: Path | None) -> ExitCode:
    """Create a project in DIR (default: here) that works against the sandbox at once."""
    if folder is not None and context.project is not None:
        raise UsageError("the directory is named twice, as DIR and with -C", hint="name it once")
    folder = folder or Path(context.project or context.environ.get("SMSBY_PROJECT", ""))
    for file in copy_sample(folder, SystemClock().now().date(), project_name(folder)):
        write_line(str(folder / file), sys.stdout)
    enter = "" if folder == Path() else f"{shlex.join(['cd', str(folder)])} && "
    context.note(
        f"next: {enter}smsby-deploy validate\n"
        "then start `smsby-deploy sandbox` in another terminal, and rehearse:\n"
        "      smsby-deploy --env sandbox apply\n"
        "then put the API key of your account into SMSBY_TOKEN, and plan for production:\n"
        "      smsby-deploy plan --out plan.json"
    )
    return ExitCode.DONE
