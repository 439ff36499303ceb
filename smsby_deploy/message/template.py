"""Personal texts: strict templates, each text the same twice, every error at its place.

An undefined variable, and an empty value that would be printed, is an error; testing one is free. Nothing random or
time-dependent can be reached.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast

from jinja2 import DictLoader, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2 import Template as JinjaTemplate

from smsby_deploy.audience.source import Batch
from smsby_deploy.errors import FilesInvalid, Location
from smsby_deploy.message.environment import LONGEST_SOURCE, TemplateTooMuch, TextEnvironment
from smsby_deploy.message.fast import compile_fast
from smsby_deploy.message.includes import BadInclude, Gathered, gather
from smsby_deploy.message.placeholders import find_placeholder, find_placeholders, rows_with_placeholders
from smsby_deploy.message.rewrite import Rewriter
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import Rewrite, TextSource
from smsby_deploy.project.text_places import place_in_runs

# What a template can raise beside Jinja2's own errors: {{ 1 / 0 }}, {{ name + 1 }}; compiling deep nesting.
_OTHER_ERRORS = (
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
    SyntaxError,
)
_UNDEFINED = re.compile(r"^'(\w+)' is undefined$|has no attribute '(\w+)'$")
_OPENING = re.compile(r"\{[{%][-+]?\s*")


@dataclass(frozen=True, slots=True)
class RenderedBatch:
    """A text for each recipient ("" where it failed), what failed, and what smart encoding replaced."""

    texts: list[str]
    problems: list[Problem] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)


class Template:
    """A compiled text. `inputs` are the project paths of the templates that it includes, with their texts."""

    def __init__(self, source: TextSource, environment: TextEnvironment, gathered: Gathered) -> None:
        self.source = source
        self.variables = gathered.variables
        self.inputs = {one.file: one.text for one in gathered.included.values()}
        self.rewriter = Rewriter(source.rewrite)
        self._gathered = gathered
        self._environment = environment
        environment.loader = DictLoader({name: one.text for name, one in gathered.included.items()})
        self._template = environment.from_string(source.text)
        self.fast = compile_fast(gathered.parsed[None], environment)
        self._is_runaway = False

    @property
    def is_personal(self) -> bool:
        """Whether the text differs from recipient to recipient."""
        return bool(self.variables)

    def render_once(self) -> str:
        """The one text of a bulk mailing."""
        return self._render({})

    def render_batch(self, batch: Batch, *, rows_file: str, address: str) -> RenderedBatch:
        """The text of each recipient, blank ends cut off; a recipient's own text wins, literally."""
        texts: list[str] = []
        problems: list[Problem] = []
        known = self._render_fast(batch)
        if known is None:
            rows = zip(batch.variables, batch.texts, batch.lines, strict=True)
            for variables, own, line in rows:
                texts.append(self._render_row(variables, own, f"{rows_file}:{line}", address, problems))
        elif None in known:
            for row, text in enumerate(known):
                if text is None:
                    place = f"{rows_file}:{batch.lines[row]}"
                    text = self._render_row(
                        batch.variables_of(row), batch.texts[row], place, address, problems
                    )
                texts.append(text)
        else:
            texts = cast("list[str]", known)
        problems.extend(placeholder_problems(texts, batch, rows_file=rows_file, address=address))
        return RenderedBatch(texts, problems, self.rewriter.replaced)

    def _render_fast(self, batch: Batch) -> list[str | None] | None:
        """The texts, as far as the fast path knows them; None if it knows none."""
        if self.fast is None or self._is_runaway:
            return None
        texts = self.fast.render(batch)
        if texts is None:
            return None
        if self.source.rewrite != Rewrite():
            texts = [text if text is None else self.rewriter.apply(text) for text in texts]
        if batch.has_own_texts:
            return [text if own is None else None for text, own in zip(texts, batch.texts, strict=True)]
        return texts

    def _render_row(
        self, variables: Mapping[str, str], own: str | None, at: str, address: str, problems: list[Problem]
    ) -> str:
        """One text, "" where it failed; `at` is the recipient's place."""
        if self._is_runaway:  # told once: to try it for every row would take hours
            return ""
        text, failed = "", "the text is empty"
        place: Location | None = None
        try:
            text = self.rewriter.apply(own.strip()) if own is not None else self._render(variables)
        except (TemplateError, *_OTHER_ERRORS) as error:
            failed, place = self.explain(error, variables)
            self._is_runaway = isinstance(error, TemplateTooMuch | RecursionError)
        if not text:
            where = place or self.source.location
            problems.append(
                Problem(
                    Severity.ERROR,
                    "TEMPLATE",
                    f"{failed} ({at})",
                    address,
                    where.file,
                    where.line,
                    where.column,
                )
            )
        return text

    def find_literal(self, character: str) -> Location | None:
        """Where `character` stands first in the template or in what it includes; None if it comes from the data."""
        for unit, offset, literal in self._gathered.literals():
            if character in literal:
                return _locate(self.source, self._gathered, unit, offset + literal.index(character))
        return None

    def _render(self, variables: Mapping[str, str]) -> str:
        self._environment.start()
        context = self._template.new_context(dict(variables), shared=True)
        return self.rewriter.apply("".join(self._template.root_render_func(context)).strip())

    def explain(self, error: Exception, variables: Mapping[str, str]) -> tuple[str, Location | None]:
        """What went wrong with one text, and where in the template; values are never told."""
        name = ""
        if isinstance(error, RecursionError):
            message = "the template calls itself without end"
        elif isinstance(error, TemplateError):
            message = error.message or "the template can't be rendered"
        else:
            message = f"the template can't be rendered: {type(error).__name__}"
        if isinstance(error, UndefinedError):
            found = _UNDEFINED.search(message)
            name = (found[1] or found[2]) if found else ""
            near = difflib.get_close_matches(name, list(variables), n=1) if name else []
            message += f"; did you mean {near[0]}?" if near else ""
        unit, offset = _failed_at(error.__traceback__)
        if offset is None:
            return message, None
        text, _ = _unit(self.source, self._gathered, unit)
        return message, _locate(self.source, self._gathered, unit, _sharpen(text, offset, name))


