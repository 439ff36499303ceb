"""What people will read: a few texts of a mailing, chosen so that a reviewer sees the worst of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from smsby_deploy.config.declarations import ContactList, Mailing, Price, Project
from smsby_deploy.errors import UsageError
from smsby_deploy.problems import Problem, Severity, has_errors
from smsby_deploy.recipients.audience import AudienceReport, Batch, stream_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.sources import place_rows
from smsby_deploy.texts.mailing_texts import is_personal, render_texts, rows_file
from smsby_deploy.texts.parts import TextSize, TextTooLong, measure_gsm, measure_text, split_parts
from smsby_deploy.texts.price import cost_of
from smsby_deploy.texts.sample_selector import Candidate, SampleSelector
from smsby_deploy.texts.template import Template, compile_text
from smsby_deploy.wording import counted

DEFAULT_LIMIT = 3
_DEFAULT = re.compile(r"\b(\w+)\s*\|\s*(?:default|d)\s*\(")
_MOST_PROBLEMS = 1000  # of the texts of one mailing


@dataclass(frozen=True, slots=True)
class Sample:
    """One text as one person reads it.

    `row` counts the mailing's recipients from 1, after cleaning and before opt-outs; `line` is where it stands in
    `file`. Where one text is shown for all, there is no row and no phone, and the text itself stands there.
    `pieces` is the text cut at its parts' borders, `gsm_parts` the count by GSM 03.38. `why` tells what it was chosen
    for, `values` are the variables of its reader.
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
class Preview:
    """One mailing's samples in the order of its rows; `recipients` is None where nobody was counted.

    `split`: people whose text has 1, 2, and 3 or more parts; None where all have the same text.
    """

    address: str
    recipients: int | None
    currency: str | None
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = ()
    split: tuple[int, int, int] | None = None


def sample_mailing(
    project: Project,
    mailing: Mailing,
    suppressed: PhoneSet,
    *,
    limit: int | None = DEFAULT_LIMIT,
    rows: Sequence[int] = (),
) -> Preview:
    """At most `limit` texts: the first, the most expensive, the longest, one for each default that is applied, then
    those that follow the first; of a bulk mailing its only one.

    Without a limit all of these but the last; one text for all is then shown without reading who gets it.
    With `rows` these instead, also of people who opted out.

    Raises:
        FilesInvalid: the template can't be compiled.
        UsageError: there is no such row.
    """
    template = compile_text(mailing.text) if mailing.text else None
    currency = project.price.currency if project.price else None
    personal = is_personal(mailing, template)
    if isinstance(mailing.audience, ContactList) or (limit is None and not personal):
        return _preview_one_text(mailing, template, project.price, currency)
    problems = _Problems()

    def tell_too_long(why: str, line: int) -> None:
        problems.keep([_at_text(mailing, "TOO_LONG", f"{why} ({rows_file(mailing)}:{line})")])

    choice = SampleSelector(limit if personal else 1, frozenset(rows), project.price, tell_too_long)
    if mailing.text:
        choice.waiting.update(_DEFAULT.findall(mailing.text.text))
    for batch, texts in _rendered(mailing, template, suppressed, problems):
        choice.offer(batch, texts, has_values=personal)
    missing = [row for row in rows if row not in choice.by_row]
    if missing and not has_errors(problems.kept):
        raise UsageError(
            f"{mailing.address} has no row {missing[0]}: it has {counted(choice.count, 'recipient')}",
            hint="rows count the recipients from 1, after cleaning",
        )
    file = rows_file(mailing)
    samples = tuple(
        _sample(candidate, file, candidate.phone in suppressed, tuple(why))
        for candidate, why in choice.finish()
    )
    placed = tuple(place_rows(mailing.audience, problem) for problem in problems.told(mailing))
    split = (choice.split[0], choice.split[1], choice.split[2]) if personal else None
    return Preview(mailing.address, choice.count - choice.suppressed, currency, samples, placed, split)


@dataclass(slots=True)
class _Problems:
    """Of texts a thousand are kept and the others counted, so that memory stays flat; of phones all."""

    kept: list[Problem] = field(default_factory=list)
    untold: int = 0

    def keep(self, found: Sequence[Problem]) -> None:
        room = max(0, _MOST_PROBLEMS - len(self.kept))
        self.kept.extend(found[:room])
        self.untold += len(found[room:])

    def told(self, mailing: Mailing) -> list[Problem]:
        if not self.untold:
            return self.kept
        message = f"{self.untold:,} more texts of this mailing than are told here can't be sent as they are"
        return [_at_text(mailing, "TEMPLATE", message), *self.kept]


def _rendered(
    mailing: Mailing, template: Template | None, suppressed: PhoneSet, problems: _Problems
) -> Iterator[tuple[Batch, Sequence[str]]]:
    """Everybody in batches, with their texts; "" where it can't be sent, and then `problems` tells why."""
    assert not isinstance(mailing.audience, ContactList)
    report = AudienceReport()
    bulk = template.render_once() if template and not is_personal(mailing, template) else None
    for batch in stream_audience(
        mailing.audience,
        address=mailing.address,
        campaign_file=mailing.file,
        has_text=mailing.text is not None,
        on_invalid=mailing.on_invalid,
        report=report,
        countries=mailing.countries,
        with_variables=bulk is None,
        suppressed=suppressed,
    ):
        if bulk is not None:
            yield batch, [bulk] * len(batch.phones)
            continue
        rendered = render_texts(mailing, template, batch)
        problems.keep(rendered.problems)
        yield batch, rendered.texts
    problems.kept.extend(report.problems)


def _sample(candidate: Candidate, file: str, is_suppressed: bool, why: tuple[str, ...]) -> Sample:
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


def _preview_one_text(
    mailing: Mailing, template: Template | None, price: Price | None, currency: str | None
) -> Preview:
    """The one text that everybody reads; its cost is that of one copy."""
    place = mailing.text.location if mailing.text else mailing.location
    if template is None or template.is_personal:
        message = "a mailing to a list kept at sms.by has one text for all: no variables"
        problem = _at_text(mailing, "LIST_TEXT", message)
        return Preview(mailing.address, None, currency, (), (problem,))
    text = template.render_once()
    try:
        size = measure_text(text)
    except TextTooLong as error:
        return Preview(mailing.address, None, currency, (), (_at_text(mailing, "TOO_LONG", error.message),))
    why = "to everybody on the list" if isinstance(mailing.audience, ContactList) else "to everybody"
    sample = Sample(
        None, place.file, place.line, None, text, size, measure_gsm(text).parts, tuple(split_parts(text, size)),
        cost_of(size.parts, price), why=(why,),
    )  # fmt: skip
    return Preview(mailing.address, None, currency, (sample,))


def _at_text(mailing: Mailing, code: str, message: str) -> Problem:
    place = mailing.text.location if mailing.text else mailing.location
    return Problem(Severity.ERROR, code, message, mailing.address, place)
