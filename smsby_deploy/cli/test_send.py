"""`test-send`: one text of a mailing, to a phone of one's own."""

from __future__ import annotations

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.prompts import ask_to_send


@click.command(
    "test-send",
    epilog=examples(
        "smsby-deploy test-send spring-sale/vip --to 375291234567",
        "smsby-deploy test-send spring-sale/vip --to 375291234567 --row 7 --yes",
    ),
)
@click.argument("address")
@click.option(
    "--to", required=True, metavar="PHONE", help="Who gets it; one of test_phones, if there are any."
)
@click.option(
    "--row",
    type=click.IntRange(min=1),
    metavar="N",
    help="The text of the N-th recipient, counted as by render; left out: of the first that can be sent to.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(context: Context, address: str, to: str, row: int | None, yes: bool) -> int:
    """Send one rendered text of the mailing ADDRESS to PHONE, through sendQuickSMS, after showing its cost.

    The lock learns nothing of it, and a lost answer is never repeated: exit 6.
    """
    from smsby_deploy.apply.one_off import prepare_test, send_one
    from smsby_deploy.cli.session import load, open_reader, open_sender
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.output.one_off_text import receipt_line, trial_lines
    from smsby_deploy.privacy import mask_phone

    loaded, clock = load(context), SystemClock()
    project = loaded.project
    test = prepare_test(
        loaded, address, to=to, row=row, open_client=lambda: open_reader(project.api, context.environ, clock)
    )
    client = open_sender(project.api, context.environ, clock)
    for line in trial_lines(test):
        if context.log is not None:
            context.note(line, "trial", address=address)
        else:
            click.echo(line, err=True)
    if not yes:
        ask_to_send(context)
    receipt = send_one(
        "sendQuickSMS",
        lambda: client.send_quick_sms(
            message=test.sample.text, phone=test.phone, alphaname_id=test.alphaname_id, show_cost=True
        ),
    )
    click.echo(receipt_line(receipt, mask_phone(test.phone), currency=test.currency))
    return 0
