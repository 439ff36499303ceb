"""`import`: record a mailing that was made elsewhere, so that it is never sent again."""

from __future__ import annotations

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.provenance import who


@click.command(
    "import",
    epilog=examples(
        "smsby-deploy import spring-sale/vip --message-id 2604834",
        "smsby-deploy import spring-sale/vip --uuid cc9c8043-8caf-11ef-b035-9e8f47954dec --reason 'sent by hand'",
        "smsby-deploy import spring-sale/vip --message-id 2604834 --message-id 2604835",
    ),
)
@click.argument("address")
@click.option(
    "--message-id",
    "message_ids",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="Its id at sms.by; may be repeated.",
)
@click.option(
    "--uuid", "uuids", multiple=True, metavar="U", help="What sendBulkSms answered; may be repeated."
)
@click.option("--reason", default="", help="Why; it is recorded.")
@click.pass_obj
def command(
    context: Context, address: str, message_ids: tuple[int, ...], uuids: tuple[str, ...], reason: str
) -> int:
    """Record the mailing ADDRESS as sent, because sms.by has it already. Sends nothing.

    The lock then records it as the files are now. Nothing is recorded that sms.by does not know, that did not go
    out, or that is recorded already.
    """
    if bool(message_ids) == bool(uuids):
        raise click.UsageError("say which one it is: --message-id N, or --uuid U")
    from uuid import uuid4

    from smsby_deploy.apply.import_mailing import ImportRequest, import_mailing
    from smsby_deploy.cli.git import git_commit
    from smsby_deploy.cli.session import load, open_lock, open_reader
    from smsby_deploy.clock import SystemClock

    clock = SystemClock()
    project = load(context).project
    client = open_reader(project.api, context.environ, clock)
    with open_lock(project).held(command=f"import {address}") as held:
        wanted = ImportRequest(
            address=address,
            message_ids=message_ids,
            uuids=tuple(uuid.strip() for uuid in uuids),
            by=who(context.environ),
            reason=reason,
            commit=git_commit(project.root),
        )
        differences = import_mailing(
            load(context), held, client, wanted, clock=clock, new_id=uuid4().hex[:12]
        )
    for difference in differences:
        context.warn(f"REMOTE_DIFFERS: {address}: {difference.text}", "REMOTE_DIFFERS", address=address)
    context.note(f"{address} is recorded as sent; next: commit the lock file, then `smsby-deploy plan`")
    return 0
