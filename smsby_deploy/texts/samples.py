"""Samples: a few texts of a mailing, chosen to show what its recipients read at worst.

`render` and the comment on a pull request show the same samples; outputs only format them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate, pairwise

from smsby_deploy.config.declarations import ContactList, Mailing, Price, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.privacy import mask_phone, mask_phone_in, mask_values
from smsby_deploy.problems import Problem, has_errors
from smsby_deploy.recipients.audience import AudienceReport, Batch, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.sources import place_rows
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.texts.mailing_texts import (
    KeptProblems,
    is_personal,
    problem_at_text,
    render_texts,
    rows_file,
)
from smsby_deploy.texts.parts import TextSize, TextTooLong, measure_gsm, measure_text, split_parts
from smsby_deploy.texts.price import cost_of
from smsby_deploy.texts.rewrite import Rewriter
from smsby_deploy.texts.sample_selector import Candidate, SampleSelector
from smsby_deploy.texts.template import Template, compile_text
from smsby_deploy.wording import counted

DEFAULT_LIMIT = 3
_DEFAULT_FILTER = re.compile(r"\b(\w+)\s*\|\s*(?:default|d)\s*\(")


@dataclass(frozen=True, slots=True)
class Sample:
    """One text as one recipient reads it.

    `row` counts the mailing's recipients from 1, after cleaning and before suppression; `line` is the recipient's line in
    `file`. A text that is the same for all recipients has no row and no phone, and `line` is that of the text.
    `pieces` is the text cut where its billed parts end, `gsm_parts` the count by GSM 03.38. `why` lists the reasons the
    sample was selected for, `values` the recipient's variables.
    """

    row: int | None
    file: str
    line: int | None
    phone: str | None
    text: str
    size: TextSize
    gsm_parts: int
    pieces: tuple[str, ...]
    cost: Decimal | None
    is_suppressed: bool = False
    why: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailingSamples:
    """The samples of one mailing in row order.

    `recipients` is None where the audience was not read.
    `by_parts` counts the recipients whose text has 1, 2, and 3 or more parts; None where all have the same text.
    """

    address: str
    recipients: int | None
    currency: str | None
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()
    by_parts: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class MailingReview:
    """What a reviewer sees of a mailing beside its plan: the template, and masked samples.

    `by_parts` is that of `MailingSamples`.
    """

    timezone: str
    text: str | None
    by_parts: tuple[int, int, int] | None = None
    samples: tuple[Sample, ...] = ()


def sample_mailings(
    loaded: LoadedProject, mailings: Sequence[Mailing], *, limit: int, rows: Sequence[int]
) -> tuple[list[MailingSamples], list[Problem]]:
    """The samples of `mailings`, and every problem of the project's files and these mailings.

    Raises:
        UsageError: a mailing has no such row.
    """
    suppressed, found = load_suppression(loaded.project.suppress)
    problems = [*loaded.problems, *found]
    sampled = []
    for mailing in mailings:
        try:
            samples = sample_mailing(loaded.project, mailing, suppressed, limit=limit, rows=rows)
        except FilesInvalid as error:
            problems.extend(error.problems)
            continue
        problems.extend(samples.problems)
        sampled.append(samples)
    return sampled, problems


def review_mailing(
    project: Project, mailing: Mailing, suppressed: PhoneSet, *, with_samples: bool = True
) -> MailingReview:
    """Return the template and the masked samples of a mailing.

    Texts that cannot be rendered are left out: the plan reports them.
    """
    text = mailing.text.text if mailing.text else None
    if not with_samples:
        return MailingReview(mailing.timezone, text)
    try:
        found = sample_mailing(project, mailing, suppressed, limit=None)
    except FilesInvalid:
        return MailingReview(mailing.timezone, text)
    rewriter = Rewriter(mailing.rewrite)
    samples = tuple(_mask_recipient(sample, rewriter) for sample in found.samples)
    return MailingReview(mailing.timezone, text, found.by_parts, samples)


def sample_mailing(
    project: Project,
    mailing: Mailing,
    suppressed: PhoneSet,
    *,
    limit: int | None = DEFAULT_LIMIT,
    rows: Sequence[int] = (),
) -> MailingSamples:
    """Return at most `limit` texts of a mailing.

    They are the first, the most expensive, the longest, one for each default that is applied, then those that follow the
    first. A bulk mailing has one text.

    Without a limit the texts that follow the first are left out, and the text of a bulk mailing is shown without reading
    its audience. `rows` selects recipients by number instead, suppressed ones included.

    Raises:
        FilesInvalid: the template cannot be compiled.
        UsageError: there is no such row.
    """
    template = compile_text(mailing.text) if mailing.text else None
    personal = is_personal(mailing, template)
    if isinstance(mailing.audience, ContactList) or (limit is None and not personal):
        return _sample_shared_text(mailing, template, project.price)
    file = rows_file(mailing)
    problems = KeptProblems()

    def report_too_long(reason: str, line: int) -> None:
        problems.keep([problem_at_text(mailing, "TOO_LONG", f"{reason} ({file}:{line})")])

    selector = SampleSelector(
        limit if personal else 1, frozenset(rows), project.price, report_too_long, is_personal=personal
    )
    if mailing.text:
        selector.pending_defaults.update(_DEFAULT_FILTER.findall(mailing.text.text))
    for batch, texts in _render_all(mailing, template, suppressed, problems):
        selector.add(batch, texts)
    missing = [row for row in rows if row not in selector.by_row]
    if missing and not has_errors(problems.kept):
        raise UsageError(
            f"{mailing.address} has no row {missing[0]}: it has {counted(selector.count, 'recipient')}",
            hint="rows count the recipients from 1, after cleaning",
        )
    return MailingSamples(
        mailing.address,
        selector.count - selector.suppressed,
        _currency(project.price),
        tuple(
            _make_sample(candidate, file, candidate.phone in suppressed, tuple(why))
            for candidate, why in selector.selected()
        ),
        tuple(place_rows(mailing.audience, problem) for problem in problems.all_of(mailing)),
        selector.by_parts if personal else None,
    )


def mask_samples(mailing: MailingSamples) -> MailingSamples:
    """`mailing` without whole phone numbers, neither beside the texts nor in them."""
    return replace(mailing, samples=tuple(map(_mask_phones, mailing.samples)))


def _mask_recipient(sample: Sample, rewriter: Rewriter) -> Sample:
    """`sample` without the recipient's phone and values, also as `rewriter` spells them.

    The parts stay those of the real text: masking may change a text's encoding, but not its length.
    """
    values = sample.values.values()
    text = mask_values(sample.text, (*values, *map(rewriter.apply, values)))
    return _mask_phones(replace(sample, text=text))


def _mask_phones(sample: Sample) -> Sample:
    text = mask_phone_in(sample.text, sample.phone)
    borders = pairwise([0, *accumulate(map(len, sample.pieces))])
    return replace(
        sample,
        phone=sample.phone and mask_phone(sample.phone),
        text=text,
        pieces=tuple(text[start:end] for start, end in borders),
        values={},
    )


def _render_all(
    mailing: Mailing, template: Template | None, suppressed: PhoneSet, problems: KeptProblems
) -> Iterator[tuple[Batch, Sequence[str]]]:
    """Yield all recipients in batches with their texts.

    A text that cannot be sent is "", and the reason is added to `problems`.
    """
    assert not isinstance(mailing.audience, ContactList)
    report = AudienceReport()
    bulk_text = template.render_once() if template and not is_personal(mailing, template) else None
    for batch in read_audience(mailing, suppressed, report):
        if bulk_text is not None:
            yield batch, [bulk_text] * len(batch.phones)
            continue
        rendered = render_texts(mailing, template, batch)
        problems.keep(rendered.problems)
        yield batch, rendered.texts
    problems.kept.extend(report.problems)


def _make_sample(candidate: Candidate, file: str, is_suppressed: bool, why: tuple[str, ...]) -> Sample:
    return Sample(
        row=candidate.row,
        file=file,
        line=candidate.line,
        phone=candidate.phone,
        text=candidate.text,
        size=candidate.size,
        gsm_parts=measure_gsm(candidate.text).parts,
        pieces=tuple(split_parts(candidate.text, candidate.size)),
        cost=candidate.cost,
        is_suppressed=is_suppressed,
        why=why,
        values=candidate.values,
    )


def _sample_shared_text(mailing: Mailing, template: Template | None, price: Price | None) -> MailingSamples:
    """The text that is the same for all recipients; its cost is that of one copy."""
    currency = _currency(price)
    if template is None or template.is_personal:
        message = "a mailing to a contact list at sms.by has one text: use no variables"
        problem = problem_at_text(mailing, "LIST_TEXT", message)
        return MailingSamples(mailing.address, None, currency, (), (problem,))
    text = template.render_once()
    try:
        size = measure_text(text)
    except TextTooLong as error:
        problem = problem_at_text(mailing, "TOO_LONG", error.message)
        return MailingSamples(mailing.address, None, currency, (), (problem,))
    location = template.source.location
    sample = Sample(
        row=None,
        file=location.file,
        line=location.line,
        phone=None,
        text=text,
        size=size,
        gsm_parts=measure_gsm(text).parts,
        pieces=tuple(split_parts(text, size)),
        cost=cost_of(size.parts, price),
        why=("all contacts on the list",)
        if isinstance(mailing.audience, ContactList)
        else ("all recipients",),
    )
    return MailingSamples(mailing.address, None, currency, (sample,))


def _currency(price: Price | None) -> str | None:
    return price.currency if price else None
