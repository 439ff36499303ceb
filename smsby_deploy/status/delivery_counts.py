"""Deliveries counted as they stream by: a mailing of a million keeps a few counters, not a million rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smsby_deploy.status.report import Missed

if TYPE_CHECKING:
    from smsby_deploy.smsby.parsers import Delivery

# sms.by writes statuses in capitals or not, depending on the method.
KNOWN = {"DELIVERED": "delivered", "UNDELIVERED": "undelivered", "SENT": "sent", "NEW": "pending"}
_MINUTE = len("2026-12-01 10:00")


@dataclass(slots=True)
class DeliveryCounts:
    """What sms.by reports of some people: `words` verbatim, the others by the first digits of the
    number."""

    words: Counter[str] = field(default_factory=Counter)
    timeline: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    undelivered: Counter[str] = field(default_factory=Counter)
    missed: list[Missed] = field(default_factory=list)

    def add(self, other: DeliveryCounts) -> None:
        self.words += other.words
        self.timeline += other.timeline
        self.seen += other.seen
        self.delivered += other.delivered
        self.undelivered += other.undelivered
        self.missed += other.missed

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """The words as delivered, undelivered, sent and pending; and those that are none of them, verbatim."""
        known: Counter[str] = Counter()
        other: Counter[str] = Counter()
        for word, count in self.words.items():
            kind = KNOWN.get(word.strip().upper())
            (known if kind else other)[kind or word] += count
        return known, other


def tally_deliveries(deliveries: Iterable[Delivery], *, keep_missed: bool) -> DeliveryCounts:
    """Count `deliveries`; with `keep_missed` those who were not delivered are kept one by one."""
    tally = DeliveryCounts()
    for delivery in deliveries:
        prefix = prefix_of(delivery.phone)
        tally.words[delivery.status] += 1
        tally.seen[prefix] += 1
        kind = KNOWN.get(delivery.status.strip().upper())
        tally.undelivered[prefix] += kind == "undelivered"
        if kind == "delivered":
            tally.delivered[prefix] += 1
            if delivery.at:
                tally.timeline[delivery.at[:_MINUTE].replace("T", " ")] += 1
        elif keep_missed:
            tally.missed.append(Missed(delivery.phone, delivery.status, delivery.at))
    return tally


def prefix_of(phone: str) -> str:
    """The country and operator code of a Belarusian mobile number, `375 29`; else `other`."""
    return f"375 {phone[3:5]}" if len(phone) == 12 and phone.startswith("375") else "other"
