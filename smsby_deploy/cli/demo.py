"""`demo`: the sample project from files to delivery, against a sandbox that sends nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from smsby_deploy.cli.init import copy_sample
from smsby_deploy.cli.options import examples
from smsby_deploy.cli.sandbox import explain_missing_flask
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_line


@click.command("demo", epilog=examples("smsby-deploy demo"))
def command() -> ExitCode:
    """Run validate, plan, apply and status on the sample project, against a sandbox."""
    with explain_missing_flask():
        from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
        from smsby_deploy.sandbox.server import make_service, serving

    with tempfile.TemporaryDirectory(prefix="smsby-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy_sample(folder, SystemClock().now().date())
        with serving(make_service(SandboxSettings(delay=0))) as url:
            environ = {**os.environ, "SMSBY_API_URL": url, "SMSBY_TOKEN": "demo"}
            for name in ("SMSBY_PROJECT", "SMSBY_ENV"):
                environ.pop(name, None)
            _run(("validate",), folder, environ)
            _run(("plan", "--out", "demo.plan.json"), folder, environ)
            _run(("apply", "demo.plan.json", "--auto-approve"), folder, environ)
            _run(("status",), folder, environ)
            _run(("plan",), folder, environ)
    write_line("\nThe second plan has nothing to do: no recipient gets a mailing twice.", sys.stdout)
    write_line("The demo's project has been deleted. Create your own: smsby-deploy init my-shop", sys.stdout)
    return ExitCode.DONE


def _command_line(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "smsby_deploy", *arguments]


def _run(arguments: tuple[str, ...], folder: Path, environ: Mapping[str, str]) -> None:
    write_line(f"\n$ smsby-deploy {' '.join(arguments)}", sys.stdout)
    sys.stdout.flush()
    code = subprocess.run(_command_line(arguments), cwd=folder, env=environ, check=False).returncode  # noqa: S603
    if code != 0:
        raise SmsbyDeployError(f"`smsby-deploy {arguments[0]}` failed with exit code {code}")
