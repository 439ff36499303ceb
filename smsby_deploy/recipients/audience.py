"""One mailing's audience as a stream of batches: cleaned, first occurrence only, never a list of all."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress, count, islice
from typing import NamedTuple

from smsby_deploy.config.declarations import HOME, InlineRecipients, RowSource
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.csv_dialect import RecipientsError
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.phones import normalize_all
from smsby_deploy.recipients.rows import Block, find_column, group_rows, name_columns
from smsby_deploy.recipients.sources import SourceFacts, read_source

# Repeated rows that are remembered for `find_differing`, and differing ones after which it stops looking.
_MOST_REPEATS = 20_000
MOST_DIFFERING = 1000


class Batch(NamedTuple):
    """Consecutive recipients: `texts[i]` is the text that `phones[i]` has of its own, or None; `lines[i]` is its physical
    line, `reached[i]` is 0 if they opted out. `values` are the columns `names` of the rows they were read from, as written;
    of those the recipients are the ones that `kept` marks, or all."""

    phones: list[str]
    names: tuple[str, ...]
    values: Sequence[Sequence[str]]
    texts: Sequence[str | None]
    lines: Sequence[int]
    reached: bytearray
    kept: bytearray | None = None

    def variable(self, name: str) -> list[str] | None:
        """The template's variable `name` of each recipient, blank ends cut off; None if there is none of that name.

        A column goes by its name as written and, where that is free, in small letters; `phone` is always the number.
        """
        if name == "phone":
            return self.phones
        found = [i for i, written in enumerate(self.names) if written == name]
        found = found or [i for i, written in enumerate(self.names) if written.lower() == name]
        if not found:
            return None
        column = self.values[found[-1]]
        return list(map(str.strip, column if self.kept is None else compress(column, self.kept)))

    @property
    def variables(self) -> list[dict[str, str]]:
        """All variables of each recipient."""
        names = self._all_names()
        columns = [self.variable(name) or [] for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def has_own_texts(self) -> bool:
        """Whether any recipient has a text of its own."""
        return list(self.texts).count(None) < len(self.texts)

    def variables_of(self, row: int) -> dict[str, str]:
        """All variables of one recipient."""
        place = row if self.kept is None else next(islice(compress(count(), self.kept), row, None))
        values = [[column[place]] for column in self.values]
        one = Batch([self.phones[row]], self.names, values, [None], [0], bytearray(1))
        return one.variables[0]

    def _all_names(self) -> tuple[str, ...]:
        small = [name.lower() for name in self.names if name.lower() not in self.names]
        return tuple(dict.fromkeys((*self.names, *small, "phone")))


@dataclass(slots=True)
class Repeats:
    """Rows that were dropped because their phone stood above, the first 20,000 of them: the phone as a number, the line,
    and a hash of the values."""

    numbers: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    values: array[int] = field(default_factory=lambda: array("q"))


@dataclass(slots=True)
class AudienceReport:
    """Counted on the way: rows = invalid + duplicate + those in the batches."""

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    problems: list[Problem] = field(default_factory=list)
    repeats: Repeats = field(default_factory=Repeats)
    facts: SourceFacts = field(default_factory=SourceFacts)


class _Candidates(NamedTuple):
    """A block as recipients: their phones as written, `own` the texts of their own. Those written in a campaign know
    their `marks`, the columns at which they begin there."""

    block: Block
    phone: int | None  # the phone's column; None: the phones are `raw`
    raw: Sequence[str]
    own: Sequence[str | None]
    columns_at: Sequence[int] = ()  # where those written in a campaign file begin


def stream_audience(
    audience: InlineRecipients | RowSource,
    *,
    address: str,
    campaign_file: str,
    has_text: bool,
    on_invalid: str,
    report: AudienceReport,
    batch_rows: int = 1000,
    countries: tuple[str, ...] = (HOME,),
    with_variables: bool = True,
    suppressed: PhoneSet | None = None,
) -> Iterator[Batch]:
    """The audience before suppression, about `batch_rows` a batch; who is in `suppressed` is marked. What is wrong goes to
    `report`; with `drop` bad rows are only counted. `with_variables` False spares a text for all its rows' values."""
    file = campaign_file if isinstance(audience, InlineRecipients) else audience.name
    seen = PhoneSet()
    try:
        for candidates in _candidates(audience, has_text, batch_rows, report.facts):
            block = candidates.block
            report.rows += len(block.lines) + len(block.errors)
            report.invalid += len(block.errors)
            phones, bad = normalize_all(candidates.raw, countries)
            if on_invalid != "drop" and (bad or block.errors):
                begin = candidates.columns_at or [1] * len(phones)
                found = [(line, 1, "ROW", message) for line, message in block.errors]
                found += [(block.lines[index], begin[index], "PHONE", why) for index, why in bad.items()]
                report.problems.extend(
                    Problem(Severity.ERROR, code, message, address, Location(file, line, column))
                    for line, column, code, message in sorted(found)
                )
            batch = _first_ones(candidates, phones, bad, seen, suppressed, report, with_variables)
            if batch.phones:
                yield batch
    except RecipientsError as error:
        place = error.location or Location(file, error.line)
        report.problems.append(Problem(Severity.ERROR, error.code, str(error), address, place))
        return
    if not report.rows or (not len(seen) and not report.problems):
        at = audience.location
        message = "there is nobody in it; an empty audience never means everyone"
        report.problems.append(
            Problem(Severity.ERROR, "EMPTY_AUDIENCE", message, address, at._replace(line=at.line or 1))
        )


