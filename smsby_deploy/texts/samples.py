"""Samples: a few texts of a mailing that show the extremes of what recipients read.

A review is what a reviewer sees next to the plan: the template, and masked samples that are collected while the plan
reads the audience.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import Mailing, Price, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import ContactList, InlineRecipients
from smsby_deploy.errors import FilesInvalid, UsageError
from smsby_deploy.privacy import mask_phone, mask_phone_in, mask_values
from smsby_deploy.problems import Location, Problem, has_errors
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.source_reader import place_rows
from smsby_deploy.recipients.suppression import load_suppression
from smsby_deploy.texts.analysis import has_markup
from smsby_deploy.texts.compiler import compile_mailing
from smsby_deploy.texts.cost import cost_of
from smsby_deploy.texts.encoding_lint import Rewriter
from smsby_deploy.texts.parts import TextSize, TextTooLong, measure_gsm, measure_text, split_parts
from smsby_deploy.texts.reviewed_text import reviewed_text
from smsby_deploy.texts.sample_selector import Candidate, SampleSelector
from smsby_deploy.texts.template import (
    KeptProblems,
    Template,
    is_personal,
    problem_at_text,
    rows_file,
)
from smsby_deploy.texts.text_lint import TextLint
from smsby_deploy.wording import counted, sentence

if TYPE_CHECKING:  # it needs Jinja2, most texts do not
    from smsby_deploy.texts.branches import MailingBranches

_LEAST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One text as one recipient reads it.

    `row` counts the mailing's recipients from 1, after cleaning and before suppression; `line` is the recipient's line in
    `file`. A text that is the same for all recipients has no row and no phone, and `line` is that of the text.

    `pieces` is the text cut where its billed parts end, `gsm_parts` the count by GSM 03.38. `why` lists the reasons for
    selecting the sample. `recipients` is the number who get the same combination of conditions; None if the text has only
    one.
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
    recipients: int | None = None


@dataclass(frozen=True, slots=True)
class MailingSamples:
    """The samples of one mailing in row order.

    `recipients` is None if the audience was not read. `further` is the number of combinations without a sample. `by_parts`
    counts the recipients whose text has 1, 2, and 3 or more parts; None if all have the same text.
    """

    address: str
    recipients: int | None
    currency: str | None
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()
    by_parts: tuple[int, int, int] | None = None
    further: int = 0


def sample_mailings(
    loaded: LoadedProject, mailings: Sequence[Mailing], *, limit: int | None, rows: Sequence[int]
) -> tuple[list[MailingSamples], list[Problem]]:
    """The samples of `mailings`, and every problem of the project's files and these mailings.

    Raises:
        UsageError: a mailing has no such row.
    """
    suppressed, found = load_suppression(loaded.project.suppress, loaded.project.only_to)
    problems = [*loaded.problems, *found]
    sampled = []
    for mailing in (one for one in mailings if not one.unreadable):
        try:
            samples = sample_mailing(loaded.project, mailing, suppressed, limit=limit, rows=rows)
        except FilesInvalid as error:
            problems.extend(error.problems)
            continue
        problems.extend(samples.problems)
        sampled.append(samples)
    return sampled, problems


def sample_mailing(
    project: Project,
    mailing: Mailing,
    suppressed: PhoneSet,
    *,
    limit: int | None = None,
    rows: Sequence[int] = (),
) -> MailingSamples:
    """Return at most `limit` texts of a mailing.

    These are one of each combination of conditions, the first, the most expensive, the longest, then those that follow the
    first. Without a limit, there are at most eight, and at least three if the mailing has that many. A bulk mailing has one
    text. `rows` selects recipients by number instead, including suppressed ones.

    Raises:
        FilesInvalid: the template cannot be compiled.
        UsageError: there is no such row.
    """
    if isinstance(mailing.audience, ContactList):
        return sample_shared_text(mailing, project.price)
    template = compile_mailing(mailing)
    personal = is_personal(mailing, template)
    problems, file = KeptProblems(), rows_file(mailing)
    selector = SampleSelector(
        project.price,
        limit=limit if personal else 1,
        rows=frozenset(rows),
        branches=_find_branches(mailing, template) if personal else None,
        fill=_LEAST_SHOWN if limit is None and personal else None,
    )
    lint = TextLint(mailing, template, project.guardrails.require)
    report = AudienceReport()
    for batch in read_audience(mailing, suppressed, report):
        rendered = template.render_batch(batch, mailing)
        problems.keep(rendered.problems)
        lint.check(batch, rendered.texts)
        for line, reason in selector.add(batch, rendered.texts):
            message = sentence("{message} ({place})", message=reason, place=Location(file, line))
            problems.keep([problem_at_text(mailing, "TOO_LONG", message)])
    problems.kept.extend(report.problems)
    if not has_errors(problems.kept):
        _check_rows(mailing, rows, selector)
    selection = selector.selected()
    found = [*problems.all_of(mailing), *lint.find_problems(), *template.find_problems(mailing)]
    return MailingSamples(
        mailing.address,
        selector.count - selector.suppressed,
        project.currency,
        tuple(make_sample(one, file, is_suppressed=one.phone in suppressed) for one in selection.samples),
        tuple(place_rows(mailing.audience, found)),
        selector.by_parts if personal else None,
        selection.further,
    )


def _check_rows(mailing: Mailing, rows: Sequence[int], selector: SampleSelector) -> None:
    """Raise UsageError if one of the requested `rows` does not exist."""
    missing = next((row for row in rows if row not in selector.by_row), None)
    if missing is not None:
        raise UsageError(
            f"{mailing.address} has no row {missing}: it has {counted(selector.count, 'recipient')}",
            hint="row 1 is the first recipient after cleaning",
        )


def _find_branches(mailing: Mailing, template: Template) -> MailingBranches | None:
    """Return an object that distinguishes a text's combinations; None if there is only one."""
    sources = mailing.text_sources
    if len(sources) == 1 and not has_markup(sources[0].text):
        return None
    from smsby_deploy.texts.branches import MailingBranches

    branches = MailingBranches(mailing, template)
    return branches if branches.are_there else None


