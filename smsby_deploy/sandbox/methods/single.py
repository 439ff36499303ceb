"""A message made once and sent to one phone a call: createSmsMessage, sendSMS and their checks."""

from __future__ import annotations

from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.delivery_outcomes import DELIVERED, NEW
from smsby_deploy.sandbox.errors import Refusal
from smsby_deploy.sandbox.models import NewMailing
from smsby_deploy.sandbox.params import Params, int_of, text_of
from smsby_deploy.sandbox.parts import count_parts


def create_sms_message(account: Account, params: Params) -> Any:
    """Make a message; it reaches nobody. The same text and sender again is an error that names the first one."""
    text = text_of(params, "message")
    parts = count_parts(text)
    number, name = account.alphaname(params)
    time = account.moment(params, "time")
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
                goes_out=now if time is None else time,
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
    """`new` till it is moderated, then `moderated`."""
    message = account.find_mailing(params, "message")
    if message is None or message.text is None:
        raise Refusal("not found", 404)
    return {
        "status": "moderated" if account.is_moderated(message) else "new",
        "parts": count_parts(message.text),
        "alphaname": message.alphaname if message.alphaname_id else "SYSTEM",
    }


def send_sms(account: Account, params: Params) -> Any:
    """Send a message to one phone; a message that is not moderated is refused."""
    message = account.find_mailing(params, "message")
    if message is None or message.text is None:
        raise Refusal("message_id not found", 404)
    sms = account.new_sms(params.get("phone"), message.text)
    if not account.is_moderated(message):
        raise Refusal("access denied", 403)
    account.check_funds(sms.cost)
    number = account.store.add_sms(message, sms, max(account.now(), message.goes_out))
    return {"sms_id": number, "status": "NEW"}


def check_sms(account: Account, params: Params) -> Any:
    """When a message was sent and delivered, in unix seconds; 0 is not yet."""
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
