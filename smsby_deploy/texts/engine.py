"""Jinja2's part in texts: analysis, rendering one text at a time, and explaining errors.

Importing Jinja2 takes three times as long as starting Python, so this module is imported only for texts with markup.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import TracebackType

from jinja2 import DictLoader, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2 import Template as JinjaTemplate

from smsby_deploy.config.sources import HOME_TIMEZONE, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location
from smsby_deploy.texts.analysis import (
    IncludedText,
    RenderError,
    TextAnalysis,
    find_placeholder_faults,
    locate_in_text,
    may_include,
    template_text,
    text_error,
)
from smsby_deploy.texts.comparisons import TextAsNumber
from smsby_deploy.texts.includes import IncludeError, ParsedTemplates, find_variables
from smsby_deploy.texts.jinja_environment import NotAValue, TextEnvironment
from smsby_deploy.texts.limits import TemplateLimitExceeded
from smsby_deploy.texts.vectorized import vectorize
from smsby_deploy.wording import Sentence, join_sentences, sentence, with_suggestion

# What a template can raise besides Jinja2's own errors: {{ 1 / 0 }}, {{ name + 1 }}; or compiling deep nesting.
_OTHER_ERRORS = (
    TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError,
    RuntimeError, MemoryError, SyntaxError,
)  # fmt: skip
_MOST_MISSING = 20  # variables of a text that are undefined; the others are found after these are corrected
_UNDEFINED = re.compile(r"^'(\w+)' is undefined$|has no attribute '(\w+)'$")
_WRONG_TYPE = sentence(
    "an operator, filter or test does not work on this kind of value: column values are text, so write `| "
    "int` or `| decimal` after the value to use it as a number"
)
_BAD_CALCULATION = sentence(
    "this calculation has no result (a division by zero?): test the value with {{% if %}} first"
)
_TWO_BRACES = sentence("a variable has two braces on each side: write {{{{ name }}}}")
# The parts of Jinja2's messages about wrong syntax, for translation; the first match applies.
_SYNTAX_MESSAGES = (
    sentence("expected token '{wanted}', got '{found}'", wanted="", found=""),
    sentence("unexpected end of template, expected '{wanted}'", wanted=""),
    sentence("expected an expression, got '{found}'", found=""),
    sentence("unexpected end of template"),
    sentence("unexpected 'end of template'"),
    sentence("unexpected char '{found}'", found=""),
    sentence("unexpected '}}'; a variable ends with }}}}, a tag with %}}"),
    sentence("unexpected '{found}'", found=""),
    sentence("encountered unknown tag '{name}'", name=""),
    sentence("you probably made a nesting mistake"),
    sentence("expected one of the tags {tags}", tags=""),
    sentence("the innermost block that needs to be closed is '{name}'", name=""),
    sentence("no filter named '{name}'", name=""),
    sentence("no test named '{name}'", name=""),
    sentence("missing end of comment tag"),
    sentence("tag name expected"),
)
# Jinja2's words, and those that authors know or that its other messages use.
_SYNTAX_WORDS = (
    ("end of print statement", "}}"),
    ("end of statement block", "%}"),
    ("Jinja was looking for the following tags:", "expected one of the tags"),
    ("Jinja is expecting this tag, but currently looking for", "expected one of the tags"),
    ("' or '", "', '"),
    ("' found", "'"),
    ("unexpected '}'", "unexpected '}'; a variable ends with }}, a tag with %}"),
)
_UNKNOWN = re.compile(r"(?:No|Encountered unknown) (filter|test|tag)(?: named)? '(?!end|el)(\w+)'")
_TAGS = ("if", "for", "set", "include", "macro", "from", "import", "extends", "block", "with", "raw")
_THREE_BRACES = re.compile(r"\{{3,}[^{}:]*\}")
_DASHED = re.compile(r"[^\W\d]\w*(?:-\w+)+")
_OPENING = re.compile(r"\{[{%][-+]?\s*")


def analyze(source: TextSource) -> TextAnalysis:
    """Analyze `source` before it is rendered.

    Raises:
        FilesInvalid: its syntax is wrong, or an include is impossible.
    """
    templates = ParsedTemplates()
    try:
        if may_include(source.text):
            return _analyze(source, templates)
        return _analyze_alone(source.text, source.timezone)
    except (TemplateError, *_OTHER_ERRORS) as error:
        raise _refusal(source, templates.included, error) from error


def find_included(source: TextSource) -> dict[str, str]:
    """Return the templates that a text includes, by project path, if they can be read."""
    templates = ParsedTemplates()
    with contextlib.suppress(TemplateError, *_OTHER_ERRORS):
        templates.add(_parsing_environment(source.timezone), source.text, source.root)
    return {one.file: one.text for one in sorted(templates.included.values(), key=lambda one: one.file)}


@lru_cache(maxsize=16)
def _parsing_environment(timezone: str) -> TextEnvironment:
    """Return a shared environment for parsing, which needs no budget, unlike rendering."""
    return TextEnvironment(timezone)


@lru_cache(maxsize=256)  # mailings of a project often share their text
def _analyze_alone(text: str, timezone: str) -> TextAnalysis:
    return _analyze(TextSource(text, Location(""), timezone=timezone), ParsedTemplates())


def _analyze(source: TextSource, templates: ParsedTemplates) -> TextAnalysis:
    text = source.text
    environment = _parsing_environment(source.timezone)
    templates.add(environment, text, source.root)
    vectorized = vectorize(templates.trees[None], environment)
    variables = vectorized.variables if vectorized else find_variables(environment, text, templates)
    literals = tuple(templates.literals())
    faults = [*find_placeholder_faults(literals), *templates.unknown_calls()]
    tested = {name: place for name, place in templates.tested_names().items() if name in variables}
    return TextAnalysis(frozenset(variables), literals, tuple(faults), vectorized, templates.included, tested)


class Renderer:
    """A text and the templates it includes, compiled by Jinja2.

    Raises:
        FilesInvalid: it cannot be compiled.
    """

    def __init__(
        self,
        source: TextSource,
        included: Mapping[str, IncludedText],
        environment: TextEnvironment | None = None,
    ) -> None:
        self._source = source
        self._included = included
        self._environment = environment or TextEnvironment(source.timezone)
        self._environment.loader = DictLoader({name: one.text for name, one in included.items()})
        try:
            self._template = self._environment.from_string(source.text)
        except (TemplateError, *_OTHER_ERRORS) as error:
            raise _refusal(source, included, error) from error

    def find_missing(self, variables: Mapping[str, str], first: RenderError) -> Iterator[RenderError]:
        """Yield an error for each further undefined variable, after that of `first`.

        The last error may be of another kind, perhaps only because of the value inserted for such a variable.
        """
        error, filled = first, list[str]()
        while error.missing and error.missing not in filled and len(filled) < _MOST_MISSING:
            filled.append(error.missing)
            try:
                self.render(variables, filled)
            except RenderError as other:
                error = other
                yield error

    def render(self, variables: Mapping[str, str], filled: Sequence[str] = ()) -> str:
        """Render one text, without white space at its ends; raises RenderError if that fails.

        Variables in `filled` are given a value, which is never sent.
        """
        self._environment.limits.start_text()
        try:
            values = {**variables, **dict.fromkeys(filled, "1")}
            context = self._template.new_context(values, shared=True)
            return "".join(self._template.root_render_func(context)).strip()
        except (TemplateError, *_OTHER_ERRORS) as error:
            message, location, missing = self._explain(error, variables)
            is_final = isinstance(error, TemplateLimitExceeded | RecursionError)
            code = "NOT_A_VALUE" if isinstance(error, NotAValue) else "TEMPLATE"
            raise RenderError(message, location, is_final=is_final, code=code, missing=missing) from error

    def _explain(self, error: Exception, variables: Mapping[str, str]) -> tuple[str, Location | None, str]:
        """Say why and where rendering failed, without any value of the recipient.

        Also return the variable that is undefined, or "".
        """
        name = missing = ""
        message: str
        if isinstance(error, RecursionError):
            message = sentence("a macro calls itself without end: add a condition that stops it")
        elif isinstance(error, TemplateError):
            message = error.message or sentence("the template cannot be rendered")
            if not isinstance(message, Sentence) and not isinstance(error, UndefinedError):
                message = syntax_message(message)
        elif isinstance(error, TypeError):
            message = _WRONG_TYPE
        elif isinstance(error, ArithmeticError):
            message = _BAD_CALCULATION
        else:
            message = sentence("the template cannot be rendered: {why}", why=type(error).__name__)
        if isinstance(error, UndefinedError):
            found = _UNDEFINED.search(message)
            missing = found[1] or "" if found else ""
            name = missing or (found[2] if found else "")
            if message == f"'{name}' is undefined":
                message = sentence("'{name}' is undefined", name=name)
            message = with_suggestion(message, name, variables) if name else message
        template, offset = _failed_at(error.__traceback__)
        if offset is None:
            return message, None, missing
        text, _ = template_text(self._source, self._included, template)
        if name or (isinstance(error, TextAsNumber) and error.sign == "-"):
            difference = _explain_subtraction(text, offset, name, variables)
            message, missing = (difference, "") if difference else (message, missing)
        place = locate_in_text(self._source, self._included, template, _sharpen(text, offset, name))
        return message, place, missing


def _refusal(source: TextSource, included: Mapping[str, IncludedText], error: Exception) -> FilesInvalid:
    """Return the error for a text that Jinja2 cannot parse or compile, at Jinja2's location."""
    if isinstance(error, TemplateSyntaxError):
        code = "INCLUDE" if isinstance(error, IncludeError) else "TEMPLATE_SYNTAX"
        said = error.message or sentence("the syntax of the template is wrong")
        message = said if isinstance(said, Sentence) else syntax_message(said)
        text, offset = template_text(source, included, error.name)[0], error.lineno - 1
        for braces in _THREE_BRACES.finditer(text):
            if braces.start() < offset < braces.end():
                message, offset = _TWO_BRACES, braces.start()
        location = locate_in_text(source, included, error.name, offset)
        return FilesInvalid([text_error(source, code, message, location)])
    message = sentence("the template cannot be compiled ({why}): simplify it", why=type(error).__name__)
    return FilesInvalid([text_error(source, "TEMPLATE_SYNTAX", message)])


