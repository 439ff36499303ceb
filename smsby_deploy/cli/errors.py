"""From an error to a sentence on stderr and an exit code."""

from __future__ import annotations

import traceback

import click

from smsby_deploy.errors import FilesInvalid, SmsbyDeployError

WRONG_USAGE = 64


def exit_code_of(error: BaseException, *, verbose: bool) -> int:
    """Tell `error` on stderr and return the exit code it stands for."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, SmsbyDeployError):
        _tell(error)
        return error.exit_code
    if isinstance(error, click.UsageError):
        error.show()
        return WRONG_USAGE
    if isinstance(error, click.ClickException):
        error.show()
        return 1
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("error: interrupted\nhint: `smsby-deploy plan` shows what is left to do", err=True)
        return 1
    if isinstance(error, OSError) and error.filename is not None:
        click.echo(f"error: {error.filename}: {error.strerror}", err=True)
        return 1
    if verbose:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    # Only the kind is told: the text of an unforeseen error may hold anything, also a phone number.
    click.echo(
        f"error: an error in smsby-deploy itself: {type(error).__name__}\n"
        "hint: run the same command with -v before its name to see where, and report it",
        err=True,
    )
    return 1


def _tell(error: SmsbyDeployError) -> None:
    if isinstance(error, FilesInvalid):
        from smsby_deploy.report.problems_text import problem_lines

        for _, line in problem_lines(error.problems):
            click.echo(line, err=True)
    click.echo(f"error: {error.message}", err=True)
    if error.location:
        click.echo(f"  at {error.location}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
