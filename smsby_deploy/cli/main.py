"""The command group, and the conversion of errors to messages and exit codes.

The module of a command is imported only when the command is used, so `--help` stays fast. Every error becomes one
sentence with its place, a hint and an exit code here.
"""

from __future__ import annotations

import errno
import importlib
import io
import itertools
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from smsby_deploy.cli.options import (
    Context,
    accept_globals,
    examples,
    global_options,
    open_log,
)
from smsby_deploy.errors import FilesInvalid, SmsbyDeployError, missing_package
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.output.terminal import prepare_streams, write_line, write_text

if TYPE_CHECKING:
    from smsby_deploy.output.json_log import JsonLog

# name: (module, help). The help is repeated here so that listing the commands imports none of them.
_COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Create a project that works against the sandbox at once."),
    "validate": ("validate", "Check all files, audiences and texts; offline, without a token."),
    "render": ("render", "Show the texts as recipients would read them."),
    "test": ("test", "Run the tests of the mailings; offline, without a token."),
    "plan": ("plan", "Show what would be sent, to how many recipients, at what cost."),
    "approve": ("approve", "Sign a plan whose mailings need signatures."),
    "apply": ("apply", "Send what the plan contains, and record it in the lock."),
    "status": ("status", "Show how the sent mailings were delivered."),
    "pin": ("pin", "Write the digest of a list into its campaign."),
    "report": ("report", "Show what was sent and what it cost, by month, label or campaign."),
    "recipients": ("recipients", "List the recipients who certainly got a mailing, or did not."),
    "lock": ("lock", "Show the lock file, or change it manually."),
    "import": ("import_", "Record a mailing that was made elsewhere."),
    "test-send": ("test_send", "Send one text of a mailing to a test phone."),
    "otp": ("otp", "Send a one-time code by Telegram or WhatsApp."),
    "listen": ("listen", "Receive the callbacks of sms.by and store them."),
    "doctor": ("doctor", "Find out how sms.by behaves for this account."),
    "api": ("api", "Call any method of sms.by and print its answer."),
    "sandbox": ("sandbox", "Run a local sms.by that sends nothing."),
    "demo": ("demo", "Run validate, plan, apply and status against the sandbox."),
    "schema": ("schema", "Print a JSON Schema: project, campaign, plan, lock, approval or facts."),
}


