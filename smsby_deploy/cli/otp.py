"""`otp`: a code by messenger."""

from __future__ import annotations

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.prompts import ask_to_send

_METHODS = {"telegram": "sendOtpTelegram", "whatsapp": "sendOtpWhatsApp"}
_NAMES = {"telegram": "Telegram", "whatsapp": "WhatsApp"}


@click.command(
    "otp",
    epilog=examples(
        "smsby-deploy otp telegram 375291234567 0042", "smsby-deploy otp whatsapp 375291234567 0042 --yes"
    ),
)
@click.argument("channel", type=click.Choice(list(_METHODS)))
@click.argument("phone")
@click.argument("code")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(context: Context, channel: str, phone: str, code: str, yes: bool) -> int:
    """Send CODE, 1 to 16 digits, to PHONE by Telegram or WhatsApp.

    The lock learns nothing of it, and a lost answer is never repeated: exit 6.
    """
    from smsby_deploy.apply.one_off import send_one
    from smsby_deploy.cli.api import api_settings
    from smsby_deploy.cli.session import open_sender
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import UsageError
    from smsby_deploy.output.one_off_text import receipt_line
    from smsby_deploy.privacy import mask_phone
    from smsby_deploy.recipients.phones import BadPhone, normalize_opt_out
    from smsby_deploy.smsby.methods import METHODS, check_params

    method = METHODS[_METHODS[channel]]
    try:
        number = normalize_opt_out(phone)
    except BadPhone as error:
        raise UsageError(f"PHONE: {error}", hint="e.g. 375291234567") from None
    check_params(method, {"message": code, "phone": number})
    client = open_sender(api_settings(context), context.environ, SystemClock())
    line = f"a code of {len(code)} digits to {mask_phone(number)} by {_NAMES[channel]}; sms.by tells no price before"
    if context.log is not None:
        context.note(line, "code")
    else:
        click.echo(line, err=True)
    if not yes:
        ask_to_send(context)
    send = client.send_otp_telegram if channel == "telegram" else client.send_otp_whatsapp
    receipt = send_one(method.name, lambda: send(code=code, phone=number))
    click.echo(receipt_line(receipt, mask_phone(number)))
    return 0
