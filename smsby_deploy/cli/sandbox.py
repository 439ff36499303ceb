"""`sandbox`: a local sms.by that reaches nobody."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from smsby_deploy.cli.examples import examples
from smsby_deploy.errors import SmsbyDeployError


@click.command(
    "sandbox",
    epilog=examples(
        "smsby-deploy sandbox",
        "smsby-deploy sandbox --port 0 --data sandbox.sqlite",
        "smsby-deploy sandbox --set balance=5 --set error_status=200",
        "SMSBY_API_URL=http://127.0.0.1:8025 SMSBY_TOKEN=any smsby-deploy plan",
    ),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    help="Where it listens; 0: a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option(
    "--data",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep everything in FILE (SQLite), not in memory.",
)
@click.option(
    "--delay", type=click.FloatRange(0), default=0.5, show_default=True, help="Seconds to a delivery."
)
@click.option(
    "--account-timezone", default="Europe/Minsk", show_default=True, help="The clock in which it reads dates."
)
@click.option(
    "--set",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Start with another switch; docs/sandbox.md has all of them.",
)
def command(
    port: int, host: str, data: Path | None, delay: float, account_timezone: str, switches: tuple[str, ...]
) -> int:
    """Run a local sms.by: any token, some alphanames, lists, a balance.

    It prints its URL, which in a browser shows what people would get.
    """
    try:
        from smsby_deploy.sandbox.server import make_service, serve
        from smsby_deploy.sandbox.settings import BadSetting, SandboxSettings
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "werkzeug"):
            raise
        raise SmsbyDeployError(
            "the sandbox needs Flask", hint="pip install 'smsby-deploy[sandbox]'"
        ) from error
    settings = SandboxSettings()
    changes = dict(_read_switch(text) for text in switches)
    try:
        settings.change({"delay": delay, "account_timezone": account_timezone, **changes})
    except BadSetting as error:
        raise click.UsageError(str(error)) from error
    service = make_service(settings, data)
    service.change_settings(changes)  # the balance too, where an earlier run left another one
    serve(service, host, port, _tell)
    return 0


def _read_switch(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON if it is JSON, else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _tell(url: str) -> None:
    """One line with the URL, for programs that start a sandbox; a person is told more."""
    click.echo(url)
    if sys.stdout.isatty():
        click.echo(f"Open {url}/ to see what people get; Ctrl-C ends it.", err=True)
        click.echo("In another terminal:", err=True)
        click.echo(f"  export SMSBY_API_URL={url} SMSBY_TOKEN=any", err=True)
