"""Jinja2 as texts may use it: strict, the same twice, and never without end.

A template works for a reviewed text and is no program. What it can reach is listed, not what it can't: filters, methods
and operators outside the lists are errors. Loops, macros and printing draw on a budget; nothing grows past a length.
Every node knows its offset in the source instead of its line, so that an error can name its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import wraps
from itertools import islice
from types import BuiltinMethodType, MethodType
from typing import Any, cast

from jinja2 import (
    StrictUndefined,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
)
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.lexer import TokenStream
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smsby_deploy.texts.filters import TEXT_FILTERS
from smsby_deploy.texts.limits import Guard

_LONGEST_VALUE = 10_000  # characters of a value made by a template; items of a list
_LARGEST_NUMBER = 10**18
# Of one text: characters printed or repeated, and nodes evaluated in loops and macros; and what each further text adds
# to what is left of them: a long list must not take hours either.
_MOST_STEPS = 1_000_000
_STEPS_A_TEXT = 20_000
_MOST_DIGITS = 3  # of a width or precision in a format

_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "first", "format", "join", "last", "length", "list",
    "lower", "max", "min", "replace", "reverse", "round", "sort", "string", "sum", "title", "trim", "truncate",
    "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
_STRING_METHODS = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal",
    "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "upper",
})  # fmt: skip
_CONTAINER_METHODS = frozenset({"count", "get", "index", "items", "keys", "values"})
_FOR_TEXTS = frozenset({
    "capitalize", "format", "lower", "replace", "string", "title", "trim", "truncate", "upper", "urlencode",
    "wordcount",
})  # fmt: skip
_NO_TEXT = "what would be printed is no text: take an item of a list, or | join it; write () behind a method or a macro"
_OPERATORS = frozenset(["+", "*", "%", "**"])
_FORMAT = re.compile(r"%(?:\(\w+\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")


class TemplateTooMuch(TemplateRuntimeError):
    """The template would take too long, or make something too long."""


class EmptyValue(UndefinedError):
    """An empty value would be printed."""

    def __init__(self) -> None:
        super().__init__("an empty value would be printed; `| default('…', true)` is the way out")


class TextEnvironment(ImmutableSandboxedEnvironment):
    """The environment of one text and of what it includes."""

    intercepted_binops = _OPERATORS

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, finalize=self.printed, keep_trailing_newline=True, autoescape=False
        )
        self.globals.clear()
        self.filters = {name: FILTERS[name] for name in _FILTERS} | TEXT_FILTERS
        for name, check in _CHECKS.items():
            self.filters[name] = _checked(FILTERS[name], check)
        self._steps = _MOST_STEPS
        self._is_compiling = False

    def start(self) -> None:
        """A new text begins."""
        self._steps = min(_MOST_STEPS, self._steps + _STEPS_A_TEXT)

    def charge(self, steps: int) -> None:
        """Take `steps` from the budget of this text.

        Raises:
            TemplateTooMuch: it is used up.
        """
        self._steps -= steps
        if self._steps < 0:
            raise TemplateTooMuch("the template repeats too much: no text needs that")

    def printed(self, value: Any) -> Any:
        """What `{{ … }}` prints.

        Raises:
            EmptyValue: nothing.
            TemplateTooMuch: more than any text needs.
        """
        if self._is_compiling:
            raise nodes.Impossible  # constants are judged where they are printed, so that an error has its place
        if value is None or (isinstance(value, str) and not value.strip()):
            raise EmptyValue
        if isinstance(value, str):
            self.charge(len(value))
        elif not isinstance(value, int | float | Undefined):
            raise TemplateRuntimeError(_NO_TEXT)
        return value

    def attribute(self, value: Any) -> Any:
        """What stands behind a point or in brackets, where it is not called."""
        if isinstance(value, MethodType | BuiltinMethodType):
            raise TemplateRuntimeError("a method would be taken for a value: write () behind its name")
        return value

    def repeated(self, items: Any, weight: int) -> Any:
        """What a loop goes through; all of it is paid for before the first round."""
        if isinstance(items, Undefined):
            return items
        if not hasattr(items, "__len__"):
            items = list(islice(items, _LONGEST_VALUE + 1))
        self.charge(len(items) * weight)
        return items

    def weighed(self, value: Any, name: str = "") -> Any:
        """What goes into the filter `name`; one that sorts ten thousand characters must not do so in each round of a loop,
        and one that is for texts makes a text of whatever it gets."""
        if name in _FOR_TEXTS and not isinstance(value, str | int | float | Undefined | None):
            raise TemplateRuntimeError(_NO_TEXT)
        if isinstance(value, str | list | tuple | dict):
            self.charge(_size(value))
        return value

    def joined(self, *values: Any) -> str:
        """`a ~ b`; an empty value is not passed over in silence."""
        texts = [str(self.printed(value)) if not isinstance(value, str) else value for value in values]
        if not all(texts):
            raise EmptyValue
        self._afford(sum(map(len, texts)))
        return "".join(texts)

    def collected(self, kind: str, *items: Any) -> Any:
        """A list, tuple or mapping; lists in lists grow fast."""
        made: Any = {"List": list, "Tuple": tuple}.get(kind, _pairs)(items)
        self._afford(_size(made))
        return made

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return self.binop_table[operator](left, right)
        if operator == "**":
            raise SecurityError("the operator ** is not available in texts")
        for value in (left, right):
            if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
                raise TemplateTooMuch("a number is too large")
        if operator == "%" and isinstance(left, str):
            self.charge(len(left))
            _check_format(left, *(right if isinstance(right, tuple) else [right]))
        elif operator == "*":
            text, times = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(times, int) and isinstance(text, str | list | tuple):
                self._afford(_size(text) * max(times, 0))
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self.joined(left, right)
        elif operator == "+" and isinstance(left, list | tuple):
            self._afford(_size(left) + _size(right))
        return self.binop_table[operator](left, right)

    def _afford(self, size: int) -> None:
        """A value of `size` is made: it may not be too long, and is paid for."""
        _limit(size)
        self.charge(size)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Macros, loops and the listed methods; everything else is an error."""
        if isinstance(__obj, MethodType) and __obj.__self__ is __self:
            return __obj(*args)  # Jinja2 adds names of its own: _loop_vars, _block_vars
        owner = getattr(__obj, "__self__", None)
        if isinstance(__obj, BuiltinMethodType) and isinstance(owner, str | list | tuple | dict):
            name = __obj.__name__
            if name not in (_STRING_METHODS if isinstance(owner, str) else _CONTAINER_METHODS):
                raise SecurityError(f"the method {name} is not available in texts")
            __self.weighed(owner)
            if name == "replace":
                _check_replace(owner, *args)
        elif not isinstance(__obj, Macro | LoopContext | BlockReference | Undefined) and not isinstance(
            owner, LoopContext
        ):
            raise SecurityError("there is nothing that can be called here")
        return super().call(__context, __obj, *args, **kwargs)

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        source = self.preprocess(source, name, filename)
        return TokenStream(
            self.lexer.wrap(self._located(source, name, filename, state), name, filename), name, filename
        )

    def _located(
        self, source: str, name: str | None, filename: str | None, state: str | None
    ) -> Iterator[tuple[int, str, str]]:
        """The lexer's tokens, each with its offset (from 1) for a line."""
        offset = 0
        try:
            for _, kind, value in self.lexer.tokeniter(source, name, filename, state):
                found = source.find(value, offset)
                offset = found if found >= 0 else offset
                yield offset + 1, kind, value
                offset += len(value)
        except TemplateSyntaxError as error:
            raise TemplateSyntaxError(
                re.sub(r" at \d+$", "", error.message or ""), offset + 1, name, filename
            ) from error

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        Guard(self, is_included=name is not None).visit(source)
        self._is_compiling = True
        try:
            return super()._generate(source, name, filename, defer_init)
        finally:
            self._is_compiling = False


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(1 + _size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(1 + _size(item) for item in value)
    return 1


def _limit(size: int) -> None:
    if size > _LONGEST_VALUE:
        raise TemplateTooMuch(f"a value would be longer than {_LONGEST_VALUE} characters: no text needs that")


def _pairs(items: tuple[Any, ...]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _check_format(text: str, *values: Any) -> None:
    for value in values:
        for part in value.values() if isinstance(value, dict) else [value]:
            _check_value(part)
    for width, precision in _FORMAT.findall(text):
        if "*" in (width, precision) or max(len(width), len(precision)) > _MOST_DIGITS:
            raise TemplateTooMuch("a format is too wide")


def _check_value(value: Any) -> None:
    """Whether `value` may become a part of a text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise EmptyValue
    if not isinstance(value, str | int | float | Undefined):
        raise TemplateRuntimeError(_NO_TEXT)


def _check_replace(text: Any, old: Any = "", new: Any = "", *_: Any) -> None:
    if all(isinstance(value, str) for value in (text, old, new)):
        _limit(len(text) + text.count(old) * len(new))


def _check_join(items: Any, separator: Any = "", *_: Any) -> None:
    if isinstance(items, Sized) and not isinstance(items, str | Undefined):
        for item in cast("Iterable[Any]", items):
            _check_value(item)
    if isinstance(items, str | list | tuple):
        _limit(_size(items) + len(items) * _size(separator))


def _check_round(_value: Any, precision: Any = 0, *_: Any) -> None:
    if isinstance(precision, int) and abs(precision) > _MOST_DIGITS * 4:
        raise TemplateTooMuch("a precision is too large")


_CHECKS: dict[str, Callable[..., None]] = {
    "format": _check_format,
    "join": _check_join,
    "replace": _check_replace,
    "round": _check_round,
}


def _checked(filter_: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    """`filter_` behind `check` of its arguments, which follow what Jinja2 itself passes to some filters first."""
    own = 1 if hasattr(filter_, "jinja_pass_arg") else 0

    @wraps(filter_)
    def guarded(*arguments: Any, **named: Any) -> Any:
        check(*arguments[own:], *named.values())
        return filter_(*arguments, **named)

    return guarded
