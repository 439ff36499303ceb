"""Options, arguments and help texts that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from smsby_deploy.errors import UsageError

MACHINE_FORMATS = ("github", "sarif", "junit", "codeclimate")  # problems, as CI services read them
_Command = TypeVar("_Command", bound=Callable[..., object])


def examples(*lines: str) -> str:
    """An epilog for `--help`: example command lines, verbatim. A test parses each of them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def format_option(*formats: str, help: str = "Output format.") -> Callable[[_Command], _Command]:
    """`--format`, passed as `form`; the first of `formats` is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help=help,
    )


def reason_option(help: str = "Why; recorded in the lock.") -> Callable[[_Command], _Command]:
    return click.option("--reason", default="", metavar="TEXT", help=help)


def yes_option(help: str = "Do not ask for confirmation.") -> Callable[[_Command], _Command]:
    return click.option("--yes", is_flag=True, help=help)


def check_folder_of(report: Path | None) -> None:
    """Check that the folder of `report` exists, before anything is asked or sent.

    Raises:
        UsageError: it does not.
    """
    if report is not None and not report.parent.is_dir():
        raise UsageError(
            f"cannot write the report: {report.parent} is not a directory",
            hint="create the directory, or name another file",
        )