def find_differing(
    audience: InlineRecipients | RowSource,
    report: AudienceReport,
    *,
    has_text: bool,
    countries: tuple[str, ...] = (HOME,),
) -> list[int]:
    """The lines of dropped rows whose values, the phone aside, are not those of the row that was kept; a thousand of
    them are enough.

    It reads the audience once more, and only as far as it must: so no row has to be kept.
    """
    repeats = report.repeats
    wanted: dict[int, list[int]] = {}
    for index, number in enumerate(repeats.numbers):
        wanted.setdefault(number, []).append(index)
    lines: list[int] = []
    if not wanted:
        return lines
    # A second reading that fails, of a database above all, leaves this warning short and nothing else.
    with suppress(RecipientsError):
        for candidates in _candidates(audience, has_text, 1000, SourceFacts()):
            phones, bad = normalize_all(candidates.raw, countries)
            positions = [position for position in range(len(phones)) if position not in bad]
            numbers = number_phones(phones[position] for position in positions)
            if wanted.keys().isdisjoint(numbers):
                continue
            for position, number in zip(positions, numbers, strict=True):
                if number in wanted:
                    kept = _hash_values(candidates, position)
                    again = wanted.pop(number)
                    lines.extend(repeats.lines[index] for index in again if repeats.values[index] != kept)
            if not wanted or len(lines) >= MOST_DIFFERING:
                break
    return sorted(lines)


def _first_ones(
    candidates: _Candidates,
    phones: list[str],
    bad: Collection[int],
    seen: PhoneSet,
    suppressed: PhoneSet | None,
    report: AudienceReport,
    with_variables: bool,
) -> Batch:
    """The recipients of a block that are valid and were not seen before."""
    block = candidates.block
    kept = bytearray(b"\1") * len(phones)
    for position in bad:
        kept[position] = 0
    report.invalid += len(bad)
    if bad:
        phones = list(compress(phones, kept))
    numbers = number_phones(phones)
    repeated, out = seen.add_all(numbers, suppressed)
    reached = bytearray(b"\1") * len(phones)
    for index in out:
        reached[index] = 0
    names, values = (block.columns, block.values) if with_variables else ((), ())
    if not bad and not repeated:
        return Batch(phones, names, values, candidates.own, block.lines, reached)
    if repeated:
        positions = list(compress(range(len(kept)), kept))
        first_ones = bytearray(b"\1") * len(phones)
        for index in repeated:
            position = positions[index]
            kept[position] = first_ones[index] = 0
            if len(report.repeats.numbers) < _MOST_REPEATS:
                report.repeats.numbers.append(numbers[index])
                report.repeats.lines.append(block.lines[position])
                report.repeats.values.append(_hash_values(candidates, position))
        report.duplicate += len(repeated)
        phones, reached = list(compress(phones, first_ones)), bytearray(compress(reached, first_ones))
    own, lines = list(compress(candidates.own, kept)), list(compress(block.lines, kept))
    return Batch(phones, names, values, own, lines, reached, kept)


def _hash_values(candidates: _Candidates, position: int) -> int:
    """A hash of a row's values, the phone's spelling aside."""
    columns = candidates.block.values
    values = [column[position].strip() for index, column in enumerate(columns) if index != candidates.phone]
    return hash((candidates.block.columns, tuple(values), candidates.own[position]))


def _candidates(
    audience: InlineRecipients | RowSource, has_text: bool, batch_rows: int, facts: SourceFacts
) -> Iterator[_Candidates]:
    if isinstance(audience, InlineRecipients):
        recipients = iter(audience.rows)
        while some := list(islice(recipients, batch_rows)):
            start = 0
            for block in group_rows([(one.location.line or 1, one.variables) for one in some]):
                members = some[start : start + len(block.lines)]
                start += len(members)
                yield _Candidates(
                    block,
                    None,
                    [one.phone for one in members],
                    [one.text for one in members],
                    [one.location.column or 1 for one in members],
                )
        return
    for block in read_source(audience, batch_rows, facts):
        yield _from_block(audience, block, has_text)


def _from_block(source: RowSource, block: Block, has_text: bool) -> _Candidates:
    if not block.lines:
        return _Candidates(block, None, [], [])
    phone = find_column(block.columns, source.phone)
    if phone is None:
        message = f"it has no column {source.phone!r}"
        if block.header_line is not None:
            raise RecipientsError(f"{message}; {name_columns(block.columns)}", block.header_line)
        missing = [(line, message) for line in block.lines]
        return _Candidates(Block(block.columns, [], [], [*block.errors, *missing]), None, [], [])
    text = None if has_text else find_column(block.columns, "text")
    own = [None] * len(block.lines) if text is None else block.values[text]
    return _Candidates(block, phone, block.values[phone], own)
