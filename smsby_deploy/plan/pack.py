"""Mailings → chunks → requests. One stream from the recipients to the digests; no list of recipients is ever kept.

The same stream feeds the plan (which keeps counts and digests) and apply (which sends each chunk, once its digest
was found equal to the planned one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.source import AudienceReport, find_differing, stream_audience
from smsby_deploy.audience.stored import place_rows
from smsby_deploy.message.fast import measure_batch
from smsby_deploy.message.figures import Figures
from smsby_deploy.message.parts import Encoding, TextSize, TextTooLong, measure_text
from smsby_deploy.message.rewrite import Rewriter
from smsby_deploy.message.template import Template, compile_text
from smsby_deploy.message.texts import is_personal, render_texts, rows_file
from smsby_deploy.plan.diff import Amount, Desired
from smsby_deploy.plan.fingerprint import chunk_digest, content_digest, fingerprint, row_lines
from smsby_deploy.plan.model import AudienceCounts, ChunkPlan
from smsby_deploy.plan.watch import read_by_nobody
from smsby_deploy.plan.words import WordCheck
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import ApiSettings, ContactList, Mailing, Project

# PHP reads at most 1,000 variables of a form; these many are left for what is not a recipient.
_FORM_VARIABLES = 1000
_FORM_OVERHEAD = 20
_FORM_PER_REQUEST = 4  # token, callback_url, and some to spare
_FORM_PER_MESSAGE = 6  # alphaname_id, name, message_type, text, schedule_time, and one to spare
_LINES_TOLD = 10  # of repeated rows
MOST_SINGLE = 10_000  # people of a mailing that is sent phone by phone: half an hour at 5 requests a second
_MOST_PROBLEMS = 1000  # of the texts of one mailing


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk with its recipients, before suppression. `texts` is None for a bulk mailing: all get `text`. `lines` are
    the physical lines of the recipients, where the mailing is sent phone by phone."""

    index: int
    phones: list[str]
    texts: list[str] | None
    text: str | None
    digest: str
    fingerprint: str
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """What the stream counted on its way; complete when the stream is at its end."""

    report: AudienceReport = field(default_factory=AudienceReport)
    problems: list[Problem] = field(default_factory=list)
    suppressed: int = 0
    final: int = 0
    parts: int = 0
    gsm7: int = 0
    ucs2: int = 0
    longest: int = 0
    audience: Any = field(default_factory=hashlib.sha256)
    figures: Figures = field(default_factory=Figures)
    rows_file: str = ""  # where the recipients stand
    words: WordCheck | None = None
    read: Callable[[int], None] = read_by_nobody
    untold: int = 0  # problems of texts beyond the most that are kept

    @property
    def amount(self) -> Amount:
        """What was counted so far."""
        return Amount(self.final, self.parts, self.figures.cost, self.gsm7, self.ucs2)

    def keep(self, found: Sequence[Problem]) -> None:
        """Add problems of single texts; beyond a thousand they are only counted, so that memory stays flat."""
        room = max(0, _MOST_PROBLEMS - len(self.problems))
        self.problems.extend(found[:room])
        self.untold += len(found[room:])


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
        "kind": "list" if mailing.via == "list" else "personal" if personal else "bulk",
        "text": rewriter.apply(mailing.text.text.strip()) if mailing.text else None,
        "list": mailing.audience.ref if isinstance(mailing.audience, ContactList) else None,
    }


def chunk_size(api: ApiSettings, personal: bool) -> int:
    """Recipients of one chunk: `recipients_per_request`, lowered to what PHP reads of a form."""
    if api.body == "json":
        return api.recipients_per_request
    fits = (_FORM_VARIABLES - _FORM_OVERHEAD) // (2 if personal else 1)
    return min(api.recipients_per_request, fits)


def fits_request(api: ApiSettings, chunks: Sequence[tuple[int, bool]]) -> bool:
    """Whether chunks, each given as its recipients and whether it is personal, can go out in one request."""
    people = sum(recipients for recipients, _ in chunks)
    if people > api.recipients_per_request:
        return False
    variables = sum(
        _FORM_PER_MESSAGE + recipients * (2 if personal else 1) for recipients, personal in chunks
    )
    return api.body == "json" or _FORM_PER_REQUEST + variables <= _FORM_VARIABLES


