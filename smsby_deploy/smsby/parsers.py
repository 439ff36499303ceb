"""Tolerant parsers of sms.by's answers: numbers as text, maps or lists, wrapped or not.

An answer that cannot be read is an ApiError and never an empty result, because absence would count as a fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from smsby_deploy.smsby.response import (
    Rows,
    find_anywhere,
    find_value,
    inner_value,
    read_count,
    read_decimal,
    read_int,
    read_moment,
    read_unix,
    rows_of,
    unreadable,
    unwrap,
)
from smsby_deploy.wording import remove_controls

# Values of a `status` that describe the answer, not the mailing.
_SAYS_SUCCESS = frozenset({"", "none", "ok", "success", "true", "1"})
_TOO_MUCH, _COST_DIGITS = Decimal(10**9), 9  # more than any mailing costs; digits after the point
_LIST_KEYS = frozenset({"list_id", "id", "name", "title"})


@dataclass(frozen=True, slots=True)
class RemoteMailing:
    """A mailing in getSMSMessages.

    The times are Unix seconds; `parts` is the total of all phones.
    """

    id: int
    name: str
    d_create: int | None
    d_schedule: int | None
    parts: int | None
    count_phones: int | None
    status: str
    cost: Decimal | None
    alphaname: str | None

    @property
    def is_draft(self) -> bool:
        """Whether it was made by sendSmsList and not confirmed, so it reaches no recipient."""
        return is_draft(self.status)

    def is_ahead(self, now: datetime) -> bool:
        """Whether sms.by has yet to send it."""
        return (self.d_schedule or 0) > now.timestamp() and not self.is_draft


KeepMailing = Callable[[int, str], bool]  # by id and name


@dataclass(frozen=True, slots=True)
class MailingList:
    """The mailings of getSMSMessages that were kept; `count` is how many it lists."""

    mailings: tuple[RemoteMailing, ...]
    count: int

    def __iter__(self) -> Iterator[RemoteMailing]:
        return iter(self.mailings)


@dataclass(frozen=True, slots=True)
class AccountName:
    """A sender, or a contact list, of the account."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of the account; `currency` is None if sms.by does not report it."""

    amount: Decimal
    currency: str | None


@dataclass(frozen=True, slots=True)
class ListInfo:
    """What confirm=0 reports about a draft; a value that is not in the answer is None."""

    recipients: int | None
    parts: int | None
    cost: Decimal | None
    status: str | None
    d_schedule: int | None = None
    alphaname: str | None = None


@dataclass(frozen=True, slots=True)
class SmsReceipt:
    """The answer of sendQuickSMS, sendOtp… and sendSMS for one accepted SMS.

    `cost` needs show_cost=1.
    """

    sms_id: int | None
    parts: int | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class MessageState:
    """The answer of checkSMSMessageStatus: `new` awaits moderation, `moderated` may be sent.

    createSmsMessage answers the same, and the `time` in Unix seconds, 0 for none.
    """

    status: str | None
    parts: int | None
    alphaname: str | None
    time: int | None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The answer of importContacts.

    `log` holds pairs of a row of the call, counted from 0, and its error.
    """

    inserted: int | None
    updated: int | None
    invalid: int | None
    log: tuple[tuple[int | None, str], ...]


def is_draft(status: str) -> bool:
    """Whether a mailing's status, in any case, means that it was not confirmed."""
    return status.strip().upper() == "DRAFT"


def read_mailings(data: Any, keep: KeepMailing) -> MailingList:
    """Return the mailings of getSMSMessages that `keep` accepts.

    Raises:
        ApiError: a mailing has no id; it may be the one that the caller is looking for.
    """
    listed = inner_value(data)
    kept, count = [], 0
    for row in rows_of(data):
        count += 1
        number, name = mailing_id(row), mailing_name(row)
        if number is None:
            raise unreadable("a mailing without an id")
        if keep(number, name):
            kept.append(_read_mailing(number, name, row))
    return MailingList(tuple(kept), listed.count if isinstance(listed, Rows) else count)


def mailing_id(row: dict[str, Any]) -> int | None:
    """Return the id of a row of getSMSMessages; None if it has none that can be read."""
    return read_int(row.get("id", row.get("message_id")))


def mailing_name(row: dict[str, Any]) -> str:
    """Return the name of a row of getSMSMessages, which may be empty."""
    return text_or_none(row.get("name")) or ""


def _read_mailing(number: int, name: str, row: dict[str, Any]) -> RemoteMailing:
    return RemoteMailing(
        id=number,
        name=name,
        d_create=read_unix(row.get("d_create")),
        d_schedule=read_unix(row.get("d_schedule")),
        parts=read_count(row.get("parts")),
        count_phones=read_count(row.get("count_phones")),
        status=text_or_none(row.get("status")) or "",
        cost=_read_cost(row.get("cost")),
        alphaname=text_or_none(row.get("alphaname")),
    )


