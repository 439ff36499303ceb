"""`listen`: receive the callbacks of sms.by and keep them."""

from __future__ import annotations

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples


@click.command("listen", epilog=examples("smsby-deploy listen --port 8026", "smsby-deploy listen --port 0"))
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Where it listens; 0: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.pass_obj
def command(context: Context, port: int, host: str) -> int:
    """Receive callbacks of sms.by and keep each as it came, beside the lock file.

    Set `api.callback_url` in smsby.yaml to the https address of a proxy that leads here. The file ends in
    .callbacks.jsonl and may hold phone numbers: don't commit it. It runs until Ctrl-C.
    """
    from smsby_deploy.cli.session import load
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import SmsbyDeployError
    from smsby_deploy.status.callbacks import CallbackLog, callbacks_path
    from smsby_deploy.status.listener import open_listener

    path = callbacks_path(load(context).project.lock)
    log = CallbackLog(path, SystemClock(), context.environ.get("SMSBY_TOKEN", "").strip())
    try:
        server = open_listener(log, host, port, context.note)
    except OSError as error:
        raise SmsbyDeployError(
            f"can't listen at {host}:{port}: {error.strerror or error}", hint="name another --port"
        ) from error
    with server:
        click.echo(f"http://{host}:{server.server_address[1]}")
        context.note(f"callbacks are kept in {path.name}; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0