def placeholder_problems(
    texts: list[str], batch: Batch, *, rows_file: str, address: str
) -> Iterator[Problem]:
    """The rendered texts, or texts taken literally, in which people would read a placeholder."""
    for index in rows_with_placeholders(texts):
        line = batch.lines[index]
        message = f"the text of this recipient holds a placeholder ({rows_file}:{line})"
        yield Problem(Severity.ERROR, "PLACEHOLDER", message, address, rows_file, line)


def compile_text(source: TextSource) -> Template:
    """The template of `source`.

    Raises:
        FilesInvalid: its syntax is wrong, it holds a placeholder of another tool, or nothing at all; it includes what
            can't be included; it is a text without variables that can't be rendered.
    """
    if not source.text.strip():
        raise FilesInvalid([place_problem(source, "TEXT", "the text is empty", source.location)])
    if len(source.text) > LONGEST_SOURCE:
        message = f"the text has over {LONGEST_SOURCE} characters: no text needs that"
        raise FilesInvalid([place_problem(source, "TEXT", message, source.location)])
    environment, gathered = TextEnvironment(), Gathered()
    try:
        gather(environment, source.text, source.root, gathered)
        _check_literals(source, gathered)
        template = Template(source, environment, gathered)
    except BadInclude as error:
        place = _locate(source, gathered, error.name, error.lineno - 1)
        raise FilesInvalid([place_problem(source, "INCLUDE", error.message or "", place)]) from error
    except TemplateSyntaxError as error:
        message = error.message or "the template's syntax is wrong"
        place = _locate(source, gathered, error.name, error.lineno - 1)
        raise FilesInvalid([place_problem(source, "TEMPLATE_SYNTAX", message, place)]) from error
    except (TemplateError, *_OTHER_ERRORS) as error:
        message = f"the template can't be compiled: {type(error).__name__}"
        raise FilesInvalid([place_problem(source, "TEMPLATE_SYNTAX", message, source.location)]) from error
    if not template.is_personal:
        _check_once(template)
    return template


