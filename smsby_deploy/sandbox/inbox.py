"""What people would see: the messages of each phone, and the mailings."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.methods.listing import is_listed
from smsby_deploy.sandbox.models import SandboxMailing, Sms

_MOST_ROWS = 200


def read_inbox(account: Account, phone: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """What each phone (or one) got or is to get, the oldest first; drafts reach nobody."""
    sent = account.store.sent_sms(phone)
    # After the messages: while one looks more may come, and each of these must find its mailing.
    mailings = {mailing.id: mailing for mailing in account.store.mailings()}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for sms in sent:
        found[sms.phone].append(_message(account, sms, mailings[sms.mailing]))
    return dict(found)


def _message(account: Account, sms: Sms, mailing: SandboxMailing) -> dict[str, Any]:
    status, since = account.status_of(sms, mailing)
    return {
        "id": sms.id,
        "text": sms.text,
        "sender": mailing.alphaname,
        "mailing": mailing.name,
        "message_id": mailing.id,
        "at": sms.due,
        "parts": sms.parts,
        "channel": sms.channel,
        "status": status,
        "status_at": since,
    }


def read_overview(account: Account, search: str) -> dict[str, Any]:
    """All that the page shows at a glance: the account, the latest phones and the latest mailings."""
    digits = "".join(character for character in search if character.isdigit())
    latest = [
        (phone, count, account.store.find_sms(last))
        for phone, count, last in account.store.phones(digits, _MOST_ROWS)
    ]
    mailings = account.store.mailings()
    by_id = {mailing.id: mailing for mailing in mailings}
    phones = []
    for phone, count, sms in latest:
        if sms is not None and sms.mailing in by_id:
            shown = _message(account, sms, by_id[sms.mailing]) | {"text": sms.text[:120]}
            phones.append({"phone": phone, "messages": count, "last": shown})
    rows = [mailing for mailing in mailings if mailing.kind in ("bulk", "list", "message")]
    return {
        "now": account.now(),
        "clock_moved": account.clock.is_stopped or abs(account.clock.offset) > 1,
        "timezone": account.settings.account_timezone,
        "currency": account.settings.currency,
        "balance": str(account.store.balance),
        "phones": phones,
        "mailings": [_mailing(account, mailing) for mailing in reversed(rows[-_MOST_ROWS:])],
        "mailings_in_all": len(rows),
    }


def _mailing(account: Account, mailing: SandboxMailing) -> dict[str, Any]:
    ended = account.store.count_fates(account.now() - account.settings.delay, mailing.id)
    if mailing.status == "DRAFT":
        state = "draft"
    elif mailing.kind == "message" and not account.is_moderated(mailing):
        state = "awaiting moderation"
    elif mailing.kind == "message" and not mailing.phones:
        state = "sent to nobody yet"
    elif mailing.goes_out > account.now():
        state = "scheduled"
    else:
        state = "sent" if sum(ended.values()) == mailing.phones else "sending"
    is_draft = mailing.status == "DRAFT"
    return {
        "id": mailing.id,
        "kind": mailing.kind,
        "name": mailing.name,
        "sender": mailing.alphaname,
        "state": state,
        "created": mailing.created,
        "goes_out": mailing.goes_out,
        "phones": mailing.phones,
        "parts": mailing.parts,
        "cost": str(mailing.cost),
        "delivered": 0 if is_draft else ended.get("DELIVERED", 0),
        "undelivered": 0 if is_draft else ended.get("UNDELIVERED", 0),
        "listed": is_listed(account, mailing),
    }
