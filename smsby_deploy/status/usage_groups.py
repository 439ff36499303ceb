"""The groups that `report --by` can name, and the share of a mailing in each of them.

A mailing that was sent in part, or in several months, counts in proportion to its recipients. A value that was not
recorded is None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.counts import Deliveries
from smsby_deploy.lock.records import DONE, ChunkRecord, Entry
from smsby_deploy.wording import read_money

_LABEL = "label:"
_SMALLEST = Decimal("0.000001")  # of a share of a cost
ChunkDeliveries = Callable[[ChunkRecord], Deliveries | None]  # of one chunk; None: not final or unknown


class GroupKind(StrEnum):
    """What sends can be grouped by, besides a label."""

    MONTH = "month"
    CAMPAIGN = "campaign"
    MAILING = "mailing"
    VARIANT = "variant"
    PREFIX = "prefix"
    ENVIRONMENT = "environment"
    PLAN = "plan"
    SIGNED_BY = "signed_by"
    APPLIED_BY = "applied_by"
    STATE = "state"


class Grouping(NamedTuple):
    """One group to add up by: a kind, or the label `label`."""

    kind: GroupKind | None
    label: str = ""

    @property
    def name(self) -> str:
        return self.kind.value if self.kind is not None else f"{_LABEL}{self.label}"


def read_groupings(text: str) -> tuple[Grouping, ...]:
    """Parse `--by`, e.g. `month,label:owner`.

    Raises:
        UsageError: it has an unknown group, or names one twice.
    """
    names = [name.strip() for name in text.split(",")]
    kinds = {kind.value: kind for kind in GroupKind}
    labels = {name for name in names if name.startswith(_LABEL) and name != _LABEL}
    unknown = next((name for name in names if name not in kinds and name not in labels), None)
    if unknown is not None or len(set(names)) < len(names):
        message = "names a group twice" if unknown is None else f"cannot add up by {unknown!r}"
        raise UsageError(
            f"--by: {message}", hint=f"use some of {', '.join((*kinds, 'label:KEY'))}, joined by commas"
        )
    if {GroupKind.PREFIX, GroupKind.VARIANT} <= set(names):
        raise UsageError(
            "--by: prefix and variant cannot be combined",
            hint="the lock has the prefixes of a mailing, not those of each variant: use one of them",
        )
    return tuple(Grouping(kinds.get(name), name.removeprefix(_LABEL)) for name in names)


class Share(NamedTuple):
    """The part of a mailing that was sent in one month, to one prefix or as one variant.

    None means not recorded. The lock has no parts and no cost per chunk: for some of the chunks, they are estimates.
    """

    month: str
    prefix: str | None
    recipients: int | None
    parts: int | None
    planned: Decimal | None
    billed: Decimal | None
    deliveries: Deliveries | None = None
    variant: str = ""
    not_sent: int = 0
    is_planned_estimate: bool = False  # and so are its parts
    is_billed_estimate: bool = False


def accepted_chunks(entry: Entry, since: datetime | None) -> list[ChunkRecord]:
    """Return the chunks that reached recipients, and were accepted at `since` or later."""
    if entry.is_withdrawn:
        return []
    return [
        chunk for chunk in entry.chunks if chunk.was_sent and (since is None or _at(entry, chunk) >= since)
    ]


def _at(entry: Entry, chunk: ChunkRecord) -> datetime:
    return datetime.fromisoformat(chunk.accepted_at or entry.applied.at)


def shares_of(
    entry: Entry,
    chunks: Sequence[ChunkRecord],
    kinds: Collection[GroupKind | None],
    zone: ZoneInfo,
    deliveries_of: ChunkDeliveries,
) -> Iterator[Share]:
    """Yield a mailing's share of each month, variant or prefix, as `kinds` require."""
    months: dict[str, list[ChunkRecord]] = {"": [*chunks]}
    if GroupKind.MONTH in kinds:
        months = {}
        for chunk in chunks:
            months.setdefault(f"{_at(entry, chunk).astimezone(zone):%Y-%m}", []).append(chunk)
    for index, (month, some) in enumerate(months.items()):
        if GroupKind.VARIANT in kinds and _has_variants(entry):
            yield from (one._replace(month=month) for one in _by_variant(entry, some, deliveries_of))
            if not index:  # a control group is in no chunk, and counts once
                yield from (one._replace(month=month) for one in _control_groups(entry))
            continue
        share = whole_share(entry, some, deliveries_of)._replace(month=month)
        if GroupKind.PREFIX in kinds:
            yield from _by_prefix(entry, share)
        else:
            yield share if not index else share._replace(not_sent=0)


def whole_share(entry: Entry, chunks: Sequence[ChunkRecord], deliveries_of: ChunkDeliveries) -> Share:
    """Return the share of `chunks` in a mailing, undivided."""
    return _share_of(_of_mailing(entry), chunks, deliveries_of)


class _Whole(NamedTuple):
    """The recorded figures of a mailing, or of one of its variants, before they are divided."""

    chunks: Sequence[ChunkRecord]
    recipients: int | None
    parts: int | None
    cost: Decimal | None
    billed: Decimal | None
    deliveries: Deliveries | None
    not_sent: int = 0

    @property
    def is_complete(self) -> bool:
        return all(chunk.state in DONE for chunk in self.chunks)


