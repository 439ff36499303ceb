"""The command group. A command's module is imported only when it is called, so `--help` stays instant."""

from __future__ import annotations

import importlib
import io
import itertools
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from smsby_deploy import __version__
from smsby_deploy.cli.context import Context
from smsby_deploy.cli.errors import exit_code_of
from smsby_deploy.cli.examples import examples

if TYPE_CHECKING:
    from smsby_deploy.output.json_log import JsonLog

# name: (module, one line of help). The help stands here so that listing the commands imports none of them.
_COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Start a project that works against the sandbox at once."),
    "validate": ("validate", "Check every file, audience and text; offline, needs no token."),
    "render": ("render", "Show the texts that people would read, and their parts."),
    "plan": ("plan", "Show what would be sent, to how many people, at what cost."),
    "apply": ("apply", "Send what the plan says, and record it in the lock."),
    "status": ("status", "Tell what became of the mailings that were sent."),
    "lock": ("lock", "Look at the lock file, or settle what it can't know."),
    "import": ("import_", "Record a mailing that was made elsewhere."),
    "test-send": ("test_send", "Send one text of a mailing to a test phone."),
    "otp": ("otp", "Send a code by Telegram or WhatsApp."),
    "listen": ("listen", "Receive callbacks of sms.by and keep them."),
    "api": ("api", "Call any method of sms.by, raw."),
    "sandbox": ("sandbox", "Run a local sms.by that reaches nobody."),
    "demo": ("demo", "Walk through validate, plan, apply and status in the sandbox."),
    "schema": ("schema", "Print a JSON Schema: project, campaign, plan or lock."),
}


class LazyGroup(click.Group):
    """A group whose commands live in `smsby_deploy.cli.<module>`, each as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"smsby_deploy.cli.{_COMMANDS[cmd_name][0]}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and the nearest command is named if there is no such one."""
        if args and args[0] not in _COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            if near:
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
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
@click.option("-C", "--project", metavar="DIR", help="The folder that holds smsby.yaml.")
@click.option("-v", "--verbose", count=True, help="Say more on stderr.")
@click.option("-q", "--quiet", is_flag=True, help="Say only errors on stderr.")
@click.option("--no-color", is_flag=True, help="No colours, as with NO_COLOR.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What is said on stderr: for people, or a JSON object a line.",
)
@click.version_option(__version__, prog_name="smsby-deploy", message="%(prog)s %(version)s")
@click.pass_context
def group(
    ctx: click.Context, project: str | None, verbose: int, quiet: bool, no_color: bool, log_format: str
) -> None:
    """SMS campaigns as code for sms.by: reviewed before they are sent, and nobody gets a mailing twice."""
    color = not no_color and not os.environ.get("NO_COLOR")
    log = _open_log() if log_format == "json" else None
    ctx.obj = Context(project, verbose, quiet, color, os.environ, log)


def _open_log() -> JsonLog:
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.output.json_log import JsonLog

    return JsonLog(sys.stderr, SystemClock(), secret=os.environ.get("SMSBY_TOKEN", "").strip())


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether an error is told as JSON: also one of a command line that can't be parsed."""
    return "--log-format=json" in arguments or ("--log-format", "json") in itertools.pairwise(arguments)


def _write_any_text() -> None:
    """Never fail at a character that a terminal's encoding lacks, as in a console of Windows: it stands there as `?`.

    Documents that go to a file or a pipe are UTF-8 there too, as JSON and HTML say of themselves.
    """
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
        if not isinstance(stream, io.TextIOWrapper) or encoding == "utf8":
            continue
        as_asked = stream.isatty() or bool(os.environ.get("PYTHONIOENCODING"))
        stream.reconfigure(encoding=None if as_asked else "utf-8", errors="replace")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every error is told on stderr."""
    _write_any_text()
    verbose = any(word in ("--verbose", "-v", "-vv") for word in arguments)
    log = _open_log() if _wants_json(arguments) else None
    try:
        result = group.main(list(arguments), prog_name="smsby-deploy", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - the last place that can turn an error into a sentence
        return exit_code_of(error, verbose=verbose, log=log)
    return result if isinstance(result, int) else 0
