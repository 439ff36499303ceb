"""The Jinja2 environment of texts: a strict sandbox.

A text always renders the same way, and rendering always ends. A template comes from a reviewed file, but it is not a
program: only listed filters, methods and operators are allowed, and nothing random or time-dependent is available.
limits.py bounds the work of a template.

Every node carries its offset in the source in place of its line number, so that an error can name its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sized
from decimal import Decimal
from functools import partial, wraps
from itertools import islice
from math import isfinite
from types import BuiltinMethodType, MethodType
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateRuntimeError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.lexer import TokenStream
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smsby_deploy.config.sources import HOME_TIMEZONE
from smsby_deploy.texts.comparisons import TextAsNumber, compare, guarded_tests
from smsby_deploy.texts.filters import TEXT_FILTERS, date
from smsby_deploy.texts.limits import (
    LONGEST_VALUE,
    LimitInserter,
    Limits,
    TemplateLimitExceeded,
    check_length,
    size_of,
)
from smsby_deploy.texts.not_a_value import EXPLANATION, is_not_a_value
from smsby_deploy.wording import sentence

_LARGEST_NUMBER = 10**18
_MOST_DIGITS = 3  # of a width or precision in a format
_MOST_PRECISION = 12  # of the filter `round`

_FILTERS = (
    "abs", "capitalize", "count", "first", "format", "join", "last", "length", "list",
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
_TEXT_FILTERS_OF_JINJA = frozenset({
    "capitalize", "format", "lower", "replace", "string", "title", "trim", "truncate", "upper", "urlencode",
    "wordcount",
})  # fmt: skip
_NOT_PRINTABLE = sentence(
    "only text and numbers can be printed: take one item of a list or `| join` it, "
    "and write () after the name of a method or macro"
)
_OPERATORS = frozenset(["+", "-", "*", "/", "//", "%", "**"])
_FORMAT = re.compile(r"%(?:\(\w+\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")


class EmptyValue(UndefinedError):
    """An empty value would be printed."""

    def __init__(self) -> None:
        super().__init__(
            sentence("an empty value would be printed: test it with {{% if %}} or add `| default('…', true)`")
        )


class NotAValue(TemplateRuntimeError):
    """A value that programs write for a missing one would be printed."""

    def __init__(self) -> None:
        super().__init__(EXPLANATION)


class TextEnvironment(ImmutableSandboxedEnvironment):
    """The environment of one text and its includes; the filter `date` uses `timezone`."""

    intercepted_binops = _OPERATORS

    def __init__(self, timezone: str = HOME_TIMEZONE) -> None:
        super().__init__(
            undefined=StrictUndefined,
            finalize=self.check_printed,
            keep_trailing_newline=True,
            autoescape=False,
        )
        self.globals.clear()
        self.filters = {name: FILTERS[name] for name in _FILTERS} | TEXT_FILTERS
        self.filters["date"] = partial(date, timezone=timezone)
        self.tests = self.tests | guarded_tests(self.tests)
        del self.tests["sameas"]  # no value is the same object as another: it would be false in every row
        for name, check in _CHECKS.items():
            self.filters[name] = _checked(FILTERS[name], check)
        self.limits = Limits()
        self._is_compiling = False

    def prepare(self, tree: nodes.Template, name: str | None) -> None:
        """Change a template (None: the text) before limits are inserted and it is compiled."""

    def check_printed(self, value: Any) -> Any:
        """Check what `{{ … }}` prints, and return it.

        Raises:
            EmptyValue: it is empty.
            NotAValue: it denotes a missing value.
            TemplateRuntimeError: it is neither text nor a number.
            TemplateLimitExceeded: the template prints too much.
        """
        if self._is_compiling:
            raise nodes.Impossible  # do not fold constants: an error in one must keep its location
        _check_printable(value)
        if isinstance(value, str):
            self.limits.consume(len(value))
        return format(value, "f") if isinstance(value, Decimal) else value

    def check_operand(self, value: Any, sign: str) -> Any:
        """Check an operand of arithmetic, and return it; raises TextAsNumber for a text."""
        self.limits.consume_call()
        if isinstance(value, str):
            raise TextAsNumber(sign)
        return value

    def compare(self, comparison: str, left: Any, right: Any) -> Any:
        """Compare two values; see the function `compare`."""
        self.limits.consume_call(len(right) if isinstance(right, list | tuple) else 0)
        return compare(comparison, left, right)

    def read_attribute(self, value: Any) -> Any:
        """Check the value of `a.b` or `a[b]` that is not called, and return it."""
        if isinstance(value, MethodType | BuiltinMethodType):
            raise TemplateRuntimeError(sentence("a method is used as a value: write () after its name"))
        self.limits.consume_call()
        return value

    def iterate(self, items: Any, cost: int) -> Any:
        """Return the items of a loop; the steps of all its rounds are consumed beforehand."""
        if isinstance(items, Undefined):
            return items
        if not hasattr(items, "__len__"):
            items = list(islice(items, LONGEST_VALUE + 1))
        self.limits.consume(len(items) * cost)
        return items

    def filter_input(self, value: Any, name: str = "") -> Any:
        """Check the input of the filter `name`, and return it.

        Its size is consumed, so that no loop can sort ten thousand characters in each round. Text filters refuse containers,
        which they would print.
        """
        if name in _TEXT_FILTERS_OF_JINJA and not isinstance(
            value, str | int | float | Decimal | Undefined | None
        ):
            raise TemplateRuntimeError(_NOT_PRINTABLE)
        self.limits.consume_call(size_of(value))
        return value

    def concatenate(self, *values: Any) -> str:
        """Return `a ~ b`; an empty value is an error, as in `{{ … }}`."""
        texts = [value if isinstance(value, str) else str(self.check_printed(value)) for value in values]
        if not all(map(len, texts)):
            raise EmptyValue
        if any(map(is_not_a_value, texts)):
            raise NotAValue
        self.limits.consume_call()
        self.limits.consume_value(sum(map(len, texts)))
        return "".join(texts)

    def build_container(self, kind: str, *items: Any) -> Any:
        """Return a list, tuple or dict of `items`; nested containers grow fast."""
        built: Any = {"List": list, "Tuple": tuple}.get(kind, _pairs)(items)
        self.limits.consume_value(size_of(built))
        return built

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return self.binop_table[operator](left, right)
        if operator == "**":
            raise SecurityError(sentence("the operator ** is not available in texts: multiply instead"))
        for value in (left, right):
            if isinstance(value, int | Decimal) and abs(cast("int", value)) > _LARGEST_NUMBER:
                raise TemplateLimitExceeded(sentence("a number exceeds 18 digits: use a smaller one"))
        left, right = _as_decimals(left, right)
        if operator == "%" and isinstance(left, str):
            self.limits.consume(len(left))
            _check_format(left, *(right if isinstance(right, tuple) else [right]))
        elif operator == "*":
            value, times = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(times, int) and isinstance(value, str | list | tuple):
                self.limits.consume_value(size_of(value) * max(times, 0))
        elif operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self.concatenate(left, right)
        elif operator == "+" and isinstance(left, list | tuple):
            self.limits.consume_value(size_of(left) + size_of(right))
        return self.binop_table[operator](left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call a macro, a loop helper or an allowed method; anything else is an error."""
        owner = getattr(__obj, "__self__", None)
        if isinstance(__obj, MethodType) and (owner is __self or owner is __self.limits):
            return __obj(*args)  # inserted by limits.py; Jinja2 adds keywords such as _loop_vars
        if isinstance(__obj, BuiltinMethodType) and isinstance(owner, str | list | tuple | dict):
            name = __obj.__name__
            if name not in (_STRING_METHODS if isinstance(owner, str) else _CONTAINER_METHODS):
                raise SecurityError(
                    sentence("the method {name} is not available in texts: use a filter instead", name=name)
                )
            __self.filter_input(owner)
            if name == "replace":
                _check_replace(owner, *args)
        elif not isinstance(__obj, Macro | LoopContext | BlockReference | Undefined) and not isinstance(
            owner, LoopContext
        ):
            raise SecurityError(
                sentence("only macros and text methods can be called: remove the () or use a filter")
            )
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
        """Yield the lexer's tokens, each with its offset (from 1) in place of its line."""
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
        self.prepare(source, name)
        LimitInserter(self, is_included=name is not None).visit(source)
        self._is_compiling = True
        try:
            return super()._generate(source, name, filename, defer_init)
        finally:
            self._is_compiling = False


