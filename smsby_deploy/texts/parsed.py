"""A text taken apart, whoever did it: plain.py, or Jinja2 (engine.py). What is known here needs no recipient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from smsby_deploy.config.declarations import TextSource
from smsby_deploy.config.text_positions import place_in_text
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.texts.batch import VectorizedTemplate
from smsby_deploy.texts.placeholders import find_placeholders

LONGEST_SOURCE = 100_000  # characters of a template with all it includes
# Only with one of these words a text is made of more than itself.
OTHERS = re.compile(r"\b(?:include|import|extends)\b")
# A run of literal text: its template (None: the text itself, not one that it includes), its offset there, and itself.
Literal = tuple[str | None, int, str]


class Included(NamedTuple):
    """A template that another one names: its text, and its path in the project, with `/`."""

    text: str
    file: str


class Complaint(NamedTuple):
    """What is wrong with a text whoever gets it, at the offset of a template (None: the text itself)."""

    code: str
    unit: str | None
    offset: int
    message: str


class Parsed(NamedTuple):
    """`variables` are taken from the data; `constant` is the text of everybody where that is known without Jinja2;
    `included` are the templates that it names, by those names."""

    variables: frozenset[str]
    literals: tuple[Literal, ...]
    complaints: tuple[Complaint, ...]
    fast: VectorizedTemplate | None
    constant: str | None = None
    included: Mapping[str, Included] = MappingProxyType({})


class RenderFailed(Exception):
    """One text could not be rendered: why, and where in the template. After one that `is_final` no other can be."""

    def __init__(self, message: str, place: Location | None, *, is_final: bool) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.is_final = is_final


def complain_of_literals(literals: Iterable[Literal]) -> Iterator[Complaint]:
    """The placeholders of other tools that would be sent as they stand."""
    for unit, offset, literal in literals:
        for found in find_placeholders(literal):
            message = f"{found.group()} would be sent as it stands; variables are written {{{{ name }}}}"
            yield Complaint("PLACEHOLDER", unit, offset + found.start(), message)


def find_unit(
    source: TextSource, included: Mapping[str, Included], unit: str | None
) -> tuple[str, str | None]:
    """The text of a template, and the file in which it stands alone; None if that is a campaign."""
    if unit is None or unit not in included:
        return source.text, source.file
    return included[unit].text, included[unit].file


def locate(source: TextSource, included: Mapping[str, Included], unit: str | None, offset: int) -> Location:
    """Where the character at `offset` of a template stands in the project's files."""
    text, file = find_unit(source, included, unit)
    if file is not None:
        before = text[:offset]
        return Location(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    mark = place_in_text(source, offset)
    return Location(source.location.file, *mark) if mark else source.location


def place_problem(source: TextSource, code: str, message: str, place: Location | None) -> Problem:
    """An error at `place`, or where the text begins."""
    where = place or source.location
    return Problem(Severity.ERROR, code, message, None, where)
