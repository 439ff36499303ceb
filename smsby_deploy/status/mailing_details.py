"""Details of a mailing in a status report: undelivered recipients, variants, waves.

A report may have a million recipients without a delivery, so they are kept compressed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import WaveVerdict
from smsby_deploy.lock.records import DONE, ChunkState, Entry
from smsby_deploy.plan.waves import (
    Gate,
    WaveProgress,
    last_verdict,
    why_due,
    why_removed,
    why_stopped,
    why_waiting,
    would_go_on,
)
from smsby_deploy.smsby.deliveries import DeliveryStatus, read_delivery_status
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.lock.counts import Billed
    from smsby_deploy.plan.desired import SendTimes
    from smsby_deploy.plan.drift import Difference

_BLOCK_ROWS = 1000
_MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Missed:
    """A recipient without a delivery so far; `status` and `at` are verbatim.

    `has_failed`: final, whatever the text of `status`. `is_overdue`: counted as undelivered because no final status came.
    """

    phone: str
    status: str
    at: str | None
    has_failed: bool = False
    is_overdue: bool = False

    @property
    def counted_as(self) -> str:
        """The count that includes this recipient: a documented status, or a key of `other`."""
        if self.is_overdue:
            return DeliveryStatus.UNDELIVERED
        return self.status if self.has_failed else read_delivery_status(self.status) or self.status


_MISSED_FIELDS = attrgetter("phone", "status", "at", "has_failed", "is_overdue")


class MissedRows:
    """Recipients without a delivery, compressed: 900,000 of them take 10 MB instead of 400."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, rows: Iterable[Missed] = ()) -> None:
        self._blocks: list[bytes] = []
        rows = iter(rows)
        while block := list(islice(rows, _BLOCK_ROWS)):
            self._blocks.append(zlib.compress(json.dumps([*map(_MISSED_FIELDS, block)]).encode(), 1))

    def extend(self, other: MissedRows) -> None:
        """Add the rows of `other`."""
        self._blocks += other._blocks

    def __iter__(self) -> Iterator[Missed]:
        for block in self._blocks:
            for row in json.loads(zlib.decompress(block)):
                yield Missed(*row)

    def __eq__(self, other: object) -> bool:
        return self._blocks == other._blocks if isinstance(other, MissedRows) else NotImplemented


@dataclass(frozen=True, slots=True)
class PartCounts:
    """The recipients of a mailing, a variant or a wave by kind; `missed` as in `Details`.

    `later` is the part of `other` that is in later waves.
    """

    recipients: int = 0
    delivered: int = 0
    undelivered: int = 0
    sent: int = 0
    pending: int = 0
    other: int = 0
    missed: MissedRows = field(default_factory=MissedRows)
    later: int = 0


@dataclass(frozen=True, slots=True)
class VariantStatus:
    """The recipients of one variant."""

    name: str
    counts: PartCounts

    @property
    def line(self) -> str:
        """`variant a: 1,050 of 1,080 recipients delivered (97.2%)`; later waves are not counted."""
        counts, name = self.counts, self.name
        due = counts.recipients - counts.later
        if not counts.recipients:
            return sentence("variant {name}: no recipients", name=name)
        if not due:
            return sentence(
                "variant {name}: {count:recipient|recipients} in later waves", name=name, count=counts.later
            )
        line = sentence(
            "variant {name}: {delivered:,} of {recipients:recipient|recipients} delivered ({share:.1f}%)",
            name=name,
            delivered=counts.delivered,
            recipients=due,
            share=counts.delivered * 1000 // due / 10,
        )
        if not counts.later:
            return line
        return sentence("{line}, {count:recipient|recipients} in later waves", line=line, count=counts.later)


@dataclass(frozen=True, slots=True)
class WaveStatus:
    """The recipients of one wave, and its verdict, None if there is none.

    `was_sent` is None if unknown.
    """

    number: int
    recipients: int
    delivered: int
    undelivered: int
    was_sent: bool | None
    verdict: WaveVerdict | None = None

    @property
    def line(self) -> str:
        """`wave 1: 185 of 200 recipients delivered (92.5%), verdict go`."""
        if self.was_sent is None:
            return sentence(
                "wave {number}: {count:recipient|recipients}, outcome unknown",
                number=self.number,
                count=self.recipients,
            )
        if not self.was_sent:
            return sentence(
                "wave {number}: {count:recipient|recipients}, not sent",
                number=self.number,
                count=self.recipients,
            )
        said = sentence(
            "wave {number}: {delivered:,} of {recipients:recipient|recipients} delivered ({share:.1f}%)",
            number=self.number,
            delivered=self.delivered,
            recipients=self.recipients,
            share=self.delivered * 1000 // self.recipients / 10 if self.recipients else 0.0,
        )
        if self.verdict is None:
            return said
        kind, signature = self.verdict.kind, self.verdict.signature
        if not signature:
            return sentence("{wave}, verdict {kind}", wave=said, kind=kind)
        return sentence("{wave}, verdict {kind} {signature}", wave=said, kind=kind, signature=signature)


