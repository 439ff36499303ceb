"""`test-send`: one text of a mailing, to a test phone."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, examples, yes_option
from smsby_deploy.cli.session import load, refuse_damaged_lock
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import output_of, write_line
from smsby_deploy.privacy import mask_phone


@click.command(
    "test-send",
    epilog=examples(
        "smsby-deploy test-send spring-sale/vip --to 375291234567",
        "smsby-deploy test-send spring-sale/vip --to 375291234567 --row 7 --yes",
    ),
)
@click.argument("address")
@click.option(
    "--to", required=True, metavar="PHONE", help="The phone to send to; one of test_phones, if they are set."
)
@click.option(
    "--row",
    type=click.IntRange(min=1),
    metavar="N",
    help="Send the text of the N-th recipient, counted as by render; default: the first recipient who did not opt out.",
)
@yes_option()
@click.pass_obj
def command(context: Context, address: str, to: str, row: int | None, yes: bool) -> ExitCode:
    """Send one rendered text of the mailing ADDRESS to PHONE, after showing its cost.

    It is sent by sendQuickSMS, and the lock does not record it. If the answer is lost, nothing is repeated: exit 6.
    """
    from smsby_deploy.apply.one_off import prepare_test, send_one
    from smsby_deploy.output.sms_text import outgoing_lines, receipt_line

    loaded = load(context)
    account = AccountAccess(loaded.project.api, context.environ)
    test = prepare_test(loaded, address, to=to, row=row, open_client=account.open_reader)
    refuse_damaged_lock(loaded.project)
    client = account.open_sender()
    phone = mask_phone(test.phone)
    for line in outgoing_lines(test, phone):
        context.announce(line, "trial", address=address)
    context.require_confirmation(given=yes)
    receipt = send_one(
        "sendQuickSMS",
        lambda: client.send_quick_sms(
            message=test.sample.text, phone=test.phone, alphaname_id=test.alphaname_id
        ),
    )
    line = receipt_line(receipt, phone, currency=test.currency)
    with output_of(ExitCode.DONE, line):
        write_line(line, sys.stdout)
    return ExitCode.DONE
