"""`approve`: sign the mailings of a plan."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from smsby_deploy.cli.context import Context, examples
from smsby_deploy.exit_codes import ExitCode


@click.command(
    "approve",
    epilog=examples(
        "smsby-deploy approve plan.json", "smsby-deploy approve plan.json --key ~/.ssh/id_ed25519"
    ),
)
@click.argument("plan_path", metavar="PLANFILE", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The SSH key to sign with, or the public key of one in your agent. Default: git's signing key, or one in ~/.ssh.",
)
@click.pass_obj
def command(context: Context, plan_path: Path, key: Path | None) -> ExitCode:
    """Sign the mailings of PLANFILE, where smsby.yaml asks for signatures.

    The signature is a file in approvals/: commit it. `plan` and `apply` verify it. It covers environment, address, revision,
    text, recipients and time of each mailing; later opt-outs are honored and do not invalidate it, anything else does.
    """
    from smsby_deploy.cli.session import find_signing_key, load
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.output.plan_text import write_signed
    from smsby_deploy.plan.approvals import sign_plan
    from smsby_deploy.plan.plan_file import read_plan

    project = load(context).project
    plan = read_plan(plan_path)
    chosen = key or find_signing_key(project.root, context.environ)
    signed = sign_plan(project, plan, chosen, SystemClock().now())
    file = shlex.quote(os.path.relpath(project.root / signed.file))
    write_signed(signed, sys.stdout, file=file, plan=shlex.quote(str(plan_path)), program=context.program)
    return ExitCode.DONE
