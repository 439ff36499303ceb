"""Rows from a text file, a database or Parquet files, through one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from smsby_deploy.config.sources import (
    Audience,
    InlineRecipients,
    RecipientsParquet,
    RecipientsQuery,
    RowSource,
)
from smsby_deploy.config.yaml_nodes import YamlMap
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.recipients.rows import Block, SourceFacts, find_inline, limit_values
from smsby_deploy.wording import Sentence, sentence

if TYPE_CHECKING:
    from smsby_deploy.recipients.parquet import ParquetRows

_NO_COLUMN = 1  # the column of a problem that knows only its line; no recipient begins there
# Problems with recipients rather than with their texts.
_ABOUT_ROWS = frozenset({"DUPLICATE", "DUPLICATE_DIFFERS", "PHONE", "RECIPIENTS", "ROW"})


def read_source(source: RowSource, facts: SourceFacts) -> Iterator[Block]:
    """Yield the rows of `source`, about BLOCK_ROWS per block.

    Raises:
        RecipientsError: the rows cannot be read.
    """
    if isinstance(source, RecipientsQuery):
        from smsby_deploy.recipients.sql import read_query

        return map(limit_values, read_query(source, facts))
    if isinstance(source, RecipientsParquet):
        from smsby_deploy.recipients.parquet import read_parquet

        return map(limit_values, read_parquet(source))
    from smsby_deploy.recipients.list_files import read_list_file

    return read_list_file(source, facts)


def warn_of_guess(file: str, facts: SourceFacts, address: str | None = None) -> list[Problem]:
    """Return a warning if the encoding of `file` was guessed, otherwise nothing."""
    if facts.guessed_encoding is None:
        return []
    message = sentence(
        "not UTF-8; read as {encoding}, which is a guess: other encodings give other letters. Save the file as UTF-8, or "
        "name its encoding with `encoding:`",
        encoding=facts.guessed_encoding,
    )
    return [Problem(Severity.WARNING, "ENCODING_GUESSED", message, address, Location(file, 1))]


def place_rows(audience: Audience, problems: Iterable[Problem]) -> list[Problem]:
    """Translate the locations of problems with query or Parquet rows to ones a user can open.

    Until then, they count such rows as if they were lines of one file. The problem of a recipient in the campaign file, which
    has only the line of that recipient, is moved to the recipient's own text if it is about that text.
    """
    if isinstance(audience, InlineRecipients):
        return [_place_inline(audience, problem) for problem in problems]
    if isinstance(audience, RecipientsQuery):
        return [_place_in_query(audience, problem) for problem in problems]
    if isinstance(audience, RecipientsParquet):
        from smsby_deploy.recipients.parquet import ParquetRows

        rows = ParquetRows(audience)
        return [_place_in_file(audience, rows, problem) for problem in problems]
    return list(problems)


def _place_in_query(audience: RecipientsQuery, problem: Problem) -> Problem:
    place = problem.location
    message = _rename(problem.message, audience.name, lambda row: sentence("row {row} of the query", row=row))
    if place is None or place.file != audience.name:
        return replace(problem, message=message)
    if place.line:
        message = sentence("row {row} of the query: {message}", row=place.line, message=message)
    return replace(problem, message=message, location=audience.location)


def _place_in_file(audience: RecipientsParquet, rows: ParquetRows, problem: Problem) -> Problem:
    place = problem.location
    message = _rename(problem.message, audience.name, rows.find)
    if place is None or place.file != audience.name:
        return replace(problem, message=message)
    return replace(
        problem, message=message, location=rows.find(place.line) if place.line else audience.location
    )


def _rename(message: str, source: str, say: Callable[[int], object]) -> str:
    """Replace each row of `source` in a sentence with the result of `say`."""

    def shown(value: object) -> object:
        if isinstance(value, Location) and value.file == source and value.line is not None:
            return say(value.line)
        return value

    return message.map_values(shown) if isinstance(message, Sentence) else message


def _place_inline(audience: InlineRecipients, problem: Problem) -> Problem:
    place = problem.location
    if place is None or place.line is None or place.column != _NO_COLUMN:
        return problem
    index = find_inline(audience, place.line)
    if index is None or place.file != audience.location.file:
        return problem
    row, mark = audience.rows[index], audience.marks[index]
    if isinstance(row, YamlMap) and "text" in row and problem.code not in _ABOUT_ROWS:
        mark = row.values_at["text"]
    return replace(problem, location=place._replace(line=mark[0], column=mark[1]))
