"""Contact lists at sms.by, and mailings to them: a draft, then its confirmation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.models import NewMailing, SandboxMailing
from smsby_deploy.sandbox.protocol import Params, Refusal, incorrect_arguments, int_of, text_of

_MAX_CONTACTS, _MAX_FIELDS = 500, 30  # documented
_INDEX = re.compile(r"\d{1,9}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def send_sms_list(account: Account, params: Params) -> Any:
    """Create a draft for the present contacts of a list, free of charge."""
    number = int_of(params, "list_id")
    text = text_of(params, "message")
    alphaname_id, alphaname = account.alphaname(params, is_required=True)
    now = account.now()
    time = account.parse_time(params, "d_schedule")
    if number not in account.store.lists():
        raise incorrect_arguments()
    draft = NewMailing(
        kind="list",
        name=text_of(params, "name", ""),
        alphaname_id=alphaname_id,
        alphaname=alphaname,
        created=now,
        due=now if time is None else time,
        sms=[account.new_sms(phone, text) for phone in account.store.phones_of_list(number)],
        status="DRAFT",
        text=text,
    )
    (message,) = account.store.add([draft])
    return {"status": "OK", "result": {"message_id": message}}


def confirm_send_message_by_list(account: Account, params: Params) -> Any:
    """Describe a draft; with confirm=1 charge for it and start it.

    A second confirm=1 changes nothing.
    """
    mailing = account.find_mailing(params, "list")
    if mailing is None:
        raise Refusal("message_id not found", 404)
    confirm = int_of(params, "confirm")
    if confirm > 1:
        raise incorrect_arguments()
    if confirm and mailing.status == "DRAFT":
        account.check_funds(mailing.cost, "Insufficient funds to continue")
        account.store.start_draft(mailing, max(mailing.due, account.now()))
        mailing = account.store.find(mailing.id) or mailing
    return {"status": "OK", "result": _describe(mailing)}


def _describe(mailing: SandboxMailing) -> dict[str, Any]:
    return {
        "message_id": mailing.id,
        "status": mailing.status,
        "count_phones": mailing.phones,
        "parts": str(mailing.parts),
        "cost": f"{mailing.cost:.5f}",
    }


def get_subscriber_lists(account: Account, params: Params) -> Any:
    lists = account.store.lists()
    return {"status": "OK", "result": [{"list_id": number, "name": name} for number, name in lists.items()]}


def create_subscriber_list(account: Account, params: Params) -> Any:
    """Create an empty list; several lists may have the same name."""
    return {"status": "OK", "result": {"list_id": account.store.add_list(text_of(params, "name"))}}


def import_contacts(account: Account, params: Params) -> Any:
    """Add contacts to a list.

    A known phone (or email) is updated; an invalid one is logged and left out.
    """
    number = int_of(params, "list_id")
    if number not in account.store.lists():
        raise incorrect_arguments()
    names = {column: str(name) for column, name in _numbered(params.get("field_names")).items()}
    rows = list(_numbered(params.get("data")).values())
    custom = [name for name in names.values() if name not in ("phone", "email")]
    if len(custom) == len(names) or len(custom) > _MAX_FIELDS or not 1 <= len(rows) <= _MAX_CONTACTS:
        raise incorrect_arguments()
    contacts: list[tuple[str, str | None, dict[str, str]]] = []
    log: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        fields = {names[column]: str(value) for column, value in _numbered(row).items() if column in names}
        try:
            contacts.append(_contact(account, fields))
        except Refusal as refusal:
            log.append({"index": index, "error_message": str(refusal)})
    inserted, updated = account.store.put_contacts(number, contacts)
    result: dict[str, Any] = {"inserted": inserted, "updated": updated, "invalid": len(log)}
    return {"status": "OK", "result": result | ({"log": log} if log else {})}


def _contact(account: Account, fields: dict[str, str]) -> tuple[str, str | None, dict[str, str]]:
    """Return (key, phone, other fields) of a contact.

    The key is the phone, or the email of a contact without phone.
    """
    others = {name: value for name, value in fields.items() if name != "phone"}
    if fields.get("phone"):
        phone = account.phone(fields["phone"])
        return phone, phone, others
    if not _EMAIL.fullmatch(fields.get("email", "")):
        raise Refusal("incorrect email")
    return fields["email"].lower(), None, others


def _numbered(value: Any) -> dict[int, Any]:
    """Return the items of a list, or of a map, by number.

    A map comes from brackets whose numbers do not start at 0.
    """
    if isinstance(value, list):
        return dict(enumerate(value))
    if isinstance(value, Mapping) and all(_INDEX.fullmatch(str(key)) for key in value):
        return {
            int(str(key)): item for key, item in sorted(value.items(), key=lambda pair: int(str(pair[0])))
        }
    raise incorrect_arguments()
