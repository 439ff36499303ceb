"""What the files want of a mailing: its audience counted, its chunks hashed. Neither lock nor server is known here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class AudienceCounts(NamedTuple):
    """rows = invalid + duplicate + suppressed + final."""

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    suppressed: int = 0
    final: int = 0


class ChunkPlan(NamedTuple):
    """One chunk as planned; digest and fingerprint are taken before suppression, `recipients` after it."""

    fingerprint: str
    recipients: int | None
    digest: str


class Amount(NamedTuple):
    """What one chunk comes to, opt-outs subtracted; `cost` is None without a price."""

    recipients: int
    parts: int
    cost: Decimal | None
    gsm7: int
    ucs2: int

    def of(self, people: int) -> Amount:
        """What of a chunk with one text `people` come to; its cost on an average of all of them."""
        if people >= self.recipients:
            return self
        share = Decimal(people) / self.recipients
        return Amount(
            people,
            self.parts * people // self.recipients,
            None if self.cost is None else self.cost * share,
            self.gsm7 * people // self.recipients,
            self.ucs2 * people // self.recipients,
        )


class Desired(NamedTuple):
    """One mailing as the files want it, audience counted and hashed. `amounts` is that of each chunk; a list has none."""

    address: str
    revision: int
    via: str
    content_digest: str
    audience_digest: str
    chunks: tuple[ChunkPlan, ...]
    audience: AudienceCounts
    parts: int | None
    gsm7: int
    ucs2: int
    longest: int
    schedule_time: datetime | None
    cost: Decimal | None = None  # None without a price, and of a list
    snapshot: str | None = None  # of a query: the digest of its result
    newest: datetime | None = None  # what its `freshness` found
    amounts: tuple[Amount, ...] = ()
    body: str = "json"  # how its requests are written
    contacts: str | None = None  # of one that is uploaded: the digest of who would be in the list

    @property
    def fingerprints(self) -> list[str]:
        return [chunk.fingerprint for chunk in self.chunks]
