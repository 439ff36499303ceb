"""Rendering of whole batches by one Python expression over columns of values.

The expression is translated from the template's tree. Jinja2 takes 4 µs for the context of each text alone; here a
text takes 0.2 µs. Templates of literals, variables, filters and conditions are translated, which covers nearly all. A
template with any other node is rendered by Jinja2.

The expression either yields the text of a row or marks the row as unknown: if an empty value would be printed, or
anything failed. Jinja2 renders these rows, so errors and their places have one source.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple, TypedDict
from unicodedata import normalize

from jinja2 import Environment, nodes

from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.comparisons import compare
from smsby_deploy.texts.encoding_lint import is_composed
from smsby_deploy.texts.limits import MOST_CALLS
from smsby_deploy.texts.not_a_value import EXPONENT, NOT_VALUE_MARKS, NOT_VALUES, has_exponent, is_not_a_value

# Marks an unknown text. A text whose data contain this mark is rendered again, which does no harm.
_UNKNOWN = "\uffff"
# Up to this length a text consumes fewer steps than each text adds to the budget (limits.py).
_LONGEST_TEXT = 20_000
_EQUALITY: dict[str, ast.cmpop] = {"eq": ast.Eq(), "ne": ast.NotEq()}
# Precedes each value: most combining marks at the beginning of a value compose with it, as they would with a text before it.
_BETWEEN = "a"
# Names that have a special meaning in Jinja2.
_RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
# Filters that depend on their arguments only, and not on Jinja2's context.
_FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "date", "decimal", "default", "float", "int", "length", "lower", "money", "phone",
    "plural", "string", "title", "trim", "upper", "wordcount",
})  # fmt: skip
# Python compiles no node without a location. Passing it to each is faster than a walk that adds it to all.
_AT: _AstPosition = {"lineno": 1, "col_offset": 0}


class _AstPosition(TypedDict):
    lineno: int
    col_offset: int


class NotVectorizable(Exception):
    """The template has a node that only Jinja2 can render."""


class VectorizedTemplate(NamedTuple):
    """A template as a function from the columns of `variables` to texts.

    `printed` are the indexes of the variables that are printed without a filter, `used` of those in other expressions.
    `is_composed`: its own texts are in NFC. `is_trimmed`: every text begins and ends with a literal that is not white
    space, so that none is empty. `may_leave_gap`: a text may have two spaces in a row even if no value has.
    """

    variables: tuple[str, ...]
    render_columns: Callable[..., list[str]]
    is_trimmed: bool = False
    printed: tuple[int, ...] = ()
    used: frozenset[int] = frozenset()
    is_composed: bool = True
    may_leave_gap: bool = True

    def render(self, batch: Batch) -> list[str | None] | None:
        """Return the text of each recipient, without white space at its ends.

        A text, or the whole result, is None if Jinja2 has to render it.
        """
        columns: list[list[str]] = []
        for name in self.variables:
            column = batch.variable(name)
            if column is None:
                return None
            columns.append(column)
        if batch.is_typed:  # a false value that is only printed is text like any other
            for index in self.printed:
                if index not in self.used:
                    columns[index] = list(map(str.strip, columns[index]))
        try:
            texts = self.render_columns(*columns)
        except Exception:  # noqa: BLE001 - Jinja2 raises it again and knows the place
            return None
        values = [_BETWEEN + _BETWEEN.join(column) for column in columns]  # much faster to search than each
        if any(mark in joined for mark in NOT_VALUE_MARKS for joined in values):
            texts = _mark_missing_values(texts, [columns[index] for index in self.printed])
        if not (self.is_composed and all(joined.isascii() or is_composed(joined) for joined in values)):
            texts = [normalize("NFC", text) for text in texts]
        if not self.is_trimmed:
            texts = list(map(str.strip, texts))
        if max(map(len, texts), default=0) > _LONGEST_TEXT:
            return None
        if _UNKNOWN in "".join(texts) or not (self.is_trimmed or all(texts)):
            return [text if text and _UNKNOWN not in text else None for text in texts]
        return list(texts)


def vectorize(tree: nodes.Template, environment: Environment) -> VectorizedTemplate | None:
    """Translate a template; None if it has no variables, or if only Jinja2 can render it.

    Call it before limits are inserted.
    """
    translator = TemplateTranslator(environment)
    try:
        text = translator.text(tree.body)
    except (NotVectorizable, RecursionError):
        return None
    variables = tuple(translator.variables)
    render_columns = compile_columns(text, len(variables), translator.filters) if variables else None
    if render_columns is None:
        return None
    printed = tuple(sorted(translator.printed))
    return VectorizedTemplate(
        variables,
        render_columns,
        _is_trimmed(tree.body),
        printed,
        frozenset(translator.used),
        is_composed(_BETWEEN.join(translator.literals)),
        _ends_after(tree.body, {""}) is None,
    )


def _mark_missing_values(texts: list[str], columns: Sequence[Sequence[str]]) -> list[str]:
    """Return `texts`, marked as unknown where a column has a written form of "no value"."""
    for column in columns:
        joined = "".join(column)
        if not NOT_VALUES.isdisjoint(column) or "+" in joined or has_exponent(joined):
            texts = [
                _UNKNOWN if value in NOT_VALUES or EXPONENT.fullmatch(value) else text
                for text, value in zip(texts, column, strict=True)
            ]
    return texts


def compile_columns(
    text: ast.expr, count: int, filters: dict[str, Callable[..., Any]]
) -> Callable[..., list[str]] | None:
    """Compile `lambda c0, c1: [text for v0, v1 in zip(c0, c1)]`.

    None if `text` is nested too deeply. It has only names that this module chose, constants and allowed filters, so
    evaluating it is safe.
    """
    arguments = ast.arguments(
        [], [ast.arg(f"c{index}", **_AT) for index in range(count)], None, [], [], None, []
    )
    columns: list[ast.expr] = [_name(f"c{index}") for index in range(count)]
    row = ast.Tuple([ast.Name(f"v{index}", ast.Store(), **_AT) for index in range(count)], ast.Store(), **_AT)
    rows = ast.Call(_name("zip"), columns, [], **_AT)
    body = ast.ListComp(text, [ast.comprehension(row, rows, [], 0)], **_AT)
    scope = {
        "__builtins__": {},
        "zip": zip,
        "unknown": _UNKNOWN,
        "printed": _printed,
        "compare": compare,
        **filters,
    }
    try:
        expression = ast.Expression(ast.Lambda(arguments, body, **_AT))
        render: Callable[..., list[str]] = eval(compile(expression, "<template>", "eval"), scope)  # noqa: S307
    except (RecursionError, ValueError, MemoryError):
        return None
    return render


def _is_trimmed(body: Sequence[nodes.Node]) -> bool:
    """Whether the output begins and ends with literal characters that are not white space."""
    first, last = (body[0], body[-1]) if body else (None, None)
    if not (isinstance(first, nodes.Output) and isinstance(last, nodes.Output)):
        return False
    begin, end = first.nodes[0], last.nodes[-1]
    if not (isinstance(begin, nodes.TemplateData) and isinstance(end, nodes.TemplateData)):
        return False
    return bool(begin.data[:1].strip() and end.data[-1:].strip())


def _ends_after(body: Sequence[nodes.Node], ends: set[str]) -> set[str] | None:
    """Return the possible last characters of a text after `body`, given those before it.

    "" means no text yet. None if it may have two spaces in a row by then; printed values have none at their ends.
    """
    for node in body:
        if isinstance(node, nodes.If):
            sides = [node, *node.elif_]
            found = [_ends_after(side, ends) for side in (*(one.body for one in sides), node.else_)]
            if None in found:
                return None
            ends = set().union(*filter(None, found))
            continue
        for piece in node.nodes if isinstance(node, nodes.Output) else [node]:
            if isinstance(piece, nodes.TemplateData):
                if "  " in piece.data or (piece.data.startswith(" ") and " " in ends):
                    return None
                ends = {piece.data[-1]}
            elif isinstance(piece, nodes.Name):
                ends = {"x"}
            else:
                return None
    return ends


def _printed(value: Any) -> str:
    """Return what `{{ … }}` prints for a computed value."""
    if isinstance(value, str):
        return value if value.strip() and not is_not_a_value(value) else _UNKNOWN
    if type(value) is Decimal:
        return format(value, "f")
    return str(value) if type(value) is int or (type(value) is float and isfinite(value)) else _UNKNOWN


class TemplateTranslator:
    """Translates Jinja2's nodes into Python's. Variables become v0, v1, …, filters f_name.

    Raises:
        NotVectorizable: a node has no translation.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.variables: dict[str, int] = {}
        self.filters: dict[str, Callable[..., Any]] = {}
        self.printed: set[int] = set()
        self.used: set[int] = set()
        self.literals: list[str] = [""]
        self._calls = 0

    def text(self, body: Sequence[nodes.Node]) -> ast.expr:
        """The output of `body` as one string."""
        pieces: list[ast.expr] = []
        for node in body:
            if isinstance(node, nodes.Output):
                pieces.extend(map(self._output, node.nodes))
            elif isinstance(node, nodes.If):
                pieces.append(formatted(self._condition(node)))
            else:
                raise NotVectorizable
        return joined(pieces)

    def _condition(self, node: nodes.If) -> ast.expr:
        otherwise = self.text(node.else_)
        for branch in reversed([node, *node.elif_]):
            otherwise = choice(self.expression(branch.test), self.text(branch.body), otherwise)
        return otherwise

    def _output(self, node: nodes.Expr) -> ast.expr:
        if isinstance(node, nodes.TemplateData):
            self.literals.append(node.data)
            return constant(node.data)
        # Values have no white space at their ends: only "" is empty.
        if isinstance(node, nodes.Name) and node.name not in _RESERVED:
            value = self._variable(node.name)
            self.printed.add(self.variables[node.name])
            return formatted(ast.BoolOp(ast.Or(), [value, _name("unknown")], **_AT))
        return formatted(named_call("printed", [self.expression(node)]))

    def expression(self, node: nodes.Node) -> ast.expr:
        match node:
            case nodes.Name(name=name, ctx="load") if name not in _RESERVED:
                variable = self._variable(name)
                self.used.add(self.variables[name])
                return variable
            case nodes.Const(value=str() | int() | float() | None as value):
                self.literals.append(value if isinstance(value, str) else "")
                return constant(value)
            case nodes.Not():
                return ast.UnaryOp(ast.Not(), self.expression(node.node), **_AT)
            case nodes.And() | nodes.Or():
                operator = ast.And() if isinstance(node, nodes.And) else ast.Or()
                return ast.BoolOp(operator, [self.expression(node.left), self.expression(node.right)], **_AT)
            case nodes.Compare():
                return self._compare(node)
            case nodes.CondExpr(expr2=nodes.Expr() as other):
                test, one = self.expression(node.test), self.expression(node.expr1)
                return choice(test, one, self.expression(other))
            case nodes.Filter(node=nodes.Expr() as value, name=name) if name in _FILTERS:
                return self._filter(node, value)
        raise NotVectorizable

    def _variable(self, name: str) -> ast.expr:
        return _name(f"v{self.variables.setdefault(name, len(self.variables))}")

    def _compare(self, node: nodes.Compare) -> ast.expr:
        values = [self.expression(node.expr), *(self.expression(operand.expr) for operand in node.ops)]
        compared = [
            self._compare_two(operand.op, left, right)
            for operand, left, right in zip(node.ops, values, values[1:], strict=False)
        ]
        return compared[0] if len(compared) == 1 else ast.BoolOp(ast.And(), compared, **_AT)

    def _compare_two(self, operator: str, left: ast.expr, right: ast.expr) -> ast.expr:
        if operator in _EQUALITY and _is_text(left) and _is_text(right):
            # Twenty times faster than a call.
            return ast.Compare(left, [_EQUALITY[operator]], [right], **_AT)
        self._count_call()
        return named_call("compare", [constant(operator), left, right])

    def _count_call(self) -> None:
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise NotVectorizable  # Jinja2 counts only evaluated ones

    def _filter(self, node: nodes.Filter, value: nodes.Expr) -> ast.expr:
        self._count_call()
        function = self.environment.filters[node.name]
        if node.dyn_args or node.dyn_kwargs or hasattr(function, "jinja_pass_arg"):
            raise NotVectorizable
        self.filters[f"f_{node.name}"] = function
        named = [ast.keyword(str(pair.key), self.expression(pair.value), **_AT) for pair in node.kwargs]
        arguments = [self.expression(value), *map(self.expression, node.args)]
        return ast.Call(_name(f"f_{node.name}"), arguments, named, **_AT)


def _is_text(value: ast.expr) -> bool:
    """Whether a value is certainly a text: that of a variable, or a literal."""
    return isinstance(value, ast.Name) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def constant(value: str | float | None) -> ast.expr:
    return ast.Constant(value, **_AT)


def joined(pieces: list[ast.expr]) -> ast.expr:
    """Join pieces, which are constants and results of `formatted`, into one text."""
    return ast.JoinedStr(pieces, **_AT)


def choice(test: ast.expr, one: ast.expr, other: ast.expr) -> ast.expr:
    """`one` where `test` is true, otherwise `other`."""
    return ast.IfExp(test, one, other, **_AT)


def named_call(function: str, arguments: list[ast.expr]) -> ast.expr:
    """A call of a function that `compile_columns` is given."""
    return ast.Call(_name(function), arguments, [], **_AT)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load(), **_AT)


def formatted(value: ast.expr) -> ast.FormattedValue:
    """A value as a piece of a text."""
    return ast.FormattedValue(value, -1, None, **_AT)
