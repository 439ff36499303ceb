"""Messages to one phone per call.

createSmsMessage with sendSMS, sendQuickSMS, and one-time codes.
"""

from __future__ import annotations

import re
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.models import DELIVERED, NEW, NewMailing, NewSms
from smsby_deploy.sandbox.protocol import Params, Refusal, incorrect_arguments, int_of, text_of

_CODE = re.compile(r"\d{1,16}", re.ASCII)


def create_sms_message(account: Account, params: Params) -> Any:
    """Create a message without sending it.

    The same text and sender again are refused with the id of the first.
    """
    text = text_of(params, "message")
    parts = account.count_parts(text)
    number, name = account.alphaname(params)
    time = account.parse_time(params, "time")
    known = account.store.same_message(text, number) if account.settings.duplicates else None
    if known is not None:
        raise Refusal(f"The same message exists with ID={known.id}", message_id=known.id)
    now = account.now()
    settings = account.settings
    moderated_at: float | None = now
    if settings.moderation:
        moderated_at = now + settings.moderation_delay if settings.moderation_delay >= 0 else None
    (message,) = account.store.add(
        [
            NewMailing(
                kind="message",
                name=text_of(params, "name", ""),
                alphaname_id=number,
                alphaname=name,
                created=now,
                due=now if time is None else time,
                sms=[],
                text=text,
                moderated_at=moderated_at,
            )
        ]
    )
    return {
        "status": "ok",
        "parts": parts,
        "len": len(text),
        "message_id": message,
        "alphaname": name if number else "system",
        "time": 0 if time is None else int(time),
    }


def check_sms_message_status(account: Account, params: Params) -> Any:
    """Return `new` until the message is moderated, then `moderated`."""
    message = account.find_mailing(params, "message")
    if message is None or message.text is None:
        raise Refusal("not found", 404)
    return {
        "status": "moderated" if account.is_moderated(message) else "new",
        "parts": account.count_parts(message.text),
        "alphaname": message.alphaname if message.alphaname_id else "SYSTEM",
    }


def send_sms(account: Account, params: Params) -> Any:
    """Send a message to one phone; it must be moderated."""
    message = account.find_mailing(params, "message")
    if message is None or message.text is None:
        raise Refusal("message_id not found", 404)
    sms = account.new_sms(params.get("phone"), message.text)
    if not account.is_moderated(message):
        raise Refusal("access denied", 403)
    account.check_funds(sms.cost)
    number = account.store.add_sms(message, sms, max(account.now(), message.due))
    return {"sms_id": number, "status": "NEW"}


def check_sms(account: Account, params: Params) -> Any:
    """Return when a message was sent and delivered, in unix seconds; 0 means not yet."""
    sms = account.store.find_sms(int_of(params, "sms_id"))
    mailing = account.store.find(sms.mailing) if sms is not None else None
    if sms is None or mailing is None:
        raise Refusal("not found", 404)
    status, since = account.status_of(sms, mailing)
    return {
        "sms_id": sms.id,
        "sent": 0 if status == NEW else int(sms.due + account.settings.delay / 2),
        "delivered": int(since) if status == DELIVERED else 0,
        "status": status,
    }


def send_quick_sms(account: Account, params: Params) -> Any:
    """Send one SMS.

    `show_cost` adds its cost; `forwarding_message` is validated and otherwise ignored. Without a sender, sms.by answers that
    the name is wrong.
    """
    number, name = account.alphaname(params, "ошибка в буквенном имени", is_required=True)
    # Everything is read before the SMS is sent: a call that is refused sends nothing.
    if _switch_of(params, "forwarding_message") and not 5 <= int_of(params, "forwarding_time", 60) <= 60:
        raise incorrect_arguments()
    int_of(params, "vibername_id", 0)
    shows_cost = _switch_of(params, "show_cost")
    sms = account.new_sms(params.get("phone"), text_of(params, "message"))
    answer = send_at_once(account, sms, "quick", number, name)
    # The field that show_cost adds is not documented.
    return answer | ({"cost": f"{sms.cost:.5f}"} if shows_cost else {})


def _switch_of(params: Params, name: str) -> bool:
    """Return a parameter that is 1 or 0, 0 by default."""
    number = int_of(params, name, 0)
    if number > 1:
        raise incorrect_arguments()
    return number == 1


def send_otp_telegram(account: Account, params: Params) -> Any:
    return _send_otp(account, params, "telegram")


def send_otp_whatsapp(account: Account, params: Params) -> Any:
    return _send_otp(account, params, "whatsapp")


def _send_otp(account: Account, params: Params, channel: str) -> Any:
    code = text_of(params, "message")
    if not _CODE.fullmatch(code):
        raise incorrect_arguments()
    sms = account.new_sms(params.get("phone"), code, channel)
    return send_at_once(account, sms, "otp", 0, channel.capitalize())


def send_at_once(account: Account, sms: NewSms, kind: str, number: int, name: str) -> dict[str, Any]:
    """Charge for a message and send it; `number` and `name` are the sender."""
    account.check_funds(sms.cost)
    now = account.now()
    (mailing,) = account.store.add([NewMailing(kind, "", number, name, now, now, [sms])])
    (sent,) = account.store.sms_of(mailing)
    return {"sms_id": sent.id, "status": "NEW", "parts": sms.parts}
