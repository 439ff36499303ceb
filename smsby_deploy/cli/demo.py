"""`demo`: the sample project, from the files to the delivery, against a sandbox that reaches nobody."""

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

from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.init import copy_sample
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError

_WAIT_SECONDS = 20.0


@click.command("demo", epilog=examples("smsby-deploy demo"))
def command() -> int:
    """Walk through validate, plan, apply and status in the sandbox; exits 0 only if every step did."""
    with tempfile.TemporaryDirectory(prefix="smsby-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        copy_sample(folder, SystemClock().now().date())
        with _sandbox() as url:
            environ = {**os.environ, "SMSBY_API_URL": url, "SMSBY_TOKEN": "demo"}
            environ.pop("SMSBY_PROJECT", None)
            for step in (
                ("validate",),
                ("plan", "--out", "demo.plan.json"),
                ("apply", "demo.plan.json", "--auto-approve"),
            ):
                _step(step, folder, environ)
            _wait_for_final(folder, environ)
            _step(("status",), folder, environ)
            _step(("plan",), folder, environ)
    click.echo("\nThe second plan has nothing to do: nobody gets a mailing twice.")
    click.echo("All of it was a copy, and is gone. Start a project of your own: smsby-deploy init my-shop")
    return 0


def _command_line(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "smsby_deploy", *arguments]


def _step(arguments: tuple[str, ...], folder: Path, environ: Mapping[str, str]) -> None:
    click.echo(f"\n$ smsby-deploy {' '.join(arguments)}")
    sys.stdout.flush()
    code = subprocess.run(_command_line(arguments), cwd=folder, env=environ, check=False).returncode  # noqa: S603
    if code != 0:
        raise SmsbyDeployError(f"`smsby-deploy {arguments[0]}` ended with exit code {code}")


def _wait_for_final(folder: Path, environ: Mapping[str, str]) -> None:
    """Wait till sms.by has finished one mailing at least; it is no failure if it takes too long."""
    clock = SystemClock()
    deadline = clock.monotonic() + _WAIT_SECONDS
    while clock.monotonic() < deadline:
        answer = subprocess.run(  # noqa: S603
            _command_line(("status", "--format", "json")),
            cwd=folder,
            env=environ,
            check=False,
            stdout=subprocess.PIPE,
        )
        if answer.returncode != 0:
            return  # the status that is shown next tells why
        if any(mailing["state"] == "final" for mailing in json.loads(answer.stdout)["mailings"]):
            return
        clock.sleep(0.5)


@contextmanager
def _sandbox() -> Iterator[str]:
    """A sandbox in a process of its own, on a free port; gives its URL."""
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
