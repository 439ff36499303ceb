"""One mailing's audience as a stream of batches: cleaned, first occurrence only, never a list of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from smsby_deploy.audience.phone_set import PhoneSet
from smsby_deploy.audience.phones import BadPhone, normalize_all
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
    """Consecutive recipients. `variables[i]` are the template's variables of `phones[i]`, empty if none were wanted;
    `texts[i]` is a text of its own or None; `lines[i]` is its physical line."""

    phones: list[str]
    variables: list[dict[str, str]]
    texts: list[str | None]
    lines: list[int]


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
    raw: list[str]
    own: list[str | None]
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
            phones = normalize_all(candidates.raw, countries)
            bad = [position for position, phone in enumerate(phones) if isinstance(phone, BadPhone)]
            if on_invalid != "drop" and (bad or block.errors):
                begin = candidates.columns_at or [1] * len(phones)
                found = [(line, 1, "ROW", message) for line, message in block.errors]
                found += [(block.lines[index], begin[index], "PHONE", str(phones[index])) for index in bad]
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
            for position, phone in enumerate(normalize_all(candidates.raw, countries)):
                if isinstance(phone, str) and phone in wanted:
                    kept = _hash_values(candidates, position)
                    lines.extend(repeat.line for repeat in wanted.pop(phone) if repeat.values != kept)
            if not wanted:
                break
    return sorted(lines)


def _first_ones(
    candidates: _Candidates,
    phones: list[str | BadPhone],
    bad: list[int],
    seen: PhoneSet,
    report: AudienceReport,
    with_variables: bool,
) -> Batch:
    """The recipients of a block that are valid and were not seen before."""
    block, own, lines = candidates.block, candidates.own, list(candidates.block.lines)
    report.invalid += len(bad)
    positions = list(range(len(phones)))
    if bad:
        dropped = set(bad)
        positions = [position for position in positions if position not in dropped]
    valid = [phone for phone in phones if isinstance(phone, str)]
    repeated = seen.add_all(valid)
    if repeated:
        report.duplicate += len(repeated)
        again = set(repeated)
        for index in repeated:
            if report.duplicate <= _MOST_REPEATS:
                repeat = Repeat(lines[positions[index]], _hash_values(candidates, positions[index]))
                report.repeats.setdefault(valid[index], []).append(repeat)
        valid = [phone for index, phone in enumerate(valid) if index not in again]
        positions = [position for index, position in enumerate(positions) if index not in again]
    cells = block.cells
    if len(positions) < len(phones):
        own = [own[position] for position in positions]
        lines = [lines[position] for position in positions]
        cells = [cells[position] for position in positions] if with_variables else []
    variables = _variables(block.columns, cells, valid) if with_variables else []
    return Batch(valid, variables, own, lines)


def _variables(columns: Sequence[str], cells: list[list[str]], phones: list[str]) -> list[dict[str, str]]:
    """The template's variables: a column by its name as written and, where the name is free, in small letters."""
    small = [(name.lower(), index) for index, name in enumerate(columns) if name.lower() not in columns]
    names = (*columns, *(name for name, _ in small), "phone")
    rows = []
    for phone, row in zip(phones, cells, strict=True):
        values = list(map(str.strip, row))
        for _, index in small:
            values.append(values[index])
        values.append(phone)
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def _hash_values(candidates: _Candidates, position: int) -> int:
    """A hash of a row's values, the phone's spelling aside."""
    cells = candidates.block.cells[position]
    values = [cell.strip() for index, cell in enumerate(cells) if index != candidates.phone]
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
    own: list[str | None] = [None] * len(block.lines) if text is None else [row[text] for row in block.cells]
    return _Candidates(block, phone, [row[phone] for row in block.cells], own)
