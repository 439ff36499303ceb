"""`demo`: the sample project from files to delivery, against a sandbox that sends nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from smsby_deploy.cli.init import copy_sample
from smsby_deploy.cli.options import examples
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_line

_WAIT_SECONDS = 20.0


@click.command("demo", epilog=examples("smsby-deploy demo"))
def command() -> ExitCode:
    """Run validate, plan, apply and status on the sample project, against a sandbox."""
    with tempfile.TemporaryDirectory(prefix="smsby-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy_sample(folder, SystemClock().now().date())
        with _sandbox() as url:
            environ = {**os.environ, "SMSBY_API_URL": url, "SMSBY_TOKEN": "demo"}
            for name in ("SMSBY_PROJECT", "SMSBY_ENV"):
                environ.pop(name, None)
            _run(("validate",), folder, environ)
            _run(("plan", "--out", "demo.plan.json"), folder, environ)
            _run(("apply", "demo.plan.json", "--auto-approve"), folder, environ)
            _wait_for_final(folder, environ)
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


def _wait_for_final(folder: Path, environ: Mapping[str, str]) -> None:
    """Wait until at least one mailing is final, or for 20 seconds."""
    clock = SystemClock()
    deadline = clock.monotonic() + _WAIT_SECONDS
    while clock.monotonic() < deadline:
        status = subprocess.run(  # noqa: S603
            _command_line(("status", "--format", "json")),
            cwd=folder,
            env=environ,
            check=False,
            stdout=subprocess.PIPE,
        )
        if status.returncode != 0:
            return  # the status that follows shows why
        if any(mailing["state"] == "final" for mailing in json.loads(status.stdout)["mailings"]):
            return
        clock.sleep(0.5)


@contextmanager
def _sandbox() -> Iterator[str]:
    """Run a sandbox in its own process, on a free port; yields its URL."""
    arguments = _command_line(("sandbox", "--port", "0"))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            line = server.stdout.readline() if server.stdout else ""
            url = next((word for word in line.split() if word.startswith("http://")), None)
            if url is None:
                raise SmsbyDeployError(
                    "the sandbox did not start", hint="it needs an extra: pip install 'smsby-deploy[sandbox]'"
                )
            yield url.rstrip("/")
        finally:
            server.terminate()
