"""The chunks of a mailing: a stream from its recipients to digests and requests.

No list of all recipients is ever held. The plan keeps counts and digests; apply sends a chunk only if its digest equals the
planned one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from itertools import compress, count
from typing import Any, NamedTuple

from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
from smsby_deploy.config.sources import HOME_TIMEZONE, ContactList
from smsby_deploy.plan.chunk_groups import (
    EVERYONE,
    ChunkGroup,
    ChunkRecipients,
    GroupedRecipients,
    RenderedTexts,
    group_by_variant,
    group_by_wave,
    text_of_chunk,
)
from smsby_deploy.plan.fingerprint import (
    AudienceDigest,
    TextsDigest,
    chunk_digest,
    fingerprint,
    hash_json,
    hash_rows,
    row_lines,
)
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.audience import AudienceReport, ReadBatches, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.rows import BLOCK_ROWS
from smsby_deploy.texts.analysis import has_markup
from smsby_deploy.texts.encoding_lint import Rewriter, is_composed
from smsby_deploy.texts.template import KeptProblems, Template, is_personal
from smsby_deploy.wording import sentence

# Recipients of a mailing that is sent phone by phone: half an hour at 5 requests per second.
MOST_SINGLE = 10_000

OnBatch = Callable[[Batch, Sequence[str]], None]  # no texts if all recipients get the same one


def ignore_batch(batch: Batch, texts: Sequence[str]) -> None:
    """Do nothing with a batch."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk with its recipients before suppression.

    `not_suppressed` is 0 for recipients who opted out. Recipients get `text`, or each their own of `texts`. `rows` are the
    recipients as they are hashed and sent, one JSON value per line. `lines` are their physical lines, if needed.
    """

    index: int
    phones: list[str]
    texts: list[str] | None
    text: str | None
    digest: str
    fingerprint: str
    rows: bytes
    not_suppressed: bytearray
    lines: Sequence[int] = ()
    group: ChunkGroup = EVERYONE


Keep = Callable[[str, Chunk], None]  # the mailing's address, and one of its chunks


@dataclass(slots=True)
class ChunkReport:
    """The findings of streaming a mailing's chunks; complete once the stream has ended.

    `own_texts` are the texts that recipients have instead of the mailing's.
    """

    content_digest: str = ""
    former_content: str | None = None
    own_texts: TextsDigest = field(default_factory=TextsDigest)
    audience_digest: AudienceDigest = field(default_factory=AudienceDigest)
    audience: AudienceReport = field(default_factory=AudienceReport)
    texts: KeptProblems = field(default_factory=KeptProblems)


def hash_content(mailing: Mailing, template: Template, *, composes: bool = True) -> str:
    """Return the digest of what a mailing says and when, without its audience.

    It covers the time as an instant, the time zone only if it is not the default and a text may show dates, and the text
    and its includes as written, apart from composition (NFC), smart encoding and transliteration. Without `composes`, it is
    the digest of earlier versions, which did not compose texts.
    """
    schedule = mailing.schedule_time
    rewrite = Rewriter(mailing.rewrite, composes=composes).apply
    ref = mailing.audience.ref if isinstance(mailing.audience, ContactList) else None
    kind = "personal" if is_personal(mailing, template) else "bulk"
    header: dict[str, Any] = {
        "alphaname": mailing.alphaname,
        "schedule_time": schedule.astimezone(UTC).isoformat() if schedule else None,
        "kind": kind if ref is None else "list",
        "text": mailing.text.identity(rewrite) if mailing.text else None,
        "list": ref,
    }
    if mailing.spread is not None:
        header["spread"] = mailing.spread.total_seconds()
    if mailing.waves is not None:
        header["waves"] = mailing.waves.identity
    texts = _written_texts(mailing, template) if mailing.timezone != HOME_TIMEZONE else ()
    if any(has_markup(text) and "date" in text for text in texts):  # perhaps the filter
        header["timezone"] = mailing.timezone
    if template.inputs:
        header["includes"] = {name: rewrite(text) for name, text in template.inputs.items()}
    return hash_json(header)


def _written_texts(mailing: Mailing, template: Template) -> list[str]:
    return [*(source.text for source in mailing.text_sources), *template.inputs.values()]


def hash_former_content(mailing: Mailing, template: Template) -> str | None:
    """Return the content digest of versions that did not compose texts; None if the same."""
    if all(map(is_composed, _written_texts(mailing, template))):
        return None
    return hash_content(mailing, template, composes=False)


def hash_text(mailing: Mailing, template: Template, own_texts: str | None = None) -> str:
    """Return the digest of a mailing's text, whatever its sender, transport, time and audience.

    It covers the template with everything it includes, and the texts that recipients have instead of it.
    """
    rewrite = Rewriter(mailing.rewrite).apply
    text = {
        "text": mailing.text.identity(rewrite) if mailing.text else None,
        "includes": {name: rewrite(written) for name, written in template.inputs.items()},
        "own_texts": own_texts,
    }
    return hash_json(text)


def chunk_size(api: ApiSettings, personal: bool) -> int:
    """Return the recipients per chunk: `recipients_per_request`, or as many as a form holds."""
    if api.body == "json":
        return api.recipients_per_request
    from smsby_deploy.smsby.methods import recipients_per_form

    return min(api.recipients_per_request, recipients_per_form(personal=personal))


def fits_request(api: ApiSettings, chunks: Sequence[tuple[int, bool]]) -> bool:
    """Return whether one request can carry `chunks`.

    Each chunk is given as its number of recipients and whether it is personal.
    """
    if sum(recipients for recipients, _ in chunks) > api.recipients_per_request:
        return False
    if api.body == "json":
        return True
    from smsby_deploy.smsby.methods import fits_form

    return fits_form(chunks)


def stream_chunks(
    project: Project,
    mailing: Mailing,
    template: Template,
    suppressed: PhoneSet,
    report: ChunkReport,
    *,
    read: ReadBatches = read_audience,
    on_batch: OnBatch = ignore_batch,
) -> Iterator[Chunk]:
    """Yield the chunks of a mailing with recipients, in order, and fill `report`.

    A mailing that is sent phone by phone has one chunk per text, because each text is one message.
    """
    personal = is_personal(mailing, template)
    report.content_digest = hash_content(mailing, template)
    report.former_content = hash_former_content(mailing, template)
    batches = render_batches(mailing, template, suppressed, report, on_batch, read)
    hasher = _ChunkHasher(project, mailing, report)
    if mailing.via == "single":
        yield from _chunks_by_text(batches, text_of_chunk(mailing, template, None), hasher)
        return
    size = chunk_size(project.api, personal)
    # All chunks of a wave are sent at once, in any order.
    groups = group_by_variant(batches, mailing, template, size if mailing.waves is None else BLOCK_ROWS)
    if mailing.waves is not None:
        groups = group_by_wave(groups, mailing.waves, hash_text(mailing, template))
    yield from _chunks_by_group(groups, template, hasher, size)


def chunk_content(content_digest: str, text: str | None, variant: str | None) -> str:
    """Return what the digest of a chunk covers besides its rows."""
    content = content_digest if variant is None else f"{content_digest}\nvariant {variant}"
    return content if text is None else f"{content}\n{text}"


class _ChunkHasher(NamedTuple):
    project: Project
    mailing: Mailing
    report: ChunkReport

    def make_chunk(
        self,
        index: int,
        some: ChunkRecipients,
        text: str | None,
        rows: bytes,
        rows_hash: bytes,
        group: ChunkGroup = EVERYONE,
    ) -> Chunk:
        """Return a chunk with digest and fingerprint; `text` is None if recipients have their own."""
        bare = chunk_digest(chunk_content(self.report.content_digest, text, group.variant), rows_hash)
        digest = self.project.digest_key.apply(bare)
        mailing = self.mailing
        mark = fingerprint(self.project.scope, mailing.address, mailing.revision, index, digest)
        texts = some.texts or None
        return Chunk(
            index, some.phones, texts, text, digest, mark, rows, some.not_suppressed, some.lines, group
        )


def render_batches(
    mailing: Mailing,
    template: Template,
    suppressed: PhoneSet,
    report: ChunkReport,
    on_batch: OnBatch,
    read: ReadBatches = read_audience,
) -> Iterator[RenderedTexts]:
    """Yield the batches with the text of each recipient, or without texts if all get the same.

    Problems are added to `report`.
    """
    personal = is_personal(mailing, template)
    count = 0
    for batch in read(mailing, suppressed, report.audience):
        texts: Sequence[str] = ()
        if personal:
            rendered = template.render_batch(batch, mailing)
            report.texts.keep(rendered.problems)
            texts = rendered.texts
            if batch.has_own_texts:
                report.own_texts.add(compress(texts, (own is not None for own in batch.texts)))
        on_batch(batch, texts)
        yield batch, texts
        count += len(batch.phones)
        if mailing.via == "single" and count > MOST_SINGLE:
            message = sentence(
                "via: single sends to at most {limit:,} recipients; omit `via` to send to many in one request",
                limit=MOST_SINGLE,
            )
            report.texts.kept.append(Problem(Severity.ERROR, "SINGLE_SIZE", message))
            return


def _chunks_by_group(
    groups: Iterator[GroupedRecipients], template: Template, hasher: _ChunkHasher, size: int
) -> Iterator[Chunk]:
    """Yield chunks of one group each, in the order in which they fill up."""
    waiting: dict[ChunkGroup, ChunkRecipients] = {}
    texts: dict[str | None, str | None] = {}
    numbers = count()

    def next_chunk(group: ChunkGroup) -> Chunk:
        some, text = waiting[group].take(size), texts[group.variant]
        rows = row_lines(some.phones, some.texts if text is None else None)
        rows_hash = hash_rows(rows)
        hasher.report.audience_digest.add(rows, len(some.phones), rows_hash)
        return hasher.make_chunk(next(numbers), some, text, rows, rows_hash, group)

    for group, recipients in groups:
        if group.variant not in texts:
            texts[group.variant] = text_of_chunk(hasher.mailing, template, group.variant)
        waiting.setdefault(group, ChunkRecipients()).add(recipients, recipients.texts)
        while len(waiting[group].phones) >= size:
            yield next_chunk(group)
    for group in sorted(waiting, key=lambda one: one.wave or 0):
        if waiting[group].phones:
            yield next_chunk(group)


def _chunks_by_text(
    batches: Iterator[RenderedTexts], shared_text: str | None, hasher: _ChunkHasher
) -> Iterator[Chunk]:
    everyone = ChunkRecipients()
    for batch, texts in batches:
        everyone.add(batch, texts)
    if len(everyone.phones) > MOST_SINGLE:  # already reported
        return
    rows = row_lines(everyone.phones, everyone.texts or None)
    hasher.report.audience_digest.add(rows, len(everyone.phones), hash_rows(rows))
    for index, (text, some) in enumerate(group_by_text(everyone, shared_text)):
        rows = row_lines(some.phones, None)
        yield hasher.make_chunk(index, some, text, rows, hash_rows(rows))


def group_by_text(
    recipients: ChunkRecipients, shared_text: str | None
) -> Iterator[tuple[str, ChunkRecipients]]:
    """Yield the recipients of each text, in the order in which the texts first occur."""
    texts = recipients.texts or [shared_text or ""] * len(recipients.phones)
    groups: dict[str, ChunkRecipients] = {}
    rows = zip(texts, recipients.phones, recipients.not_suppressed, recipients.lines, strict=True)
    for text, phone, is_reached, line in rows:
        group = groups.setdefault(text, ChunkRecipients())
        group.phones.append(phone)
        group.not_suppressed.append(is_reached)
        group.lines.append(line)
    yield from groups.items()