def stream_chunks(
    project: Project, mailing: Mailing, template: Template | None, suppressed: PhoneSet, tally: Tally
) -> Iterator[Chunk]:
    """The chunks of a mailing with recipients, in order. Counts, problems and the audience's digest go to `tally`.

    Of one that is sent phone by phone a chunk is everybody with the same text, so that each text is one message."""
    assert not isinstance(mailing.audience, ContactList)
    personal = is_personal(mailing, template)
    content = content_digest(header_of(mailing, template, personal))
    size = chunk_size(project.api, personal)
    bulk_text = None if personal or template is None else template.render_once()
    tally.figures.price = project.price
    phones: list[str] = []
    texts: list[str] = []
    rows: list[int] = []  # of the texts
    index = 0

    def group() -> Iterator[Chunk]:
        alike: dict[str, list[int]] = {}
        tally.audience.update(row_lines(phones, texts if personal else None))
        for place in range(len(phones)):
            alike.setdefault(texts[place] if personal else bulk_text or "", []).append(place)
        for number, (text, places) in enumerate(alike.items()):
            own = [phones[place] for place in places]
            lines = [rows[place] for place in places]
            digest = chunk_digest(f"{content}\n{text}", [row_lines(own, None)])
            mark = fingerprint(project.name, mailing.address, mailing.revision, number, digest)
            _count(own, [text] * len(own) if personal else None, lines, bulk_text, suppressed, tally)
            yield Chunk(number, own, None, text, digest, mark, lines)

    def cut(count: int) -> Chunk:
        chunk_phones, chunk_texts = phones[:count], texts[:count] if personal else None
        lines = row_lines(chunk_phones, chunk_texts)
        digest = chunk_digest(content if bulk_text is None else f"{content}\n{bulk_text}", [lines])
        tally.audience.update(lines)
        mark = fingerprint(project.name, mailing.address, mailing.revision, index, digest)
        _count(chunk_phones, chunk_texts, rows, bulk_text, suppressed, tally)
        del phones[:count], texts[:count], rows[:count]
        return Chunk(index, chunk_phones, chunk_texts, bulk_text, digest, mark)

    batches = stream_audience(
        mailing.audience,
        address=mailing.address,
        campaign_file=mailing.file,
        has_text=mailing.text is not None,
        on_invalid=mailing.on_invalid,
        report=tally.report,
        countries=mailing.countries,
        with_variables=personal and template is not None,
    )
    for batch in batches:
        tally.read(len(batch.phones))
        phones.extend(batch.phones)
        if personal:
            rendered = render_texts(mailing, template, batch)
            tally.keep(rendered.problems)
            tally.figures.replaced |= rendered.replaced
            texts.extend(rendered.texts)
        if personal or mailing.via == "single":
            rows.extend(batch.lines)
        if mailing.via == "single":
            if len(phones) > MOST_SINGLE:
                message = f"via: single sends to at most {MOST_SINGLE:,} people; leave `via` out to send many in one request"
                tally.problems.append(Problem(Severity.ERROR, "SINGLE_SIZE", message))
                return
            continue
        while len(phones) >= size:
            yield cut(size)
            index += 1
    if mailing.via == "single":
        yield from group()
    elif phones:
        yield cut(len(phones))


def _count(
    phones: Sequence[str],
    texts: Sequence[str] | None,
    rows: Sequence[int],
    bulk_text: str | None,
    suppressed: PhoneSet,
    tally: Tally,
) -> None:
    out = set(suppressed.find_all(phones))
    tally.suppressed += len(out)
    if bulk_text is not None:
        _count_text(bulk_text, [phone for i, phone in enumerate(phones) if i not in out], None, tally)
        return
    texts = texts if texts is not None else [""] * len(phones)
    if tally.words is None and tally.figures.is_by_parts:
        reached = [text for i, text in enumerate(texts) if i not in out] if out else texts
        size = measure_batch(reached)
        if size is not None:
            tally.figures.count_alike(size.parts)
            tally.final += len(reached)
            tally.parts += size.parts
            tally.longest = max(tally.longest, size.longest)
            tally.gsm7 += size.latin
            tally.ucs2 += len(reached) - size.latin
            return
    for position, text in enumerate(texts):
        if position not in out:
            _count_text(text, phones[position : position + 1], rows[position], tally)


