"""Which recipients get which variant of a mailing: decided by a keyed hash of the phone.

So the choice depends neither on the order of the rows, nor on other recipients, nor on what the variants say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import compress
from typing import TYPE_CHECKING

from smsby_deploy.config.sources import TextsByVariant
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones

if TYPE_CHECKING:
    from smsby_deploy.recipients.audience import AudienceReport, Batch

_BITS = 64


def assign_variants(texts: TextsByVariant, phones: Iterable[str]) -> list[str]:
    """Return the name of the variant of each of `phones`."""
    names = [one.name for one in texts.variants for _ in range(one.share)]  # one for each percent
    keyed = blake2b(digest_size=_BITS // 8, key=texts.key)
    return [names[_hash(keyed, phone) * len(names) >> _BITS] for phone in phones]


def _hash(keyed: blake2b, phone: str) -> int:
    own = keyed.copy()
    own.update(phone.encode())
    return int.from_bytes(own.digest(), "big")


@dataclass(slots=True)
class ControlGroup:
    """Leaves out the recipients whose variant has no text; `others` are those that were left."""

    texts: TextsByVariant
    report: AudienceReport
    others: PhoneSet = field(default_factory=PhoneSet)

    def leave_out(self, batch: Batch) -> Batch:
        """Return those of `batch` who are sent to."""
        with_text = {one.name for one in self.texts.variants if one.text is not None}
        if len(with_text) < len(self.texts.variants):
            sent = bytearray(name in with_text for name in assign_variants(self.texts, batch.phones))
            control = bytearray(not one for one in sent)
            kept = sum(compress(batch.not_suppressed, control))
            self.report.control += kept
            self.report.control_opted_out += control.count(1) - kept
            if self.report.keeps_control:
                self.report.control_rows += compress(zip(batch.phones, batch.lines, strict=True), control)
            batch = batch.only(sent)
        self.others.add_all(number_phones(batch.phones))
        return batch
