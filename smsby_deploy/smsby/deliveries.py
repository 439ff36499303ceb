"""Deliveries to single phones, as getSmsDeliveryList and statusBulkSms report them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from smsby_deploy.smsby.parsers import text_or_none
from smsby_deploy.smsby.response import inner_value, read_int, rows_of

_ENTRY_KEYS = frozenset({"message_id", "success"})  # of one mailing in statusBulkSms


class DeliveryStatus(StrEnum):
    """The documented statuses of sms.by, by their names in our reports."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    SENT = "sent"
    PENDING = "pending"


_BY_WORD = {
    "DELIVERED": DeliveryStatus.DELIVERED,
    "UNDELIVERED": DeliveryStatus.UNDELIVERED,
    "SENT": DeliveryStatus.SENT,
    "NEW": DeliveryStatus.PENDING,
}


def read_delivery_status(word: str) -> DeliveryStatus | None:
    """Return the documented status for `word`, in any case; None if it is undocumented."""
    return _BY_WORD.get(word.strip().upper())


def is_final_status(word: str) -> bool:
    """Return whether `word` is the documented last status of a message."""
    return read_delivery_status(word) in (DeliveryStatus.DELIVERED, DeliveryStatus.UNDELIVERED)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery to one phone; `status` is verbatim.

    `has_failed`: it is reported among failures, so it is final and not delivered, whatever the text of `status`.
    """

    phone: str
    status: str
    at: str | None
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class BulkMailingStatus:
    """What statusBulkSms reports about one mailing of a request."""

    message_id: int | None
    name: str
    deliveries: tuple[Delivery, ...]


def read_bulk_status(data: Any) -> Iterator[BulkMailingStatus]:
    """Yield the mailings of statusBulkSms.

    An answer that is not a list means "nothing yet", for which no form is documented. Anything that is not an entry is
    skipped, so that it does not hide the others.
    """
    for row in _bulk_entries(data):
        yield BulkMailingStatus(
            message_id=read_int(row.get("message_id")),
            name=text_or_none(row.get("name")) or "",
            deliveries=tuple(_listed_deliveries(row)),
        )


def _bulk_entries(data: Any) -> list[dict[str, Any]]:
    found = inner_value(data)
    if isinstance(found, dict):
        found = [found] if _ENTRY_KEYS & found.keys() else list(found.values())
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _listed_deliveries(entry: Mapping[str, Any], *, is_success: bool = False) -> Iterator[Delivery]:
    """Yield the objects with a phone in the lists under any key of `entry`."""
    for key, value in entry.items():
        is_good = is_success or str(key).lower() == "success"
        if isinstance(value, dict):
            rows = [value] if "phone" in value else list(value.values())
        else:
            rows = value if isinstance(value, list) else []
        for row in rows:
            if isinstance(row, dict) and text_or_none(row.get("phone")):
                yield _bulk_delivery(row, str(key), is_success=is_good)
        if isinstance(value, dict) and "phone" not in value:
            yield from _listed_deliveries(
                {name: inner for name, inner in value.items() if isinstance(inner, list)}, is_success=is_good
            )


def _bulk_delivery(row: Mapping[str, Any], key: str, *, is_success: bool) -> Delivery:
    """Read one delivery.

    Its status is its own, otherwise the text of its error, otherwise the key of its list.
    """
    own = text_or_none(row.get("status"))
    return Delivery(
        text_or_none(row.get("phone")) or "",
        own or text_or_none(row.get("error")) or key,
        _time_in(row),
        has_failed=not is_success and read_delivery_status(own or "") is None,
    )


def read_deliveries(data: Any) -> Iterator[Delivery]:
    """Yield the deliveries of getSmsDeliveryList."""
    for row in rows_of(data):
        yield Delivery(
            text_or_none(row.get("phone")) or "",
            text_or_none(row.get("status")) or "",
            _time_in(row),
        )


def _time_in(row: Mapping[str, Any]) -> str | None:
    return text_or_none(row.get("status_time") or row.get("d_sent"))