class WavesInFiles(NamedTuple):
    """The waves of a mailing in the files; `is_removed`: no file has it."""

    steps: tuple[Wave, ...] = ()
    is_removed: bool = False

    def why_waiting(self, entry: Entry, progress: WaveProgress, address: str) -> str:
        """Say what the next wave waits for; empty if nothing waits."""
        if entry.ending is not None or entry.has_unknown:
            return ""
        if self.is_removed and would_go_on(entry):
            return why_removed(entry, address)
        if not progress.is_next:
            return ""
        if progress.gate is Gate.STOPPED:
            return why_stopped(progress, address)
        return why_waiting(progress) if progress.gate is Gate.EARLY else why_due(progress)


def summarize_wave(number: int, counts: PartCounts, entry: Entry, zone: tzinfo) -> WaveStatus:
    """Return the status of the wave `number` that `counts` are about, with its times in `zone`."""
    chunks = [chunk for chunk in entry.chunks if chunk.wave == number]
    was_sent: bool | None = any(chunk.was_sent for chunk in chunks)
    if not was_sent and any(chunk.state is ChunkState.UNKNOWN for chunk in chunks):
        was_sent = None
    verdict = last_verdict(entry, number)
    verdict = None if verdict is None else verdict.in_zone(zone)
    return WaveStatus(number, counts.recipients, counts.delivered, counts.undelivered, was_sent, verdict)


@dataclass(frozen=True, slots=True)
class Details:
    """Figures of one mailing beyond its counts.

    `planned…` were recorded by the apply. `accepted` counts the recipients that sms.by accepted. `words` counts its status
    words verbatim. `timeline` counts deliveries by minute, `YYYY-MM-DD HH:MM` in the time zone of the account. `prefixes`
    maps a number prefix to (delivered, undelivered, all reported). `missed` is empty unless the caller wants it. `open_other`
    counts the recipients of `other` whose status may not be the last. `overdue` of the undelivered recipients had no final
    status within `status.settle_after`. `unread` holds masked errors of sms.by in place of deliveries. `missing` says that
    the remote list lacks the mailing.

    `window` is when a waiting mailing may be handed over; `waits` says so to users. `decision` says who withdrew or
    abandoned it, when and why. `spread` has the times of its chunks, None if all have the same. `billed` is what sms.by
    itself reports, None if it does not.
    `variants` and `waves` are () if it has none. `has_unsent`: a part of it was not sent, and still may be. `failures` say
    why requests were not accepted, or have an unknown outcome.
    """

    planned: int | None = None
    planned_parts: int | None = None
    planned_cost: Decimal | None = None
    accepted: int = 0
    words: Mapping[str, int] = field(default_factory=dict)
    timeline: Mapping[str, int] = field(default_factory=dict)
    prefixes: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    missed: Iterable[Missed] = ()
    open_other: int = 0
    overdue: int = 0
    unread: tuple[str, ...] = ()
    missing: str = ""
    window: Window | None = None
    waits: str = ""
    decision: str = ""
    spread: SendTimes | None = None
    billed: Billed | None = None
    variants: tuple[VariantStatus, ...] = ()
    waves: tuple[WaveStatus, ...] = ()
    has_unsent: bool = False
    failures: tuple[str, ...] = ()


NO_DETAILS = Details()


def failures_of(entry: Entry) -> tuple[str, ...]:
    """Return a few reasons, given by sms.by or the network, why requests of a mailing failed."""
    if entry.is_withdrawn:
        return ()
    reasons = (
        sentence("the outcome of a request is unknown: {why}", why=chunk.error)
        if chunk.state is ChunkState.UNKNOWN
        else sentence("a request was not accepted: {why}", why=chunk.error)
        for chunk in entry.chunks
        if chunk.error and chunk.state not in DONE
    )
    return tuple(islice(dict.fromkeys(reasons), _MOST_FAILURES))