def mask_samples(mailing: MailingSamples) -> MailingSamples:
    """Return `mailing` without whole phone numbers, in the texts or next to them."""
    masked = (_masked_as(one, mask_phone_in(one.text, one.phone)) for one in mailing.samples)
    return replace(mailing, samples=tuple(masked))


def _masked_as(sample: Sample, text: str) -> Sample:
    """Return `sample` with its masked `text`, of the same length, cut at the same places."""
    borders = pairwise([0, *accumulate(map(len, sample.pieces))])
    pieces = tuple(text[start:end] for start, end in borders)
    phone = sample.phone and mask_phone(sample.phone)
    return replace(sample, text=text, pieces=pieces, phone=phone)


def make_sample(candidate: Candidate, file: str, *, is_suppressed: bool = False) -> Sample:
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
        why=candidate.why,
        recipients=candidate.recipients,
    )


def sample_shared_text(mailing: Mailing, price: Price | None) -> MailingSamples:
    """The sample of a text that is the same for all recipients; its cost is that of one copy.

    Raises:
        FilesInvalid: the template cannot be compiled.
    """
    currency = price.currency if price else None
    template = compile_mailing(mailing)
    if template.is_personal:
        message = sentence("a mailing to a contact list at sms.by has one text: use no variables")
        problem = problem_at_text(mailing, "LIST_TEXT", message)
        return MailingSamples(mailing.address, None, currency, (), (problem,))
    text = template.render_once()
    try:
        size = measure_text(text)
    except TextTooLong as error:
        problem = problem_at_text(mailing, "TOO_LONG", error.message)
        return MailingSamples(mailing.address, None, currency, (), (problem,))
    location = template.texts[0].source.location
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
        why=(
            sentence("all contacts on the list")
            if isinstance(mailing.audience, ContactList)
            else sentence("all recipients"),
        ),
    )
    return MailingSamples(mailing.address, None, currency, (sample,))


@dataclass(frozen=True, slots=True)
class MailingReview:
    """The template of a mailing with its includes, and masked samples.

    Phones and the recipients' values are masked in them.

    `by_parts` counts the recipients whose text has 1, 2, and 3 or more parts; None if all have the same text. `further` is
    the number of combinations without a sample.
    """

    timezone: str
    text: str | None
    by_parts: tuple[int, int, int] | None = None
    samples: tuple[Sample, ...] = ()
    further: int = 0


@dataclass(slots=True)
class ReviewCollector:
    """Collects the samples of a project's mailings while a plan reads their audiences."""

    project: Project
    _selectors: dict[str, SampleSelector] = field(default_factory=dict)

    def observe(self, mailing: Mailing) -> Callable[[Batch, Sequence[str]], None]:
        """Return the function that receives the batches of `mailing` with their texts.

        Batches have no texts if all recipients get the same one.
        """

        def on_batch(batch: Batch, texts: Sequence[str]) -> None:
            if texts:
                selector = self._selectors.get(mailing.address)
                if selector is None:  # compiling cannot fail: the text was compiled before, or there is none
                    template = compile_mailing(mailing)
                    selector = SampleSelector(self.project.price, branches=_find_branches(mailing, template))
                    self._selectors[mailing.address] = selector
                selector.add(batch, texts)

        return on_batch

    def review(self, mailing: Mailing, *, with_samples: bool = True) -> MailingReview:
        """Return the review of a mailing whose audience was read.

        Texts that cannot be rendered are left out: the plan reports them.
        """
        review = MailingReview(mailing.timezone, reviewed_text(mailing.text))
        if not with_samples:
            return review
        selector = self._selectors.get(mailing.address)
        if selector is None:
            try:
                shared = sample_shared_text(mailing, self.project.price)
            except FilesInvalid:
                return review
            return replace(review, samples=shared.samples)  # it is the author's own text
        selection = selector.selected()
        return replace(
            review,
            by_parts=selector.by_parts,
            samples=tuple(_mask_recipient(mailing, one) for one in selection.samples),
            further=selection.further,
        )


def _mask_recipient(mailing: Mailing, one: Candidate) -> Sample:
    """Return the sample of a text without the phone and anything else from the row.

    The parts stay those of the real text: masking may change a text's encoding, but not its length.
    """
    masked = mask_text(mailing, one.text, one.values, one.phone)
    return _masked_as(make_sample(one, rows_file(mailing)), masked)


def mask_text(mailing: Mailing, text: str, values: Mapping[str, str], phone: str | None) -> str:
    """Return the `text` of one recipient without `phone` and anything else from their row.

    The length does not change.
    """
    template = compile_mailing(mailing)
    picked = template.pick(values)
    if picked is None or _has_own_text(mailing, text):
        return mask_phone_in(mask_values(text, values.values()), phone)
    from smsby_deploy.texts.masking import mask_data

    return mask_data(picked, values, text)


def _has_own_text(mailing: Mailing, text: str) -> bool:
    """Whether the author wrote this recipient's text, in the campaign file."""
    if not isinstance(mailing.audience, InlineRecipients):
        return False
    own_texts = (row["text"].strip() for row in mailing.audience.rows if "text" in row)
    return text in map(Rewriter(mailing.rewrite).apply, own_texts)