def _pairs(items: tuple[Any, ...]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _as_decimals(left: Any, right: Any) -> tuple[Any, Any]:
    """Convert a float next to a decimal to a decimal: Python does not calculate with both."""
    if isinstance(left, Decimal) and isinstance(right, float):
        return left, Decimal(repr(right))
    if isinstance(left, float) and isinstance(right, Decimal):
        return Decimal(repr(left)), right
    return left, right


def _check_printable(value: Any) -> None:
    """Refuse a value that cannot become part of a text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise EmptyValue
    if not isinstance(value, str | int | float | Decimal | Undefined):
        raise TemplateRuntimeError(_NOT_PRINTABLE)
    if is_not_a_value(value) if isinstance(value, str) else isinstance(value, float) and not isfinite(value):
        raise NotAValue


def _check_format(text: str, *values: Any) -> None:
    for value in values:
        for part in value.values() if isinstance(value, dict) else [value]:
            _check_printable(part)
    for width, precision in _FORMAT.findall(text):
        if "*" in (width, precision) or max(len(width), len(precision)) > _MOST_DIGITS:
            raise TemplateLimitExceeded(
                sentence("the width or precision of a format exceeds 999 or is *: write a smaller number")
            )


def _check_replace(text: Any, old: Any = "", new: Any = "", *_: Any) -> None:
    if all(isinstance(value, str) for value in (text, old, new)):
        check_length(len(text) + text.count(old) * len(new))


def _check_join(items: Any, separator: Any = "", *_: Any) -> None:
    if isinstance(items, Sized) and not isinstance(items, str | Undefined):
        for item in cast("Iterable[Any]", items):
            _check_printable(item)
    if isinstance(items, str | list | tuple):
        check_length(size_of(items) + len(items) * size_of(separator))


def _check_order(items: Any, *_: Any) -> None:
    """Refuse max and min of texts: the maximum of 9 and 10 would be 9."""
    if isinstance(items, str) or (
        isinstance(items, list | tuple) and any(isinstance(one, str) for one in items)
    ):
        raise TextAsNumber(sentence("the largest or smallest value"))


def _check_round(_value: Any, precision: Any = 0, *_: Any) -> None:
    if isinstance(precision, int) and abs(precision) > _MOST_PRECISION:
        raise TemplateLimitExceeded(
            sentence(
                "the precision of round exceeds {limit} digits: use a smaller one", limit=_MOST_PRECISION
            )
        )


_CHECKS: dict[str, Callable[..., None]] = {
    "format": _check_format,
    "join": _check_join,
    "max": _check_order,
    "min": _check_order,
    "replace": _check_replace,
    "round": _check_round,
}


def _checked(filter_: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    """Wrap `filter_` so that `check` sees its arguments first, except those Jinja2 prepends."""
    skipped = 1 if hasattr(filter_, "jinja_pass_arg") else 0

    @wraps(filter_)
    def guarded(*arguments: Any, **named: Any) -> Any:
        check(*arguments[skipped:], *named.values())
        return filter_(*arguments, **named)

    return guarded
