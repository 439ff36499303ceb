"""What was sent and what it cost, added up by month, label, campaign, prefix or environment.

Only locks and archives are read. What an older version did not record is counted as missing, never as 0. Planned is what the
project's price says, billed what sms.by reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.archive import with_archived, with_newer
from smsby_deploy.lock.records import ChunkRecord, Entry, Lock

_LABEL = "label:"
_SMALLEST = Decimal("0.000001")  # of a share of a cost


class GroupKind(StrEnum):
    """By what sends can be added up, besides a label."""

    MONTH = "month"
    CAMPAIGN = "campaign"
    PREFIX = "prefix"
    ENVIRONMENT = "environment"


class Grouping(NamedTuple):
    """One thing to add up by: a kind, or the label of this name."""

    kind: GroupKind | None
    label: str = ""

    @property
    def name(self) -> str:
        return self.kind.value if self.kind is not None else f"{_LABEL}{self.label}"


def read_groupings(text: str) -> tuple[Grouping, ...]:
    """Return what `--by` names, e.g. `month,label:owner`.

    Raises:
        UsageError: it names something else, or the same twice.
    """
    names = [name.strip() for name in text.split(",")]
    kinds = {kind.value: kind for kind in GroupKind}
    unknown = next((name for name in names if name not in kinds and not name.removeprefix(_LABEL)), None)
    unknown = next((name for name in names if name not in kinds and not name.startswith(_LABEL)), unknown)
    if unknown is not None or len(set(names)) < len(names):
        message = "names the same twice" if unknown is None else f"cannot add up by {unknown!r}"
        raise UsageError(
            f"--by: {message}", hint=f"use some of {', '.join((*kinds, 'label:KEY'))}, joined by commas"
        )
    return tuple(Grouping(kinds.get(name), name.removeprefix(_LABEL)) for name in names)


class UsageSource(NamedTuple):
    """The lock of an environment, with its archive."""

    environment: str
    lock: Lock


@dataclass(slots=True)
class Sum:
    """A sum, and how many mailings it lacks because nothing was recorded.

    `total` is None if it lacks all.
    """

    total: Decimal | None = None
    missing: int = 0

    def add(self, value: Decimal | int | None) -> None:
        """Add what one mailing has; None is missing."""
        if value is None:
            self.missing += 1
        else:
            self.total = (self.total or Decimal(0)) + value


@dataclass(slots=True)
class UsageRow:
    """What belongs to one group.

    `keys` are its values, one for each grouping: None if not recorded, "" if a mailing lacks the label. `currency` is None
    without a price.
    """

    keys: tuple[str | None, ...]
    currency: str | None
    mailings: int = 0
    recipients: Sum = field(default_factory=Sum)
    parts: Sum = field(default_factory=Sum)
    planned: Sum = field(default_factory=Sum)
    billed: Sum = field(default_factory=Sum)

    def add(self, share: _Share) -> None:
        self.mailings += 1
        self.recipients.add(share.recipients)
        self.parts.add(share.parts)
        self.planned.add(share.planned)
        self.billed.add(share.billed)


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Rows by group, and totals by currency.

    `unknown` mailings have an outcome that is not known; only what was certainly accepted of them is counted. `opted_out` are
    planned recipients who opted out before the send: rows by prefix, which are as planned, include them.
    """

    project: str
    made_at: str
    since: str | None
    groupings: tuple[Grouping, ...]
    rows: tuple[UsageRow, ...]
    totals: tuple[UsageRow, ...]
    unknown: int = 0
    opted_out: int = 0


class _Share(NamedTuple):
    """What of a mailing was sent in one month, or to one prefix.

    None where that is not recorded.
    """

    month: str
    prefix: str | None
    recipients: int | None
    parts: int | None
    planned: Decimal | None
    billed: Decimal | None


def make_usage_report(
    project: str,
    sources: Sequence[UsageSource],
    groupings: tuple[Grouping, ...],
    *,
    zone: str,
    made_at: datetime,
    since: datetime | None = None,
) -> UsageReport:
    """Add up what was sent.

    Months are those of `zone`, and `since` leaves out what was accepted before. A mailing that was sent in part, or in
    several months, counts there by its recipients. What was withdrawn cost nothing and is left out.

    Raises:
        LockDamaged: an archive is damaged.
    """
    kinds = {grouping.kind for grouping in groupings}
    rows: dict[tuple[tuple[str | None, ...], str | None], UsageRow] = {}
    totals: dict[str | None, UsageRow] = {}
    unknown = opted_out = 0
    for source in sources:
        lock = with_newer(source.lock, since) if since is not None else with_archived(source.lock).lock
        for address, entry in _all_revisions(lock):
            unknown += entry.has_unknown
            chunks = _accepted(entry, since)
            if not chunks:
                continue
            whole = _share_of(entry, chunks, "")
            totals.setdefault(entry.currency, UsageRow((), entry.currency)).add(whole)
            shares = _by_month(entry, chunks, ZoneInfo(zone)) if GroupKind.MONTH in kinds else [whole]
            if GroupKind.PREFIX in kinds:
                opted_out += _left_out(entry, whole)
                shares = [one for share in shares for one in _by_prefix(entry, share)]
            for share in shares:
                keys = tuple(_key(one, source.environment, address, entry, share) for one in groupings)
                row = rows.setdefault((keys, entry.currency), UsageRow(keys, entry.currency))
                row.add(share)
    return UsageReport(
        project,
        made_at.isoformat(timespec="seconds"),
        None if since is None else since.isoformat(timespec="seconds"),
        groupings,
        tuple(sorted(rows.values(), key=_order)),
        tuple(sorted(totals.values(), key=_order)),
        unknown,
        opted_out,
    )


