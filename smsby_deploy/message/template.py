"""Personal texts: Jinja2 in its immutable sandbox, strict, and the same twice.

An undefined variable, and an empty value that would be printed, is an error; testing one is free. Nothing random or
time-dependent can be reached.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smsby_deploy.audience.source import Batch
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.project.declarations import TextSource

# What a template can raise beside Jinja2's own errors: {{ 1 / 0 }}, {{ name + 1 }}.
_VALUE_ERRORS = (
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)
_RANDOM = ("random", "shuffle")
_PLACEHOLDER = re.compile(r"\*\|\w+\|\*|(?<!\{)\$?\{\w+\}(?!\})|%[A-Za-z_]{3,}%|\[\[\s*\w+\s*\]\]")


class _EmptyValue(UndefinedError):
    pass


def _refuse_empty(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _EmptyValue("an empty value would be printed; `| default('…', true)` is the way out")
    return value


class _Environment(ImmutableSandboxedEnvironment):
    """Powers are refused: `9**9**9` would never end."""

    intercepted_binops = frozenset(["**"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        raise SecurityError(f"the operator {operator} is not available in texts")


def _environment() -> _Environment:
    environment = _Environment(
        undefined=StrictUndefined, finalize=_refuse_empty, keep_trailing_newline=True, autoescape=False
    )
    for name in _RANDOM:
        environment.filters.pop(name, None)
    environment.globals.clear()
    return environment


@dataclass(frozen=True, slots=True)
class RenderedBatch:
    """A text for each recipient ("" where it failed), and what failed."""

    texts: list[str]
    problems: list[Problem] = field(default_factory=list)


class Template:
    """A compiled text."""

    def __init__(self, source: TextSource) -> None:
        self.source = source
        environment = _environment()
        # Literal text is data to `finalize`: blanks between two variables must pass it.
        self.variables = frozenset(meta.find_undeclared_variables(environment.parse(source.text)))
        self._template = environment.from_string(source.text)

    @property
    def is_personal(self) -> bool:
        """Whether the text differs from recipient to recipient."""
        return bool(self.variables)

    def render_once(self) -> str:
        """The one text of a bulk mailing."""
        return self._template.render().strip()

    def render_batch(self, batch: Batch, *, rows_file: str, address: str) -> RenderedBatch:
        """The text of each recipient, blank ends cut off; a recipient's own text wins, literally."""
        texts: list[str] = []
        problems: list[Problem] = []
        for variables, own, line in zip(batch.variables, batch.texts, batch.lines, strict=True):
            try:
                if own is not None and _PLACEHOLDER.search(own):
                    message = (
                        f"a recipient's own text holds a placeholder of another tool ({rows_file}:{line})"
                    )
                    problems.append(Problem(Severity.ERROR, "PLACEHOLDER", message, address, rows_file, line))
                text = (own if own is not None else self._template.render(variables)).strip()
                if not text:
                    raise _EmptyValue("the text is empty")
            except TemplateError as error:
                text = ""
                problems.append(
                    place_problem(
                        self.source, "TEMPLATE", f"{error.message} ({rows_file}:{line})", None, address
                    )
                )
            except _VALUE_ERRORS as error:
                text = ""
                message = f"{type(error).__name__} for the recipient at {rows_file}:{line}"
                problems.append(place_problem(self.source, "TEMPLATE", message, None, address))
            texts.append(text)
        return RenderedBatch(texts, problems)


def compile_text(source: TextSource) -> Template:
    """The template of `source`.

    Raises:
        FilesInvalid: its syntax is wrong, it holds a placeholder of another tool, or nothing at all.
    """
    if not source.text.strip():
        raise FilesInvalid([place_problem(source, "TEXT", "the text is empty", None)])
    found = _PLACEHOLDER.search(source.text)
    if found:
        line = source.text.count("\n", 0, found.start()) + 1
        message = f"{found.group()} would be sent as it stands; variables are written {{{{ name }}}}"
        raise FilesInvalid([place_problem(source, "PLACEHOLDER", message, line)])
    try:
        template = Template(source)
        if not template.is_personal:
            template.render_once()
    except TemplateSyntaxError as error:
        message = error.message or "the template's syntax is wrong"
        raise FilesInvalid([place_problem(source, "TEMPLATE_SYNTAX", message, error.lineno)]) from error
    except TemplateError as error:
        message = error.message or "the template can't be rendered"
        raise FilesInvalid([place_problem(source, "TEMPLATE", message, None)]) from error
    except _VALUE_ERRORS as error:
        message = f"the template can't be rendered: {type(error).__name__}"
        raise FilesInvalid([place_problem(source, "TEMPLATE", message, None)]) from error
    return template


def place_problem(
    source: TextSource, code: str, message: str, line: int | None, address: str | None = None
) -> Problem:
    """A problem at line `line` of the text, in the file where that line stands."""
    at_line, column = source.location.line, source.location.column
    if line is not None and 1 <= line <= len(source.line_starts):
        at_line, column = source.line_starts[line - 1]
    return Problem(Severity.ERROR, code, message, address, source.location.file, at_line, column)
