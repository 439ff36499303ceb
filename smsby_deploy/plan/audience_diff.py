"""Which recipients joined and left a mailing, counted while both audiences stream by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.plan.chunks import OnBatch
from smsby_deploy.recipients.audience import Batch
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones


@dataclass(slots=True)
class _Overlap:
    """How many recipients were counted, and how many of them are in the other audience."""

    recipients: int = 0
    common: int = 0


@dataclass(slots=True)
class AudienceSets:
    """The recipients of each mailing of the base, opt-outs subtracted, and their overlap with those of the plan."""

    _sets: dict[str, PhoneSet] = field(default_factory=dict)
    _overlaps: dict[str, _Overlap] = field(default_factory=dict)

    def collect(self, mailing: Mailing) -> OnBatch:
        """Return what collects the recipients of a mailing of the base, batch by batch."""
        phones = self._sets[mailing.address] = PhoneSet()

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            phones.add_all(_numbers(batch))

        return on_batch

    def compare(self, mailing: Mailing) -> OnBatch | None:
        """Return what compares the recipients of a mailing of the plan; None if the base does not have it."""
        before = self._sets.get(mailing.address)
        if before is None:
            return None
        overlap = self._overlaps[mailing.address] = _Overlap()

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            numbers = _numbers(batch)
            overlap.recipients += len(numbers)
            overlap.common += before.mark_others(numbers).count(0)

        return on_batch

    def moved(self, address: str) -> tuple[int, int] | None:
        """Return how many recipients joined and left; None if one of the audiences was not read."""
        overlap = self._overlaps.get(address)
        if overlap is None:
            return None
        before = len(self._sets[address])
        return overlap.recipients - overlap.common, before - overlap.common


def _numbers(batch: Batch) -> list[int]:
    return number_phones(compress(batch.phones, batch.not_suppressed))
