"""Divides the recipients of a mailing into groups, by variant and by wave.

Each group is then cut into chunks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import compress, repeat
from typing import NamedTuple

from smsby_deploy.config.declarations import Mailing, Waves
from smsby_deploy.config.sources import TextsByVariant
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.waves_and_variants import Recipient, WaveSorter, assign_variants
from smsby_deploy.texts.template import Template, is_personal

RenderedTexts = tuple[Batch, Sequence[str]]  # no texts if all recipients get the same one


class ChunkGroup(NamedTuple):
    """The wave and variant of all recipients of a chunk; None if the mailing has none."""

    wave: int | None = None
    variant: str | None = None


EVERYONE = ChunkGroup()


@dataclass(slots=True)
class ChunkRecipients:
    """Recipients as parallel columns; `texts` is empty if they all get one text."""

    phones: list[str] = field(default_factory=list)
    not_suppressed: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))

    def add(self, some: Batch | ChunkRecipients, texts: Sequence[str]) -> None:
        self.phones += some.phones
        self.not_suppressed += some.not_suppressed
        self.texts += texts
        self.lines.extend(some.lines)

    def take(self, count: int) -> ChunkRecipients:
        """Remove and return the first `count` recipients."""
        taken = ChunkRecipients(
            self.phones[:count], self.not_suppressed[:count], self.texts[:count], self.lines[:count]
        )
        del self.phones[:count], self.not_suppressed[:count], self.texts[:count], self.lines[:count]
        return taken


GroupedRecipients = tuple[ChunkGroup, ChunkRecipients]


def text_of_chunk(mailing: Mailing, template: Template, variant: str | None) -> str | None:
    """Return the text that all recipients of a chunk get; None if they have their own."""
    if variant is not None:
        from smsby_deploy.texts.languages_and_variants import VariantTemplates

        assert isinstance(template, VariantTemplates)
        one = template.by_name[variant]
        return None if one.is_personal else one.render_once()
    return None if is_personal(mailing, template) else template.render_once()


def group_by_variant(
    batches: Iterator[RenderedTexts], mailing: Mailing, template: Template, size: int
) -> Iterator[GroupedRecipients]:
    """Yield recipients by variant, from `size` recipients of the audience at a time.

    So chunks of all variants alternate throughout the audience, and throughout the time of a mailing with `spread`. Without
    variants, each batch is yielded as it is.
    """
    if not isinstance(mailing.text, TextsByVariant):
        for batch, texts in batches:
            everyone = ChunkRecipients()
            everyone.add(batch, texts)
            yield EVERYONE, everyone
        return
    names = [one.name for one in mailing.text.variants if one.text is not None]
    shared = {name: text_of_chunk(mailing, template, name) for name in names}
    for batch, texts in batches:
        variants = assign_variants(mailing.text, batch.phones)
        found = {name: ChunkRecipients() for name in names}
        for name, some in found.items():
            mask = bytearray(map(name.__eq__, variants))
            own = () if shared[name] is not None else list(compress(texts, mask))
            some.add(batch.only(mask), own)
        for start in range(0, len(variants), size):
            next_ones = variants[start : start + size]
            for name, some in found.items():
                yield ChunkGroup(variant=name), some.take(next_ones.count(name))


def group_by_wave(
    groups: Iterator[GroupedRecipients], waves: Waves, text: str
) -> Iterator[GroupedRecipients]:
    """Yield the recipients of each group by wave; those of waves with `people` come last.

    The wave of a recipient depends on the digest `text` and not on the address, so each mailing begins with different
    recipients, and a renamed mailing keeps the chunks by which sms.by lists it.
    """
    sorter = WaveSorter(waves._replace(key=blake2b(text.encode(), key=waves.key).digest()))
    for group, some in groups:
        texts, lines = some.texts or repeat(None), some.lines or repeat(None)
        recipients = map(Recipient, some.phones, some.not_suppressed, texts, lines, repeat(group.variant))
        yield from _collect(filter(None, map(sorter.place, recipients)))
    yield from _collect(sorter.rest())


def _collect(placed: Iterable[tuple[int, Recipient]]) -> Iterator[GroupedRecipients]:
    found: dict[ChunkGroup, ChunkRecipients] = {}
    for wave, one in placed:
        group = found.setdefault(ChunkGroup(wave, one.variant), ChunkRecipients())
        group.phones.append(one.phone)
        group.not_suppressed.append(one.is_kept)
        if one.text is not None:
            group.texts.append(one.text)
        if one.line is not None:
            group.lines.append(one.line)
    yield from found.items()
