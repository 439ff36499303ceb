"""The audience of one mailing as a stream of batches.

Phones are valid, each occurs once, and opt-outs are marked.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress, repeat

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import ContactList, InlineRecipients, RowSource, TextsByVariant
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.phones import normalize_all
from smsby_deploy.recipients.rows import (
    Block,
    RecipientsError,
    SourceFacts,
    find_column,
    inline_blocks,
    limit_values,
    missing_column,
)
from smsby_deploy.recipients.source_reader import read_source, warn_of_guess
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.wording import sentence

MOST_DIFFERING = 1000  # differing repeats after which `find_differing` stops
_MOST_REPEATS = 20_000  # repeats remembered for `find_differing`


@dataclass(slots=True)
class Repeats:
    """The first 20,000 rows dropped as repeats.

    For each: its phone as a number, its line, and a hash of its other values.
    """

    numbers: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    values: array[int] = field(default_factory=lambda: array("q"))
    differing: list[int] | None = None  # the result of `find_differing`


@dataclass(slots=True)
class AudienceReport:
    """Findings so far while an audience is read.

    `rows` = `invalid` + `duplicate` + the recipients in the batches and the control group. After the last row, `phones` is
    the set of the recipients in the batches if `keeps_phones`, and `recipients_digest`, if `needs_digest`, is the digest
    of that set, which does not depend on their order.
    """

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    held_out: int | None = None  # recipients that are not test phones, under `only_to`
    control: int = 0  # in the control group and not opted out: these are in no batch
    control_opted_out: int = 0
    keeps_control: bool = False
    control_rows: list[tuple[str, int]] = field(default_factory=list)  # phones and lines, if kept
    problems: list[Problem] = field(default_factory=list)
    repeats: Repeats = field(default_factory=Repeats)
    facts: SourceFacts = field(default_factory=SourceFacts)
    needs_digest: bool = False
    recipients_digest: str | None = None
    keeps_phones: bool = False
    phones: PhoneSet | None = None


ReadBatches = Callable[[Mailing, PhoneSet | None, AudienceReport], Iterator[Batch]]


def read_audience(mailing: Mailing, suppressed: PhoneSet | None, report: AudienceReport) -> Iterator[Batch]:
    """Yield the recipients of `mailing` in batches of about BLOCK_ROWS.

    Recipients in `suppressed` are marked.
    Counts and problems are added to `report` as the batches are read. With `on_invalid: drop`, invalid rows are only
    counted.
    """
    audience = _rows_of(mailing)
    file = mailing.file if isinstance(audience, InlineRecipients) else audience.name
    recipients = _FirstOccurrences(mailing, suppressed, report)
    if suppressed is not None and suppressed.only is not None:
        report.held_out = 0  # also of an empty list
    control = _ControlGroup(mailing.text, report) if isinstance(mailing.text, TextsByVariant) else None
    try:
        for block in _blocks(audience, report.facts):
            report.rows += len(block.lines) + len(block.errors)
            phones, invalid = normalize_all(_phone_cells(audience, block), mailing.countries)
            report.invalid += len(block.errors) + len(invalid)
            if mailing.on_invalid != "drop":
                report.problems.extend(_row_problems(mailing, file, block, invalid))
            batch = recipients.select(block, phones, invalid)
            if control is not None:
                batch = control.leave_out(batch)
            if batch.phones:
                yield batch
    except RecipientsError as error:
        place = error.location or Location(file, error.line)
        report.problems.append(Problem(Severity.ERROR, error.code, error.message, mailing.address, place))
        return
    reached = recipients.seen if control is None else control.others
    if report.needs_digest:
        report.recipients_digest = reached.digest()
    if report.keeps_phones:
        report.phones = reached
    place, message = audience.location, ""
    if len(recipients.seen) and not len(reached):
        message = sentence("all of its recipients are in the control group, so nothing would be sent")
    elif not report.rows or (not len(recipients.seen) and not report.problems):
        message = sentence("the audience is empty; an empty audience never means all recipients")
        place = place._replace(line=place.line or 1)
    if message:
        report.problems.append(Problem(Severity.ERROR, "EMPTY_AUDIENCE", message, mailing.address, place))
    report.problems.extend(warn_of_guess(file, report.facts, mailing.address))


def find_differing(mailing: Mailing, report: AudienceReport) -> list[int]:
    """Return the lines of dropped repeats that differ from the row that was used.

    The row used is the first with the same phone. First rows are not kept in memory: the audience is read again, only as
    far as needed, and at most about a thousand lines are returned.
    """
    if report.repeats.differing is None:
        report.repeats.differing = _read_differing(mailing, report.repeats)
    return report.repeats.differing


def _read_differing(mailing: Mailing, repeats: Repeats) -> list[int]:
    pending: dict[int, list[int]] = {}
    for index, number in enumerate(repeats.numbers):
        pending.setdefault(number, []).append(index)
    lines: list[int] = []
    if not pending:
        return lines
    audience = _rows_of(mailing)
    # If this second read fails (a database, for instance), only this warning is incomplete.
    with suppress(RecipientsError):
        for block in _blocks(audience, SourceFacts()):
            phones, invalid = normalize_all(_phone_cells(audience, block), mailing.countries)
            positions = [position for position in range(len(phones)) if position not in invalid]
            numbers = number_phones(phones[position] for position in positions)
            if pending.keys().isdisjoint(numbers):
                continue
            phone_column, texts = _phone_column(audience, block), _own_texts(mailing, block)
            for position, number in zip(positions, numbers, strict=True):
                if number in pending:
                    (first,) = _hash_values(block, [position], phone_column, texts)
                    again = pending.pop(number)
                    lines.extend(repeats.lines[index] for index in again if repeats.values[index] != first)
            if not pending or len(lines) >= MOST_DIFFERING:
                break
    return sorted(lines)


def _rows_of(mailing: Mailing) -> InlineRecipients | RowSource:
    assert not isinstance(mailing.audience, ContactList), "sms.by keeps the recipients of a list mailing"
    return mailing.audience


def _blocks(audience: InlineRecipients | RowSource, facts: SourceFacts) -> Iterator[Block]:
    if isinstance(audience, InlineRecipients):
        yield from map(limit_values, inline_blocks(audience))
        return
    for block in read_source(audience, facts):
        has_names = block.lines or block.header_line is not None
        if has_names and find_column(block.columns, audience.phone) is None:
            if block.header_line is not None:
                raise RecipientsError(missing_column(audience, block.columns), block.header_line)
            message = sentence("no column '{name}'", name=audience.phone)
            missing = [(line, message) for line in block.lines]
            block = Block((), [], [], [*block.errors, *missing])
        yield block


def _phone_column(audience: InlineRecipients | RowSource, block: Block) -> int | None:
    name = "phone" if isinstance(audience, InlineRecipients) else audience.phone
    return find_column(block.columns, name)


def _phone_cells(audience: InlineRecipients | RowSource, block: Block) -> Sequence[str]:
    column = _phone_column(audience, block) if block.lines else None
    return () if column is None else block.values[column]


def _own_texts(mailing: Mailing, block: Block) -> Sequence[str | None]:
    """Return each row's own text, None where there is none.

    Inline recipients may have one; a column `text` counts only if the mailing has no text.
    """
    if block.texts is not None:
        return block.texts
    has_text = mailing.text is not None or mailing.upload is not None
    column = None if has_text else find_column(block.columns, "text")
    return [None] * len(block.lines) if column is None else block.values[column]


def _row_problems(mailing: Mailing, file: str, block: Block, invalid: dict[int, str]) -> Iterator[Problem]:
    """Yield the problems of the rows of `block`, in file order."""
    if not (block.errors or invalid):
        return
    found = [(line, 1, "ROW", message) for line, message in block.errors]
    for row, why in invalid.items():
        column = block.columns_at[row] if block.columns_at else 1
        found.append((block.lines[row], column, "PHONE", why))
    for line, column, code, message in sorted(found):
        yield Problem(Severity.ERROR, code, message, mailing.address, Location(file, line, column))


@dataclass(slots=True)
class _FirstOccurrences:
    """Selects the recipients of an audience block by block.

    A recipient is a row with a valid phone that was not seen before.
    """

    mailing: Mailing
    suppressed: PhoneSet | None
    report: AudienceReport
    seen: PhoneSet = field(default_factory=PhoneSet)

    def select(self, block: Block, phones: list[str], invalid: Collection[int]) -> Batch:
        """Return the recipients of `block`; `phones` are normalized, `invalid` lack a valid one."""
        selected = bytearray(b"\1") * len(phones)
        for row in invalid:
            selected[row] = 0
        rows: Sequence[int] = list(compress(range(len(phones)), selected)) if invalid else range(len(phones))
        numbers = number_phones(compress(phones, selected) if invalid else phones)
        repeated, opted_out = self.seen.add_all(numbers, self.suppressed)
        not_suppressed = bytearray(b"\1") * len(phones)
        for index in opted_out:
            not_suppressed[rows[index]] = 0
        if self.suppressed is not None and self.suppressed.only is not None:
            outside = self.suppressed.only.mark_others(numbers)
            held_out = outside.count(1) - sum(outside[i] for i in (*repeated, *opted_out))
            self.report.held_out = (self.report.held_out or 0) + held_out
            for row in compress(rows, outside):
                not_suppressed[row] = 0
        texts = _own_texts(self.mailing, block)
        names, values, lines = block.columns, block.values, block.lines
        if not invalid and not repeated:
            return Batch(phones, names, values, texts, lines, not_suppressed, None, block.is_typed)
        for index in repeated:
            selected[rows[index]] = 0
        if repeated:
            self._record(block, texts, [numbers[i] for i in repeated], [rows[i] for i in repeated])
        phones, texts = list(compress(phones, selected)), list(compress(texts, selected))
        lines = array("q", compress(lines, selected))
        not_suppressed = bytearray(compress(not_suppressed, selected))
        return Batch(phones, names, values, texts, lines, not_suppressed, selected, block.is_typed)

    def _record(self, block: Block, texts: Sequence[str | None], numbers: list[int], rows: list[int]) -> None:
        """Count dropped repeats, and remember them for `find_differing` while there is room."""
        repeats = self.report.repeats
        self.report.duplicate += len(rows)
        room = max(0, _MOST_REPEATS - len(repeats.numbers))
        if room:
            phone_column = _phone_column(_rows_of(self.mailing), block)
            repeats.numbers.extend(numbers[:room])
            repeats.lines.extend(block.lines[row] for row in rows[:room])
            repeats.values.extend(_hash_values(block, rows[:room], phone_column, texts))


def _hash_values(
    block: Block, rows: Sequence[int], phone_column: int | None, texts: Sequence[str | None]
) -> list[int]:
    """Hash the values and own texts of `rows`, leaving out the spelling of their phones."""
    columns = [
        [column[row].strip() for row in rows] for i, column in enumerate(block.values) if i != phone_column
    ]
    values = zip(*columns, strict=True) if columns else repeat(())
    return [hash((block.columns, some, texts[row])) for some, row in zip(values, rows, strict=False)]


@dataclass(slots=True)
class _ControlGroup:
    """Leaves out recipients whose variant has no text; `others` holds the rest."""

    texts: TextsByVariant
    report: AudienceReport
    others: PhoneSet = field(default_factory=PhoneSet)

    def leave_out(self, batch: Batch) -> Batch:
        """Return the recipients of `batch` whose variant has a text."""
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
