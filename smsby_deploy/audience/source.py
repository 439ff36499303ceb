"""One mailing's audience as a stream of batches: cleaned, first occurrence only, never a list of all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import compress, islice

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.phones import normalize_all
from smsby_deploy.audience.rows import Block, find_column, group_rows, name_columns
from smsby_deploy.audience.shape import BadRows
from smsby_deploy.audience.stored import SourceFacts, read_source
from smsby_deploy.errors import Location
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import HOME, InlineRecipients, RowSource

# Repeated rows that are remembered for `find_differing`: 100,000 take about 30 MB.
_MOST_REPEATS = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive recipients, column by column: `values[c][i]` is what `phones[i]` has in the column `names[c]`, as it
    was written; `texts[i]` is a text of its own or None; `lines[i]` is its physical line."""

    phones: list[str]
    names: tuple[str, ...]
    values: Sequence[Sequence[str]]
    texts: Sequence[str | None]
    lines: Sequence[int]

    def variable(self, name: str) -> list[str] | None:
        """The template's variable `name` of each recipient, blank ends cut off; None if there is none of that name.

        A column goes by its name as written and, where that is free, in small letters; `phone` is always the number.
        """
        if name == "phone":
            return self.phones
        found = [i for i, written in enumerate(self.names) if written == name]
        found = found or [i for i, written in enumerate(self.names) if written.lower() == name]
        return list(map(str.strip, self.values[found[-1]])) if found else None

    @property
    def variables(self) -> list[dict[str, str]]:
        """All variables of each recipient."""
        names = self._all_names()
        columns = [self.variable(name) or [] for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def variables_of(self, row: int) -> dict[str, str]:
        """All variables of one recipient."""
        one = replace(self, phones=[self.phones[row]], values=[[column[row]] for column in self.values])
        return one.variables[0]

    def _all_names(self) -> tuple[str, ...]:
        small = [name.lower() for name in self.names if name.lower() not in self.names]
        return tuple(dict.fromkeys((*self.names, *small, "phone")))


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row that was dropped because its phone stood above: its line, and a hash of its values."""

    line: int
    values: int


@dataclass(slots=True)
class AudienceReport:
    """Counted on the way: rows = invalid + duplicate + those in the batches. `repeats` are the dropped rows by phone,
    the first 100,000 of them."""

    rows: int = 0
    invalid: int = 0
    duplicate: int = 0
    problems: list[Problem] = field(default_factory=list)
    repeats: dict[str, list[Repeat]] = field(default_factory=dict)
    facts: SourceFacts = field(default_factory=SourceFacts)


@dataclass(frozen=True, slots=True)
class _Candidates:
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
) -> Iterator[Batch]:
    """The audience before suppression, at most `batch_rows` a batch. What is wrong goes to `report`; with `drop` bad
    rows are only counted. `with_variables` False spares a text for all its rows' values."""
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
                found += [
                    (block.lines[index], begin[index], "PHONE", str(error)) for index, error in bad.items()
                ]
                report.problems.extend(
                    Problem(Severity.ERROR, code, message, address, file, line, column)
                    for line, column, code, message in sorted(found)
                )
            batch = _first_ones(candidates, phones, bad, seen, report, with_variables)
            if batch.phones:
                yield batch
    except BadRows as error:
        place = error.location or Location(file, error.line)
        report.problems.append(
            Problem(Severity.ERROR, error.code, str(error), address, place.file, place.line, place.column)
        )
        return
    if not report.rows or (not len(seen) and not report.problems):
        at = audience.location
        message = "there is nobody in it; an empty audience never means everyone"
        report.problems.append(
            Problem(Severity.ERROR, "EMPTY_AUDIENCE", message, address, at.file, at.line or 1, at.column)
        )


def find_differing(
    audience: InlineRecipients | RowSource,
    report: AudienceReport,
    *,
    has_text: bool,
    countries: tuple[str, ...] = (HOME,),
) -> list[int]:
    """The lines of dropped rows whose values, the phone aside, are not those of the row that was kept.

    It reads the audience once more, and only as far as the last phone that repeats: so no row has to be kept.
    """
    wanted = dict(report.repeats)
    lines: list[int] = []
    if not wanted:
        return lines
    # A second reading that fails, of a database above all, leaves this warning short and nothing else.
    with suppress(BadRows):
        for candidates in _candidates(audience, has_text, 1000, SourceFacts()):
            phones, bad = normalize_all(candidates.raw, countries)
            if wanted.keys().isdisjoint(phones):
                continue
            for position, phone in enumerate(phones):
                if phone in wanted and position not in bad:
                    kept = _hash_values(candidates, position)
                    lines.extend(repeat.line for repeat in wanted.pop(phone) if repeat.values != kept)
            if not wanted:
                break
    return sorted(lines)


def _first_ones(
    candidates: _Candidates,
    phones: list[str],
    bad: Collection[int],
    seen: PhoneSet,
    report: AudienceReport,
    with_variables: bool,
) -> Batch:
    """The recipients of a block that are valid and were not seen before."""
    block = candidates.block
    wanted = bytearray(b"\1") * len(phones)
    for position in bad:
        wanted[position] = 0
    report.invalid += len(bad)
    valid = list(compress(phones, wanted)) if bad else phones
    repeated = seen.add_all(valid)
    if repeated:
        positions = list(compress(range(len(phones)), wanted))
        for index in repeated:
            position = positions[index]
            wanted[position] = 0
            report.duplicate += 1
            if report.duplicate <= _MOST_REPEATS:
                repeat = Repeat(block.lines[position], _hash_values(candidates, position))
                report.repeats.setdefault(valid[index], []).append(repeat)
    names, values = (block.columns, block.values) if with_variables else ((), ())
    if len(repeated) + len(bad) == 0:
        return Batch(phones, names, values, candidates.own, block.lines)
    kept = [list(compress(column, wanted)) for column in values]
    own, lines = compress(candidates.own, wanted), compress(block.lines, wanted)
    return Batch(list(compress(phones, wanted)), names, kept, list(own), list(lines))


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
            for block in group_rows([(one.location.line or 1, dict(one.variables)) for one in some]):
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
            raise BadRows(f"{message}; {name_columns(block.columns)}", block.header_line)
        missing = [(line, message) for line in block.lines]
        return _Candidates(Block(block.columns, [], [], [*block.errors, *missing]), None, [], [])
    text = None if has_text else find_column(block.columns, "text")
    own = [None] * len(block.lines) if text is None else block.values[text]
    return _Candidates(block, phone, block.values[phone], own)
