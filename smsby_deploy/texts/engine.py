"""Texts by Jinja2: taken apart, rendered one at a time, and what went wrong with one. It is imported where a text wants it
(plain.py)."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from jinja2 import DictLoader, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2 import Template as JinjaTemplate

from smsby_deploy.config.declarations import TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location
from smsby_deploy.texts.environment import TemplateTooMuch, TextEnvironment
from smsby_deploy.texts.includes import BadInclude, Gathered, find_variables, gather
from smsby_deploy.texts.parsed import (
    OTHERS,
    Included,
    Parsed,
    RenderFailed,
    complain_of_literals,
    find_unit,
    locate,
    place_problem,
)
from smsby_deploy.texts.vectorized import vectorize

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


def parse(source: TextSource) -> Parsed:
    """`source` taken apart by Jinja2.

    Raises:
        FilesInvalid: its syntax is wrong, or it includes what can't be included.
    """
    gathered = Gathered()
    try:
        if OTHERS.search(source.text) is None:
            return _parse_alone(source.text)
        return _parse(source.text, source.root, gathered)
    except (TemplateError, *_OTHER_ERRORS) as error:
        raise _refusal(source, gathered.included, error) from error


def included_files(source: TextSource) -> tuple[str, ...]:
    """The project paths of the templates that a text includes, as far as they can be read."""
    gathered = Gathered()
    with contextlib.suppress(TemplateError, *_OTHER_ERRORS):
        gather(TextEnvironment(), source.text, source.root, gathered)
    return tuple(sorted({one.file for one in gathered.included.values()}))


@lru_cache(maxsize=256)  # a project says the same in many mailings
def _parse_alone(text: str) -> Parsed:
    return _parse(text, None, Gathered())


def _parse(text: str, root: Path | None, gathered: Gathered) -> Parsed:
    environment = TextEnvironment()
    gather(environment, text, root, gathered)
    fast = vectorize(gathered.parsed[None], environment)
    variables = frozenset(fast.names) if fast else find_variables(environment, text, gathered)
    literals = tuple(gathered.literals())
    complaints = [*complain_of_literals(literals), *gathered.unknown_calls()]
    return Parsed(variables, literals, tuple(complaints), fast, included=gathered.included)


class Engine:
    """A text that Jinja2 compiled, and what it includes.

    Raises:
        FilesInvalid: it can't be compiled.
    """

    def __init__(self, source: TextSource, parsed: Parsed) -> None:
        self._source = source
        self._parsed = parsed
        self._environment = TextEnvironment()
        self._environment.loader = DictLoader({name: one.text for name, one in parsed.included.items()})
        try:
            self._template = self._environment.from_string(source.text)
        except (TemplateError, *_OTHER_ERRORS) as error:
            raise _refusal(source, parsed.included, error) from error

    def render(self, variables: Mapping[str, str]) -> str:
        """One text, blank ends cut off.

        Raises:
            RenderFailed: it can't be rendered.
        """
        self._environment.start()
        try:
            context = self._template.new_context(dict(variables), shared=True)
            return "".join(self._template.root_render_func(context)).strip()
        except (TemplateError, *_OTHER_ERRORS) as error:
            message, place = self._explain(error, variables)
            is_final = isinstance(error, TemplateTooMuch | RecursionError)
            raise RenderFailed(message, place, is_final=is_final) from error

    def _explain(self, error: Exception, variables: Mapping[str, str]) -> tuple[str, Location | None]:
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
        text, _ = find_unit(self._source, self._parsed.included, unit)
        return message, locate(self._source, self._parsed.included, unit, _sharpen(text, offset, name))


def _refusal(source: TextSource, included: Mapping[str, Included], error: Exception) -> FilesInvalid:
    """A text that Jinja2 does not take, at the place that it tells."""
    if isinstance(error, TemplateSyntaxError):
        code = "INCLUDE" if isinstance(error, BadInclude) else "TEMPLATE_SYNTAX"
        message = error.message or ("" if code == "INCLUDE" else "the template's syntax is wrong")
        place = locate(source, included, error.name, error.lineno - 1)
        return FilesInvalid([place_problem(source, code, message, place)])
    message = f"the template can't be compiled: {type(error).__name__}"
    return FilesInvalid([place_problem(source, "TEMPLATE_SYNTAX", message, source.location)])


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
