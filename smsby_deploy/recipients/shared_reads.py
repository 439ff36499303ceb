"""Reads a list that several mailings of a plan share only once.

It is also cleaned and de-duplicated only once. Its batches are kept in an unnamed temporary file, so memory does not grow;
without space for that, the file is read again. Only a read without problems is kept, because problems name their
mailing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import RecipientsFile, TextsByVariant
from smsby_deploy.files import UnnamedFile, change_mark
from smsby_deploy.problems import Location
from smsby_deploy.recipients.audience import AudienceReport, ReadBatches
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.prefetch import pack, unpack

_NOWHERE = Location("")


@dataclass(frozen=True, slots=True)
class _KeptRead:
    """The result of one read; `mark` is the one of the file, taken before.

    `batches` are the places and sizes of the batches in `file`.
    """

    file: UnnamedFile
    batches: list[tuple[int, int]]
    report: AudienceReport
    suppressed: PhoneSet | None
    mark: tuple[int, ...] | None

    def serves(self, mailing: Mailing, suppressed: PhoneSet | None, report: AudienceReport) -> bool:
        """Whether another read would give the same result."""
        has_phones = self.report.phones is not None or not report.keeps_phones
        return self.suppressed is suppressed and has_phones and self.mark == _mark_of(mailing)

    def replay(self, report: AudienceReport) -> Iterator[Batch]:
        import pickle

        for place, size in self.batches:
            yield unpack(pickle.loads(self.file.read(place, size)))  # noqa: S301  # only this process has the file
        for name in ("rows", "invalid", "duplicate", "held_out", "repeats", "recipients_digest"):
            setattr(report, name, getattr(self.report, name))
        report.phones = self.report.phones if report.keeps_phones else None


class SharedReads:
    """The reads of one plan's mailings, which come one after another."""

    def __init__(self, mailings: Iterable[Mailing]) -> None:
        self._left = Counter(key for mailing in mailings if (key := _key_of(mailing)) is not None)
        self._kept: dict[Hashable, _KeptRead] = {}

    def close(self) -> None:
        """Delete the kept reads."""
        for kept in self._kept.values():
            kept.file.close()
        self._kept.clear()

    def sharing(self, read: ReadBatches) -> ReadBatches:
        """Wrap `read` so that it is called only for audiences that were not read before."""

        def read_once(
            mailing: Mailing, suppressed: PhoneSet | None, report: AudienceReport
        ) -> Iterator[Batch]:
            key = _key_of(mailing)
            self._left[key] -= 1
            kept = self._kept.get(key)
            if kept is not None and kept.serves(mailing, suppressed, report):
                yield from kept.replay(report)
            elif kept is None and self._left[key] > 0:
                yield from self._record(key, mailing, suppressed, report, read)
            else:
                yield from read(mailing, suppressed, report)
            if self._left[key] <= 0 and key in self._kept:
                self._kept.pop(key).file.close()

        return read_once

    def _record(
        self,
        key: Hashable,
        mailing: Mailing,
        suppressed: PhoneSet | None,
        report: AudienceReport,
        read: ReadBatches,
    ) -> Iterator[Batch]:
        import pickle  # few projects share a list

        mark = _mark_of(mailing)
        batches: list[tuple[int, int]] = []
        try:
            file: UnnamedFile | None = UnnamedFile()
        except OSError:
            file = None
        for batch in read(mailing, suppressed, report):
            if file is not None:
                packed = pickle.dumps(pack(batch), pickle.HIGHEST_PROTOCOL)
                try:
                    batches.append((file.append(packed), len(packed)))
                except OSError:  # no space
                    file = None
            yield batch
        if file is not None and not report.problems:
            self._kept[key] = _KeptRead(file, batches, replace(report), suppressed, mark)


def _key_of(mailing: Mailing) -> Hashable:
    """Return the key that determines a mailing's recipients; None if it cannot be shared."""
    if not isinstance(mailing.audience, RecipientsFile) or mailing.upload is not None:
        return None
    if isinstance(mailing.text, TextsByVariant):  # each has its own control group
        return None
    audience = mailing.audience._replace(location=_NOWHERE)
    return audience, tuple(mailing.countries), mailing.on_invalid, mailing.text is None


def _mark_of(mailing: Mailing) -> tuple[int, ...] | None:
    assert isinstance(mailing.audience, RecipientsFile)
    return change_mark(mailing.audience.path)
