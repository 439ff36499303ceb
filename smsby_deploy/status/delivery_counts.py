"""Delivery statuses, counted while they stream in.

A million of them need a few counters, not a million rows. The figures of the status page (by minute, by prefix) are
computed from the same counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from smsby_deploy.smsby.deliveries import DeliveryStatus, is_final_status, read_delivery_status
from smsby_deploy.status.mailing_details import Missed, MissedRows
from smsby_deploy.status.status_report import MailingStatus, OtherKind, StatusReport

if TYPE_CHECKING:
    from smsby_deploy.smsby.deliveries import Delivery

_CERTAINTY = {
    DeliveryStatus.DELIVERED: 5,
    DeliveryStatus.UNDELIVERED: 4,
    DeliveryStatus.SENT: 2,
    DeliveryStatus.PENDING: 0,
}
_TO_MINUTE = len("2026-12-01 10:00")
_MAX_STEPS = 48
_STEP_MINUTES = (1, 5, 10, 30, 60, 180, 720, 1440, 10080, 43200)


@dataclass(slots=True)
class DeliveryCounts:
    """Reported messages: by status word, by minute of delivery, and by prefix.

    Status words are verbatim; `failed` counts those of `words` that are final and not delivered, whatever their text.
    `overdue` messages had no final status for too long. `missed` lists the messages that were not delivered, if the caller
    wants them.
    """

    words: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    timeline: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    undelivered: Counter[str] = field(default_factory=Counter)
    missed: MissedRows = field(default_factory=MissedRows)
    overdue: int = 0

    @property
    def total(self) -> int:
        """The number of messages reported."""
        return self.words.total()

    def add(self, other: DeliveryCounts) -> None:
        """Add the counts of `other` to these."""
        self.words += other.words
        self.failed += other.failed
        self.timeline += other.timeline
        self.seen += other.seen
        self.delivered += other.delivered
        self.undelivered += other.undelivered
        self.missed.extend(other.missed)
        self.overdue += other.overdue

    def by_status(self) -> tuple[Counter[str], Counter[str]]:
        """Return (documented statuses, other status words verbatim), both counted."""
        documented: Counter[str] = Counter()
        other: Counter[str] = Counter()
        for word, count in self.words.items():
            status = read_delivery_status(word)
            failed = count if status is None else self.failed[word]
            if failed:
                other[word] += failed
            if status is not None:
                documented[status] += count - failed
        return documented, other

    @property
    def open_other(self) -> int:
        """The number of messages with an undocumented status that may not be their last."""
        undocumented = {word: n for word, n in self.words.items() if read_delivery_status(word) is None}
        return sum(undocumented.values()) - sum(self.failed[word] for word in undocumented)

    @property
    def is_final(self) -> bool:
        """Whether none of these messages can change its status any more."""
        return all(is_final_status(word) or n == self.failed[word] for word, n in self.words.items())

    @property
    def is_delivered(self) -> bool:
        """Whether each of these messages was delivered."""
        words = self.words
        return all(
            read_delivery_status(word) is DeliveryStatus.DELIVERED and not self.failed[word] for word in words
        )

    def settle(self) -> None:
        """Count every message without a final status as undelivered: it had enough time."""
        for word in list(self.words):
            if is_final_status(word):
                continue
            late = self.words[word] - self.failed[word]
            self.overdue += late
            self.words[word] -= late
        self.words += Counter()  # drops zeros
        if self.overdue:
            self.words[DeliveryStatus.UNDELIVERED.upper()] += self.overdue
        self.undelivered = self.seen - self.delivered
        self.missed = MissedRows(
            one if one.has_failed or is_final_status(one.status) else replace(one, is_overdue=True)
            for one in self.missed
        )


class DeliveryTally:
    """Counts deliveries one by one; each phone counts once.

    A phone that is reported twice counts with the most conclusive status: a delivery before a failure, a final status
    before any other. `list_missed` also lists those that were not delivered.
    """

    def __init__(self, *, list_missed: bool) -> None:
        self._list_missed = list_missed
        self._counts = DeliveryCounts()
        self._kinds: dict[tuple[str, bool], tuple[str, bool]] = {}
        self._by_phone: dict[int | str, tuple[str, bool]] = {}
        self._missed: dict[int | str, Missed] = {}
        self._unnamed = 0
        self.is_finished = False

    def finish(self) -> DeliveryCounts:
        """Return what was counted, and forget the phones: there may be a million of them."""
        counts = self._counts
        if not self.is_finished:
            counts.words, counts.failed = +counts.words, +counts.failed  # drops counts that are 0 again
            counts.missed = MissedRows(self._missed.values())
            self._missed, self._by_phone, self.is_finished = {}, {}, True
        return counts

    def __len__(self) -> int:
        return len(self._by_phone)

    def __contains__(self, phone: str) -> bool:
        return _phone_key(phone) in self._by_phone

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Count `deliveries`."""
        for delivery in deliveries:
            self._add(delivery)

    def _add(self, delivery: Delivery) -> None:
        kind = (delivery.status, delivery.has_failed)
        kind = self._kinds.setdefault(kind, kind)  # one object for all: a million phones share a few
        key = _phone_key(delivery.phone)
        if not delivery.phone:
            self._unnamed += 1
            key = f"#{self._unnamed}"
        before = self._by_phone.get(key)
        if before is not None:
            if _certainty(*kind) <= _certainty(*before):
                return
            self._count(delivery.phone, before, -1)
            self._missed.pop(key, None)
        self._by_phone[key] = kind
        self._count(delivery.phone, kind, 1)
        if read_delivery_status(delivery.status) is DeliveryStatus.DELIVERED and not delivery.has_failed:
            if delivery.at:
                self._counts.timeline[delivery.at[:_TO_MINUTE].replace("T", " ")] += 1
        elif self._list_missed:
            self._missed[key] = Missed(delivery.phone, delivery.status, delivery.at, delivery.has_failed)

    def _count(self, phone: str, kind: tuple[str, bool], step: int) -> None:
        """Add `step` to every count of a message; a delivered one is never taken back."""
        (word, has_failed), counts, prefix = kind, self._counts, prefix_of(phone)
        counts.words[word] += step
        counts.seen[prefix] += step
        if has_failed:
            counts.failed[word] += step
            return
        status = read_delivery_status(word)
        if status is DeliveryStatus.DELIVERED:
            counts.delivered[prefix] += step
        elif status is DeliveryStatus.UNDELIVERED:
            counts.undelivered[prefix] += step