def included_files(source: TextSource | None) -> tuple[str, ...]:
    """The project paths of the templates that a text includes, as far as they can be read."""
    gathered = Gathered()
    if source is not None and "{%" in source.text:
        with contextlib.suppress(TemplateError, *_OTHER_ERRORS):
            gather(TextEnvironment(), source.text, source.root, gathered)
    return tuple(sorted({one.file for one in gathered.included.values()}))


def _check_literals(source: TextSource, gathered: Gathered) -> None:
    problems = []
    for unit, offset, literal in gathered.literals():
        for found in find_placeholders(literal):
            message = f"{found.group()} would be sent as it stands; variables are written {{{{ name }}}}"
            place = _locate(source, gathered, unit, offset + found.start())
            problems.append(place_problem(source, "PLACEHOLDER", message, place))
    for unit, offset, name in gathered.unknown_calls():
        message = f"there is no function {name}; a column of the data is written {{{{ {name} }}}}"
        place = _locate(source, gathered, unit, offset)
        problems.append(place_problem(source, "TEMPLATE", message, place))
    if problems:
        raise FilesInvalid(problems)


def _check_once(template: Template) -> None:
    try:
        text = template.render_once()
    except (TemplateError, *_OTHER_ERRORS) as error:
        message, place = template.explain(error, {})
        raise FilesInvalid([place_problem(template.source, "TEMPLATE", message, place)]) from error
    if not text:
        raise FilesInvalid([place_problem(template.source, "TEXT", "the text is empty", None)])
    if find_placeholder(text, rendered=True):
        message = "the text holds a placeholder that people would read"
        raise FilesInvalid([place_problem(template.source, "PLACEHOLDER", message, None)])


def place_problem(source: TextSource, code: str, message: str, place: Location | None) -> Problem:
    """An error at `place`, or where the text begins."""
    where = place or source.location
    return Problem(Severity.ERROR, code, message, None, where.file, where.line, where.column)


def _unit(source: TextSource, gathered: Gathered, unit: str | None) -> tuple[str, str | None]:
    """The text of a template, and the file in which it stands alone; None if that is a campaign."""
    if unit is None or unit not in gathered.included:
        return source.text, source.file
    return gathered.included[unit].text, gathered.included[unit].file


def _locate(source: TextSource, gathered: Gathered, unit: str | None, offset: int) -> Location:
    """Where the character at `offset` of a template stands in the project's files."""
    text, file = _unit(source, gathered, unit)
    if file is not None:
        before = text[:offset]
        return Location(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    mark = place_in_runs(source.runs, offset)
    return Location(source.location.file, *mark) if mark else source.location


def _failed_at(traceback: TracebackType | None) -> tuple[str | None, int | None]:
    """The template and the offset of the innermost node that was being rendered."""
    unit, offset = None, None
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, JinjaTemplate):
            unit, offset = template.name, template.get_corresponding_lineno(traceback.tb_lineno) - 1
        traceback = traceback.tb_next
    return unit, offset


def _sharpen(text: str, offset: int, name: str) -> int:
    """From a node to what a reader looks for: the name that is wrong, or the first word in its tag."""
    start = max(text.rfind("{{", 0, offset + 1), text.rfind("{%", 0, offset + 1))
    if start < 0:
        return offset
    if name:
        ends = (text.find(mark, start) for mark in ("}}", "%}"))
        end = min((found for found in ends if found >= 0), default=len(text))
        word = re.compile(rf"\b{re.escape(name)}\b").search(text, start, end)
        if word:
            return word.start()
    opening = _OPENING.match(text, start)
    return opening.end() if opening else offset
