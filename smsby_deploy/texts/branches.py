"""Signatures of texts: which branches of its conditions and defaults each text takes.

They let reviewers see one text of each combination. A signature has one character for each branch taken, in template
order. Texts rendered together get their signatures together; otherwise a recording template renders the text again,
once for all recipients with the same values in conditions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import compress
from typing import Any

from jinja2 import nodes
from jinja2.runtime import Undefined
from jinja2.visitor import NodeTransformer

from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.sources import FalseText, TextSource
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.texts.analysis import RenderError
from smsby_deploy.texts.comparisons import COMPARISON_SIGNS
from smsby_deploy.texts.filters import DEFAULT_FILTERS
from smsby_deploy.texts.jinja_environment import TextEnvironment
from smsby_deploy.texts.languages_and_variants import keys_of_texts, names_of_texts
from smsby_deploy.texts.limits import environment_call
from smsby_deploy.texts.template import Template, TextTemplate
from smsby_deploy.texts.vectorized import (
    NotVectorizable,
    TemplateTranslator,
    choice,
    compile_columns,
    constant,
    formatted,
    joined,
    named_call,
)
from smsby_deploy.wording import Sentence, sentence

_FIRST_CODE = 0x10000  # above all characters whose order differs between UTF-8 and UTF-16
_FIRST_LANGUAGE = 0xE000
_OWN = "\uf8ff"  # the signature of a recipient's own text
_MOST_KEYS = 10_000  # combinations of values whose signatures are remembered
_OPPOSITES = {"eq": "ne", "ne": "eq", "gt": "lteq", "lteq": "gt", "lt": "gteq", "gteq": "lt", "in": "notin"}


class _Decisions:
    """The sides of all decisions of a text and its includes: their characters and names."""

    def __init__(self) -> None:
        self.names: dict[str, Sentence] = {}
        self._codes: dict[tuple[str | None, int, str, int], str] = {}

    def sides_of(self, template: str | None, node: nodes.If | nodes.CondExpr) -> list[str]:
        """Return the characters of the sides of a condition, `else` last."""
        tests = [node.test]
        if isinstance(node, nodes.If):
            tests += [branch.test for branch in node.elif_]
        conditions = [*map(spell, tests), " and ".join(map(_spell_not, tests))]
        kind = type(node).__name__
        return [
            self._code((template, node.lineno, kind, side), sentence("if {condition}", condition=condition))
            for side, condition in enumerate(conditions)
        ]

    def default_of(self, template: str | None, node: nodes.Filter) -> str:
        """The character of a default that is applied."""
        name = sentence("default of {name}", name=spell(node.node) if node.node is not None else "…")
        return self._code((template, node.lineno, "default", 0), name)

    def _code(self, key: tuple[str | None, int, str, int], name: Sentence) -> str:
        if key not in self._codes:
            self._codes[key] = chr(_FIRST_CODE + len(self._codes))
            self.names[self._codes[key]] = name
        return self._codes[key]


class TextBranches:
    """The signatures of one text."""

    def __init__(self, template: TextTemplate) -> None:
        self._template = template
        self._decisions = _Decisions()
        self._known: dict[tuple[Any, ...], str] = {}
        self._tracer: _TracingEnvironment | None = None
        environment = TextEnvironment(template.source.timezone)
        trees = {name: environment.parse(text, name) for name, text in template.sources.items()}
        self.are_there = any(_decides(tree) for tree in trees.values())
        self._keys = sorted(template.variables & frozenset().union(*map(_deciding_names, trees.values())))
        translator = _SignatureTranslator(environment, self._decisions)
        self._render: Callable[..., list[str]] | None = None
        if template.vectorized is not None and self.are_there:
            with suppress(NotVectorizable):
                signature = translator.signature(trees[None].body)
                helpers = {**translator.filters, "is_defaulted": _is_defaulted}
                self._render = compile_columns(signature, len(translator.variables), helpers)
        self._columns = tuple(translator.variables)

    def signatures(self, batch: Batch, eligible: bytearray) -> list[str]:
        """Return the signature of each text; "" if nothing was decided, or `eligible` is 0."""
        if not self.are_there:
            return [""] * len(batch.phones)
        columns = [batch.variable(name) for name in self._columns]
        if self._render is not None and columns and None not in columns:
            try:
                return list(self._render(*columns))
            except Exception:  # noqa: BLE001, S110 - rendering the text has failed as well
                pass
        return self._trace(batch, eligible)

    def names_of(self, signature: str) -> list[Sentence]:
        """Return the names of the sides in a signature."""
        return [self._decisions.names[code] for code in signature]

    def _trace(self, batch: Batch, eligible: bytearray) -> list[str]:
        signatures = [""] * len(batch.phones)
        columns = [batch.variable(name) or [""] * len(batch.phones) for name in self._keys]
        keys = [*zip(*columns, strict=True)] if columns else [()] * len(batch.phones)
        if batch.is_typed:  # a false value equals a true text
            keys = [(*key, *map(bool, key)) for key in keys]
        positions = list(compress(range(len(keys)), eligible))
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        new = {keys[position]: position for position in positions if keys[position] not in self._known}
        for key, variables in zip(new, batch.variables_at([*new.values()]), strict=True):
            self._known[key] = self._trace_one(variables)
        for position in positions:
            signatures[position] = self._known[keys[position]]
        return signatures

    def _trace_one(self, variables: Mapping[str, str]) -> str:
        try:
            if self._tracer is None:
                self._tracer = _TracingEnvironment(self._template.source.timezone, self._decisions)
                self._renderer = self._template.make_renderer(self._tracer)
            self._tracer.taken.clear()
            self._renderer.render(variables)
        except (RenderError, FilesInvalid):  # recording uses up some of the limits
            return ""
        return "".join(sorted(self._tracer.taken))


def _decides(tree: nodes.Template) -> bool:
    found = tree.find_all((nodes.If, nodes.CondExpr, nodes.Filter))
    return any(not isinstance(node, nodes.Filter) or node.name in DEFAULT_FILTERS for node in found)


def _deciding_names(tree: nodes.Template) -> frozenset[str]:
    """Return the names that may decide something: all except those that are only printed."""
    printed = {id(node) for output in tree.find_all(nodes.Output) for node in output.nodes}
    return frozenset(node.name for node in tree.find_all(nodes.Name) if id(node) not in printed)


def _is_defaulted(value: Any) -> bool:
    return not value and not isinstance(value, FalseText)


def _is_boolean(node: nodes.Filter) -> bool:
    """Whether a default is also applied to empty values."""
    given = [*node.args[1:2], *(pair.value for pair in node.kwargs if pair.key == "boolean")]
    return any(isinstance(one, nodes.Const) and bool(one.value) for one in given)


class MailingBranches:
    """The signatures of the texts of a mailing; language and variant come first."""

    def __init__(self, mailing: Mailing, template: Template) -> None:
        self._texts = None if isinstance(mailing.text, TextSource) else mailing.text
        # No two texts share a character, so a signature identifies its text.
        self._names = {} if self._texts is None else names_of_texts(self._texts)
        self._codes = {key: chr(_FIRST_LANGUAGE + index) for index, key in enumerate(self._names)}
        self._branches = [TextBranches(one) for one in template.texts]

    @property
    def are_there(self) -> bool:
        """Whether recipients may get different combinations."""
        return len(self._branches) > 1 or any(one.are_there for one in self._branches)

    def signatures(self, batch: Batch, eligible: bytearray) -> list[str]:
        """Return the signature of the text of each recipient for whom `eligible` is 1."""
        if self._texts is None:
            found = self._branches[0].signatures(batch, eligible)
            return _with_own_texts(batch, found)
        keys = keys_of_texts(self._texts, batch)
        signatures = [""] * len(keys)
        for branches, (key, code) in zip(self._branches, self._codes.items(), strict=True):
            mask = bytearray(map(key.__eq__, keys))
            some = iter(branches.signatures(batch.only(mask), bytearray(compress(eligible, mask))))
            for position in compress(range(len(keys)), mask):
                signatures[position] = code + next(some)
        return _with_own_texts(batch, signatures)

    def names_of(self, signature: str) -> list[Sentence]:
        """Return what a recipient's text depends on, in the words of the template."""
        if signature == _OWN:
            return [sentence("own text")]
        if not self._codes:
            return self._branches[0].names_of(signature)
        for (key, code), branches in zip(self._codes.items(), self._branches, strict=True):
            if signature.startswith(code):
                return [*self._names[key], *branches.names_of(signature[1:])]
        return []


