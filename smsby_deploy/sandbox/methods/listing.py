"""What was sent: getSMSMessages, getMessagesList, getSmsDeliveryList."""

from __future__ import annotations

from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.errors import Refusal, incorrect_arguments
from smsby_deploy.sandbox.models import SandboxMailing
from smsby_deploy.sandbox.params import Params, int_of, text_of
from smsby_deploy.sandbox.parts import count_parts

_LISTED = ("bulk", "list", "message")


def get_sms_messages(account: Account, params: Params) -> Any:
    """The mailings that the list shows by now; an empty list is HTTP 406. All of them are of the type API."""
    kind = text_of(params, "type", "API").upper()
    if kind not in ("API", "WEB"):
        raise incorrect_arguments()
    shown = [
        mailing
        for mailing in (account.store.mailings(*_LISTED) if kind == "API" else [])
        if is_listed(account, mailing)
    ]
    account.store.note_look(shown)
    if not shown:
        raise Refusal("Content not found", 406, always=True)
    return {"status": "success", "data": [_row(account, mailing) for mailing in shown]}


def is_listed(account: Account, mailing: SandboxMailing) -> bool:
    """Whether the list shows a mailing: not while it lags, and messages only as `list_messages` says."""
    settings, now = account.settings, account.now()
    if account.list_is_stale and not mailing.was_listed:
        return False
    if mailing.hidden_calls > 0 or now < mailing.hidden_until or now - mailing.created < settings.list_lag:
        return False
    if mailing.kind == "message":
        return settings.list_messages == "created" or (
            settings.list_messages == "sent" and mailing.phones > 0
        )
    return True


def _row(account: Account, mailing: SandboxMailing) -> dict[str, Any]:
    limit = account.settings.name_limit
    return {
        "id": mailing.id,
        "name": mailing.name[:limit] if limit else mailing.name,
        "d_create": int(mailing.created),
        "d_schedule": int(mailing.goes_out),
        "type": "API",
        "parts": str(mailing.parts),
        "count_phones": mailing.phones,
        "status": mailing.status,
        "sms_delivered": str(account.count_delivered(mailing)),
        "cost": f"{mailing.cost:.5f}",
        "alphaname": mailing.alphaname,
    }


def get_messages_list(account: Account, params: Params) -> Any:
    """The messages of createSmsMessage, page by page."""
    first, count = _page(account, params)
    messages = account.store.mailings("message")[first:]
    return {
        "result": [
            {
                "message_id": message.id,
                "message": message.text,
                "parts": count_parts(message.text or ""),
                "d_create": account.written(message.created, "d_create"),
                "status": "moderated" if account.is_moderated(message) else "new",
            }
            for message in (messages if count < 0 else messages[:count])
        ]
    }


def get_sms_delivery_list(account: Account, params: Params) -> Any:
    """A mailing's messages with their statuses in lower case, page by page."""
    mailing = account.find_mailing(params, *_LISTED)
    if mailing is None:
        raise Refusal("message_id not found", 404)
    answer = []
    for sms in account.store.sms_of(mailing.id, *_page(account, params)):
        status, since = account.status_of(sms, mailing)
        answer.append(
            {
                "phone": int(sms.phone),
                "status": status.lower(),
                "d_sent": account.written(since, "d_sent"),
            }
        )
    return {"result": answer}


def _page(account: Account, params: Params) -> tuple[int, int]:
    """The first row and how many, -1 for all; an offset needs a limit, and `max_rows` is the most."""
    first = int_of(params, "limit_offset", 0)
    if "limit_offset" in params and "limit_rows" not in params:
        raise incorrect_arguments()
    count = int_of(params, "limit_rows", 0) or -1
    most = account.settings.max_rows
    return first, min(count, most) if count > 0 and most else most or count
