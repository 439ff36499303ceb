"""Analysis of a text before it is rendered: variables, literals, faults, includes.

A placeholder of another tool (*|FNAME|*, {name}, %NAME%, [[name]], ${name}) is a fault: recipients would read it
literally.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.sources import TextSource
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.texts.vectorized import VectorizedTemplate

# Each begins with a literal character, so that a long text is searched fast.
_FOREIGN = tuple(
    re.compile(pattern)
    for pattern in (
        r"\*\|[^|\n]{1,80}\|\*",  # also *|FNAME:friend|* and *|IF:FNAME|*
        r"\$\{\s*[\w.]+\s*\}",
        r"\{\s*[\w.]+\s*\}",
        r"%[^\W\d]{3,}%",  # letters of any script; 10%или20% does not match
        r"\[\[\s*[\w.]+\s*\]\]",
    )
)
# A rendered text must not contain Jinja2 tags either: they come from values and from texts that are used literally.
_UNRENDERED = (*_FOREIGN, re.compile(r"\{\{.*?\}\}"), re.compile(r"\{%.*?%\}"))
LONGEST_SOURCE = 100_000  # characters of a text, and of all templates it includes
# A text without these needs no template engine; a carriage return is among them because Jinja2 normalizes line ends.
_MARKUP = re.compile(r"\{[{%#]|\r")
_INCLUDE_TAG = re.compile(r"\b(?:include|import|extends)\b")


def _has_mark(text: str) -> bool:
    """Whether a placeholder is possible; much faster than trying the patterns."""
    return "{" in text or "%" in text or "[" in text or "*" in text


def has_placeholder(text: str) -> bool:
    """Whether a rendered text contains a placeholder, including one of Jinja2's."""
    return _has_mark(text) and any(pattern.search(text) for pattern in _UNRENDERED)


def find_placeholders(text: str) -> Iterator[re.Match[str]]:
    """Yield the placeholders in literal `text` from left to right, none nested in another."""
    if not _has_mark(text):
        return
    found = [match for pattern in _FOREIGN for match in pattern.finditer(text)]
    end = 0
    for match in sorted(found, key=lambda match: (match.start(), -match.end())):
        if match.start() >= end:
            yield match
            end = match.end()


def rows_with_placeholders(texts: Sequence[str]) -> Iterable[int]:
    """The indexes of the rendered texts that contain a placeholder."""
    if has_placeholder("\n".join(texts)):
        yield from (index for index, text in enumerate(texts) if has_placeholder(text))


class Literal(NamedTuple):
    """Literal text of a template at `offset`.

    `template` is the name of an included template, or None for the text itself.
    """

    template: str | None
    offset: int
    text: str


class TemplateFault(NamedTuple):
    """An error that affects every recipient, located like a `Literal`."""

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

    `variables` come from the recipients' data. `included` maps the names that texts use to the included templates. `tested`
    maps each variable that is tested for truth to the template and offset of the first such test.
    """

    variables: frozenset[str]
    literals: tuple[Literal, ...]
    faults: tuple[TemplateFault, ...]
    vectorized: VectorizedTemplate | None = None
    included: Mapping[str, IncludedText] = MappingProxyType({})
    tested: Mapping[str, tuple[str | None, int]] = MappingProxyType({})


class RenderError(Exception):
    """A text could not be rendered.

    If `is_final`, the other texts would fail as well, after a long time. `code` is the problem code, `missing` the variable
    that is undefined, if that is why.
    """

    def __init__(
        self,
        message: str,
        location: Location | None,
        *,
        is_final: bool,
        code: str = "TEMPLATE",
        missing: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.missing = missing
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
    literals = (Literal(None, 0, text),)
    return TextAnalysis(frozenset(), literals, tuple(find_placeholder_faults(literals)))


def find_placeholder_faults(literals: Iterable[Literal]) -> Iterator[TemplateFault]:
    """The placeholders of other tools that would be sent literally."""
    for template, offset, literal in literals:
        for found in find_placeholders(literal):
            message = sentence(
                "{found} would be sent literally; write variables as {{{{ name }}}}", found=found.group()
            )
            yield TemplateFault("PLACEHOLDER", template, offset + found.start(), message)


def template_text(
    source: TextSource, included: Mapping[str, IncludedText], template: str | None
) -> tuple[str, str | None]:
    """The text of a template, and its file; the file is None for a text in a campaign."""
    if template is None or template not in included:
        return source.text, source.file
    return included[template].text, included[template].file


def locate_in_text(
    source: TextSource, included: Mapping[str, IncludedText], template: str | None, offset: int
) -> Location:
    """The location of the character at `offset` of a template."""
    text, file = template_text(source, included, template)
    if file is not None:
        before = text[:offset]
        return Location(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    from smsby_deploy.config.yaml_places import place_in_text

    mark = place_in_text(source, offset)
    return Location(source.location.file, *mark) if mark else source.location


def text_error(source: TextSource, code: str, message: str, location: Location | None = None) -> Problem:
    """An error at `location`, or where the text begins."""
    return Problem(Severity.ERROR, code, message, None, location or source.location)
