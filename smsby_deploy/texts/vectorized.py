"""From a template to its fast path (batch.py): Jinja2's own tree, lowered to one Python expression for a whole batch.

Templates of words, variables, filters and conditions, which nearly all are, have one. What is not in the list of nodes
below makes no fast path at all. tests/texts/test_fast.py holds both ways to each other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, nodes

from smsby_deploy.texts.batch import UNSURE, VectorizedTemplate, compile_rows
from smsby_deploy.texts.plain import RESERVED

_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq, "ne": ast.NotEq, "gt": ast.Gt, "gteq": ast.GtE, "lt": ast.Lt, "lteq": ast.LtE, "in": ast.In,
    "notin": ast.NotIn,
}  # fmt: skip
# Filters that take a value and give one, and want nothing else of Jinja2.
_FILTERS = frozenset({
    "abs", "capitalize", "count", "d", "date", "default", "float", "int", "length", "lower", "money", "phone", "plural",
    "string", "title", "trim", "upper", "wordcount",
})  # fmt: skip


class NotVectorizable(Exception):
    """The template holds something that only Jinja2 does."""


def vectorize(tree: nodes.Template, environment: Environment) -> VectorizedTemplate | None:
    """The fast path of a parsed template, before anything was put into it; None if it has none."""
    compiler = _Compiler(environment)
    try:
        text = compiler.text(tree.body)
    except (NotVectorizable, RecursionError):
        return None
    # Only what this module put into the expression is in it: names of its own, constants, and listed filters.
    scope = {"unsure": UNSURE, "shown": _shown, **compiler.filters}
    render = compile_rows(text, len(compiler.variables), scope)
    if render is None:
        return None
    return VectorizedTemplate(tuple(compiler.variables), render, is_trimmed=_is_trimmed(tree.body))


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
        return value if value.strip() else UNSURE
    return str(value) if type(value) in (int, float) else UNSURE


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
                raise NotVectorizable
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
            case nodes.Name(name=name, ctx="load") if name not in RESERVED:
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
        raise NotVectorizable

    def _filter(self, node: nodes.Filter, value: nodes.Expr) -> ast.expr:
        function = self.environment.filters[node.name]
        if node.dyn_args or node.dyn_kwargs or hasattr(function, "jinja_pass_arg"):
            raise NotVectorizable
        self.filters[f"f_{node.name}"] = function
        named = [ast.keyword(str(pair.key), self.expression(pair.value)) for pair in node.kwargs]
        return ast.Call(
            _name(f"f_{node.name}"), [self.expression(value), *map(self.expression, node.args)], named
        )


def _formatted(value: ast.expr) -> ast.FormattedValue:
    return ast.FormattedValue(value, -1, None)