def _all_revisions(lock: Lock) -> Iterator[tuple[str, Entry]]:
    for address, entry in lock.mailings.items():
        yield from ((address, one) for one in (entry, *entry.earlier))


def _accepted(entry: Entry, since: datetime | None) -> list[ChunkRecord]:
    """Return the chunks that reached recipients, and were accepted at `since` or later."""
    if entry.is_withdrawn:
        return []
    return [
        chunk for chunk in entry.chunks if chunk.was_sent and (since is None or _at(entry, chunk) >= since)
    ]


def _at(entry: Entry, chunk: ChunkRecord) -> datetime:
    return datetime.fromisoformat(chunk.accepted_at or entry.applied.at)


def _by_month(entry: Entry, chunks: Sequence[ChunkRecord], zone: ZoneInfo) -> list[_Share]:
    months: dict[str, list[ChunkRecord]] = {}
    for chunk in chunks:
        months.setdefault(f"{_at(entry, chunk).astimezone(zone):%Y-%m}", []).append(chunk)
    return [_share_of(entry, some, month) for month, some in months.items()]


def _share_of(entry: Entry, chunks: Sequence[ChunkRecord], month: str) -> _Share:
    """Return what `chunks` have of the mailing.

    Of one that is complete they may have everything; else recipients determine the share.
    """
    every = sum(chunk.was_sent for chunk in entry.chunks)
    recipients = _recipients(entry, chunks)
    sent, planned = _recipients(entry, entry.chunks), entry.recipients
    of_planned = of_billed = None
    if recipients is not None and sent is not None:
        of_billed = _Fraction(recipients, sent)
        of_planned = _Fraction(recipients, sent if entry.is_complete else planned or sent)
    if entry.is_complete and len(chunks) == every:
        of_planned = of_billed = _Fraction(1, 1)
    billed = None if entry.billed is None else Decimal(entry.billed.cost)
    parts = None if entry.parts is None or of_planned is None else of_planned.whole(entry.parts)
    cost = None if entry.cost is None or of_planned is None else of_planned.money(Decimal(entry.cost))
    bill = None if billed is None or of_billed is None else of_billed.money(billed)
    return _Share(month, None, recipients, parts, cost, bill)


class _Fraction(NamedTuple):
    some: int
    whole_of: int

    def whole(self, count: int) -> int:
        return count * self.some // self.whole_of if self.whole_of else 0

    def money(self, amount: Decimal) -> Decimal:
        if self.some == self.whole_of:
            return amount
        return (amount * self.some / self.whole_of).quantize(_SMALLEST) if self.whole_of else Decimal(0)


def _recipients(entry: Entry, chunks: Iterable[ChunkRecord]) -> int | None:
    """Return how many recipients `chunks` were accepted for.

    None if the size of a list is not recorded.
    """
    sent = [chunk for chunk in chunks if chunk.was_sent]
    if all(chunk.recipients is not None or chunk.phones is not None for chunk in sent):
        return sum(chunk.accepted_recipients for chunk in sent)
    return entry.recipients if len(entry.chunks) == 1 else None


def _by_prefix(entry: Entry, share: _Share) -> list[_Share]:
    """Return the shares of the prefixes, as planned, if the mailing was sent as a whole."""
    is_whole = entry.is_complete and share.recipients == _recipients(entry, entry.chunks)
    if entry.prefixes is None or not is_whole:
        return [share]
    return [
        share._replace(
            prefix=prefix,
            recipients=one.recipients,
            parts=one.parts,
            planned=None if one.cost is None else Decimal(one.cost),
            billed=None,  # sms.by does not report it by prefix
        )
        for prefix, one in entry.prefixes.items()
    ]


def _left_out(entry: Entry, share: _Share) -> int:
    planned = sum(one.recipients for one in (entry.prefixes or {}).values())
    return max(0, planned - (share.recipients or 0)) if entry.is_complete and planned else 0


def _key(grouping: Grouping, environment: str, address: str, entry: Entry, share: _Share) -> str | None:
    match grouping.kind:
        case GroupKind.MONTH:
            return share.month
        case GroupKind.CAMPAIGN:
            return address.partition("/")[0]
        case GroupKind.PREFIX:
            return share.prefix
        case GroupKind.ENVIRONMENT:
            return environment
    return None if entry.labels is None else entry.labels.get(grouping.label, "")


def _order(row: UsageRow) -> tuple[object, ...]:
    return tuple((key is None, key or "") for key in (*row.keys, row.currency))
