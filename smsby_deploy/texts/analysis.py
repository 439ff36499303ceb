"""What is known of a text before any recipient is: variables, literals, faults and includes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import TextSource
from smsby_deploy.config.text_positions import place_in_text
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.texts.placeholders import find_placeholders

if TYPE_CHECKING:
    from smsby_deploy.texts.vectorized import VectorizedTemplate

LONGEST_SOURCE = 100_000  # characters of a text, and of all templates it includes
# A text without these needs no template engine; a carriage return is among them because Jinja2 normalizes line ends.
_MARKUP = re.compile(r"\{[{%#]|\r")
_INCLUDE_TAG = re.compile(r"\b(?:include|import|extends)\b")


class Literal(NamedTuple):
    """Literal text of a template at `offset`.

    `template` is the name of an included template, or None in the text itself.
    """

    template: str | None
    offset: int
    text: str


class TemplateFault(NamedTuple):
    """An error that concerns every recipient, placed like a `Literal`."""

    code: str
    template: str | None
    offset: int
    message: str


class IncludedText(NamedTuple):
    """A template that another one includes: its text, and its path in the project, with `/`."""

    text: str
    file: str


class TextAnalysis(NamedTuple):
    """The result of analyzing a text.

    `variables` come from the recipients' data. `included` has the included templates by the names that texts use.
    """

    variables: frozenset[str]
    literals: tuple[Literal, ...]
    faults: tuple[TemplateFault, ...]
    vectorized: VectorizedTemplate | None = None
    included: Mapping[str, IncludedText] = MappingProxyType({})


class RenderError(Exception):
    """A text could not be rendered.

    If `is_final`, rendering the other texts would fail, too, after a long time.
    """

    def __init__(self, message: str, location: Location | None, *, is_final: bool) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.is_final = is_final


def has_markup(text: str) -> bool:
    """Whether `text` has anything that Jinja2 would interpret or change."""
    return _MARKUP.search(text) is not None


def may_include(text: str) -> bool:
    """Whether `text` may include, import or extend a template."""
    return _INCLUDE_TAG.search(text) is not None


def analyze_literal(text: str) -> TextAnalysis:
    """Analyze a text that has no markup."""
    literals = (Literal(None, 0, text),)
    return TextAnalysis(frozenset(), literals, tuple(find_placeholder_faults(literals)))


def find_placeholder_faults(literals: Iterable[Literal]) -> Iterator[TemplateFault]:
    """The placeholders of other tools that would be sent literally."""
    for template, offset, literal in literals:
        for found in find_placeholders(literal):
            message = f"{found.group()} would be sent literally; write variables as {{{{ name }}}}"
            yield TemplateFault("PLACEHOLDER", template, offset + found.start(), message)


def text_of(
    source: TextSource, included: Mapping[str, IncludedText], template: str | None
) -> tuple[str, str | None]:
    """The text of a template, and its file; the file is None for a text in a campaign."""
    if template is None or template not in included:
        return source.text, source.file
    return included[template].text, included[template].file


def locate(
    source: TextSource, included: Mapping[str, IncludedText], template: str | None, offset: int
) -> Location:
    """The location of the character at `offset` of a template."""
    text, file = text_of(source, included, template)
    if file is not None:
        before = text[:offset]
        return Location(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    mark = place_in_text(source, offset)
    return Location(source.location.file, *mark) if mark else source.location


def text_error(source: TextSource, code: str, message: str, location: Location | None = None) -> Problem:
    """An error at `location`, or where the text begins."""
    return Problem(Severity.ERROR, code, message, None, location or source.location)
