"""The desired state: one mailing of the files, its audience and its chunks.

It does not depend on what was sent before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from smsby_deploy.plan.gone import OwnContent
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.rows import DataAge


class AudienceCounts(NamedTuple):
    """rows = invalid + duplicate + suppressed + final + held_out.

    `held_out` are those who are no test phones, where only test phones are sent to.
    """

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    suppressed: int = 0
    final: int = 0
    held_out: int = 0


class ChunkPlan(NamedTuple):
    """One chunk as planned.

    Digest and fingerprint are taken before suppression, all counts after it.
    `recipients` is None for a list kept at sms.by, `cost` without a price. A plan file holds the first three only.
    """

    fingerprint: str
    recipients: int | None
    digest: str
    parts: int = 0
    cost: Decimal | None = None
    gsm7: int = 0
    ucs2: int = 0

    def share(self, recipients: int) -> ChunkPlan:
        """Return the same chunk for some of its recipients, who all get one text.

        The cost is their average share.
        """
        whole = self.recipients or 0
        if recipients >= whole:
            return self
        return self._replace(
            recipients=recipients,
            parts=self.parts * recipients // whole,
            cost=None if self.cost is None else self.cost * (Decimal(recipients) / whole),
            gsm7=self.gsm7 * recipients // whole,
            ucs2=self.ucs2 * recipients // whole,
        )


class Desired(NamedTuple):
    """One mailing as the files ask for it.

    `parts`, `gsm7` and `ucs2` are totals, `longest` the parts of its longest text. `cost` is None without a price and
    for lists; `parts` is None for lists kept at sms.by. `snapshot` is the digest of a query's result, `newest` what its
    `freshness` query found, `contacts` the digest of the contacts that would be uploaded. `former_content` is the content
    digest that earlier versions recorded, if it differs. `text_digest` covers what it says, `recipients_digest` its
    recipients in whatever order: by them two mailings are compared. `phones` are the recipients, where they are kept.
    `opt_out_ages` are those of the opt-outs that were subtracted, where `freshness` limits them. `own` is what is the
    mailing's own, without what it shares with others. `languages` counts the recipients of each text, where there is one for
    each language.
    """

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
    cost: Decimal | None = None
    snapshot: str | None = None
    newest: datetime | None = None
    body: str = "json"
    contacts: str | None = None
    former_content: str | None = None
    text_digest: str | None = None
    recipients_digest: str | None = None
    phones: PhoneSet | None = None
    opt_out_ages: tuple[DataAge, ...] = ()
    own: OwnContent | None = None
    languages: Mapping[str, int] = MappingProxyType({})

    @property
    def fingerprints(self) -> list[str]:
        return [chunk.fingerprint for chunk in self.chunks]

    def has_content(self, digest: str) -> bool:
        """Whether `digest` is its content digest, of this version or of an earlier one."""
        return digest in (self.content_digest, self.former_content)
