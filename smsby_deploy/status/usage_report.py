"""What was sent, what it cost and how it was delivered, summed by group.

Groups are months, labels, mailings, variants and more. Only locks and archives are read, and the deliveries that `status`
has stored. A value that an older version did not record counts as missing, never as 0. Planned is the cost by the
project's price, billed what sms.by reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.lock.archive import with_archived, with_newer
from smsby_deploy.lock.counts import Deliveries
from smsby_deploy.lock.records import ChunkRecord, Entry, Lock
from smsby_deploy.plan.selection import campaign_of
from smsby_deploy.plan.waves import plan_of
from smsby_deploy.status.usage_groups import (
    Grouping,
    GroupKind,
    Share,
    accepted_chunks,
    count_left_out,
    shares_of,
    whole_share,
)

DeliveriesOf = Callable[[Entry, ChunkRecord], Deliveries | None]  # of one chunk; None: not final or unknown

SUMS = ("recipients", "parts", "planned", "billed", "delivered", "undelivered")
MONEY = frozenset({"planned", "billed"})  # of SUMS


class UsageSource(NamedTuple):
    """The lock of an environment with its archive, and the deliveries that `status` stored."""

    environment: str
    lock: Lock
    deliveries_of: DeliveriesOf = lambda entry, chunk: None


@dataclass(slots=True)
class Sum:
    """A sum, and how many mailings it lacks because nothing was recorded.

    `total` is None if all are missing. Of `estimated` mailings, it has a share in proportion to recipients.
    """

    total: Decimal | None = None
    missing: int = 0
    estimated: int = 0

    @property
    def whole(self) -> Decimal | None:
        """The total; None if a mailing is missing."""
        return None if self.missing else self.total

    def add(self, value: Decimal | int | None, *, is_estimate: bool = False) -> None:
        """Add the value of one mailing; None counts as missing."""
        if value is None:
            self.missing += 1
        else:
            self.total = (self.total or Decimal(0)) + value
            self.estimated += is_estimate


@dataclass(slots=True)
class UsageRow:
    """The sums of one group.

    `keys` are its values, one for each grouping: None if not recorded, "" if a mailing lacks the label, has no variants or
    needed no signature. `currency` is None without a price. `not_sent` counts recipients in a control group.
    """

    keys: tuple[str | None, ...]
    currency: str | None
    mailings: int = 0
    recipients: Sum = field(default_factory=Sum)
    parts: Sum = field(default_factory=Sum)
    planned: Sum = field(default_factory=Sum)
    billed: Sum = field(default_factory=Sum)
    delivered: Sum = field(default_factory=Sum)
    undelivered: Sum = field(default_factory=Sum)
    not_sent: int = 0

    @property
    def percent_delivered(self) -> Decimal | None:
        """The percentage of recipients who got it, rounded down; None if some are unknown."""
        delivered, recipients = self.delivered.whole, self.recipients.whole
        return delivered * 1000 // recipients / 10 if delivered is not None and recipients else None

    @property
    def difference(self) -> Decimal | None:
        """Billed minus planned; None unless both have all mailings."""
        planned, billed = self.planned.whole, self.billed.whole
        return None if planned is None or billed is None else billed - planned

    @property
    def sums(self) -> dict[str, Sum]:
        """The sums by name, in the order of reports."""
        return {name: getattr(self, name) for name in SUMS}

    def add(self, share: Share) -> None:
        delivered, undelivered = share.deliveries or (None, None)
        self.mailings += 1
        self.recipients.add(share.recipients)
        self.parts.add(share.parts, is_estimate=share.is_planned_estimate)
        self.planned.add(share.planned, is_estimate=share.is_planned_estimate)
        self.billed.add(share.billed, is_estimate=share.is_billed_estimate)
        self.delivered.add(delivered)
        self.undelivered.add(undelivered)
        self.not_sent += share.not_sent


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Rows by group, and totals by currency.

    `unknown` counts mailings with an unknown outcome; only what was certainly accepted of them is included. `opted_out`
    counts planned recipients who opted out before the send: rows by prefix, which are as planned, include them.
    `with_variants` and `signed` count the mailings that have variants, and those that needed signatures.
    """

    project: str
    made_at: str
    since: str | None
    groupings: tuple[Grouping, ...]
    rows: tuple[UsageRow, ...]
    totals: tuple[UsageRow, ...]
    unknown: int = 0
    opted_out: int = 0
    with_variants: int = 0
    signed: int = 0


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

    Months are in `zone`, and `since` leaves out what was accepted before. A mailing that was sent in part, or in several
    months, counts in proportion to its recipients. Withdrawn mailings cost nothing and are left out.

    Raises:
        LockDamaged: an archive is damaged.
    """
    kinds = frozenset(grouping.kind for grouping in groupings)
    rows: dict[tuple[tuple[str | None, ...], str | None], UsageRow] = {}
    totals: dict[str | None, UsageRow] = {}
    unknown = opted_out = with_variants = signed = 0
    for source in sources:
        lock = with_newer(source.lock, since) if since is not None else with_archived(source.lock).lock
        runs = {run.plan: run.by for run in lock.applies}
        for address, entry in lock.revisions():
            unknown += entry.has_unknown
            chunks = accepted_chunks(entry, since)
            if not chunks:
                continue
            with_variants += any(chunk.variant is not None for chunk in chunks)
            signed += bool(entry.signed_by)
            deliveries_of = partial(source.deliveries_of, entry)
            whole = whole_share(entry, chunks, deliveries_of)
            totals.setdefault(entry.currency, UsageRow((), entry.currency)).add(whole)
            if GroupKind.PREFIX in kinds:
                opted_out += count_left_out(entry, whole)
            for share in shares_of(entry, chunks, kinds, ZoneInfo(zone), deliveries_of):
                keys = tuple(_key(one, source.environment, address, entry, share, runs) for one in groupings)
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
        with_variants,
        signed,
    )


def _key(
    grouping: Grouping,
    environment: str,
    address: str,
    entry: Entry,
    share: Share,
    runs: Mapping[str, str | None],
) -> str | None:
    revision = f" r{entry.revision}" if entry.revision > 1 else ""
    match grouping.kind:
        case None:
            return None if entry.labels is None else entry.labels.get(grouping.label, "")
        case GroupKind.MONTH:
            return share.month
        case GroupKind.CAMPAIGN:
            return campaign_of(address)
        case GroupKind.MAILING:
            return address + revision
        case GroupKind.VARIANT:
            return share.variant
        case GroupKind.PREFIX:
            return share.prefix
        case GroupKind.ENVIRONMENT:
            return environment
        case GroupKind.PLAN:
            return plan_of(entry)
        case GroupKind.SIGNED_BY:
            return ", ".join(entry.signed_by)
        case GroupKind.APPLIED_BY:
            return runs.get(plan_of(entry)) if entry.approval is None else entry.approval.by
        case GroupKind.STATE:
            return entry.state.value


def _order(row: UsageRow) -> tuple[object, ...]:
    return tuple((key is None, key or "") for key in (*row.keys, row.currency))
