"""`sandbox`: a local sms.by that sends nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsby_deploy.cli.options import NumberRange, examples, file_option, host_option
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_line

if TYPE_CHECKING:
    from smsby_deploy.sandbox.sandbox_settings import SandboxSettings


@click.command(
    "sandbox",
    epilog=examples(
        "smsby-deploy sandbox",
        "smsby-deploy sandbox --port 0 --data sandbox.sqlite",
        "smsby-deploy sandbox --lenient",
        "smsby-deploy sandbox --set balance=5 --set error_status=200",
        "smsby-deploy --env sandbox apply",
    ),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    metavar="PORT",
    help="Port; 0 picks a free one.",
)
@host_option()
@file_option("--data", "Store everything in FILE (SQLite) instead of in memory.")
@click.option(
    "--delay",
    type=NumberRange(0),
    metavar="SECONDS",
    default=0.5,
    show_default=True,
    help="Time until an SMS is delivered.",
)
@click.option(
    "--account-timezone",
    default="Europe/Minsk",
    metavar="ZONE",
    show_default=True,
    help="Time zone in which it reads textual dates.",
)
@click.option(
    "--lenient",
    is_flag=True,
    help="Accept parameters in any place, with any verb, and require none.",
)
@click.option(
    "--set",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a switch, see docs/sandbox.md; repeatable.",
)
def command(
    port: int,
    host: str,
    data: Path | None,
    delay: float,
    account_timezone: str,
    lenient: bool,
    switches: tuple[str, ...],
) -> ExitCode:
    """Run a local sms.by with alphanames, contact lists and a balance; any token is accepted.

    It checks calls as strictly as sms.by documents them: verb, place and presence of each parameter. --lenient is for
    clients that do not follow the documentation to the letter.

    It prints its URL; open it in a browser to see what recipients would get.
    """
    with explain_missing_flask():
        from smsby_deploy.sandbox.sandbox_settings import BadSetting, SandboxSettings
        from smsby_deploy.sandbox.server import make_service, serve
    settings = SandboxSettings()
    changes = dict(_read_switch(text, settings) for text in switches)
    try:
        settings.change(
            {"strict": not lenient, "delay": delay, "account_timezone": account_timezone, **changes}
        )
    except BadSetting as error:
        raise click.UsageError(str(error)) from error
    service = make_service(settings, data)
    service.change_settings(changes)  # they also override a balance stored by an earlier run
    with suppress(KeyboardInterrupt):
        serve(service, host, port, _announce)
    return ExitCode.DONE


@contextmanager
def explain_missing_flask() -> Iterator[None]:
    """Name the extra to install if the modules of the sandbox cannot be imported without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug"):
            raise
        raise SmsbyDeployError(
            "the sandbox needs Flask", hint="pip install 'smsby-deploy[sandbox]'"
        ) from error


def _read_switch(text: str, settings: SandboxSettings) -> tuple[str, Any]:
    """Return NAME and VALUE: JSON if it is valid, unless the values of the switch are text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set: expected NAME=VALUE, got {text!r}")
    if isinstance(getattr(settings, name, None), str):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _announce(url: str) -> None:
    """Print the URL for programs; at a terminal also explain how to use it."""
    from smsby_deploy.config.environments import SANDBOX_URL

    write_line(url, sys.stdout)
    if sys.stdout.isatty():
        write_line(f"Open {url}/ to see what recipients get. Press Ctrl-C to stop.", sys.stderr)
        write_line("In another terminal:", sys.stderr)
        address = "" if url == SANDBOX_URL else f"SMSBY_API_URL={url} "
        write_line(f"  {address}smsby-deploy --env sandbox apply", sys.stderr)
