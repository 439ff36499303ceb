"""The fast path of long lists: texts rendered and measured a batch at a time.

A million people are a million texts, and what is done a text costs most: Jinja2 makes a context for each (4 µs), and each
is measured by itself. Templates of words, variables, filters and conditions, which nearly all are, are compiled here from
Jinja2's own tree into one Python expression that is evaluated for a whole batch (0.2 µs a text).

It only ever says "this is the text" or "I can't tell": every row of which it can't tell (an empty value would be printed,
anything failed) is rendered by the template itself, which alone knows errors and their places. What is not in the list of
nodes below makes no fast path at all. tests/message/test_fast.py holds both ways to each other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from operator import contains, not_
from typing import Any

from jinja2 import Environment, nodes

from smsby_deploy.audience.source import Batch
from smsby_deploy.message.expensive import CYRILLIC_WORD
from smsby_deploy.message.parts import DOUBLED, LATIN, UNICODE, parts_by_length

# Stands where nothing may be printed. A text that holds it is rendered again, so it matters not if data hold it, too.
_UNSURE = "\uffff"
# Up to here a text takes less from the template's budget than each text adds (environment.py).
_LONGEST = 20_000
_RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq, "ne": ast.NotEq, "gt": ast.Gt, "gteq": ast.GtE, "lt": ast.Lt, "lteq": ast.LtE, "in": ast.In,
    "notin": ast.NotIn,
}  # fmt: skip
# Filters that take a value and give one, and want nothing else of Jinja2.
_FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "date", "default", "float", "int", "length", "lower", "money", "phone", "plural",
    "string", "title", "trim", "upper", "wordcount",
})  # fmt: skip


class _NotFast(Exception):
    """The template holds something that only Jinja2 does."""


@dataclass(frozen=True, slots=True)
class FastTemplate:
    """`names` are the variables that `_render` takes, as columns, in this order. A text whose first and last words stand in
    the template itself `is_trimmed`, and never empty."""

    names: tuple[str, ...]
    _render: Callable[..., list[str]]
    is_trimmed: bool

    def render(self, batch: Batch) -> list[str | None] | None:
        """The text of each recipient, blank ends cut off; None for those, or instead of all, of which it can't tell."""
        if not self.names:
            return None
        columns = [batch.variable(name) for name in self.names]
        if None in columns:
            return None
        try:
            texts = self._render(*columns)
        except Exception:  # noqa: BLE001 - whatever it is, the template itself raises it again, and knows where
            return None
        if not self.is_trimmed:
            texts = list(map(str.strip, texts))
        if max(map(len, texts), default=0) > _LONGEST:
            return None
        if _UNSURE in "".join(texts) or not (self.is_trimmed or all(texts)):
            return [text if text and _UNSURE not in text else None for text in texts]
        return list(texts)


def compile_fast(tree: nodes.Template, environment: Environment) -> FastTemplate | None:
    """The fast path of a parsed template, before anything was put into it; None if it has none."""
    compiler = _Compiler(environment)
    try:
        text = compiler.text(tree.body)
    except (_NotFast, RecursionError):
        return None
    names = list(compiler.variables)
    arguments = ast.arguments(
        [], [ast.arg(f"c{index}") for index in range(len(names))], None, [], [], None, []
    )
    rows = ast.Call(_name("zip"), [_name(f"c{index}") for index in range(len(names))], [])
    row = ast.Tuple([ast.Name(f"v{index}", ast.Store()) for index in range(len(names))], ast.Store())
    body = ast.ListComp(text, [ast.comprehension(row, rows, [], 0)])
    expression = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    # Only what this module put into the expression is in it: names of its own, constants, and listed filters.
    scope = {"__builtins__": {}, "zip": zip, "unsure": _UNSURE, "shown": _shown, **compiler.filters}
    try:
        code = compile(expression, "<template>", "eval")
    except (RecursionError, ValueError, MemoryError):
        return None
    return FastTemplate(tuple(names), eval(code, scope), _is_trimmed(tree.body))  # noqa: S307


def _is_trimmed(body: Sequence[nodes.Node]) -> bool:
    """Whether what is printed begins and ends in literal characters that are not blank."""
    first, last = (body[0], body[-1]) if body else (None, None)
    if not (isinstance(first, nodes.Output) and isinstance(last, nodes.Output)):
        return False
    begin, end = first.nodes[0], last.nodes[-1]
    if not (isinstance(begin, nodes.TemplateData) and isinstance(end, nodes.TemplateData)):
        return False
    return bool(begin.data[:1].strip() and end.data[-1:].strip())


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _shown(value: Any) -> str:
    """What `{{ … }}` prints of a value that was worked on."""
    if isinstance(value, str):
        return value if value.strip() else _UNSURE
    return str(value) if type(value) in (int, float) else _UNSURE


