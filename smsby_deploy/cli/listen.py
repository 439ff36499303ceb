"""`listen`: receive the callbacks of sms.by and store them."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.options import Context, examples, host_option
from smsby_deploy.cli.session import load, open_lock
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError, UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_line
from smsby_deploy.privacy import find_tokens


@click.command("listen", epilog=examples("smsby-deploy listen", "smsby-deploy listen --port 0"))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8026,
    show_default=True,
    metavar="PORT",
    help="Port; 0 picks a free one.",
)
@host_option()
@click.pass_obj
def command(context: Context, port: int, host: str) -> ExitCode:
    """Receive the callbacks of sms.by and store each one, next to the lock file.

    Set `api.callback_url` in smsby.yaml to the https URL of a proxy that forwards to this port, and
    SMSBY_CALLBACK_SECRET to the same value here and where `apply` runs: `apply` appends a path derived from it, and any
    other path is answered with 404. The name of the file ends in .callbacks.jsonl, and it may contain phone numbers: do
    not commit it. Ctrl-C stops the command.
    """
    from smsby_deploy.config.environments import CALLBACK_SECRET
    from smsby_deploy.status.callbacks import CallbackLog, callbacks_path, uuids_of
    from smsby_deploy.status.listener import CallbackServer

    project = load(context).project
    secret_path = project.api.callback_path
    if not secret_path:
        raise UsageError(
            f"{CALLBACK_SECRET} is not set, so anyone could send callbacks",
            hint="set it to the same value here and where `apply` runs; `openssl rand -hex 32` makes one",
        )
    clock, store, path = SystemClock(), open_lock(project), callbacks_path(project.lock)
    secrets = (secret_path, *find_tokens(context.environ))
    log = CallbackLog(path, clock, secrets, read_uuids=lambda: uuids_of(store.read()))
    try:
        server = CallbackServer((host, port), log, context.note, secret_path=secret_path, clock=clock)
    except OSError as error:
        reason = error.strerror or error
        raise SmsbyDeployError(
            f"cannot listen on {host}:{port}: {reason}", hint="choose another --port or --host"
        ) from error
    with server:
        write_line(f"http://{host}:{server.server_address[1]}", sys.stdout)
        context.note(f"callbacks are stored in {path.name}; press Ctrl-C to stop")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return ExitCode.DONE
    return ExitCode.DONE
