"""The templates that a text includes, imports or extends.

They are read from the project's templates/ folder before anything is rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.visitor import NodeTransformer

from smsby_deploy.texts.analysis import LONGEST_SOURCE, IncludedText, Literal, TemplateFault
from smsby_deploy.texts.environment import TextEnvironment

FOLDER = "templates"
# Names that Jinja2 itself defines where they can be called.
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

    def add(self, environment: TextEnvironment, text: str, root: Path | None) -> None:
        """Parse `text` and everything it includes.

        Names are paths in templates/, with or without that folder.

        Raises:
            IncludeError: a name is not a constant, leads out of templates/, names no file, or includes itself.
            TemplateSyntaxError: the syntax of a template is wrong.
        """
        self._add(environment, None, text, root, ())

    def literals(self) -> Iterator[Literal]:
        """Every run of literal text."""
        for name, tree in self.trees.items():
            for data in tree.find_all(nodes.TemplateData):
                yield Literal(name, data.lineno - 1, data.data)

    def unknown_calls(self) -> Iterator[TemplateFault]:
        """Calls of names that nothing defines."""
        for name, tree in self.trees.items():
            calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)]
            undeclared = meta.find_undeclared_variables(tree) - _CALLABLE if calls else frozenset()
            for call in calls:
                assert isinstance(call.node, nodes.Name)
                called = call.node.name
                if called in undeclared:
                    message = f"unknown function {called}; to print a column write {{{{ {called} }}}}"
                    yield TemplateFault("TEMPLATE", name, call.node.lineno - 1, message)

    def _add(
        self,
        environment: TextEnvironment,
        name: str | None,
        text: str,
        root: Path | None,
        including: tuple[str | None, ...],
    ) -> None:
        if name not in self.trees:
            self.trees[name] = environment.parse(text, name)
        for included, lineno in _references(self.trees[name], name):
            if included in (*including, name):
                message = f"{included} includes itself: remove one of the includes"
                raise IncludeError(message, lineno, name)
            if included not in self.included:
                self.included[included] = _read_included(included, root, name, lineno)
                if sum(len(one.text) for one in self.included.values()) > LONGEST_SOURCE:
                    message = f"the included templates exceed {LONGEST_SOURCE:,} characters: include less"
                    raise IncludeError(message, lineno, name)
            self._add(environment, included, self.included[included].text, root, (*including, name))


def find_variables(environment: TextEnvironment, text: str, templates: ParsedTemplates) -> frozenset[str]:
    """The variables that `text` and everything it includes take from the data."""
    found: dict[str | None, frozenset[str]] = {}
    waiting: list[str | None] = [None]
    while waiting:
        name = waiting[-1]
        inner = [one for one, _ in _references(templates.trees[name], name) if one not in found]
        if inner:
            waiting.extend(inner)
            continue
        waiting.pop()
        own_text = text if name is None else templates.included[name].text
        found[name] = _find_own_variables(environment, name, own_text, templates.trees[name], found)
    return found[None]


def _find_own_variables(
    environment: TextEnvironment,
    name: str | None,
    text: str,
    tree: nodes.Template,
    found: Mapping[str | None, frozenset[str]],
) -> frozenset[str]:
    """The variables that one template takes from outside.

    `found` has those of the templates it includes. An included template sees what the including one has set before,
    so such a variable does not come from outside. An imported or extended template does not see it.
    """
    if not any(_references(tree, name)):
        return frozenset(meta.find_undeclared_variables(tree))
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


def _references(tree: nodes.Template, name: str | None) -> Iterator[tuple[str, int]]:
    """The names of the templates that `tree` refers to, with offsets; `name` is its own name."""
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        included: nodes.Expr = node.template  # type: ignore[attr-defined]  # all four have it
        if not (isinstance(included, nodes.Const) and isinstance(included.value, str)):
            message = "the name of an included template must be a quoted constant, so that reviewers see it"
            raise IncludeError(message, included.lineno, name)
        yield included.value, included.lineno


def _read_included(name: str, root: Path | None, including: str | None, lineno: int) -> IncludedText:
    if root is None:
        raise IncludeError(f"{name}: a text outside a project cannot include templates", lineno, including)
    folder = root / FOLDER
    path = root / name if name.startswith(f"{FOLDER}/") else folder / name
    inside = folder.resolve()
    if not (inside.is_relative_to(root.resolve()) and path.resolve().is_relative_to(inside)):
        message = f"{name} is outside the project's {FOLDER}/ folder: move it there"
        raise IncludeError(message, lineno, including)
    if not path.is_file():
        message = f"no file {name} in the project's {FOLDER}/ folder: check the name"
        raise IncludeError(message, lineno, including)
    try:
        return IncludedText(path.read_text(encoding="utf-8-sig"), path.relative_to(root).as_posix())
    except UnicodeDecodeError as error:
        raise IncludeError(f"{name} is not UTF-8: save it as UTF-8", lineno, including) from error
