"""From an error to a message, a hint and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from smsby_deploy.errors import FilesInvalid, SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode

if TYPE_CHECKING:
    from smsby_deploy.output.json_log import JsonLog


def report_error(error: BaseException, *, verbose: bool, log: JsonLog | None = None) -> int:
    """Write `error` to stderr, or to `log`, and return its exit code. `verbose` adds a traceback to an internal error."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.FAILED
    if isinstance(error, SmsbyDeployError):
        if isinstance(error, FilesInvalid):
            _write_problems(error, log)
        place = str(error.location) if error.location else None
        return _write(error.message, error.exit_code, log, place=place, hint=error.hint)
    if isinstance(error, click.ClickException):
        return _report_click_error(error, log)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _write(
            "interrupted", ExitCode.FAILED, log, hint="run `smsby-deploy plan` to see what remains to be done"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return _write(f"{error.filename}: {error.strerror}", ExitCode.FAILED, log)
    return _report_internal_error(error, log, verbose=verbose)


def _report_click_error(error: click.ClickException, log: JsonLog | None) -> int:
    code = ExitCode.WRONG_USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED
    if log is not None:
        return _write(error.format_message(), code, log)
    error.show()
    return code


def _report_internal_error(error: BaseException, log: JsonLog | None, *, verbose: bool) -> int:
    if verbose and log is None:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    # Show the error's type only: its text may contain anything, even a phone number.
    hint = "run the command again with -v before its name to get a traceback, and report it"
    return _write(f"internal error: {type(error).__name__}", ExitCode.FAILED, log, hint=hint)


def _write(
    message: str, code: ExitCode, log: JsonLog | None, *, place: str | None = None, hint: str | None = None
) -> ExitCode:
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


def _write_problems(error: FilesInvalid, log: JsonLog | None) -> None:
    from smsby_deploy.output.json_log import log_problems
    from smsby_deploy.output.problems_text import problem_lines

    if log is not None:
        log_problems(error.problems, log)
        return
    for _, line in problem_lines(error.problems):
        click.echo(line, err=True)