def _phone_key(phone: str) -> int | str:
    digits = phone.lstrip("+")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else phone


def _certainty(word: str, has_failed: bool) -> int:
    """Rank a status by how much it says about the outcome."""
    status = read_delivery_status(word)
    if has_failed:
        return 3
    if status is None:
        return 1
    return _CERTAINTY[status]


def prefix_of(phone: str) -> str:
    """Return the prefix of a Belarusian mobile number (`375 29`), otherwise `other`."""
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
    """Deliveries in one step of time, and all until its end."""

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
    """Return how many recipients each step reached; `planned` is what the applies recorded."""
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
    """Count the reasons why recipients did not get the SMS, the most frequent first.

    They are status words and the keys of `other`.
    """
    reasons: Counter[str] = Counter()
    for mailing in report.mailings:
        for word, count in mailing.details.words.items():
            status = read_delivery_status(word)
            if status is DeliveryStatus.UNDELIVERED:  # its case depends on the method that was called
                reasons["UNDELIVERED"] += count
            elif status is None:
                reasons[word] += count
        known = {OtherKind.LATER, *mailing.details.words}  # a wave that waits has not failed
        unreported = {name: n for name, n in mailing.other.items() if name not in known}
        reasons.update(unreported)
    return [(word, count) for word, count in reasons.most_common() if count]


def count_unlisted(mailing: MailingStatus) -> list[tuple[str, int]]:
    """Recipients who did not get the SMS and are not in `missed`, by status word.

    Nothing was sent to them, their outcome is unknown, or they were accepted only just now.
    """
    counts = Counter(mailing.other)
    counts.update(undelivered=mailing.undelivered, sent=mailing.sent, pending=mailing.pending)
    overdue = mailing.details.overdue
    for missed in mailing.details.missed:
        counts[missed.counted_as] -= 1
        overdue -= missed.is_overdue
    if overdue > 0:
        counts[DeliveryStatus.UNDELIVERED] -= overdue
        counts["undelivered (overdue)"] += overdue
    return [(word, count) for word, count in sorted(counts.items()) if count > 0]
