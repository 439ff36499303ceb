"""`listen`: receive the callbacks of sms.by and store them."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.context import Context, examples
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_line


@click.command("listen", epilog=examples("smsby-deploy listen --port 8026", "smsby-deploy listen --port 0"))
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port; 0 picks a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.pass_obj
def command(context: Context, port: int, host: str) -> ExitCode:
    """Receive the callbacks of sms.by and store each one unchanged, beside the lock file.

    Set `api.callback_url` in smsby.yaml to the https URL of a proxy that forwards to this port. The file ends in
    .callbacks.jsonl and may contain phone numbers: do not commit it. Ctrl-C stops the command.
    """
    from smsby_deploy.cli.session import load
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import SmsbyDeployError
    from smsby_deploy.privacy import find_tokens
    from smsby_deploy.status.callbacks import CallbackLog, callbacks_path, open_listener

    path = callbacks_path(load(context).project.lock)
    log = CallbackLog(path, SystemClock(), find_tokens(context.environ))
    try:
        server = open_listener(log, host, port, context.note)
    except OSError as error:
        reason = error.strerror or error
        raise SmsbyDeployError(
            f"cannot listen on {host}:{port}: {reason}", hint="choose another --port"
        ) from error
    with server:
        write_line(f"http://{host}:{server.server_address[1]}", sys.stdout)
        context.note(f"callbacks are stored in {path.name}; press Ctrl-C to stop")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return ExitCode.DONE
    return ExitCode.DONE
