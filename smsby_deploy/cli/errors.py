"""From an error to a sentence on stderr and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from smsby_deploy.errors import FilesInvalid, SmsbyDeployError

if TYPE_CHECKING:
    from smsby_deploy.output.json_log import JsonLog

WRONG_USAGE = 64


def exit_code_of(error: BaseException, *, verbose: bool, log: JsonLog | None = None) -> int:
    """Tell `error` on stderr, or to `log`, and return the exit code it stands for."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, SmsbyDeployError):
        _tell_problems(error, log)
        place = str(error.location) if error.location else None
        return _tell(error.message, error.exit_code, log, place=place, hint=error.hint)
    if isinstance(error, click.ClickException):
        code = WRONG_USAGE if isinstance(error, click.UsageError) else 1
        if log is not None:
            return _tell(error.format_message(), code, log)
        error.show()
        return code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _tell("interrupted", 1, log, hint="`smsby-deploy plan` shows what is left to do")
    if isinstance(error, OSError) and error.filename is not None:
        return _tell(f"{error.filename}: {error.strerror}", 1, log)
    if verbose and log is None:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    # Only the kind is told: the text of an unforeseen error may hold anything, also a phone number.
    hint = "run the same command with -v before its name to see where, and report it"
    return _tell(f"an error in smsby-deploy itself: {type(error).__name__}", 1, log, hint=hint)


def _tell(
    message: str, code: int, log: JsonLog | None, *, place: str | None = None, hint: str | None = None
) -> int:
    if log is not None:
        log.write("error", "failed", message=message, place=place, hint=hint or None, exit_code=code)
        return code
    from smsby_deploy.privacy import mask_phones

    click.echo(f"error: {mask_phones(message)}", err=True)
    if place:
        click.echo(f"  at {place}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    return code


def _tell_problems(error: SmsbyDeployError, log: JsonLog | None) -> None:
    """The problems of invalid files, before the error that they amount to."""
    if not isinstance(error, FilesInvalid):
        return
    from smsby_deploy.output.problems_text import log_problems, problem_lines

    if log is not None:
        log_problems(error.problems, log)
        return
    for _, line in problem_lines(error.problems):
        click.echo(line, err=True)