def _count_text(text: str, phones: Sequence[str], row: int | None, tally: Tally) -> None:
    """Count a text that all of `phones` get; `row` is the line of a single one. One that can't be sent has no parts."""
    people = len(phones)
    size = _measure(text, tally, row)
    tally.final += people
    if size is None or not people:
        return
    tally.figures.count(text, size, phones, row)
    tally.parts += size.parts * people
    tally.longest = max(tally.longest, size.parts)
    if size.encoding is Encoding.GSM7:
        tally.gsm7 += people
    else:
        tally.ucs2 += people
    if tally.words is not None:
        tally.words.look_at(text, people)


def _measure(text: str, tally: Tally, row: int | None = None) -> TextSize | None:
    """The size of a text; None if it is empty, which `tally` was told of, or too long, which it is told."""
    if not text:
        return None
    try:
        return measure_text(text)
    except TextTooLong as error:
        where = f" ({tally.rows_file}:{row})" if row is not None else ""
        problem = Problem(Severity.ERROR, "TOO_LONG", error.message + where)
        if row is not None or problem not in tally.problems:  # a bulk text is measured once a chunk
            tally.keep([problem])
        return None


def measure_mailing(
    project: Project,
    mailing: Mailing,
    suppressed: PhoneSet,
    words: WordCheck | None = None,
    read: Callable[[int], None] = read_by_nobody,
) -> tuple[Desired, list[Problem]]:
    """One mailing counted and hashed, and everything that is wrong with its recipients and texts.

    `words` looks at every text that somebody would get; `read` hears how many people more were read.

    Raises:
        FilesInvalid: its template can't be compiled.
    """
    template = compile_text(mailing.text) if mailing.text else None
    if isinstance(mailing.audience, ContactList):
        return _measure_list(project, mailing, template, words)
    file = rows_file(mailing)
    tally = Tally(rows_file=file, words=words if words is not None and words.is_on else None, read=read)
    chunks: list[ChunkPlan] = []
    amounts: list[Amount] = []
    before = tally.amount
    for chunk in stream_chunks(project, mailing, template, suppressed, tally):
        amounts.append(_difference(tally.amount, before))
        chunks.append(ChunkPlan(chunk.fingerprint, amounts[-1].recipients, chunk.digest))
        before = tally.amount
    if template is not None:
        tally.figures.replaced |= template.rewriter.replaced
    if tally.untold:
        # First, for of a long list of problems only the beginning is shown.
        message = f"{tally.untold:,} more texts of this mailing than are told here can't be sent as they are"
        tally.problems.insert(0, Problem(Severity.ERROR, "TEMPLATE", message))
    tally.problems.extend(tally.figures.problems(mailing, template, file))
    report = tally.report
    desired = Desired(
        address=mailing.address,
        revision=mailing.revision,
        via=mailing.via,
        content_digest=content_digest(header_of(mailing, template, is_personal(mailing, template))),
        audience_digest=tally.audience.hexdigest(),
        chunks=tuple(chunks),
        audience=AudienceCounts(report.rows, report.invalid, report.duplicate, tally.suppressed, tally.final),
        parts=tally.parts,
        gsm7=tally.gsm7,
        ucs2=tally.ucs2,
        longest=tally.longest,
        schedule_time=mailing.schedule_time,
        cost=tally.figures.cost,
        facts=report.facts,
        amounts=tuple(amounts),
        body=project.api.body,
    )
    return desired, _placed(mailing, [*report.problems, *_repeated(mailing, report), *tally.problems])