def _with_own_texts(batch: Batch, signatures: list[str]) -> list[str]:
    if not batch.has_own_texts:
        return signatures
    pairs = zip(batch.texts, signatures, strict=True)
    return [signature if own is None else _OWN for own, signature in pairs]


class _SignatureTranslator(TemplateTranslator):
    """Translates a template into the expression of its signature."""

    def __init__(self, environment: TextEnvironment, decisions: _Decisions) -> None:
        super().__init__(environment)
        self._decisions = decisions

    def signature(self, body: Sequence[nodes.Node]) -> ast.expr:
        """The signature of `body` as one string."""
        return joined(list(self._of_all(body)))

    def _of_all(self, found: Iterable[nodes.Node]) -> Iterator[ast.expr]:
        for node in found:
            yield from self._pieces(node)

    def _pieces(self, node: nodes.Node) -> Iterator[ast.expr]:
        match node:
            case nodes.If():
                *codes, last = self._decisions.sides_of(None, node)
                branches = [node, *node.elif_]
                sides = [self._side(code, one.body) for code, one in zip(codes, branches, strict=True)]
                taken = self._side(last, node.else_)
                for one, side in reversed([*zip(branches, sides, strict=True)]):
                    taken = choice(self.expression(one.test), side, taken)
                yield formatted(taken)
            case nodes.CondExpr(expr2=nodes.Expr() as other):
                code, last = self._decisions.sides_of(None, node)
                side = self._side(code, [node.expr1])
                yield formatted(choice(self.expression(node.test), side, self._side(last, [other])))
            case nodes.CondExpr():
                raise NotVectorizable
            case nodes.Filter(node=nodes.Expr() as value, name=name) if name in DEFAULT_FILTERS:
                if _is_boolean(node):
                    applied = constant(self._decisions.default_of(None, node))
                    test = named_call("is_defaulted", [self.expression(value)])
                    yield formatted(choice(test, applied, constant("")))
                yield from self._of_all(node.iter_child_nodes())
            case _:
                yield from self._of_all(node.iter_child_nodes())

    def _side(self, code: str, body: Sequence[nodes.Node]) -> ast.expr:
        return joined([constant(code), *self._of_all(body)])


