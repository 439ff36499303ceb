"""Mailings to many phones in one request: sendBulkSms and statusBulkSms."""

from __future__ import annotations

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.models import REFUSED, NewMailing, NewSms, SandboxMailing, Sms
from smsby_deploy.sandbox.protocol import Params, Refusal, incorrect_arguments, text_of


def send_bulk_sms(account: Account, params: Params) -> Any:
    """Accept all mailings of a request, or none."""
    messages = params.get("messages")
    if not isinstance(messages, list) or not messages:
        raise incorrect_arguments()
    request = str(uuid.uuid1())  # version 1, like the documented sample
    callback = text_of(params, "callback_url", "").strip() or None
    mailings = [replace(_mailing(account, message, request), callback_url=callback) for message in messages]
    account.check_funds(sum((sms.cost for mailing in mailings for sms in mailing.sms), Decimal(0)))
    account.store.add(mailings)
    return {"uuid": request, "success": "OK"}


def _mailing(account: Account, message: Any, request: str) -> NewMailing:
    if not isinstance(message, dict):
        raise incorrect_arguments()
    is_personal = text_of(message, "message_type", "bulk") == "personal"
    rows = message.get("delivery_list")
    if not isinstance(rows, list) or not rows:
        raise incorrect_arguments()
    sms: list[NewSms] = []
    for row in rows:
        if is_personal != isinstance(row, dict):
            raise incorrect_arguments()
        text = text_of(row if is_personal else message, "text")
        sms.append(_new_sms(account, row.get("phone") if is_personal else row, text))
    number, name = account.alphaname(message)
    now = account.now()
    scheduled = account.parse_time(message, "schedule_time")
    return NewMailing(
        kind="bulk",
        name=text_of(message, "name", ""),
        alphaname_id=number,
        alphaname=name,
        created=now,
        due=now if scheduled is None else scheduled,
        sms=sms,
        uuid=request,
    )


def _new_sms(account: Account, phone: Any, text: str) -> NewSms:
    """Return a message.

    An invalid phone is refused, or accepted and reported later, depending on the setting `bad_phones`.
    """
    if account.settings.bad_phones == "later":
        try:
            account.phone(phone)
        except Refusal as refusal:
            return NewSms(str(phone), text, 0, Decimal(0), str(refusal), REFUSED)
    return account.new_sms(phone, text)


def status_bulk_sms(account: Account, params: Params) -> Any:
    """Return the statuses of the messages of one request.

    It is `[]` for a while after the request, and for an unknown uuid.
    """
    lag = account.settings.status_lag
    shown_from = account.now() - (account.settings.delay if lag is None else lag)
    answer = []
    for mailing in account.store.of_request(text_of(params, "uuid")):
        if mailing.created > shown_from:
            continue
        lists: dict[str, list[dict[str, Any]]] = {"success": []}
        for sms in account.store.sms_of(mailing.id):
            key, row = _delivery(account, sms, mailing)
            lists.setdefault(key, []).extend([row, dict(row)] if account.settings.doubled else [row])
        answer.append(
            {
                "message_id": mailing.id,
                "name": mailing.name,
                "alphaname_id": mailing.alphaname_id,
                **lists,
            }
        )
    return answer


def _delivery(account: Account, sms: Sms, mailing: SandboxMailing) -> tuple[str, dict[str, Any]]:
    """Return one delivery, and the key of its list.

    An invalid phone that was accepted, and the setting `failures`, move it from `success` to another list.
    """
    taken = f"errors: {sms.outcome}" if sms.channel == REFUSED else None
    failure = taken or account.settings.failures.get(sms.phone)
    if failure is not None:
        key, _, error = failure.partition(": ")
        return key, {"phone": sms.phone, **({"error": error} if error else {})}
    status, since = account.status_of(sms, mailing)
    return "success", {
        "delivery_id": sms.id,
        "phone": sms.phone,
        "status": status,
        "status_time": account.format_time(since, "status_time", "%Y-%m-%d %H:%M:%S.%f"),
    }
