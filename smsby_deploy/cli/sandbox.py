"""`sandbox`: a local sms.by that reaches nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smsby_deploy.cli.examples import examples
from smsby_deploy.errors import SmsbyDeployError


@click.command(
    "sandbox",
    epilog=examples(
        "smsby-deploy sandbox",
        "smsby-deploy sandbox --port 0 --data sandbox.sqlite",
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
def command(port: int, host: str, data: Path | None, delay: float, account_timezone: str) -> int:
    """Run a local sms.by: any token, some alphanames, a list, a balance; it prints its URL."""
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
    try:
        settings.change({"delay": delay, "account_timezone": account_timezone})
    except BadSetting as error:
        raise click.UsageError(str(error)) from error
    serve(make_service(settings, data), host, port, _tell)
    return 0


def _tell(url: str) -> None:
    """One line with the URL, for programs that start a sandbox; a person is told more."""
    click.echo(url)
    if sys.stdout.isatty():
        click.echo(f"Open {url}/ to see what people get; Ctrl-C ends it. In another terminal:", err=True)
        click.echo(f"  export SMSBY_API_URL={url} SMSBY_TOKEN=any", err=True)
