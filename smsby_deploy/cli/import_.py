"""`import`: record a mailing that was made elsewhere, so that it is not sent again."""

from __future__ import annotations

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, MessageId, examples, reason_option
from smsby_deploy.cli.session import find_actor, find_commit, load, note_change, open_lock
from smsby_deploy.clock import SystemClock
from smsby_deploy.exit_codes import ExitCode


@click.command(
    "import",
    epilog=examples(
        "smsby-deploy import spring-sale/vip --message-id 2604834",
        "smsby-deploy import old/vip --uuid cc9c8043-8caf-11ef-b035-9e8f47954dec",
        "smsby-deploy import old/vip --message-id 2604834 --message-id 2604835",
    ),
)
@click.argument("address")
@click.option(
    "--message-id",
    "message_ids",
    type=MessageId(),
    multiple=True,
    metavar="N",
    help="Its message_id at sms.by; repeatable.",
)
@click.option(
    "--uuid", "uuids", multiple=True, metavar="U", help="The uuid that sendBulkSms returned; repeatable."
)
@reason_option()
@click.pass_obj
def command(
    context: Context, address: str, message_ids: tuple[int, ...], uuids: tuple[str, ...], reason: str
) -> ExitCode:
    """Record the mailing ADDRESS as sent, because sms.by already has it. Sends nothing.

    The lock records it with the content of the current files. Refused if sms.by does not know it, if it was not
    sent, or if it is already recorded.
    """
    if bool(message_ids) == bool(uuids):
        raise click.UsageError("name the mailing at sms.by: either --message-id N or --uuid U")
    from uuid import uuid4

    from smsby_deploy.apply.import_mailing import ImportRequest, import_mailing

    project = load(context).project
    account = AccountAccess(project.api, context.environ)
    client = account.open_reader()
    with open_lock(project).held(command=f"import {address}") as held:
        request = ImportRequest(
            address=address,
            message_ids=message_ids,
            uuids=tuple(uuid.strip() for uuid in uuids),
            by=find_actor(context.environ),
            reason=reason,
            commit=find_commit(project.root),
        )
        differences = import_mailing(
            load(context),
            held,
            client,
            request,
            clock=SystemClock(),
            new_id=uuid4().hex[:12],
            here=account.binding(),
        )
    for difference in differences:
        context.warn(f"REMOTE_DIFFERS: {address}: {difference.text}", "REMOTE_DIFFERS", address=address)
    note_change(context, f"{address} is recorded as sent", f"Import {address}", "plan")
    return ExitCode.DONE
