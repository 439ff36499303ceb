"""The templates that a text includes, imports or extends.

They are read from templates/ before anything is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.visitor import NodeTransformer

from smsby_deploy.config.project_files import (
    IMPOSSIBLE_PATH,
    hidden,
    is_hidden,
    is_impossible,
    why_missing,
    why_not_plain,
)
from smsby_deploy.files import may_be_file, real_path
from smsby_deploy.texts.analysis import LONGEST_SOURCE, IncludedText, Literal, TemplateFault
from smsby_deploy.texts.jinja_environment import TextEnvironment
from smsby_deploy.wording import sentence

FOLDER = "templates"
_REFERENCES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_TESTS = (nodes.If, nodes.CondExpr, nodes.Not, nodes.And, nodes.Or)
# Callable names that Jinja2 itself defines.
_CALLABLE = frozenset(["caller", "loop", "self", "super"])


class IncludeError(TemplateSyntaxError):
    """A template cannot be included.

    `name` is the including template (None: the text), `lineno` the offset in it, from 1.
    """


@dataclass(slots=True)
class ParsedTemplates:
    """The trees of a text (None) and of the templates it includes, and their texts, by name."""

    trees: dict[str | None, nodes.Template] = field(default_factory=dict)
    included: dict[str, IncludedText] = field(default_factory=dict)
    _found: dict[str | None, list[nodes.Node]] = field(default_factory=dict)

    def add(self, environment: TextEnvironment, text: str, root: Path | None) -> None:
        """Parse `text` and its includes, by paths in templates/, with or without that folder.

        Raises:
            IncludeError: a name is not a constant, leads out of templates/, names no file, or includes itself.
            TemplateSyntaxError: the syntax of a template is wrong.
        """
        self._add(environment, None, text, root, ())

    def literals(self) -> Iterator[Literal]:
        """Yield every run of literal text."""
        for name, found in self._found.items():
            for node in found:
                if isinstance(node, nodes.TemplateData):
                    yield Literal(name, node.lineno - 1, node.data)

    def unknown_calls(self) -> Iterator[TemplateFault]:
        """Yield the calls of undefined names."""
        for name, tree in self.trees.items():
            calls = [
                node
                for node in self._found[name]
                if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name)
            ]
            undeclared = meta.find_undeclared_variables(tree) - _CALLABLE if calls else frozenset()
            for call in calls:
                assert isinstance(call.node, nodes.Name)
                called = call.node.name
                if called in undeclared:
                    message = sentence(
                        "unknown function {name}; to print a column write {{{{ {name} }}}}", name=called
                    )
                    yield TemplateFault("TEMPLATE", name, call.node.lineno - 1, message)

    def tested_names(self) -> dict[str, tuple[str | None, int]]:
        """Return the names tested for truth, as in `{% if x %}`, with template and offset."""
        tested: dict[str, tuple[str | None, int]] = {}
        for name, found in self._found.items():
            stated = _stated_names(found)
            for node in found:
                for operand in _operands(node):
                    if isinstance(operand, nodes.Name) and (id(node), operand.name) not in stated:
                        tested.setdefault(operand.name, (name, operand.lineno - 1))
        return tested

    def references(self, name: str | None) -> Iterator[tuple[str, int]]:
        """Yield the names of the templates that one template refers to, with offsets.

        Raises:
            IncludeError: a name is not a constant.
        """
        for node in self._found[name]:
            if not isinstance(node, _REFERENCES):
                continue
            included: nodes.Expr = node.template
            if not (isinstance(included, nodes.Const) and isinstance(included.value, str)):
                message = sentence(
                    "the name of an included template must be a quoted constant, so that reviewers see it"
                )
                raise IncludeError(message, included.lineno, name)
            yield included.value, included.lineno

    def _add(
        self,
        environment: TextEnvironment,
        name: str | None,
        text: str,
        root: Path | None,
        including: tuple[str | None, ...],
    ) -> None:
        tree = self.trees[name] = environment.parse(text, name)
        # One walk collects everything: walking takes a fifth of the analysis.
        self._found[name] = list(tree.find_all((nodes.TemplateData, nodes.Call, *_TESTS, *_REFERENCES)))
        for included, lineno in self.references(name):
            if included in (*including, name):
                message = sentence("{name} includes itself: remove one of the includes", name=included)
                raise IncludeError(message, lineno, name)
            if included not in self.included:
                self.included[included] = _read_included(included, root, name, lineno)
                if sum(len(one.text) for one in self.included.values()) > LONGEST_SOURCE:
                    message = sentence(
                        "the included templates exceed {limit:,} characters: include less",
                        limit=LONGEST_SOURCE,
                    )
                    raise IncludeError(message, lineno, name)
            if included not in self.trees:  # otherwise files that include each other twice take forever
                self._add(environment, included, self.included[included].text, root, (*including, name))


def _operands(node: nodes.Node) -> tuple[nodes.Node, ...]:
    """Return the operands that `node` tests for truth."""
    match node:
        case nodes.If() | nodes.CondExpr():
            return (node.test,)
        case nodes.Not():
            return (node.node,)
        case nodes.And() | nodes.Or():
            return node.left, node.right
    return ()


def _stated_names(found: Iterable[nodes.Node]) -> set[tuple[int, str]]:
    """Return the parts of conditions, by id, with the names that the same condition compares.

    `{% if x and x != '0' %}` says what a false `x` means.
    """
    stated: set[tuple[int, str]] = set()
    for node in found:
        if isinstance(node, nodes.If | nodes.CondExpr):
            comparisons = node.test.find_all(nodes.Compare)
            names = {one.name for comparison in comparisons for one in comparison.find_all(nodes.Name)}
            if names:
                parts = [node.test, *node.test.find_all((nodes.Not, nodes.And, nodes.Or))]
                stated.update((id(part), name) for part in parts for name in names)
    return stated


def find_variables(environment: TextEnvironment, text: str, templates: ParsedTemplates) -> frozenset[str]:
    """The variables that `text` and everything it includes take from the data."""
    found: dict[str | None, frozenset[str]] = {}
    waiting: list[str | None] = [None]
    while waiting:
        name = waiting[-1]
        inner = [one for one, _ in templates.references(name) if one not in found]
        if inner:
            waiting.extend(inner)
            continue
        waiting.pop()
        if any(templates.references(name)):
            own_text = text if name is None else templates.included[name].text
            found[name] = _find_own_variables(environment, name, own_text, found)
        else:
            found[name] = frozenset(meta.find_undeclared_variables(templates.trees[name]))
    return found[None]


def _find_own_variables(
    environment: TextEnvironment, name: str | None, text: str, found: Mapping[str | None, frozenset[str]]
) -> frozenset[str]:
    """The variables that a template with includes takes from outside.

    `found` has those of the templates it includes. An included template sees what the including one has set before,
    so such a variable does not come from outside. An imported or extended template does not see it.
    """
    changed = _IncludesAsNames(found).visit(environment.parse(text, name))  # a copy, because it is changed
    isolated = (
        found[node.template.value]
        for node in changed.find_all((nodes.Import, nodes.FromImport, nodes.Extends))
    )
    return frozenset(meta.find_undeclared_variables(changed)).union(*isolated)


class _IncludesAsNames(NodeTransformer):
    """Replaces each include by the variables of the included template."""

    def __init__(self, found: Mapping[str | None, frozenset[str]]) -> None:
        self._found = found

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802 - Jinja2 calls it by the node's name
        assert isinstance(node.template, nodes.Const)
        names = [nodes.Name(name, "load") for name in sorted(self._found[node.template.value])]
        return nodes.Output(names, lineno=node.lineno)


def _read_included(name: str, root: Path | None, including: str | None, lineno: int) -> IncludedText:
    if root is None:
        message = sentence("{name}: a text outside a project cannot include templates", name=name)
        raise IncludeError(message, lineno, including)
    if is_impossible(name):
        raise IncludeError(IMPOSSIBLE_PATH, lineno, including)
    if why := why_not_plain(name):
        raise IncludeError(why, lineno, including)
    folder = root / FOLDER
    path = root / name if name.startswith(f"{FOLDER}/") else folder / name
    inside = real_path(folder)
    if not (inside.is_relative_to(real_path(root)) and real_path(path).is_relative_to(inside)):
        message = sentence(
            "{name} is outside the project's {folder}/ folder: move it there", name=name, folder=FOLDER
        )
        raise IncludeError(message, lineno, including)
    if is_hidden(real_path(path).relative_to(real_path(root)).parts):
        raise IncludeError(hidden(name), lineno, including)
    if not may_be_file(path):
        raise IncludeError(why_missing(path, path.relative_to(root).as_posix()), lineno, including)
    try:
        return IncludedText(path.read_text(encoding="utf-8-sig"), path.relative_to(root).as_posix())
    except UnicodeDecodeError as error:
        message = sentence("{name} is not UTF-8: save it as UTF-8", name=name)
        raise IncludeError(message, lineno, including) from error
    except OSError as error:
        message = sentence("cannot read {name}: {why}", name=name, why=error.strerror)
        raise IncludeError(message, lineno, including) from error
