"""Delivery statuses, counted while they stream in: a million of them need a few counters, not a million rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from smsby_deploy.status.report import Missed

if TYPE_CHECKING:
    from smsby_deploy.smsby.parsers import Delivery


class DeliveryStatus(StrEnum):
    """The statuses that sms.by documents, under the names of our reports."""

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
_TO_MINUTE = len("2026-12-01 10:00")


def read_delivery_status(word: str) -> DeliveryStatus | None:
    """Return the documented status that `word` is, in any case; None for an undocumented one."""
    return _BY_WORD.get(word.strip().upper())


@dataclass(slots=True)
class DeliveryCounts:
    """Reported messages: by status word (verbatim), by minute of delivery, and by number prefix.

    `missed` lists the messages that were not delivered, if the caller asked for them.
    """

    words: Counter[str] = field(default_factory=Counter)
    timeline: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    undelivered: Counter[str] = field(default_factory=Counter)
    missed: list[Missed] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of messages reported."""
        return self.words.total()

    def add(self, other: DeliveryCounts) -> None:
        """Add the counts of `other` to these."""
        self.words += other.words
        self.timeline += other.timeline
        self.seen += other.seen
        self.delivered += other.delivered
        self.undelivered += other.undelivered
        self.missed += other.missed

    def by_status(self) -> tuple[Counter[str], Counter[str]]:
        """Return (documented statuses, other status words verbatim), both counted."""
        documented: Counter[str] = Counter()
        other: Counter[str] = Counter()
        for word, count in self.words.items():
            status = read_delivery_status(word)
            if status is None:
                other[word] += count
            else:
                documented[status] += count
        return documented, other


def count_deliveries(deliveries: Iterable[Delivery], *, list_missed: bool) -> DeliveryCounts:
    """Count `deliveries`; with `list_missed`, also list those that were not delivered."""
    counts = DeliveryCounts()
    for delivery in deliveries:
        prefix = prefix_of(delivery.phone)
        counts.words[delivery.status] += 1
        counts.seen[prefix] += 1
        status = read_delivery_status(delivery.status)
        counts.undelivered[prefix] += status is DeliveryStatus.UNDELIVERED
        if status is DeliveryStatus.DELIVERED:
            counts.delivered[prefix] += 1
            if delivery.at:
                counts.timeline[delivery.at[:_TO_MINUTE].replace("T", " ")] += 1
        elif list_missed:
            counts.missed.append(Missed(delivery.phone, delivery.status, delivery.at))
    return counts


def prefix_of(phone: str) -> str:
    """Return the country and operator code of a Belarusian mobile number (`375 29`), else `other`."""
    return f"375 {phone[3:5]}" if len(phone) == 12 and phone.startswith("375") else "other"
