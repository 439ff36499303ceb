"""Comparisons and tests of column values, which are text, in a template.

If the result would depend on whether a number, a truth value or a null is text, it is an error, not a guess.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from jinja2 import TemplateRuntimeError
from jinja2.runtime import Undefined

from smsby_deploy.wording import sentence

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "gteq": operator.ge, "lt": operator.lt, "lteq": operator.le,
    "in": lambda one, many: one in many, "notin": lambda one, many: one not in many,
}  # fmt: skip
_COMPARING_TESTS = {
    "eq": ("eq", "==", "equalto"), "ne": ("ne", "!="), "gt": ("gt", ">", "greaterthan"), "gteq": ("ge", ">="),
    "lt": ("lt", "<", "lessthan"), "lteq": ("le", "<="), "in": ("in",),
}  # fmt: skip
COMPARISON_SIGNS = {
    "eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "notin": "not in",
}  # fmt: skip
_KIND_TESTS = ("boolean", "false", "float", "integer", "none", "number", "true")  # no text passes them


class TextAsNumber(TemplateRuntimeError):
    """A template calculates with a text, or compares one with a number, by the operator `sign`."""

    def __init__(self, sign: str) -> None:
        self.sign = sign
        advice = sentence("write `| int` or `| decimal` after the value to use it as a number")
        if sign == "+":
            advice = sentence("{advice}, or join texts with ~", advice=advice)
        super().__init__(
            sentence(
                "{sign} between a text and a number: {advice}"
                if sign in ("==", "!=", "in", "not in")
                else "{sign} needs numbers, but column values are text: {advice}",
                sign=sign,
                advice=advice,
            )
        )


class TextAsTruth(TemplateRuntimeError):
    """A template tests with `test` whether a text is true, false or none, which it never is."""

    def __init__(self, test: str) -> None:
        super().__init__(
            sentence(
                "{test}: column values are text, even empty ones: write {{% if x %}} or {{% if not x %}}",
                test=test,
            )
        )


def compare(comparison: str, left: Any, right: Any) -> Any:
    """Compare by Jinja2's operator name, unless the result depends on a number being text.

    Raises:
        TextAsNumber: texts are ordered, or a text is compared with a number.
        TextAsTruth: a text is compared with true or false, or an empty one with none.
    """
    if not isinstance(left, Undefined) and not isinstance(right, Undefined):
        if comparison in ("eq", "ne"):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, bool) or (one is None and other == ""):
                    _check_truth_of(other, f"{COMPARISON_SIGNS[comparison]} {str(one).lower()}")
            is_mixed = _is_mixed(left, right)
        elif comparison in ("in", "notin"):
            is_mixed = isinstance(right, list | tuple) and any(_is_mixed(left, item) for item in right)
        else:
            is_mixed = isinstance(left, str) or isinstance(right, str)
        if is_mixed:
            raise TextAsNumber(COMPARISON_SIGNS.get(comparison, comparison))
    return _COMPARISONS[comparison](left, right)


def _check_truth_of(value: Any, test: str) -> None:
    if isinstance(value, str):
        raise TextAsTruth(test)


def _check_kind(name: str, test: Callable[[Any], bool], value: Any) -> bool:
    """Run a test such as `x is true`, which would be false for every value of a column."""
    if name in ("float", "integer", "number"):
        if isinstance(value, str):
            raise TextAsNumber(f"is {name}")
    elif name != "none" or value == "":
        _check_truth_of(value, f"is {name}")
    return test(value)


def _is_mixed(left: Any, right: Any) -> bool:
    """Whether one is a text and the other a number."""
    if isinstance(left, str):
        return isinstance(right, int | float | Decimal)
    return isinstance(right, str) and isinstance(left, int | float | Decimal)


def guarded_tests(tests: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Return the tests that refuse to guess about a text; `tests` are all of Jinja2's."""
    comparisons: dict[str, Callable[..., Any]] = {
        name: partial(compare, comparison) for comparison, names in _COMPARING_TESTS.items() for name in names
    }
    return comparisons | {name: partial(_check_kind, name, tests[name]) for name in _KIND_TESTS}