def _difference(total: Amount, before: Amount) -> Amount:
    """What the last chunk added."""
    cost = None if total.cost is None else total.cost - (before.cost or 0)
    return Amount(
        total.recipients - before.recipients,
        total.parts - before.parts,
        cost,
        total.gsm7 - before.gsm7,
        total.ucs2 - before.ucs2,
    )


def _repeated(mailing: Mailing, report: AudienceReport) -> list[Problem]:
    """What a reviewer is told of the rows that were dropped because their phone stands above."""
    assert not isinstance(mailing.audience, ContactList)
    if not report.duplicate:
        return []
    file = getattr(mailing.audience, "name", mailing.file)
    rows = "1 row repeats a phone" if report.duplicate == 1 else f"{report.duplicate} rows repeat a phone"
    first = min(repeat.line for repeats in report.repeats.values() for repeat in repeats)
    problems = [
        Problem(
            Severity.NOTE,
            "DUPLICATE",
            f"{rows} of an earlier one: the first row wins",
            mailing.address,
            file,
            first,
        )
    ]
    lines = find_differing(
        mailing.audience, report, has_text=mailing.text is not None, countries=mailing.countries
    )
    if lines:
        told = ", ".join(map(str, lines[:_LINES_TOLD])) + (" …" if len(lines) > _LINES_TOLD else "")
        rows = f"1 dropped row has other values than the row that is kept (line {told})"
        if len(lines) > 1:
            rows = f"{len(lines)} dropped rows have other values than the rows that are kept (lines {told})"
        if report.duplicate > sum(map(len, report.repeats.values())):
            rows = f"at least {rows}"
        problems.append(Problem(Severity.WARNING, "DUPLICATE_DIFFERS", rows, mailing.address, file, lines[0]))
    return problems


def _measure_list(
    project: Project, mailing: Mailing, template: Template | None, words: WordCheck | None
) -> tuple[Desired, list[Problem]]:
    problems: list[Problem] = []
    text = ""
    if project.suppress:
        message = "who is on a list only sms.by knows: `suppress` is not subtracted, take opt-outs off the list there"
        problems.append(Problem(Severity.NOTE, "LIST_SUPPRESS", message))
    if template is None or template.is_personal:
        message = "a mailing to a list kept at sms.by has one text for all: no variables"
        problems.append(Problem(Severity.ERROR, "LIST_TEXT", message))
    else:
        text = template.render_once()
        if words is not None:
            words.look_at(text)
    tally = Tally()
    size = _measure(text, tally)
    if size is not None:
        tally.figures.count(text, size, [""])  # of one copy; how many there are only sms.by knows
    if template is not None:
        tally.figures.replaced |= template.rewriter.replaced
    tally.problems.extend(tally.figures.problems(mailing, template, mailing.file))
    content = content_digest(header_of(mailing, template, personal=False))
    digest = chunk_digest(f"{content}\n{text}", ())
    mark = fingerprint(project.name, mailing.address, mailing.revision, 0, digest)
    desired = Desired(
        address=mailing.address,
        revision=mailing.revision,
        via="list",
        content_digest=content,
        audience_digest=hashlib.sha256(b"").hexdigest(),
        chunks=(ChunkPlan(mark, None, digest),),
        audience=AudienceCounts(),
        parts=None,
        gsm7=int(size is not None and size.encoding is Encoding.GSM7),
        ucs2=int(size is not None and size.encoding is Encoding.UCS2),
        longest=size.parts if size is not None else 0,
        schedule_time=mailing.schedule_time,
    )
    return desired, _placed(mailing, [*problems, *tally.problems])


def _placed(mailing: Mailing, problems: list[Problem]) -> list[Problem]:
    """Problems that know no place stand at the mailing's text."""
    place = mailing.text.location if mailing.text else mailing.location
    return [
        place_rows(mailing.audience, problem)
        if problem.file
        else Problem(
            problem.severity,
            problem.code,
            problem.message,
            mailing.address,
            place.file,
            place.line,
            place.column,
        )
        for problem in problems
    ]