class _TracingEnvironment(TextEnvironment):
    """Records in `taken` which sides a text takes while it is rendered."""

    def __init__(self, timezone: str, decisions: _Decisions) -> None:
        super().__init__(timezone)
        self.taken: set[str] = set()
        self._decisions = decisions

    def take(self, code: str, value: Any = None) -> Any:
        """Record a side, and return `value`."""
        self.taken.add(code)
        return value

    def take_default(self, code: str, value: Any, is_boolean: bool) -> Any:
        """Record a default if `value` is replaced by it, and return `value`."""
        if isinstance(value, Undefined) or (is_boolean and _is_defaulted(value)):
            self.taken.add(code)
        return value

    def prepare(self, tree: nodes.Template, name: str | None) -> None:
        _TraceInserter(self, self._decisions, name).visit(tree)


class _TraceInserter(NodeTransformer):
    """Makes a template call the environment on each side of its decisions."""

    def __init__(self, environment: TextEnvironment, decisions: _Decisions, template: str | None) -> None:
        self._environment = environment
        self._decisions = decisions
        self._template = template

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802 - Jinja2 calls it by the node's name
        *codes, last = self._decisions.sides_of(self._template, node)
        for branch, code in zip([node, *node.elif_], codes, strict=True):
            branch.body = [self._record(code, node), *self._visited(branch.body)]
        node.else_ = [self._record(last, node), *self._visited(node.else_)]
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        code, last = self._decisions.sides_of(self._template, node)
        node.expr1 = self._call("take", [nodes.Const(code), self.visit(node.expr1)], node)
        other = nodes.Const(None) if node.expr2 is None else self.visit(node.expr2)
        if node.expr2 is not None:
            node.expr2 = self._call("take", [nodes.Const(last), other], node)
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        if node.name not in DEFAULT_FILTERS or node.node is None:
            return self.generic_visit(node)
        code, is_boolean = self._decisions.default_of(self._template, node), _is_boolean(node)
        self.generic_visit(node)
        arguments = [nodes.Const(code), node.node, nodes.Const(is_boolean)]
        node.node = self._call("take_default", arguments, node)
        return node

    def _visited(self, body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
        for node in body:
            found = self.visit(node)
            yield from found if isinstance(found, list) else [found]

    def _record(self, code: str, at: nodes.Node) -> nodes.Node:
        recorded = nodes.ExprStmt(self._call("take", [nodes.Const(code)], at))
        return recorded.set_lineno(at.lineno).set_environment(self._environment)

    def _call(self, method: str, arguments: list[nodes.Expr], at: nodes.Node) -> nodes.Expr:
        return environment_call(self._environment, method, arguments, at)


def spell(node: nodes.Node) -> str:
    """Spell an expression as an author would write it; rare parts become `…`."""
    match node:
        case nodes.Name(name=name):
            return name
        case nodes.Const(value=value):
            return f"'{value}'" if isinstance(value, str) else str(value).lower()
        case nodes.Not(node=inner):
            return _spell_not(inner)
        case nodes.And(left=left, right=right):
            return f"{_spell_part(left)} and {_spell_part(right)}"
        case nodes.Or(left=left, right=right):
            return f"{_spell_part(left)} or {_spell_part(right)}"
        case nodes.Compare(expr=left, ops=ops):
            operands = (f" {COMPARISON_SIGNS.get(one.op, one.op)} {_spell_part(one.expr)}" for one in ops)
            return f"{_spell_part(left)}{''.join(operands)}"
        case nodes.Filter(node=nodes.Expr() as value, name=name, args=args):
            given = f"({', '.join(map(spell, args))})" if args else ""
            return f"{_spell_part(value)} | {name}{given}"
        case nodes.Getattr(node=value, attr=attribute):
            return f"{spell(value)}.{attribute}"
        case nodes.Test(node=value, name=name):
            return f"{_spell_part(value)} is {name}"
    return "…"


def _spell_part(node: nodes.Node) -> str:
    is_compound = isinstance(node, nodes.And | nodes.Or | nodes.Compare | nodes.Test)
    return f"({spell(node)})" if is_compound else spell(node)


def _spell_not(node: nodes.Node) -> str:
    match node:
        case nodes.Not(node=inner):
            return spell(inner)
        case nodes.Compare(expr=left, ops=[operand]) if operand.op in _OPPOSITES:
            sign = COMPARISON_SIGNS.get(_OPPOSITES[operand.op], _OPPOSITES[operand.op])
            return f"{_spell_part(left)} {sign} {_spell_part(operand.expr)}"
    return f"not {_spell_part(node)}"
