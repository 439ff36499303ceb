"""Opt-outs: files and queries under `suppress`. They are only read, never written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, count
from operator import sub
from typing import Any

from smsby_deploy.config.declarations import Project
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.sources import OptOuts, RecipientsFile, RecipientsQuery
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.phones import normalize_opt_outs
from smsby_deploy.recipients.rows import (
    Block,
    DataAge,
    EmptyFile,
    RecipientsError,
    SourceFacts,
    find_column,
    missing_column,
)
from smsby_deploy.recipients.source_reader import place_rows, read_source, warn_of_guess
from smsby_deploy.wording import sentence

_OPTED_OUT = bytes([1]) + bytes(255)  # translates 0, an opt-out, to 1, and all else to 0


def load_suppression(
    entries: Iterable[OptOuts], only_to: Sequence[str] | None = None
) -> tuple[PhoneSet, list[Problem]]:
    """Return the phones of all `entries`, and the problems.

    If `only_to` is set, every phone that is not in it is held out.

    A line that is not a phone is an error, unless the entry drops such lines; so is a source that cannot be read. An
    entry without a single phone is a warning.
    """
    suppressed = PhoneSet()
    problems: list[Problem] = []
    for entry in entries:
        problems += place_rows(entry.source, _Reading(entry, suppressed).read())
    if only_to is not None:
        suppressed.only = PhoneSet()
        suppressed.only.add_all(number_phones(normalize_opt_outs(only_to)[0]))
    return suppressed, problems


def read_test_phones(project: Project) -> tuple[list[str], list[Problem]]:
    """Return the test phones as numbers, and an error for each that is not a phone."""
    location = project.locations.get("test_phones", Location(PROJECT_FILE))
    written = project.test_phones or ()
    return normalize_opt_outs(written)[0], check_test_phones(written, location)


def check_test_phones(written: Sequence[Any], location: Location) -> list[Problem]:
    """Return an error for each test phone, `written` at `location`, that is not a phone."""
    invalid = normalize_opt_outs([str(one) for one in written])[1]
    return [
        Problem(
            Severity.ERROR,
            "PHONE",
            sentence("test_phones, number {number}: {why}", number=index + 1, why=why),
            location=location,
        )
        for index, why in invalid.items()
    ]


def check_without_databases(entries: Sequence[OptOuts]) -> tuple[list[OptOuts], list[Problem]]:
    """Return the entries that can be read, and a note for each variable that is not set."""
    readable, notes = [], []
    for entry in entries:
        source = entry.source
        variable = source.unset_variable
        if variable is not None:
            message = sentence(
                "{variable} is not set; the opt-outs were not checked (plan needs it)", variable=variable
            )
            notes.append(Problem(Severity.NOTE, "NOT_READ", message, location=source.location))
        else:
            readable.append(entry)
    return readable, notes


def opt_out_positions(not_suppressed: bytearray) -> str | None:
    """Return the positions of the opted-out recipients, as `write_positions`; None without any."""
    if 0 not in not_suppressed:
        return None
    return write_positions(list(compress(count(), not_suppressed.translate(_OPTED_OUT))))


def write_positions(places: Sequence[int]) -> str:
    """Return positions as the distances between them, `17 3 240`, in the form that is signed.

    Without the list, which a digest identifies, they reveal nothing about any phone.
    """
    return " ".join(map(str, map(sub, places, [0, *places])))


def leave_out(not_suppressed: bytearray, opted_out: Iterable[int]) -> bytearray:
    """Mark the recipients at these positions as opted out, even if their opt-outs are gone."""
    for place in opted_out:
        not_suppressed[place] = 0
    return not_suppressed


def opted_out_places(positions: str | None) -> Iterator[int]:
    """Yield the positions in a text of `write_positions`; none for None."""
    return accumulate(map(int, (positions or "").split()))


def count_gone_opt_outs(then: str, now: str) -> int:
    """Count the opt-outs in `then` but not in `now`; ValueError if not by `write_positions`."""
    before, after = (set(opted_out_places(text)) for text in (then, now))
    return len(before - after)


class _Reading:
    """Reads one entry, and counts its rows and its invalid phones."""

    def __init__(self, entry: OptOuts, suppressed: PhoneSet) -> None:
        self._source = entry.source
        self._is_lenient = entry.on_invalid == "drop"
        self._suppressed = suppressed
        self._rows = self._bad = 0
        self._has_column = False  # in any row
        self._missing: str | None = None  # the message if no row has it

    def read(self) -> Iterator[Problem]:
        """Add the phones and yield the problems, whose lines are row numbers."""
        source, facts = self._source, SourceFacts()
        try:
            for block in read_source(source, facts):
                yield from self._add_block(block)
        except EmptyFile:
            pass  # a list without lines, reported below
        except RecipientsError as error:
            code = "SUPPRESS_FILE" if error.code == "RECIPIENTS" else error.code
            place = error.location or Location(source.name, error.line)
            yield Problem(Severity.ERROR, code, error.message, location=place)
            return
        if self._is_lenient and self._missing and not self._has_column:  # a wrong column is not a bad line
            yield Problem(Severity.ERROR, "SUPPRESS_FILE", self._missing, location=Location(source.name, 1))
            return
        if isinstance(source, RecipientsQuery) and source.freshness and facts.newest:
            self._suppressed.ages.append(DataAge(source.location, facts.newest, source.freshness))
        yield from warn_of_guess(source.name, facts)
        if self._is_lenient and self._bad:
            message = sentence(
                "{count:line|lines} dropped: not a phone number (on_invalid: drop)", count=self._bad
            )
            yield Problem(Severity.WARNING, "SUPPRESS_PHONE", message, location=Location(source.name, 1))
        if self._rows == (self._bad if self._is_lenient else 0):
            what = sentence("all its lines were dropped") if self._rows else sentence("it is empty")
            message = sentence(
                "{what}, so no recipient is suppressed; check that this is the right list", what=what
            )
            yield Problem(Severity.WARNING, "SUPPRESS_EMPTY", message, location=Location(source.name, 1))

    def _add_block(self, block: Block) -> Iterator[Problem]:
        self._rows += len(block.lines) + len(block.errors)
        column = self._find_phones(block)
        bad = [("SUPPRESS_FILE", line, why) for line, why in block.errors]
        if column is not None:
            self._has_column = True
            cells = block.values[column]
            phones, invalid = normalize_opt_outs(cells)
            if self._is_header(block, cells):
                self._rows -= 1
                del invalid[0]
            self._suppressed.add_all(number_phones(phones))
            bad += [("SUPPRESS_PHONE", block.lines[row], why) for row, why in invalid.items()]
        elif block.lines or block.header_line is not None:
            message = missing_column(self._source, block.columns)
            if block.header_line is not None:
                raise RecipientsError(message, block.header_line)
            self._missing = message
            bad += [("SUPPRESS_FILE", line, message) for line in block.lines]
        self._bad += len(bad)
        if not self._is_lenient:
            for code, line, why in sorted(bad, key=lambda one: one[1]):
                yield Problem(Severity.ERROR, code, why, location=Location(self._source.name, line))

    def _find_phones(self, block: Block) -> int | None:
        """Return the column of the phones; an entry that drops lines may use its only column."""
        column = find_column(block.columns, self._source.phone)
        is_only = self._is_lenient and len(block.columns) == 1 and isinstance(self._source, RecipientsFile)
        if column is not None or not is_only or block.header_line is None:
            return column
        # The first block is only the header; if that contains a digit, it counts as a dropped line.
        if not block.lines and any(map(str.isdigit, block.columns[0])):
            self._rows += 1
            self._bad += 1
        return 0

    def _is_header(self, block: Block, cells: Sequence[str]) -> bool:
        """Whether the first row of a list of phones is a header: it has no digit."""
        is_first = self._rows == len(block.lines) and bool(cells)
        is_list = isinstance(self._source, RecipientsFile) and self._source.suffix == ".txt"
        return is_first and is_list and block.header_line is None and not any(map(str.isdigit, cells[0]))
