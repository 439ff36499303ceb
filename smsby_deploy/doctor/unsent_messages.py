"""The calls of `doctor --ask`.

They leave messages and a contact list at sms.by, and reach no recipient.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from smsby_deploy.doctor.examination import Examination, gap_of
from smsby_deploy.doctor.questions import count_mailings
from smsby_deploy.errors import ApiError
from smsby_deploy.smsby.client import empty_form_of
from smsby_deploy.smsby.facts import FactName, Gap, ListSize, PartTable, RefusedPhone
from smsby_deploy.smsby.parsers import (
    AccountName,
    mailing_id,
    read_import,
    read_message_state,
)
from smsby_deploy.smsby.response import Answer, DuplicateMessage, error_kind, find_value, read_int, read_unix
from smsby_deploy.texts.parts import measure_gsm, measure_text

_LIST = "smsby-deploy doctor"
_CREATE, _PAGE = "createSmsMessage", 1000
_NO_PHONE = "0"
_CLOCK_SLACK = 300  # seconds by which this machine's clock may be wrong
# Letters and lengths of texts on which the tables differ: 4 to 6 parts, and characters that count double.
_DISPUTED = (("x", 620), ("x", 775), ("x", 930), ("я", 260), ("я", 325), ("я", 390), ("~", 160), ("€", 71))


def leave_rows(look: Examination, lists: tuple[AccountName, ...]) -> None:
    """Learn the facts that only messages and lists made for this purpose show.

    Raises:
        SmsbyUnavailable: sms.by was not reached.
    """
    text = f"{_LIST} {look.mark}"
    number = _ask_for_time(look, text)
    _ask_for_duplicates(look, text if number is not None else f"{text} again")
    if number is None:
        for name in (FactName.MODERATION, FactName.UNSENT_LISTED):
            look.miss(name, Gap.REFUSED, _CREATE)
    else:
        _ask_for_message(look, number)
    _ask_for_parts(look, text)
    _ask_for_phone(look, lists)
    if number is not None:
        listed = look.client.list_mailings(None, lambda row: mailing_id(row) == number)
        if listed.is_success or empty_form_of(listed) is not None:
            is_listed = any(mailing_id(row) == number for row in look.rows(listed))
            look.know(FactName.UNSENT_LISTED, is_listed, "getSMSMessages")
            if is_listed:
                _compare_size(look, count_mailings(listed))
        else:
            look.miss(FactName.UNSENT_LISTED, gap_of(listed), "getSMSMessages")


def _compare_size(look: Examination, count: int | None) -> None:
    """Learn from the size of a list that shows a new message whether the list is cut."""
    if count is None or not look.is_known(FactName.LIST_SIZE):
        return
    value = look.facts[FactName.LIST_SIZE].value
    size = ListSize(value["count"], value["capped"]).judge_growth(count)
    if size is not None:
        look.know(FactName.LIST_SIZE, size.value, "getSMSMessages")


def _create(look: Examination, text: str, **more: Any) -> Answer:
    return look.call(_CREATE, {"message": text, "alphaname_id": 0, "name": text[:60], **more})


def _ask_for_time(look: Examination, text: str) -> int | None:
    """Make a message for tomorrow, learn by which clock its time was read, and return its id."""
    local = (look.clock.now() + timedelta(days=1)).astimezone(look.zone).replace(second=0, microsecond=0)
    written = local.strftime("%Y-%m-%d %H:%M")
    answer = _create(look, text, time=written)
    if answer.error:
        look.miss(FactName.CLOCK_IN, Gap.REFUSED, _CREATE)
        return None
    moment = read_unix(find_value(answer.data, "time"))
    if moment:
        look.know_clock(FactName.CLOCK_IN, written, moment, _CREATE)
    else:
        look.miss(FactName.CLOCK_IN, Gap.NO_VALUE, _CREATE)
    return _id_of(answer)


def _ask_for_duplicates(look: Examination, text: str) -> None:
    """Make the same message again."""
    answer = _create(look, text)
    refuses = None
    if answer.error and error_kind(answer.error) is DuplicateMessage:
        refuses = True
    elif not answer.error and _id_of(answer) is not None:
        refuses = False
    look.learn(FactName.DUPLICATES, refuses, _CREATE, gap_of(answer))


def _ask_for_message(look: Examination, number: int) -> None:
    """Learn whether a message waits for approval, and the clock of its date."""
    method = "checkSMSMessageStatus"
    answer = look.call(method, {"message_id": number})
    state = read_message_state(answer.data)
    word = (state.status or "").lower() if answer.is_success else ""
    waits = {"new": True, "moderated": False}.get(word)
    look.learn(FactName.MODERATION, waits, method, gap_of(answer))
    method = "getMessagesList"
    messages = look.rows(look.call(method, {"limit_offset": 0, "limit_rows": _PAGE}))
    row = next((one for one in messages if mailing_id({"id": one.get("message_id")}) == number), None)
    if row is None or not row.get("d_create"):
        look.miss(FactName.CLOCK_OUT, Gap.NOT_LISTED, method)
    else:
        now = look.clock.now().timestamp()
        look.know_clock(FactName.CLOCK_OUT, str(row["d_create"]), now, method, slack=_CLOCK_SLACK)


def _ask_for_parts(look: Examination, text: str) -> None:
    """Learn by which table parts are counted."""
    is_sdk = is_gsm = True
    for filler, length in _DISPUTED:
        sample = text + filler * (length - len(text))
        answer = _create(look, sample)
        parts = read_int(find_value(answer.data, "parts"))
        if answer.error or parts is None:
            look.miss(FactName.PART_TABLE, gap_of(answer), _CREATE)
            return
        is_sdk = is_sdk and parts == measure_text(sample).parts
        is_gsm = is_gsm and parts == measure_gsm(sample).parts
    table = PartTable.SDK if is_sdk else PartTable.GSM if is_gsm else PartTable.OTHER
    look.know(FactName.PART_TABLE, table.value, _CREATE)


def _ask_for_phone(look: Examination, lists: tuple[AccountName, ...]) -> None:
    """Learn what happens to an invalid phone, in a list that has no other contact."""
    method = "importContacts"
    number = next((one.id for one in lists if one.name == _LIST), None)
    if number is None:
        made = look.call("createSubscriberList", {"name": _LIST})
        number = read_int(find_value(made.data, "list_id"))
        if made.error or number is None:
            look.miss(FactName.REFUSED_PHONE, gap_of(made), "createSubscriberList")
            return
    answer = look.call(method, {"list_id": number, "field_names": ["phone"], "data": [[_NO_PHONE]]})
    try:
        report = read_import(answer.data)
    except ApiError:
        report = None
    if answer.error or report is None:
        look.miss(FactName.REFUSED_PHONE, gap_of(answer), method)
    elif report.invalid:
        found = RefusedPhone.LOGGED if report.log else RefusedPhone.COUNTED
        look.know(FactName.REFUSED_PHONE, found.value, method)
    elif report.inserted or report.updated:
        look.know(FactName.REFUSED_PHONE, RefusedPhone.ACCEPTED.value, method)
    else:
        look.miss(FactName.REFUSED_PHONE, Gap.NO_VALUE, method)


def _id_of(answer: Answer) -> int | None:
    number = read_int(find_value(answer.data, "message_id"))
    return number if number is not None and number > 0 else None
