"""Figures over all mailings of a report, for charts: funnel, deliveries over time, number prefixes, reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsby_deploy.status.delivery_counts import DeliveryStatus, read_delivery_status
from smsby_deploy.status.report import StatusReport

_MAX_STEPS = 48
_STEP_MINUTES = (1, 5, 10, 30, 60, 180, 720, 1440, 10080, 43200)


@dataclass(frozen=True, slots=True)
class Funnel:
    """Recipients planned by us, accepted by sms.by, sent to the operator, delivered to the phone."""

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
    """Deliveries in at most 48 equal steps of a round length; steps without a delivery are included."""
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
    """Why recipients did not get the SMS, the most frequent reason first: status words and the keys of `other`."""
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