class _Compiler:
    """Jinja2's nodes → Python's. Variables become v0, v1, …, filters f_name."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.variables: dict[str, int] = {}
        self.filters: dict[str, Callable[..., Any]] = {}

    def text(self, body: Sequence[nodes.Node]) -> ast.expr:
        """One string of what `body` prints."""
        pieces: list[ast.expr] = []
        for node in body:
            if isinstance(node, nodes.Output):
                pieces.extend(map(self._printed, node.nodes))
            elif isinstance(node, nodes.If):
                pieces.append(_formatted(self._condition(node)))
            else:
                raise _NotFast
        return ast.JoinedStr(pieces)

    def _condition(self, node: nodes.If) -> ast.expr:
        otherwise = self.text(node.else_)
        for branch in reversed([node, *node.elif_]):
            otherwise = ast.IfExp(self.expression(branch.test), self.text(branch.body), otherwise)
        return otherwise

    def _printed(self, node: nodes.Expr) -> ast.expr:
        if isinstance(node, nodes.TemplateData):
            return ast.Constant(node.data)
        if isinstance(node, nodes.Name):  # its blank ends are cut off: it is empty or worth printing
            return _formatted(ast.BoolOp(ast.Or(), [self.expression(node), _name("unsure")]))
        return _formatted(ast.Call(_name("shown"), [self.expression(node)], []))

    def expression(self, node: nodes.Node) -> ast.expr:
        match node:
            case nodes.Name(name=name, ctx="load") if name not in _RESERVED:
                return _name(f"v{self.variables.setdefault(name, len(self.variables))}")
            case nodes.Const(value=str() | int() | float() | None as value):
                return ast.Constant(value)
            case nodes.Not():
                return ast.UnaryOp(ast.Not(), self.expression(node.node))
            case nodes.And() | nodes.Or():
                operator = ast.And() if isinstance(node, nodes.And) else ast.Or()
                return ast.BoolOp(operator, [self.expression(node.left), self.expression(node.right)])
            case nodes.Compare():
                operators: list[ast.cmpop] = [_COMPARISONS[operand.op]() for operand in node.ops]
                values = [self.expression(operand.expr) for operand in node.ops]
                return ast.Compare(self.expression(node.expr), operators, values)
            case nodes.CondExpr(expr2=nodes.Expr() as other):
                return ast.IfExp(
                    self.expression(node.test), self.expression(node.expr1), self.expression(other)
                )
            case nodes.Filter(node=nodes.Expr() as value, name=name) if name in _FILTERS:
                return self._filter(node, value)
        raise _NotFast

    def _filter(self, node: nodes.Filter, value: nodes.Expr) -> ast.expr:
        function = self.environment.filters[node.name]
        if node.dyn_args or node.dyn_kwargs or hasattr(function, "jinja_pass_arg"):
            raise _NotFast
        self.filters[f"f_{node.name}"] = function
        named = [ast.keyword(str(pair.key), self.expression(pair.value)) for pair in node.kwargs]
        return ast.Call(
            _name(f"f_{node.name}"), [self.expression(value), *map(self.expression, node.args)], named
        )


def _formatted(value: ast.expr) -> ast.FormattedValue:
    return ast.FormattedValue(value, -1, None)


# Where none of these stands, a character is one unit, and up to three parts GSM 03.38 counts as sms.by bills.
_SPECIAL = (*DOUBLED, "~", "`", "\f")
_LATIN_PARTS, _UNICODE_PARTS = ([n for n in parts_by_length(table) if n <= 3] for table in (LATIN, UNICODE))


@dataclass(frozen=True, slots=True)
class BatchSize:
    """What texts cost together: their billed parts, those of the longest, and how many are Latin."""

    parts: int
    longest: int
    latin: int


def measure_batch(texts: Sequence[str]) -> BatchSize | None:
    """The size of `texts`, if for each of them it is only a matter of its length. None if they must be looked at one by
    one: doubled characters, over three parts, a Latin text that a character or two make unicode, or none at all."""
    joined = "".join(texts)
    if any(map(contains, repeat(joined), _SPECIAL)):
        return None
    latin: Sequence[str] = ()
    unicode: Sequence[str] = texts
    if not _are_cyrillic(texts):
        is_latin = list(map(str.isascii, texts))
        latin, unicode = list(compress(texts, is_latin)), list(compress(texts, map(not_, is_latin)))
        if not (all(latin) and _are_cyrillic(unicode)):
            return None
    if unicode and not _is_of_one_unit(joined):
        return None
    try:
        parts = list(map(_UNICODE_PARTS.__getitem__, map(len, unicode)))
        parts += map(_LATIN_PARTS.__getitem__, map(len, latin))
    except IndexError:
        return None
    return BatchSize(sum(parts), max(parts, default=0), len(latin))


def _is_of_one_unit(text: str) -> bool:
    """Whether no character takes two units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) == 2 * len(text)


def _are_cyrillic(texts: Sequence[str]) -> bool:
    """Whether each is unicode by nature: it holds a word of Cyrillic letters. Mostly it is the same in all of them."""
    word = CYRILLIC_WORD.search(texts[0]) if texts else None
    if word is None:
        return not texts
    return all(map(contains, texts, repeat(word.group()))) or all(map(CYRILLIC_WORD.search, texts))
