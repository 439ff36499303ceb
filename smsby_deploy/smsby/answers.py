"""What sms.by answers, read tolerantly: numbers as text, maps or lists, wrapped or not. The raw answer is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from smsby_deploy.smsby.outcome import find_value, read_int, unwrap


@dataclass(frozen=True, slots=True)
class RemoteMailing:
    """A mailing in getSMSMessages; the times are unix seconds, `parts` is over all phones."""

    id: int
    name: str
    d_create: int | None
    d_schedule: int | None
    type: str | None
    parts: int | None
    count_phones: int | None
    status: str
    sms_delivered: int | None
    cost: Decimal | None
    alphaname: str | None
    raw: Any

    @property
    def is_draft(self) -> bool:
        """Made by sendSmsList and not confirmed: it reaches nobody."""
        return self.status.upper() == "DRAFT"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One phone's delivery; `status` verbatim."""

    phone: str
    status: str
    at: str | None


@dataclass(frozen=True, slots=True)
class BulkMailingStatus:
    message_id: int | None
    name: str
    alphaname_id: int | None
    deliveries: tuple[Delivery, ...]
    raw: Any


@dataclass(frozen=True, slots=True)
class Alphaname:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class SubscriberList:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Balance:
    amount: Decimal
    currency: str | None


@dataclass(frozen=True, slots=True)
class ListInfo:
    """What confirm=0 tells of a draft; None where it can't be found."""

    recipients: int | None
    parts: int | None
    cost: Decimal | None
    status: str | None
    raw: Any


def read_mailings(data: Any) -> Iterator[RemoteMailing]:
    for row in rows_of(data):
        number = read_int(row.get("id"))
        if number is None:
            continue
        yield RemoteMailing(
            id=number,
            name=str(row.get("name") or ""),
            d_create=read_int(row.get("d_create")),
            d_schedule=read_int(row.get("d_schedule")),
            type=row.get("type"),
            parts=read_int(row.get("parts")),
            count_phones=read_int(row.get("count_phones")),
            status=str(row.get("status") or ""),
            sms_delivered=read_int(row.get("sms_delivered")),
            cost=read_decimal(row.get("cost")),
            alphaname=row.get("alphaname"),
            raw=row,
        )


def read_bulk_status(data: Any) -> Iterator[BulkMailingStatus]:
    for row in rows_of(data):
        yield BulkMailingStatus(
            message_id=read_int(row.get("message_id")),
            name=str(row.get("name") or ""),
            alphaname_id=read_int(row.get("alphaname_id")),
            deliveries=tuple(read_deliveries(row.get("success") or [])),
            raw=row,
        )


def read_deliveries(data: Any) -> Iterator[Delivery]:
    for row in rows_of(data):
        at = row.get("status_time") or row.get("d_sent")
        yield Delivery(str(row.get("phone") or ""), str(row.get("status") or ""), str(at) if at else None)


def read_alphanames(data: Any) -> Iterator[Alphaname]:
    """A map id → name, or a bare list: PHP writes a map whose only key is 0 as a list."""
    if isinstance(data, list):
        data = {str(index): name for index, name in enumerate(data)}
    for key, name in (data or {}).items() if isinstance(data, dict) else ():
        number = read_int(key)
        if number is not None and isinstance(name, str):
            yield Alphaname(number, name)


def read_lists(data: Any) -> Iterator[SubscriberList]:
    """Objects with list_id or id and name or title, or a map id → name."""
    rows = list(rows_of(data))
    for row in rows:
        number = read_int(row.get("list_id", row.get("id")))
        name = row.get("name", row.get("title"))
        if number is not None and name is not None:
            yield SubscriberList(number, str(name))
    found = data.get("result", data) if isinstance(data, dict) else None
    if not rows and isinstance(found, dict):
        for key, name in found.items():
            number = read_int(key)
            if number is not None:
                yield SubscriberList(number, str(name))


def read_balance(data: Any) -> Balance | None:
    amount = read_decimal(find_value(data, "balance"))
    currency = find_value(data, "currency")
    return None if amount is None else Balance(amount, str(currency) if currency else None)


def read_list_info(data: Any) -> ListInfo:
    recipients = find_value(data, "count_phones")
    status = find_value(data, "status")
    inner = unwrap(data.get("result", data.get("data"))) if isinstance(unwrap(data), dict) else None
    if isinstance(inner, dict) and "status" in inner:
        status = inner["status"]
    return ListInfo(
        recipients=read_int(recipients if recipients is not None else find_value(data, "count")),
        parts=read_int(find_value(data, "parts")),
        cost=read_decimal(find_value(data, "cost")),
        status=None if status is None or str(status).lower() in ("ok", "success") else str(status),
        raw=data,
    )


def rows_of(data: Any) -> Iterator[dict[str, Any]]:
    """The objects of an answer: a list of them, or one under result or data."""
    if isinstance(data, dict):
        data = data.get("result", data.get("data", []))
    for row in data if isinstance(data, list) else ():
        if isinstance(row, dict):
            yield row


def read_decimal(value: Any) -> Decimal | None:
    """Money, exact."""
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
