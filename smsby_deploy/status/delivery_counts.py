"""Delivery statuses, counted while they stream in.

A million of them need a few counters, not a million rows.
The figures of the status page (by minute, by prefix) are computed from the same counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from smsby_deploy.status.report import MailingStatus, Missed, StatusReport

if TYPE_CHECKING:
    from smsby_deploy.smsby.parsers import Delivery

_TO_MINUTE = len("2026-12-01 10:00")
_MAX_STEPS = 48
_STEP_MINUTES = (1, 5, 10, 30, 60, 180, 720, 1440, 10080, 43200)


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


def read_delivery_status(word: str) -> DeliveryStatus | None:
    """Return the documented status that `word` is, in any case; None for an undocumented one."""
    return _BY_WORD.get(word.strip().upper())


@dataclass(slots=True)
class DeliveryCounts:
    """Reported messages: by status word, by minute of delivery, and by prefix.

    Status words are verbatim.
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
    """Return the prefix of a Belarusian mobile number (`375 29`), else `other`."""
    return f"375 {phone[3:5]}" if len(phone) == 12 and phone.startswith("375") else "other"


@dataclass(frozen=True, slots=True)
class Funnel:
    """Recipients planned, accepted by sms.by, sent to the operator, delivered."""

    planned: int
    accepted: int
    sent: int
    delivered: int


@dataclass(frozen=True, slots=True)
class TimeStep:
    """Deliveries in one step of time, and until its end."""

    begins: datetime
    delivered: int
    delivered_so_far: int


@dataclass(frozen=True, slots=True)
class PrefixCounts:
    """Reported recipients whose number starts with `prefix`."""

    prefix: str
    recipients: int
    delivered: int
    undelivered: int

    @property
    def open(self) -> int:
        """Those who are neither delivered nor undelivered."""
        return self.recipients - self.delivered - self.undelivered


def count_funnel(report: StatusReport) -> Funnel:
    mailings, totals = report.mailings, report.totals
    return Funnel(
        planned=sum(mailing.details.planned or mailing.recipients for mailing in mailings),
        accepted=sum(mailing.details.accepted for mailing in mailings),
        sent=totals.delivered + totals.sent + totals.undelivered,
        delivered=totals.delivered,
    )


def count_deliveries_over_time(report: StatusReport) -> list[TimeStep]:
    """Deliveries in at most 48 equal steps of a round length.

    Steps without a delivery are included.
    """
    minutes: Counter[datetime] = Counter()
    for mailing in report.mailings:
        for text, count in mailing.details.timeline.items():
            if (minute := _read_minute(text)) is not None:
                minutes[minute] += count
    if not minutes:
        return []
    step = _step_length(min(minutes), max(minutes))
    origin = min(minutes).replace(hour=0, minute=0)
    counts: Counter[int] = Counter()
    for minute, count in minutes.items():
        counts[(minute - origin) // step] += count
    # A single odd date must not lead to millions of empty steps.
    first, last = min(counts), min(max(counts), min(counts) + _MAX_STEPS * 4)
    steps, so_far = [], 0
    for index in range(first, last + 1):
        so_far += counts[index]
        steps.append(TimeStep(origin + index * step, counts[index], so_far))
    return steps


def _step_length(first: datetime, last: datetime) -> timedelta:
    span = (last - first).total_seconds() / 60
    minutes = next((length for length in _STEP_MINUTES if span / length < _MAX_STEPS - 1), _STEP_MINUTES[-1])
    return timedelta(minutes=minutes)


def _read_minute(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def count_prefixes(report: StatusReport) -> list[PrefixCounts]:
    """Recipients by the prefix of their number, the most frequent first."""
    seen: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    undelivered: Counter[str] = Counter()
    for mailing in report.mailings:
        for prefix, (done, failed, reported) in mailing.details.prefixes.items():
            delivered[prefix] += done
            undelivered[prefix] += failed
            seen[prefix] += reported
    return [
        PrefixCounts(prefix, count, delivered[prefix], undelivered[prefix])
        for prefix, count in seen.most_common()
    ]


def count_reasons(report: StatusReport) -> list[tuple[str, int]]:
    """The reasons why recipients did not get the SMS, the most frequent first.

    They are status words and the keys of `other`.
    """
    reasons: Counter[str] = Counter()
    for mailing in report.mailings:
        for word, count in mailing.details.words.items():
            status = read_delivery_status(word)
            if status is DeliveryStatus.UNDELIVERED:  # its case depends on the method that was asked
                reasons["UNDELIVERED"] += count
            elif status is None:
                reasons[word] += count
        unreported = {name: n for name, n in mailing.other.items() if name not in mailing.details.words}
        reasons.update(unreported)
    return [(word, count) for word, count in reasons.most_common() if count]


def count_unlisted(mailing: MailingStatus) -> list[tuple[str, int]]:
    """Recipients who did not get the SMS and are not in `missed`, by status word.

    They were never sent to, are unknown, or were accepted only just now.
    """
    counts = Counter(mailing.other)
    counts.update(undelivered=mailing.undelivered, sent=mailing.sent, pending=mailing.pending)
    for missed in mailing.details.missed:
        counts[read_delivery_status(missed.status) or missed.status] -= 1
    return [(word, count) for word, count in sorted(counts.items()) if count > 0]