def syntax_message(message: str) -> str:
    """Reword a message of Jinja2 with the characters that an author writes, without a period.

    If a filter, a test or a tag is unknown, add which one may be meant.
    """
    found = _UNKNOWN.match(message)
    for words, written in _SYNTAX_WORDS:
        message = message.replace(words, written)
    message = join_sentences(
        [_translatable(part[:1].lower() + part[1:]) for part in message.rstrip(".").split(". ")]
    )
    if not found:
        return message
    environment = _parsing_environment(HOME_TIMEZONE)
    known = {"filter": environment.filters, "test": environment.tests, "tag": _TAGS}[found[1]]
    suggested = with_suggestion(message, found[2], known)
    if suggested is message and found[1] == "filter":
        return sentence("{message}; known filters: {known}", message=message, known=", ".join(sorted(known)))
    return suggested


def _translatable(part: str) -> str:
    """Return `part` as a translatable sentence if it is a known one."""
    for known in _SYNTAX_MESSAGES:
        pattern = known.with_values({name: f"(?P<{name}>.+)" for name in known.values})
        if found := re.fullmatch(pattern, part, re.DOTALL):
            return known.with_values(found.groupdict())
    return part


def _explain_subtraction(text: str, offset: int, name: str, variables: Mapping[str, str]) -> str | None:
    """Explain `{{ first-name }}` if that is a column; `name` is the undefined variable."""
    start, end = _tag_at(text, offset)
    for found in _DASHED.finditer(text, max(start, 0), end):
        words = found.group().split("-")
        is_column = found.group() in variables or "_".join(words) in variables
        if is_column and (not name or name in words):
            return sentence(
                "{name} is read as a subtraction; write {{{{ {instead} }}}}",
                name=found.group(),
                instead="_".join(words),
            )
    return None


def _failed_at(traceback: TracebackType | None) -> tuple[str | None, int | None]:
    """The template and the offset of the innermost node that was being rendered."""
    name, offset = None, None
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, JinjaTemplate):
            name, offset = template.name, template.get_corresponding_lineno(traceback.tb_lineno) - 1
        traceback = traceback.tb_next
    return name, offset


def _sharpen(text: str, offset: int, name: str) -> int:
    """Move from the offset of a node to the wrong `name`, or else to the first word of its tag."""
    start, end = _tag_at(text, offset)
    if start < 0:
        return offset
    if name:
        word = re.compile(rf"\b{re.escape(name)}\b").search(text, start, end)
        if word:
            return word.start()
    opening = _OPENING.match(text, start)
    return opening.end() if opening else offset


def _tag_at(text: str, offset: int) -> tuple[int, int]:
    """Return the bounds of the tag that contains `offset`; the start is -1 if there is none."""
    start = max(text.rfind("{{", 0, offset + 1), text.rfind("{%", 0, offset + 1))
    ends = (text.find(mark, max(start, 0)) for mark in ("}}", "%}"))
    return start, min((found for found in ends if found >= 0), default=len(text))
