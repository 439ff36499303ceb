"""`otp`: send a one-time code by messenger."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, examples, yes_option
from smsby_deploy.cli.session import load_api_settings
from smsby_deploy.errors import UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import output_of, write_line
from smsby_deploy.privacy import mask_phone

_MESSENGERS = {"telegram": "Telegram", "whatsapp": "WhatsApp"}


@click.command(
    "otp",
    epilog=examples(
        "smsby-deploy otp telegram 375291234567 0042", "smsby-deploy otp whatsapp 375291234567 0042 --yes"
    ),
)
@click.argument("channel", type=click.Choice(list(_MESSENGERS)))
@click.argument("phone")
@click.argument("code")
@yes_option()
@click.pass_obj
def command(context: Context, channel: str, phone: str, code: str, yes: bool) -> ExitCode:
    """Send CODE, 1 to 16 digits, to PHONE by Telegram or WhatsApp.

    The lock does not record it. If the answer is lost, nothing is repeated: exit 6.
    """
    from smsby_deploy.apply.one_off import send_one
    from smsby_deploy.output.sms_text import receipt_line
    from smsby_deploy.smsby.methods import METHODS, check_params

    messenger, number = _MESSENGERS[channel], _read_phone(phone)
    method = METHODS[f"sendOtp{messenger}"]
    check_params(method, {"message": code, "phone": number})
    client = AccountAccess(load_api_settings(context), context.environ).open_sender()
    what = f"a code of {len(code)} digits to {mask_phone(number)} by {messenger}"
    context.announce(f"{what}; its cost is not known in advance", "code")
    context.require_confirmation(given=yes)
    receipt = send_one(method.name, lambda: client.send_otp(method.name, code=code, phone=number))
    line = receipt_line(receipt, mask_phone(number))
    with output_of(ExitCode.DONE, line):
        write_line(line, sys.stdout)
    return ExitCode.DONE


def _read_phone(text: str) -> str:
    """Raises UsageError if `text` is not a phone number."""
    from smsby_deploy.recipients.phones import BadPhone, normalize_opt_out

    try:
        return normalize_opt_out(text)
    except BadPhone as error:
        raise UsageError(f"PHONE: {error}", hint="for example 375291234567") from None
