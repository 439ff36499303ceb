"""Masking of a recipient's data in a text, by origin rather than by appearance.

The template is rendered a second time with each printed value between two marks, whatever filters it went through.
Everything outside the marks is the author's own text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.runtime import Undefined
from jinja2.visitor import NodeTransformer

from smsby_deploy.errors import FilesInvalid
from smsby_deploy.texts.analysis import RenderError
from smsby_deploy.texts.filters import DEFAULT_FILTERS
from smsby_deploy.texts.jinja_environment import TextEnvironment
from smsby_deploy.texts.limits import environment_call
from smsby_deploy.texts.template import TextTemplate

# ASCII, so that rewriting a text does the same with and without them.
_START, _END = "\x02", "\x03"
_MASK = "*"


def mask_data(template: TextTemplate, values: Mapping[str, str], text: str) -> str:
    """Return `text` with everything that came from a recipient's `values` masked.

    It was rendered from `template` for that recipient. The length does not change. Where the origin of a character cannot
    be determined, the whole text is masked.
    """
    environment = _MarkingEnvironment(template.source.timezone, frozenset(values))
    try:
        marked = template.rewriter.apply(template.make_renderer(environment).render(values))
    except (RenderError, FilesInvalid):  # the marks use up some of the limits
        marked = ""
    shown, is_data = _read_marks(marked)
    if shown.casefold() != text.casefold() or len(shown) != len(text):
        return _MASK * len(text)
    return "".join(_MASK if hidden else char for char, hidden in zip(text, is_data, strict=True))


def _read_marks(marked: str) -> tuple[str, list[bool]]:
    """Return the text without marks, and for each character whether it was between marks."""
    shown, is_data, depth = [], [], 0
    for char in marked:
        if char in (_START, _END):
            depth += 1 if char == _START else -1
        else:
            shown.append(char)
            is_data.append(depth > 0)
    return "".join(shown), is_data


class _MarkingEnvironment(TextEnvironment):
    """Marks whatever a template prints from a row with the given `columns`."""

    def __init__(self, timezone: str, columns: frozenset[str]) -> None:
        super().__init__(timezone)
        self._columns = columns

    def mark(self, value: Any) -> Any:
        """Return a printed value between marks; an empty or undefined one unchanged."""
        if value is None or isinstance(value, Undefined) or (isinstance(value, str) and not str(value)):
            return value
        text = f"{_START}{self.check_printed(value)}{_END}"
        return type(value)(text) if isinstance(value, str) else text  # a false value stays false

    def prepare(self, tree: nodes.Template, name: str | None) -> None:
        _MarkInserter(self, tree, self._columns).visit(tree)


class _MarkInserter(NodeTransformer):
    """Makes a template mark each printed value that depends on a row.

    Constants, variables that hold only constants, and the output of macros, which was marked inside, are not marked.
    """

    def __init__(
        self, environment: TextEnvironment, template: nodes.Template, columns: frozenset[str]
    ) -> None:
        self._environment = environment
        self._macros = {node.name for node in template.find_all(nodes.Macro)} | {"caller"}
        self._authored = _find_authored(template, columns)

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802 - Jinja2 calls it by the node's name
        node.nodes = [self._marked(printed) for printed in node.nodes]
        return node

    def _marked(self, node: nodes.Expr) -> nodes.Expr:
        if not _has_data(node, self._authored, self._macros):
            return node
        match node:
            case nodes.Concat():
                node.nodes = [self._marked(part) for part in node.nodes]
                return node
            case nodes.CondExpr():
                node.expr1 = self._marked(node.expr1)
                node.expr2 = node.expr2 and self._marked(node.expr2)
                return node
            case nodes.Or(left=nodes.Name()):
                node.left, node.right = self._marked(node.left), self._marked(node.right)
                return node
            case nodes.Filter(node=nodes.Name() as value, name=name, args=args) if name in DEFAULT_FILTERS:
                node.node, node.args = self._marked(value), [self._marked(argument) for argument in args]
                return node
        return environment_call(self._environment, "mark", [node], node)


def _has_data(node: nodes.Node, authored: frozenset[str] | set[str], macros: set[str]) -> bool:
    """Whether the value of `node` may contain data of a row; a choice of constants does not."""
    match node:
        case nodes.Name(name=name):
            return name not in authored
        case nodes.CondExpr():
            return any(
                _has_data(branch, authored, macros)
                for branch in (node.expr1, node.expr2)
                if branch is not None
            )
        case nodes.Filter(name="plural"):  # it chooses one of its arguments
            return any(_has_data(argument, authored, macros) for argument in node.args)
        case nodes.Call(node=nodes.Name(name=name)) if name in macros:
            return False
    return any(_has_data(child, authored, macros) for child in node.iter_child_nodes())


def _find_authored(template: nodes.Template, columns: frozenset[str]) -> frozenset[str]:
    """Return the variables that can only hold what the author wrote.

    A name that is also a column is excluded: where its assignment was not executed, it has the column's value.
    """
    assigned: dict[str, list[nodes.Node | None]] = {}
    for target, value in _assignments(template):
        for name in target.find_all(nodes.Name) if not isinstance(target, nodes.Name) else [target]:
            assigned.setdefault(name.name, []).append(value)
    authored = set(assigned) - columns
    while True:
        wrong = {
            name
            for name in authored
            if any(value is None or _has_data(value, authored, set()) for value in assigned[name])
        }
        if not wrong:
            return frozenset(authored)
        authored -= wrong


def _assignments(template: nodes.Template) -> Iterator[tuple[nodes.Node, nodes.Node | None]]:
    """Yield (target, value) of each assignment; the value is None if it comes from a caller.

    The text of a block was marked when it was printed, so it counts as a constant.
    """
    for node in template.find_all(
        (nodes.Assign, nodes.AssignBlock, nodes.For, nodes.With, nodes.Macro, nodes.CallBlock)
    ):
        match node:
            case nodes.Assign():
                yield node.target, node.node
            case nodes.AssignBlock():
                yield node.target, nodes.Const("")
            case nodes.For():
                yield node.target, node.iter
            case nodes.With():
                yield from zip(node.targets, node.values, strict=True)
            case nodes.Macro() | nodes.CallBlock():
                yield from ((argument, None) for argument in node.args)
