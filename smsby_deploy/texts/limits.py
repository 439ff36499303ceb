"""Puts the budget and the limits of environment.py into a parsed template, before it is compiled."""

# ruff: noqa: N802 - NodeTransformer looks for methods by these names

from __future__ import annotations

from typing import Any

from jinja2 import Environment, TemplateAssertionError, nodes
from jinja2.visitor import NodeTransformer

_STEPS_PER_NODE = 10


class Guard(NodeTransformer):
    """Loops, macros, `~`, lists, attributes and what goes into a filter are turned into calls of the environment's
    methods."""

    def __init__(self, environment: Environment, *, is_included: bool) -> None:
        self.environment = environment
        self.is_included = is_included

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise TemplateAssertionError("recursive loops are not available in texts", node.lineno)
        weight = _weight(node.body) + _weight(node.else_)
        self.generic_visit(node)
        items: Any = node.iter
        node.iter = self._call("repeated", [items, nodes.Const(weight)], node)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._paid(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._paid(node)

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        return self._paid(node)

    def visit_Template(self, node: nodes.Template) -> nodes.Node:
        return self._paid(node) if self.is_included else self.generic_visit(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return self._call("joined", node.nodes, node)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        method = node.node
        if isinstance(method, nodes.Getattr | nodes.Getitem):
            self.generic_visit(method)  # what is called may be a method
            node.node = nodes.Const(None)
            self.generic_visit(node)
            node.node = method
            return node
        return self.generic_visit(node)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        self.generic_visit(node)
        return self._call("attribute", [node], node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return self._call("attribute", [node], node)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        self.generic_visit(node)
        if node.node is not None:  # a block's text was paid for as it was printed
            node.node = self._call("weighed", [node.node, nodes.Const(node.name)], node)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._collected(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return node if node.ctx == "store" else self._collected(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._collected(node, [part for pair in node.items for part in (pair.key, pair.value)])

    def _collected(self, node: nodes.Expr, items: list[nodes.Expr]) -> nodes.Node:
        if all(isinstance(item, nodes.Const) for item in items):
            return node
        visited = [self.visit(item) for item in items]
        return self._call("collected", [nodes.Const(type(node).__name__), *visited], node)

    def _paid(self, node: Any) -> nodes.Node:
        weight = nodes.Const(_weight(node.body))
        self.generic_visit(node)
        call = self._call("charge", [weight], node)
        node.body = [
            nodes.ExprStmt(call).set_lineno(node.lineno).set_environment(self.environment),
            *node.body,
        ]
        return node  # type: ignore[no-any-return]

    def _call(self, name: str, arguments: list[nodes.Expr], node: nodes.Node) -> nodes.Call:
        call = nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None)
        return call.set_lineno(node.lineno).set_environment(self.environment)  # type: ignore[return-value]


def _weight(body: list[nodes.Node]) -> int:
    """What one round through `body` costs: its literal characters, and its nodes."""
    weight, waiting = _STEPS_PER_NODE, list(body)
    while waiting:
        node = waiting.pop()
        weight += _STEPS_PER_NODE
        if isinstance(node, nodes.TemplateData):
            weight += len(node.data)
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            weight += len(node.value)
        waiting.extend(node.iter_child_nodes())
    return weight
