"""Mailings → chunks → requests. One stream from the recipients to the digests; no list of recipients is ever kept.

The same stream feeds the plan (which keeps counts and digests) and apply (which sends each chunk, once its digest
was found equal to the planned one).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from smsby_deploy.config.declarations import ApiSettings, ContactList, Mailing, Project
from smsby_deploy.plan.fingerprint import chunk_digest, content_digest, fingerprint, hash_rows, row_lines
from smsby_deploy.plan.tally import AudienceTally
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.audience import read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.prefetch import prefetch_audience
from smsby_deploy.smsby.methods import fits_form, recipients_per_form
from smsby_deploy.texts.mailing_texts import is_personal, render_texts
from smsby_deploy.texts.rewrite import Rewriter
from smsby_deploy.texts.template import Template

MOST_SINGLE = 10_000  # people of a mailing that is sent phone by phone: half an hour at 5 requests a second


def header_of(mailing: Mailing, template: Template | None, personal: bool) -> dict[str, Any]:
    """What a mailing says, and when: the instant, not its spelling; the text, and what it includes, as written, but
    for what smart encoding and transliteration make of their words."""
    schedule = mailing.schedule_time
    rewriter = Rewriter(mailing.rewrite)
    inputs = template.inputs if template is not None else {}
    includes = {"includes": {name: rewriter.apply(text) for name, text in inputs.items()}} if inputs else {}
    return includes | {
        "alphaname": mailing.alphaname,
        "schedule_time": schedule.astimezone(UTC).isoformat() if schedule else None,
        "kind": "list" if isinstance(mailing.audience, ContactList) else "personal" if personal else "bulk",
        "text": rewriter.apply(mailing.text.text.strip()) if mailing.text else None,
        "list": mailing.audience.ref if isinstance(mailing.audience, ContactList) else None,
    }


def chunk_size(api: ApiSettings, personal: bool) -> int:
    """Return how many recipients a chunk has: `recipients_per_request`, or fewer if a form cannot hold them."""
    if api.body == "json":
        return api.recipients_per_request
    return min(api.recipients_per_request, recipients_per_form(personal=personal))


def fits_request(api: ApiSettings, chunks: Sequence[tuple[int, bool]]) -> bool:
    """Return whether one request can carry `chunks`, each given as its recipients and whether it is personal."""
    if sum(recipients for recipients, _ in chunks) > api.recipients_per_request:
        return False
    return api.body == "json" or fits_form(chunks)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk with its recipients, before suppression: `reached` is 0 for those who opted out. `texts` is None for a
    bulk mailing: all get `text`. `rows` are the recipients as they are hashed, and sent, a JSON value a line. `lines` are
    their physical lines, where they are known."""

    index: int
    phones: list[str]
    texts: list[str] | None
    text: str | None
    digest: str
    fingerprint: str
    rows: bytes
    reached: bytearray
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Recipients:
    """Recipients side by side; `texts` and `lines` only where they are wanted."""

    phones: list[str] = field(default_factory=list)
    reached: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def take(self, count: int) -> _Recipients:
        """The first `count` of them, which are then gone from here."""
        taken = _Recipients(self.phones[:count], self.reached[:count], self.texts[:count], self.lines[:count])
        del self.phones[:count], self.reached[:count], self.texts[:count], self.lines[:count]
        return taken


def stream_chunks(
    project: Project, mailing: Mailing, template: Template | None, suppressed: PhoneSet, tally: AudienceTally
) -> Iterator[Chunk]:
    """The chunks of a mailing with recipients, in order. Counts, problems and the audience's digest go to `tally`.

    Of one that is sent phone by phone a chunk is everybody with the same text, so that each text is one message."""
    personal = is_personal(mailing, template)
    content = tally.content = content_digest(header_of(mailing, template, personal))
    bulk_text = None if personal or template is None else template.render_once()
    tally.figures.price = project.price

    def chunk(index: int, some: _Recipients, text: str | None) -> Chunk:
        rows = row_lines(some.phones, some.texts if text is None else None)
        hashed = hash_rows(rows)
        digest = chunk_digest(content if text is None else f"{content}\n{text}", hashed)
        mark = fingerprint(project.name, mailing.address, mailing.revision, index, digest)
        texts = some.texts if text is None else None
        if tally.is_counting:
            if mailing.via != "single":
                tally.audience.add(rows, len(some.phones), hashed)
            if text is None or personal:
                own = texts or [text or ""] * len(some.phones)
                tally.count(own, some.phones, some.lines, some.reached)
            else:
                tally.count_alike(text, some.phones, some.reached)
        return Chunk(index, some.phones, texts, text, digest, mark, rows, some.reached, some.lines)

    waiting = _Recipients()
    if mailing.via == "single":
        for _ in _fill(waiting, mailing, template, suppressed, tally):
            if len(waiting.phones) > MOST_SINGLE:
                message = f"via: single sends to at most {MOST_SINGLE:,} people; leave `via` out to send many in one request"
                tally.problems.append(Problem(Severity.ERROR, "SINGLE_SIZE", message))
                return
        everybody = row_lines(waiting.phones, waiting.texts if personal else None)
        tally.audience.add(everybody, len(waiting.phones), hash_rows(everybody))
        for index, (text, some) in enumerate(_by_text(waiting, bulk_text)):
            yield chunk(index, some, text)
        return
    size, index = chunk_size(project.api, personal), 0
    for is_last in _fill(waiting, mailing, template, suppressed, tally):
        while len(waiting.phones) >= size or (is_last and waiting.phones):
            yield chunk(index, waiting.take(size), bulk_text)
            index += 1


def _fill(
    waiting: _Recipients,
    mailing: Mailing,
    template: Template | None,
    suppressed: PhoneSet,
    tally: AudienceTally,
) -> Iterator[bool]:
    """Read one batch after the other, with their texts, into `waiting`; True once there are no more."""
    personal = is_personal(mailing, template)
    read = prefetch_audience if tally.is_ahead else read_audience
    for batch in read(mailing, suppressed, tally.report):
        tally.progress.advance(len(batch.phones))
        waiting.phones += batch.phones
        waiting.reached += batch.not_suppressed
        if personal:
            rendered = render_texts(mailing, template, batch)
            tally.keep(rendered.problems)
            tally.figures.replaced |= rendered.replaced
            waiting.texts += rendered.texts
        if personal or mailing.via == "single":
            waiting.lines += batch.lines
        yield False
    yield True


def _by_text(recipients: _Recipients, bulk_text: str | None) -> Iterator[tuple[str, _Recipients]]:
    """Those with the same text together, in the order of each text's first."""
    alike: dict[str, _Recipients] = {}
    columns = zip(recipients.phones, recipients.reached, recipients.lines, strict=True)
    for place, (phone, is_reached, line) in enumerate(columns):
        text = recipients.texts[place] if recipients.texts else bulk_text or ""
        some = alike.setdefault(text, _Recipients())
        some.phones.append(phone)
        some.reached.append(is_reached)
        some.lines.append(line)
    yield from alike.items()