def read_alphanames(data: Any) -> Iterator[AccountName]:
    """Yield alphanames from a map id → name, from objects with both, or from a bare list.

    PHP writes a map whose only key is 0 as a list.
    """
    if isinstance(unwrap(data), dict):
        data = unwrap(data)
        data = data.get("result", data.get("data", data))
        data = [data] if isinstance(data, dict) and _LIST_KEYS & data.keys() else data  # the only one
    if isinstance(data, list):
        data = {str(index): name for index, name in enumerate(data)}
    if not isinstance(data, dict) or _has_no_ids(data):
        raise unreadable("no alphanames")
    yield from _all_named(data.items())


def read_lists(data: Any) -> Iterator[AccountName]:
    """Yield contact lists from objects with an id and a name or title, or from a map id → name."""
    found = inner_value(data)
    if isinstance(unwrap(found), dict) and not _LIST_KEYS & unwrap(found).keys():
        found = unwrap(found)
    if isinstance(found, dict) and _has_no_ids(found):
        raise unreadable("no contact lists")
    rows = found.items() if isinstance(found, dict) else ((None, row) for row in rows_of(data))
    yield from _all_named(rows)


def _has_no_ids(found: dict[Any, Any]) -> bool:
    """Whether a map, such as `{"status": "error"}`, says nothing about names."""
    has_ids = any(isinstance(one, dict) or read_int(key) is not None for key, one in found.items())
    return bool(found) and not has_ids


def _all_named(items: Iterable[tuple[Any, Any]]) -> Iterator[AccountName]:
    """Yield each item that has both an id and a name: an object, or an id as the key of a name.

    Raises:
        ApiError: an object has no id; it may be the one that the caller is looking for.
    """
    for key, value in items:
        number, name = read_int(key), value
        if isinstance(value, dict):
            own = read_int(value.get("list_id", value.get("id")))
            number, name = number if own is None else own, value.get("name", value.get("title"))
            if number is None:
                raise unreadable("a name without an id")
        if number is not None and isinstance(name, str | int):
            yield AccountName(number, remove_controls(str(name)))


def read_balance(data: Any) -> Balance:
    """Return the balance; ApiError if there is no amount."""
    amount = read_decimal(find_value(data, "balance"))
    if amount is None:
        raise unreadable("no balance")
    return Balance(amount, text_or_none(find_value(data, "currency")))


def read_list_info(data: Any) -> ListInfo:
    """Return what confirm=0 reports, at any depth.

    A `status` that only means success is not the mailing's.
    """
    top = unwrap(data)
    status = find_value(data, "status")
    if isinstance(top, dict):
        inner = unwrap(top.get("result", top.get("data")))
        if isinstance(inner, dict) and "status" in inner:
            status = inner["status"]
    recipients = read_count(find_anywhere(data, "count_phones"))
    return ListInfo(
        recipients=recipients if recipients is not None else read_count(find_anywhere(data, "count")),
        parts=read_count(find_anywhere(data, "parts")),
        cost=_read_cost(find_anywhere(data, "cost")),
        status=None if str(status).strip().lower() in _SAYS_SUCCESS else str(status),
        d_schedule=read_unix(find_anywhere(data, "d_schedule")),
        alphaname=sender if isinstance(sender := find_anywhere(data, "alphaname"), str) else None,
    )


def read_receipt(data: Any) -> SmsReceipt:
    """Return the answer to a send of one SMS."""
    return SmsReceipt(
        sms_id=read_int(find_value(data, "sms_id")),
        parts=read_int(find_value(data, "parts")),
        cost=read_decimal(find_anywhere(data, "cost")),
    )


def read_message_state(data: Any, zone: tzinfo = UTC) -> MessageState:
    """Return the answer of checkSMSMessageStatus or createSmsMessage.

    A textual time is on the account's clock, in `zone`.
    """
    return MessageState(
        status=text_or_none(find_value(data, "status")),
        parts=read_int(find_value(data, "parts")),
        alphaname=text_or_none(find_value(data, "alphaname")),
        time=read_moment(find_value(data, "time"), zone),
    )


def read_import(data: Any) -> ImportReport:
    """Return the answer of importContacts; a count that is not in the answer is None."""
    log = find_value(data, "log")
    rows = [row for row in log if isinstance(row, dict)] if isinstance(log, list) else []
    return ImportReport(
        inserted=read_count(find_value(data, "inserted")),
        updated=read_count(find_value(data, "updated")),
        invalid=read_count(find_value(data, "invalid")),
        log=tuple((read_int(row.get("index")), str(row.get("error_message") or "")) for row in rows),
    )


def _read_cost(value: Any) -> Decimal | None:
    """Return a cost that a lock can hold; None if it is negative or implausible."""
    cost = read_decimal(value)
    is_usual = cost is not None and 0 <= cost < _TOO_MUCH and round(cost, _COST_DIGITS) == cost
    return cost if is_usual else None


def text_or_none(value: Any) -> str | None:
    """Return a value as text; None if it is missing or empty."""
    return None if value in (None, "") else str(value)
