"""One message in one call: sendQuickSMS, sendOtpTelegram, sendOtpWhatsApp."""

from __future__ import annotations

import re
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.errors import incorrect_arguments
from smsby_deploy.sandbox.models import NewMailing, NewSms
from smsby_deploy.sandbox.params import Params, int_of, text_of

_CODE = re.compile(r"\d{1,16}", re.ASCII)


def send_quick_sms(account: Account, params: Params) -> Any:
    """One SMS; `show_cost` adds its cost, `forwarding_message` is checked and otherwise ignored."""
    number, name = account.alphaname(params, "ошибка в буквенном имени")
    if int_of(params, "forwarding_message", 0) and not 5 <= int_of(params, "forwarding_time", 60) <= 60:
        raise incorrect_arguments()
    int_of(params, "vibername_id", 0)
    sms = account.new_sms(params.get("phone"), text_of(params, "message"))
    answer = _send(account, sms, "quick", number, name)
    # The name of the field that show_cost adds is not documented.
    return answer | ({"cost": f"{sms.cost:.5f}"} if int_of(params, "show_cost", 0) else {})


def send_otp_telegram(account: Account, params: Params) -> Any:
    return _send_otp(account, params, "telegram")


def send_otp_whatsapp(account: Account, params: Params) -> Any:
    return _send_otp(account, params, "whatsapp")


def _send_otp(account: Account, params: Params, channel: str) -> Any:
    code = text_of(params, "message")
    if not _CODE.fullmatch(code):
        raise incorrect_arguments()
    return _send(account, account.new_sms(params.get("phone"), code, channel), "otp", 0, channel.capitalize())


def _send(account: Account, sms: NewSms, kind: str, number: int, name: str) -> dict[str, Any]:
    account.check_funds(sms.cost)
    now = account.now()
    (mailing,) = account.store.add([NewMailing(kind, "", number, name, now, now, [sms])])
    (sent,) = account.store.sms_of(mailing)
    return {"sms_id": sent.id, "status": "NEW", "parts": sms.parts}
