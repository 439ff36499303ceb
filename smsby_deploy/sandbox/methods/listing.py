"""What the account has: senders, balance, mailings, messages and their deliveries."""

from __future__ import annotations

from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.models import REFUSED, SandboxMailing
from smsby_deploy.sandbox.protocol import EmptyAnswer, Params, Refusal, incorrect_arguments, int_of, text_of

_LISTED = ("bulk", "list", "message")


def get_alphanames(account: Account, params: Params) -> Any:
    """Return a map id → name, as PHP writes it.

    An empty map, or one with the keys 0, 1, 2 …, is written as a list.
    """
    names = account.settings.alphanames
    return list(names.values()) if list(names) == [str(index) for index in range(len(names))] else names


def get_alphaname_id(account: Account, params: Params) -> Any:
    name = text_of(params, "name")
    for number, known in account.settings.alphanames.items():
        if known == name:
            return {"id": int(number)}
    raise Refusal("not found", 404)


def get_alphaname_category(account: Account, params: Params) -> Any:
    """Return the lines of business that a sender name may belong to.

    Their real names are not known.
    """
    return {"status": "OK", "result": [{"id": 1, "name": "Торговля"}, {"id": 2, "name": "Услуги"}]}


def get_balance(account: Account, params: Params) -> Any:
    balances = {"balance": f"{account.store.balance:.5f}", "viber_balance": "0.00000"}
    return {"status": "OK", "currency": account.settings.currency, "result": [balances]}


def get_limit(account: Account, params: Params) -> Any:
    """Return about how many parts the balance pays for."""
    price = account.settings.price
    return {"limit": int(account.store.balance / price) if price else 0}


def get_sms_messages(account: Account, params: Params) -> Any:
    """Return the mailings that are listed by now, all of the type API.

    If the setting `list_cap` is a number, only that many of the latest ones.
    """
    kind = text_of(params, "type", "API").upper()
    if kind not in ("API", "WEB"):
        raise incorrect_arguments()
    shown = [
        mailing
        for mailing in (account.store.mailings(*_LISTED) if kind == "API" else [])
        if is_listed(account, mailing)
    ]
    cap = account.settings.list_cap
    shown = shown[-cap:] if cap else shown
    account.store.note_listing(shown)
    if not shown:
        return _no_mailings(account.settings.empty_list)
    return {"status": "success", "data": [_row(account, mailing) for mailing in shown]}


def _no_mailings(form: str) -> Any:
    """Return, or raise, the answer for no mailings in the form that `empty_list` sets."""
    if form in ("406", "404"):
        raise Refusal("Content not found", int(form), keeps_status=True)
    if form in ("406-empty", "empty"):
        raise EmptyAnswer(406 if form == "406-empty" else 200)
    return [] if form == "list" else {"status": "success", "data": [] if form == "success" else None}


def is_listed(account: Account, mailing: SandboxMailing) -> bool:
    """Return whether getSMSMessages shows a mailing by now.

    The setting `list_messages` decides whether a message is shown.
    """
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
        "d_schedule": int(mailing.due),
        "type": "API",
        "parts": str(mailing.parts),
        "count_phones": mailing.phones,
        "status": mailing.status,
        "sms_delivered": str(account.count_delivered(mailing)),
        "cost": f"{mailing.cost:.5f}",
        "alphaname": mailing.alphaname,
    }


def get_messages_list(account: Account, params: Params) -> Any:
    """Return the messages of createSmsMessage, page by page."""
    first, count = _page(account, params)
    messages = account.store.mailings("message")[first:]
    return {
        "result": [
            {
                "message_id": message.id,
                "message": message.text,
                "parts": account.count_parts(message.text or ""),
                "d_create": account.format_time(message.created, "d_create"),
                "status": "moderated" if account.is_moderated(message) else "new",
            }
            for message in (messages if count < 0 else messages[:count])
        ]
    }


def get_sms_delivery_list(account: Account, params: Params) -> Any:
    """Return the messages of a mailing with their statuses in lower case, page by page."""
    mailing = account.find_mailing(params, *_LISTED)
    if mailing is None:
        raise Refusal("message_id not found", 404)
    answer = []
    for sms in account.store.sms_of(mailing.id, *_page(account, params)):
        if sms.channel == REFUSED:
            continue
        status, since = account.status_of(sms, mailing)
        answer.append(
            {
                "phone": int(sms.phone),
                "status": status.lower(),
                "d_sent": account.format_time(since, "d_sent"),
            }
        )
    return {"result": answer}


def _page(account: Account, params: Params) -> tuple[int, int]:
    """Return the first row and the number of rows, -1 for all.

    An offset needs a limit; `max_rows` caps both.
    """
    first = int_of(params, "limit_offset", 0)
    if "limit_offset" in params and "limit_rows" not in params:
        raise incorrect_arguments()
    count = int_of(params, "limit_rows", 0) or -1
    max_rows = account.settings.max_rows
    return first, min(count, max_rows) if count > 0 and max_rows else max_rows or count
