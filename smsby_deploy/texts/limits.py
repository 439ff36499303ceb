"""Limits of a template: a budget of steps and a longest value.

A template cannot be stopped from outside. Before it is compiled, its loops, macros, filters and containers are therefore
wrapped in calls of the environment, which check and count what they are about to do.
"""

# ruff: noqa: N802, N815 - NodeTransformer finds methods by node name

from __future__ import annotations

from typing import Any

from jinja2 import Environment, TemplateAssertionError, TemplateRuntimeError, nodes
from jinja2.visitor import NodeTransformer

from smsby_deploy.wording import sentence

LONGEST_VALUE = 10_000  # characters of a value a template makes; items of a list
# Steps are characters printed or repeated, nodes evaluated in loops and macros, and comparisons, filters and arithmetic
# anywhere. Each text adds to the remaining budget, so that a long list cannot take hours either.
_FIRST_STEPS = 1_000_000
_STEPS_PER_TEXT = 20_000
_STEPS_PER_NODE = 10
_STEPS_PER_CALL = 30
MOST_CALLS = 500  # comparisons and filters of short values within the allowance of every text


class TemplateLimitExceeded(TemplateRuntimeError):
    """The template would take too long, or make a value that is too long."""


class Limits:
    """The step budget of one template."""

    def __init__(self) -> None:
        self._steps = _FIRST_STEPS

    def start_text(self) -> None:
        """Add the allowance of one more text."""
        self._steps = min(_FIRST_STEPS, self._steps + _STEPS_PER_TEXT)

    def consume(self, steps: int) -> None:
        """Take `steps` from the budget; raises TemplateLimitExceeded when it is used up."""
        self._steps -= steps
        if self._steps < 0:
            raise TemplateLimitExceeded(
                sentence(
                    "the template does too much work: use fewer loops, conditions and filters, and shorter values"
                )
            )

    def consume_call(self, size: int = 0) -> None:
        """Take the steps for a comparison, a filter or the like, with a value of `size`.

        Raises:
            TemplateLimitExceeded: the budget is used up.
        """
        self.consume(_STEPS_PER_CALL + size)

    def consume_value(self, size: int) -> None:
        """Take the steps for a new value of `size`.

        Raises:
            TemplateLimitExceeded: the value is too long, or the budget is used up.
        """
        check_length(size)
        self.consume(size)


def check_length(size: int) -> None:
    """Raise TemplateLimitExceeded for a value of too many characters or items."""
    if size > LONGEST_VALUE:
        raise TemplateLimitExceeded(
            sentence("a value would exceed {limit:,} characters: shorten it", limit=LONGEST_VALUE)
        )


def size_of(value: Any) -> int:
    """Return the length of a text, or the items of a container and everything in them."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(1 + size_of(key) + size_of(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(1 + size_of(item) for item in value)
    return 1


class LimitInserter(NodeTransformer):
    """Makes a tree call the `TextEnvironment` wherever a limit applies.

    This is at loops, macros, `~`, containers, attributes, the input of filters and tests, arithmetic and comparisons.
    """

    def __init__(self, environment: Environment, *, is_included: bool) -> None:
        self.environment = environment
        self.is_included = is_included

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise TemplateAssertionError(
                sentence("recursive loops are not available in texts: use a plain loop"), node.lineno
            )
        cost = _cost_of_round(node.body) + _cost_of_round(node.else_)
        self.generic_visit(node)
        items: Any = node.iter
        node.iter = self._call("iterate", [items, nodes.Const(cost)], node)
        return node

    def visit_Template(self, node: nodes.Template) -> nodes.Node:
        return self._charge(node) if self.is_included else self.generic_visit(node)

    def visit_Getattr(self, node: nodes.Getattr | nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return self._call("read_attribute", [node], node)

    visit_Getitem = visit_Getattr

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self._call("concatenate", node.nodes, node)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        method = node.node
        if isinstance(method, nodes.Getattr | nodes.Getitem):
            self.generic_visit(method)  # only here may an attribute be a method
            node.node = nodes.Const(None)
            self.generic_visit(node)
            node.node = method
            return node
        return self.generic_visit(node)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        self.generic_visit(node)
        if node.node is not None:  # the text of a filter block was counted when it was printed
            node.node = self._call("filter_input", [node.node, nodes.Const(node.name)], node)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        self.generic_visit(node)
        node.node = self._call("filter_input", [node.node], node)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        left, compared = node.expr, []
        for operand in node.ops:
            compared.append(self._call("compare", [nodes.Const(operand.op), left, operand.expr], node))
            left = operand.expr
        result: nodes.Expr = compared.pop()
        for one in reversed(compared):
            result = nodes.And(one, result).set_lineno(node.lineno)  # type: ignore[assignment]
        return result

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._build(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return node if node.ctx == "store" else self._build(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._build(node, [part for pair in node.items for part in (pair.key, pair.value)])

    def visit_Add(self, node: nodes.BinExpr) -> nodes.Node:
        """Check the operands: only texts that the author wrote may be repeated or joined."""
        self.generic_visit(node)
        for side in ("left", "right"):
            operand = getattr(node, side)
            if not isinstance(operand, nodes.Const):
                setattr(node, side, self._call("check_operand", [operand, nodes.Const(node.operator)], node))
        return node

    visit_Sub = visit_Mul = visit_Div = visit_FloorDiv = visit_Add

    def visit_Neg(self, node: nodes.Neg) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Const):
            node.node = self._call("check_operand", [node.node, nodes.Const("-")], node)
        return node

    def _build(self, node: nodes.Expr, items: list[nodes.Expr]) -> nodes.Node:
        if all(isinstance(item, nodes.Const) for item in items):
            return node
        visited = [self.visit(item) for item in items]
        return self._call("build_container", [nodes.Const(type(node).__name__), *visited], node)

    def _charge(self, node: Any) -> nodes.Node:
        """Make each execution of `node.body` consume steps."""
        cost = nodes.Const(_cost_of_round(node.body))
        self.generic_visit(node)
        call = self._call("limits.consume", [cost], node)
        statement = nodes.ExprStmt(call).set_lineno(node.lineno).set_environment(self.environment)
        node.body = [statement, *node.body]
        return node  # type: ignore[no-any-return]

    visit_Macro = visit_CallBlock = visit_Block = _charge

    def _call(self, name: str, arguments: list[nodes.Expr], node: nodes.Node) -> nodes.Expr:
        return environment_call(self.environment, name, arguments, node)


def environment_call(
    environment: Environment, method: str, arguments: list[nodes.Expr], at: nodes.Node
) -> nodes.Expr:
    """Return a call of a method of `environment` in a template, at the position of `at`."""
    call = nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None)
    return call.set_lineno(at.lineno).set_environment(environment)  # type: ignore[return-value]


def _cost_of_round(body: list[nodes.Node]) -> int:
    """Return the steps of one execution of `body`: its literal characters, and its nodes."""
    cost, waiting = _STEPS_PER_NODE, list(body)
    while waiting:
        node = waiting.pop()
        cost += _STEPS_PER_NODE
        if isinstance(node, nodes.TemplateData):
            cost += len(node.data)
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            cost += len(node.value)
        waiting.extend(node.iter_child_nodes())
    return cost
