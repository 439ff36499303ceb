"""The status of one mailing: its lock entry combined with the reports of sms.by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

from smsby_deploy.lock.phone_states import PhoneState, PhoneStates
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState, Entry, EntryState
from smsby_deploy.plan.desired import times_of
from smsby_deploy.plan.drift import Difference, DriftField, IntendedValues, compare_chunks, reported_values
from smsby_deploy.plan.reasons import LISTED_WHILE_WAITING
from smsby_deploy.plan.remote_state import read_billed, sum_listed
from smsby_deploy.plan.waves import (
    Gate,
    WaveProgress,
    recorded_progress,
)
from smsby_deploy.smsby.deliveries import DeliveryStatus
from smsby_deploy.status.delivery_counts import DeliveryCounts
from smsby_deploy.status.mailing_details import (
    Details,
    PartCounts,
    VariantStatus,
    WavesInFiles,
    failures_of,
    summarize_wave,
)
from smsby_deploy.status.remote_reports import RemoteReports
from smsby_deploy.status.status_report import MailingStatus, OtherKind, State
from smsby_deploy.wording import money, read_money, sentence

_WITHOUT_MESSAGE = {
    ChunkState.UNKNOWN: OtherKind.UNKNOWN,
    ChunkState.REJECTED: OtherKind.REJECTED,
    ChunkState.PENDING: OtherKind.NOT_SENT,
    ChunkState.DECLARED_UNSENT: OtherKind.NOT_SENT,
}
_NOT_SENT = frozenset({ChunkState.PENDING, ChunkState.DECLARED_UNSENT})
_BY_DECISION = frozenset({EntryState.WAITING, EntryState.WITHDRAWN, EntryState.ABANDONED})
_IN_PROGRESS = frozenset({ChunkState.UNKNOWN, ChunkState.PENDING})  # while another run is sending


class Moment(NamedTuple):
    """When a report is made, and what follows from it for a mailing.

    A message without a final status `settle_after` its time counts as undelivered. `is_running`: another run is sending
    the mailing, so what has no outcome yet is pending. The times of waves and decisions are shown in `zone`.
    """

    now: datetime
    settle_after: timedelta
    is_running: bool = False
    zone: tzinfo = UTC

    def is_overdue(self, entry: Entry, chunk: ChunkRecord) -> bool:
        """Return whether every message of an accepted chunk had enough time to become final."""
        times = (chunk.accepted_at or entry.applied.at, chunk.schedule_time or entry.schedule_time)
        return self.now >= max(map(datetime.fromisoformat, filter(None, times))) + self.settle_after


def summarize_mailing(
    intended: IntendedValues,
    entry: Entry,
    reports: RemoteReports,
    moment: Moment,
    advance: Callable[[int], None],
    waves: WavesInFiles,
) -> MailingStatus:
    """Return the status of one mailing.

    `advance` gets the number of recipients of each chunk once it is counted.
    """
    progress = recorded_progress(entry, waves.steps, moment.now, moment.zone)
    counts = _RecipientCounts()
    by_variant: defaultdict[str, _RecipientCounts] = defaultdict(_RecipientCounts)
    by_wave: defaultdict[int, _RecipientCounts] = defaultdict(_RecipientCounts)
    for chunk in entry.chunks:
        own = _ChunkCounts(reports, entry, moment, progress.waits_from)
        advance(own.count(chunk))
        counts.add(own)
        if chunk.variant is not None:
            by_variant[chunk.variant].add(own)
        if chunk.wave is not None:
            by_wave[chunk.wave].add(own)
    whole = counts.as_part()
    parts, cost = _billed(entry, reports)
    return MailingStatus(
        address=intended.address,
        state=_state(entry, counts, moment, progress),
        schedule_time=entry.schedule_time,
        recipients=whole.recipients,
        delivered=whole.delivered,
        undelivered=whole.undelivered,
        sent=whole.sent,
        pending=whole.pending,
        other={str(word): count for word, count in counts.other.items() if count},
        parts=parts,
        cost=cost,
        requests=tuple(dict.fromkeys(chunk.uuid for chunk in entry.chunks if chunk.uuid is not None)),
        details=replace(
            _details(entry, counts, reports, tuple(_differences(intended, entry, reports, parts, cost))),
            decision="" if entry.ending is None else str(entry.ending.in_zone(moment.zone)),
            variants=tuple(VariantStatus(name, one.as_part()) for name, one in sorted(by_variant.items())),
            waves=tuple(
                summarize_wave(number, one.as_part(), entry, moment.zone)
                for number, one in sorted(by_wave.items())
            ),
            waits=waves.why_waiting(entry, progress, intended.address),
            failures=() if moment.is_running else failures_of(entry),
        ),
        revision=entry.revision,
    )


def summarize_waiting(address: str, entry: Entry, now: datetime, *, is_listed: bool = False) -> MailingStatus:
    """Return the status of a waiting mailing; `is_listed`: sms.by lists it nevertheless."""
    assert entry.approval is not None
    window = entry.approval.window
    if is_listed:
        waits = LISTED_WHILE_WAITING
    elif window.is_over(now):
        waits = sentence(
            "its window for the hand-over closed at {time}, so it is not sent", time=window.closes
        )
    else:
        waits = sentence(
            "approved; `apply --due` hands it over to sms.by between {opens} and {closes}",
            opens=window.opens,
            closes=window.closes,
        )
    return MailingStatus(
        address=address,
        state=State.WAITING,
        schedule_time=entry.schedule_time,
        recipients=entry.recipients or 0,
        delivered=0,
        undelivered=0,
        sent=0,
        pending=entry.recipients or 0,
        other={},
        parts=None,
        cost=None,
        requests=(),
        details=Details(
            planned=entry.recipients,
            planned_parts=entry.parts,
            planned_cost=read_money(entry.cost),
            window=window,
            waits=waits,
            spread=times_of(entry.chunks),
        ),
        revision=entry.revision,
    )


class _RecipientCounts:
    """Recipients of a chunk, or of several together, by delivery status."""

    def __init__(self) -> None:
        self.documented: Counter[str] = Counter()
        self.other: Counter[str] = Counter()
        self.deliveries = DeliveryCounts()
        self.accepted = 0
        self.open_other = 0  # of `other`: their status may not be the last
        self.overdue = 0  # of the undelivered: they had no final status for too long
        self.unread: list[str] = []
        self.has_silent_chunk = False  # an accepted chunk without a known size or any reported message

    def add(self, more: _RecipientCounts) -> None:
        """Add the recipients of one chunk."""
        self.documented += more.documented
        self.other += more.other
        self.deliveries.add(more.deliveries)
        self.accepted += more.accepted
        self.open_other += more.open_other
        self.overdue += more.overdue
        self.unread += more.unread
        self.has_silent_chunk |= more.has_silent_chunk

    def as_part(self) -> PartCounts:
        """Return how many there are of each kind."""
        documented, other = self.documented, self.other
        return PartCounts(
            documented.total() + other.total(),
            documented[DeliveryStatus.DELIVERED],
            documented[DeliveryStatus.UNDELIVERED],
            documented[DeliveryStatus.SENT],
            documented[DeliveryStatus.PENDING],
            other.total(),
            self.deliveries.missed,
            other[OtherKind.LATER],
        )


class _ChunkCounts(_RecipientCounts):
    """The recipients of one chunk, as the lock and sms.by know them."""

    def __init__(self, reports: RemoteReports, entry: Entry, moment: Moment, waits_from: int | None) -> None:
        super().__init__()
        self._reports, self._entry, self._moment = reports, entry, moment
        self._waits_from = None if entry.ending is not None else waits_from  # the first wave that waits

    def count(self, chunk: ChunkRecord) -> int:
        """Count the chunk and return its number of recipients, 0 if unknown."""
        listed = self._reports.find_listed(chunk)
        reported = listed.count_phones if listed else None
        recipients = chunk.recipients if chunk.recipients is not None else reported
        size = recipients or 0
        if self._entry.is_withdrawn and listed is None:
            self.other[OtherKind.WITHDRAWN] += size
        elif chunk.phones is not None:
            self._add_single_sends(chunk, chunk.phones)
        elif chunk.state in _IN_PROGRESS and self._moment.is_running:
            self.documented[DeliveryStatus.PENDING] += size
        elif self._waits(chunk):
            self.other[OtherKind.LATER] += size
        elif chunk.state in _WITHOUT_MESSAGE:
            self.other[_WITHOUT_MESSAGE[chunk.state]] += size
        elif chunk.state is ChunkState.DRAFT:
            self.documented[DeliveryStatus.PENDING] += size
        elif chunk.state is ChunkState.ACCEPTED:
            deliveries, is_overdue = self._ask(chunk)
            seen = self._add_deliveries(deliveries)
            # A recipient whom sms.by does not count (a late opt-out, a number it dropped) will never be delivered.
            taken = max(seen, min(size, reported) if reported else size)
            self._add_silent(taken - seen, is_overdue=is_overdue)
            self.other[OtherKind.NOT_TAKEN] += max(0, size - taken)
            self.accepted += taken
            self.has_silent_chunk |= recipients is None and not seen and not is_overdue
        return size

    def _waits(self, chunk: ChunkRecord) -> bool:
        """Whether a chunk belongs to a wave that waits for its turn."""
        if chunk.state not in _NOT_SENT or chunk.wave is None or self._waits_from is None:
            return False
        return chunk.wave >= self._waits_from

    def _add_single_sends(self, chunk: ChunkRecord, phones: PhoneStates) -> None:
        """Count a chunk that is sent phone by phone.

        A send with a lost answer counts by its delivery, if sms.by reports one.
        """
        accepted, unknown = phones.count(PhoneState.ACCEPTED), phones.count(PhoneState.UNKNOWN)
        self.other[OtherKind.REJECTED] += phones.count(PhoneState.REJECTED)
        unsent = phones.count(PhoneState.PENDING, PhoneState.DECLARED_UNSENT)
        if self._moment.is_running:
            self.documented[DeliveryStatus.PENDING] += unsent
        else:
            self.other[OtherKind.NOT_SENT] += unsent
        if not (accepted + unknown and self._reports.has_own_message(chunk)):
            self._add_unreported(accepted, unknown)
            return
        deliveries, is_overdue = self._ask(chunk)
        if deliveries.total > accepted + unknown:
            self._add_unreported(accepted, unknown)
            return
        seen = self._add_deliveries(deliveries)
        found = max(0, seen - accepted)
        self._add_silent(max(0, accepted - seen), is_overdue=is_overdue)
        self._add_unknown(unknown - found)
        self.accepted += accepted + found

    def _add_unreported(self, accepted: int, unknown: int) -> None:
        self.other[OtherKind.INDISTINCT] += accepted
        self._add_unknown(unknown)
        self.accepted += accepted

    def _add_unknown(self, count: int) -> None:
        if self._moment.is_running:
            self.documented[DeliveryStatus.PENDING] += count
        else:
            self.other[OtherKind.UNKNOWN] += count

    def _add_silent(self, count: int, *, is_overdue: bool) -> None:
        """Count accepted recipients about whom sms.by reports nothing."""
        self.documented[DeliveryStatus.UNDELIVERED if is_overdue else DeliveryStatus.PENDING] += count
        self.overdue += count if is_overdue else 0

    def _ask(self, chunk: ChunkRecord) -> tuple[DeliveryCounts, bool]:
        """Return the deliveries of a chunk, and whether it is overdue, so that none is still open."""
        is_overdue = self._moment.is_overdue(self._entry, chunk)
        deliveries = self._reports.count_deliveries(chunk, is_overdue=is_overdue)
        self.unread += self._reports.take_unread()
        return deliveries, is_overdue

    def _add_deliveries(self, deliveries: DeliveryCounts) -> int:
        documented, other = deliveries.by_status()
        self.documented += documented
        self.other += other
        self.open_other += deliveries.open_other
        self.overdue += deliveries.overdue
        self.deliveries.add(deliveries)
        return deliveries.total


def _details(
    entry: Entry, counts: _RecipientCounts, reports: RemoteReports, differences: tuple[Difference, ...]
) -> Details:
    deliveries = counts.deliveries
    return Details(
        planned=entry.recipients,
        planned_parts=entry.parts,
        planned_cost=read_money(entry.cost),
        accepted=counts.accepted,
        words=dict(sorted(deliveries.words.items())),
        timeline=dict(sorted(deliveries.timeline.items())),
        prefixes={
            prefix: (deliveries.delivered[prefix], deliveries.undelivered[prefix], seen)
            for prefix, seen in sorted(deliveries.seen.items())
        },
        billed=read_billed(entry, reports.find_listed),
        differences=differences,
        spread=times_of(entry.chunks),
        missed=deliveries.missed,
        open_other=counts.open_other,
        overdue=counts.overdue,
        unread=tuple(dict.fromkeys(counts.unread)),
        has_unsent=entry.ending is None and not entry.is_complete,
    )


def _billed(entry: Entry, reports: RemoteReports) -> tuple[int | None, Decimal | None]:
    """Return the parts and cost of what was sent.

    They come from sms.by if it lists every accepted chunk, otherwise from the lock if the mailing is complete, otherwise they
    are None. A withdrawn mailing costs nothing, unless sms.by still lists it.
    """
    accepted = [chunk for chunk in entry.chunks if chunk.state is ChunkState.ACCEPTED]
    if entry.is_withdrawn and not any(map(reports.find_listed, accepted)):
        return 0, None if entry.cost is None else Decimal(0)
    parts, cost = sum_listed(entry, reports.find_listed)
    if not entry.is_complete:
        return parts, cost
    return entry.parts if parts is None else parts, read_money(entry.cost) if cost is None else cost


def _differences(
    intended: IntendedValues, entry: Entry, reports: RemoteReports, parts: int | None, cost: Decimal | None
) -> list[Difference]:
    """Return the values reported by sms.by that differ from the recorded ones.

    Each is returned once for the whole mailing.
    """
    accepted = [chunk for chunk in entry.chunks if chunk.state is ChunkState.ACCEPTED]
    pairs = ((chunk, reports.find_listed(chunk)) for chunk in accepted)
    listed = [(chunk, reported_values(one)) for chunk, one in pairs if one is not None]
    found = compare_chunks(intended, listed)
    if entry.is_withdrawn:
        still = sum(reports.find_listed(chunk) is not None for chunk in entry.chunks)
        return [Difference(DriftField.LISTED, "0", str(still)), *found] if still else []
    sizes = [chunk.recipients for chunk in accepted]
    if not entry.is_complete or (None not in sizes and sum(filter(None, sizes)) < (entry.recipients or 0)):
        return found  # recipients left out between two runs, or waves, are not a difference
    if None not in (entry.parts, parts) and entry.parts != parts:
        found.append(Difference(DriftField.PARTS, str(entry.parts), str(parts)))
    if entry.cost is not None and cost is not None and Decimal(entry.cost) != cost:
        found.append(Difference(DriftField.COST, money(Decimal(entry.cost)), money(cost)))
    return found


def _state(entry: Entry, counts: _RecipientCounts, moment: Moment, progress: WaveProgress) -> State:
    states = {chunk.state for chunk in entry.chunks}
    documented = counts.documented
    if moment.is_running and states & (_IN_PROGRESS | {ChunkState.PARTIAL}):
        return State.SENDING
    if ChunkState.UNKNOWN in states:
        return State.UNKNOWN
    if entry.state in _BY_DECISION:
        return State(entry.state.value)
    if not states <= DONE:
        if progress.is_next and progress.gate is not Gate.STOPPED:
            return State.WAITING
        if states & {ChunkState.ACCEPTED, ChunkState.PARTIAL}:
            return State.PARTIAL
        # Without a rejection, the next apply sends what was not sent yet.
        return State.REJECTED if ChunkState.REJECTED in states else State.DRAFT
    is_waiting = documented[DeliveryStatus.PENDING] or documented[DeliveryStatus.SENT] or counts.open_other
    if not (is_waiting or counts.has_silent_chunk):
        return State.FINAL
    is_early = entry.send_time is not None and entry.send_time > moment.now
    has_begun = documented[DeliveryStatus.SENT] or documented[DeliveryStatus.DELIVERED]
    return State.SCHEDULED if is_early and not has_begun else State.SENDING
