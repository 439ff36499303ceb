"""`approve`: sign the mailings of a plan."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from smsby_deploy.cli.options import Context, examples
from smsby_deploy.cli.session import load, refuse_damaged_lock
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import UsageError
from smsby_deploy.exit_codes import ExitCode

_KEY_KINDS = ("ed25519", "ed25519_sk", "ecdsa", "ecdsa_sk", "rsa")  # the names that ssh-keygen gives


@click.command(
    "approve",
    epilog=examples(
        "smsby-deploy approve plan.json", "smsby-deploy approve plan.json --key ~/.ssh/id_ed25519"
    ),
)
@click.argument("plan_path", metavar="PLANFILE", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The SSH key to sign with, or the public key of one in your agent. Default: git's signing key, or one in ~/.ssh.",
)
@click.pass_obj
def command(context: Context, plan_path: Path, key: Path | None) -> ExitCode:
    """Sign the mailings of PLANFILE, by the rules under `approvals` in smsby.yaml.

    The signature is a file in approvals/: commit it. `plan` and `apply` verify it. It covers environment, address, revision,
    text, sender, recipients and time of each mailing. Later opt-outs are honored and do not invalidate it; any other
    change does.
    """
    from smsby_deploy.output.plan_text import write_signed
    from smsby_deploy.plan.plan_file import read_plan
    from smsby_deploy.plan.sign_plan import sign_plan

    loaded = load(context)
    project, plan = loaded.project, read_plan(plan_path)
    refuse_damaged_lock(project)

    def find_key() -> Path:
        return key or _find_signing_key(project.root, context.environ)

    signed = sign_plan(loaded, plan, find_key, SystemClock().now())
    file = shlex.quote(os.path.relpath(project.root / signed.file))
    write_signed(signed, sys.stdout, file=file, plan=shlex.quote(str(plan_path)), program=context.program)
    return ExitCode.DONE


def _find_signing_key(folder: Path, environ: Mapping[str, str]) -> Path:
    """The SSH key that git signs with, otherwise the first in ~/.ssh.

    Raises:
        UsageError: there is none.
    """
    from smsby_deploy.git import ask_git

    home = Path(environ.get("HOME") or Path.home())
    configured = Path(ask_git(folder, "config", "--get", "user.signingKey") or "-").expanduser()
    keys = (configured, *(home / ".ssh" / f"id_{kind}" for kind in _KEY_KINDS))
    found = next((key for key in keys if key.is_file()), None)
    if found is None:
        raise UsageError(
            "there is no SSH key to sign with", hint="name one with --key, or make one with ssh-keygen"
        )
    return found