def report_error(error: BaseException, *, verbose: bool, log: JsonLog | None = None) -> int:
    """Write `error` to stderr, or to `log`, and return its exit code.

    `verbose` adds a traceback to an internal error.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.FAILED
    if isinstance(error, ModuleNotFoundError):
        error = missing_package(error)
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
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        hint = "free disk space, then run the command again"
        what = error.filename or "a file"
        return _write(f"cannot write {what}: {error.strerror}", ExitCode.FAILED, log, hint=hint)
    if isinstance(error, OSError) and error.filename is not None:
        hint = "check its permissions and those of its folder, then run the command again"
        message = f"cannot read or write {error.filename}: {error.strerror}"
        return _write(message, ExitCode.FAILED, log, hint=hint)
    encoding = sys.getfilesystemencoding()
    if isinstance(error, UnicodeEncodeError) and encoding != "utf-8":
        hint = "set PYTHONUTF8=1, or the locale to one with UTF-8, such as LC_ALL=C.UTF-8"
        why = f"{encoding}, the encoding of the locale, lacks a letter of its name"
        return _write(f"cannot open a file: {why}", ExitCode.FAILED, log, hint=hint)
    return _report_internal_error(error, log, verbose=verbose)


def _report_click_error(error: click.ClickException, log: JsonLog | None) -> int:
    code = ExitCode.WRONG_USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED
    if log is not None:
        return _write(error.format_message(), code, log)
    shown = io.StringIO()
    error.show(shown)
    write_text(_masked(shown.getvalue()), sys.stderr)
    return code


def _report_internal_error(error: BaseException, log: JsonLog | None, *, verbose: bool) -> int:
    if verbose and log is None:
        import traceback

        from smsby_deploy.privacy import hide_queries

        write_text(_masked(hide_queries("".join(traceback.format_exception(error)))), sys.stderr)
    # Show the error's type only: its text may contain anything, even a phone number.
    hint = "run the command again with -v to get a traceback, and report it"
    return _write(f"internal error: {type(error).__name__}", ExitCode.FAILED, log, hint=hint)


def _write(
    message: str, code: ExitCode, log: JsonLog | None, *, place: str | None = None, hint: str | None = None
) -> ExitCode:
    if log is not None:
        log.write("error", "failed", message=message, place=place, hint=hint or None, exit_code=code)
        return code
    write_line(f"error: {_masked(message)}", sys.stderr)
    if place:
        write_line(f"  at {place}", sys.stderr)
    if hint:
        write_line(f"hint: {hint}", sys.stderr)
    return code


def _masked(text: str) -> str:
    from smsby_deploy.privacy import mask_message

    return mask_message(text, os.environ)


def _write_problems(error: FilesInvalid, log: JsonLog | None) -> None:
    from smsby_deploy.output.json_log import log_problems
    from smsby_deploy.output.problems_text import problem_lines

    if log is not None:
        log_problems(error.problems, log)
        return
    for _, line in problem_lines(error.problems):
        write_line(line, sys.stderr)


class LazyGroup(click.Group):
    """A group whose commands are `smsby_deploy.cli.<module>.command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module: Any = importlib.import_module(f"smsby_deploy.cli.{_COMMANDS[cmd_name][0]}")
        return accept_globals(module.command, self.params)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does, but suggest the nearest command for an unknown one."""
        if args and args[0] not in _COMMANDS:
            from smsby_deploy.wording import closest

            if near := closest(args[0], tuple(_COMMANDS)):
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{near}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "smsby-deploy init my-shop && cd my-shop",
        "smsby-deploy validate",
        "smsby-deploy plan --out plan.json",
        "smsby-deploy apply plan.json",
        "smsby-deploy status",
    ),
)
@global_options
@click.pass_context
def group(ctx: click.Context, /, **options: Any) -> None:
    """SMS campaigns as code for sms.by: reviewed, and never sent to a recipient twice.

    The options below may be given before the command or after it.
    """
    ctx.obj = Context(**options)


def _wants_json_log(arguments: Sequence[str]) -> bool:
    """Whether --log-format json was given last, even on a command line that cannot be parsed."""
    given = "text"
    for word, following in itertools.pairwise([*arguments, ""]):
        name, _, value = word.partition("=")
        if name == "--log-format":
            given = value or following
    return given == "json"


def _make_streams_robust() -> None:
    """Replace characters that the terminal's encoding lacks with `?`.

    Output to a file or a pipe is UTF-8, which JSON and HTML documents promise.
    """
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
        if not isinstance(stream, io.TextIOWrapper) or encoding == "utf8":
            continue
        keep_encoding = stream.isatty() or bool(os.environ.get("PYTHONIOENCODING"))
        stream.reconfigure(encoding=None if keep_encoding else "utf-8", errors="replace")
    prepare_streams()


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are written to stderr."""
    _make_streams_robust()
    is_verbose = any(re.fullmatch("--verbose|-q*v[vq]*", word) for word in arguments)
    log = open_log() if _wants_json_log(arguments) else None
    try:
        result = group.main(list(arguments), prog_name="smsby-deploy", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - nothing above could turn it into a message
        return report_error(error, verbose=is_verbose, log=log)
    code = result if isinstance(result, int) else ExitCode.DONE
    try:
        sys.stdout.flush()
    except SmsbyDeployError as error:
        return first_exit_code([ExitCode(code), ExitCode(report_error(error, verbose=is_verbose, log=log))])
    return code
