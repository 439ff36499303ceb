"""Rows from wherever they are stored: a file of text, a database, Parquet files; one interface for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from smsby_deploy.config.declarations import Audience, RecipientsParquet, RecipientsQuery, RowSource
from smsby_deploy.problems import Location, Problem
from smsby_deploy.recipients.rows import Block, read_blocks


@dataclass(slots=True)
class SourceFacts:
    """What reading a query tells besides its rows, complete at their end: a sha256 of columns and rows, and what
    `freshness` found (aware)."""

    snapshot: str | None = None
    newest: datetime | None = None


def read_source(source: RowSource, size: int, facts: SourceFacts) -> Iterator[Block]:
    """The rows of `source`, at most `size` a block.

    Raises:
        RecipientsError: they can't be read.
    """
    if isinstance(source, RecipientsQuery):
        from smsby_deploy.recipients.sql import read_query

        return read_query(source, size, facts)
    if isinstance(source, RecipientsParquet):
        from smsby_deploy.recipients.parquet import read_parquet

        return read_parquet(source, size)
    return read_blocks(source, size)


def place_rows(audience: Audience, problem: Problem) -> Problem:
    """`problem`, which counts the rows of a query or of several Parquet files as if they were lines of one file, at a
    place that a person can open."""
    place = problem.location
    if isinstance(audience, RecipientsQuery):
        numbered = re.compile(re.escape(audience.name) + r":(\d+)")
        message = numbered.sub(r"row \1 of its query", problem.message)
        if place is None or place.file != audience.name:
            return replace(problem, message=message)
        if place.line:
            message = f"row {place.line} of its query: {message}"
        return replace(problem, message=message, location=audience.location)
    if isinstance(audience, RecipientsParquet):
        from smsby_deploy.recipients.parquet import find_row

        numbered = re.compile(re.escape(audience.name) + r":(\d+)")
        message = numbered.sub(
            lambda found: "{}:{}".format(*find_row(audience, int(found[1]))), problem.message
        )
        if place is None or place.file != audience.name:
            return replace(problem, message=message)
        if not place.line:
            return replace(problem, message=message, location=audience.location)
        file, row = find_row(audience, place.line)
        return replace(problem, message=message, location=Location(file, row))
    return problem