def _of_mailing(entry: Entry) -> _Whole:
    return _Whole(
        entry.chunks,
        entry.recipients,
        entry.parts,
        read_money(entry.cost),
        None if entry.billed is None else Decimal(entry.billed.cost),
        entry.deliveries,
        sum(one.recipients for one in (entry.variants or {}).values() if not one.is_sent),
    )


def _share_of(whole: _Whole, chunks: Sequence[ChunkRecord], deliveries_of: ChunkDeliveries) -> Share:
    """Return the share of `chunks` in the whole.

    All chunks of a complete mailing have all of it; otherwise recipients determine the share.
    """
    every = sum(chunk.was_sent for chunk in whole.chunks)
    recipients = _recipients(whole, chunks)
    sent, planned = _recipients(whole, whole.chunks), whole.recipients
    of_planned = of_billed = None
    if recipients is not None and sent is not None:
        of_billed = _Fraction(recipients, sent)
        of_planned = _Fraction(recipients, sent if whole.is_complete else planned or sent)
    if whole.is_complete and len(chunks) == every:
        of_planned = of_billed = _Fraction(1, 1)
    parts = None if whole.parts is None or of_planned is None else of_planned.whole(whole.parts)
    cost = None if whole.cost is None or of_planned is None else of_planned.money(whole.cost)
    bill = None if whole.billed is None or of_billed is None else of_billed.money(whole.billed)
    deliveries = whole.deliveries if len(chunks) == every else None
    if deliveries is None:
        deliveries = _sum_deliveries(deliveries_of(chunk) for chunk in chunks)
    return Share(
        "", None, recipients, parts, cost, bill, deliveries, not_sent=whole.not_sent,
        is_planned_estimate=of_planned is not None and not of_planned.is_whole,
        is_billed_estimate=of_billed is not None and not of_billed.is_whole,
    )  # fmt: skip


def _sum_deliveries(deliveries: Iterable[Deliveries | None]) -> Deliveries | None:
    """Return the sum; None if one is unknown."""
    total = Deliveries(0, 0)
    for one in deliveries:
        if one is None:
            return None
        total += one
    return total


class _Fraction(NamedTuple):
    some: int
    whole_of: int

    @property
    def is_whole(self) -> bool:
        return self.some == self.whole_of

    def whole(self, count: int) -> int:
        return count * self.some // self.whole_of if self.whole_of else 0

    def money(self, amount: Decimal) -> Decimal:
        if self.is_whole:
            return amount
        return (amount * self.some / self.whole_of).quantize(_SMALLEST) if self.whole_of else Decimal(0)


def _recipients(whole: _Whole, chunks: Iterable[ChunkRecord]) -> int | None:
    """Return how many recipients `chunks` were accepted for.

    None if the size of a list is not recorded.
    """
    sent = [chunk for chunk in chunks if chunk.was_sent]
    if all(chunk.recipients is not None or chunk.phones is not None for chunk in sent):
        return sum(chunk.accepted_recipients for chunk in sent)
    return whole.recipients if len(whole.chunks) == 1 else None


def _has_variants(entry: Entry) -> bool:
    return any(chunk.variant is not None for chunk in entry.chunks)


def _by_variant(
    entry: Entry, chunks: Sequence[ChunkRecord], deliveries_of: ChunkDeliveries
) -> Iterator[Share]:
    """Yield the shares of the variants; sms.by does not report the cost of each."""
    for name in dict.fromkeys(chunk.variant for chunk in chunks):
        recorded = (entry.variants or {}).get(name or "")
        whole = _Whole(
            [chunk for chunk in entry.chunks if chunk.variant == name],
            recorded and recorded.recipients,
            recorded and recorded.parts,
            None if recorded is None or recorded.cost is None else Decimal(recorded.cost),
            None,
            recorded and recorded.deliveries,
        )
        some = [chunk for chunk in chunks if chunk.variant == name]
        yield _share_of(whole, some, deliveries_of)._replace(variant=name or "")


def _control_groups(entry: Entry) -> Iterator[Share]:
    """Yield a share for each control group, whose recipients were left out."""
    for name, one in (entry.variants or {}).items():
        if not one.is_sent:
            nothing = Share("", None, 0, 0, Decimal(0), Decimal(0), Deliveries(0, 0))
            yield nothing._replace(variant=name, not_sent=one.recipients)


def _by_prefix(entry: Entry, share: Share) -> list[Share]:
    """Return the shares of the prefixes, as planned, if the mailing was sent as a whole."""
    is_whole = entry.is_complete and share.recipients == _recipients(_of_mailing(entry), entry.chunks)
    if entry.prefixes is None or not is_whole:
        return [share]
    return [
        share._replace(
            prefix=prefix,
            recipients=one.recipients,
            parts=one.parts,
            planned=read_money(one.cost),
            billed=None,  # sms.by does not report it by prefix
            deliveries=None,
            not_sent=0,
        )
        for prefix, one in entry.prefixes.items()
    ]


def count_left_out(entry: Entry, share: Share) -> int:
    planned = sum(one.recipients for one in (entry.prefixes or {}).values())
    return max(0, planned - (share.recipients or 0)) if entry.is_complete and planned else 0
