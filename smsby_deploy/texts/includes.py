"""What a template includes or imports from the project's templates/, read once and before anything is rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.visitor import NodeTransformer

from smsby_deploy.texts.environment import TextEnvironment
from smsby_deploy.texts.parsed import LONGEST_SOURCE, Complaint, Included

FOLDER = "templates"
# Names that Jinja2 gives a meaning of its own where they can be called.
_CALLABLE = frozenset(["caller", "loop", "self", "super"])


class BadInclude(TemplateSyntaxError):
    """It can't be included. `name` is the template that wants it (None: the text itself), `lineno` the offset, from 1."""


@dataclass(slots=True)
class Gathered:
    """What one text is made of: the parsed templates by name (None: the text itself), and what it includes."""

    parsed: dict[str | None, nodes.Template] = field(default_factory=dict)
    included: dict[str, Included] = field(default_factory=dict)

    def literals(self) -> Iterator[tuple[str | None, int, str]]:
        """Every run of literal text: its template, its offset there, and itself."""
        for unit, tree in self.parsed.items():
            for data in tree.find_all(nodes.TemplateData):
                yield unit, data.lineno - 1, data.data

    def unknown_calls(self) -> Iterator[Complaint]:
        """Calls of a name that nothing defines."""
        for unit, tree in self.parsed.items():
            calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)]
            undeclared = meta.find_undeclared_variables(tree) - _CALLABLE if calls else frozenset()
            for call in calls:
                assert isinstance(call.node, nodes.Name)
                if call.node.name in undeclared:
                    name = call.node.name
                    message = f"there is no function {name}; a column of the data is written {{{{ {name} }}}}"
                    yield Complaint("TEMPLATE", unit, call.node.lineno - 1, message)


def gather(environment: TextEnvironment, text: str, root: Path | None, gathered: Gathered) -> None:
    """Put `text` and all it includes into `gathered`. Names are paths in templates/; the folder may stand before them.

    Raises:
        BadInclude: a name that is not written out, leads out of templates/, is no file there, or includes itself.
        TemplateSyntaxError: the syntax of one of them is wrong.
    """
    _gather(environment, None, text, root, gathered, ())


def _gather(
    environment: TextEnvironment,
    unit: str | None,
    text: str,
    root: Path | None,
    gathered: Gathered,
    above: tuple[str | None, ...],
) -> None:
    if unit not in gathered.parsed:
        gathered.parsed[unit] = environment.parse(text, unit)
    for name, lineno in _references(gathered.parsed[unit], unit):
        if name in (*above, unit):
            raise BadInclude(f"{name} would include itself", lineno, unit)
        if name not in gathered.included:
            gathered.included[name] = _read(name, root, unit, lineno)
            if sum(len(one.text) for one in gathered.included.values()) > LONGEST_SOURCE:
                raise BadInclude("the included templates are too long for any text", lineno, unit)
        _gather(environment, name, gathered.included[name].text, root, gathered, (*above, unit))


def find_variables(environment: TextEnvironment, text: str, gathered: Gathered) -> frozenset[str]:
    """The variables that `text` and all it includes take from the data."""
    wanted: dict[str | None, frozenset[str]] = {}
    waiting: list[str | None] = [None]
    while waiting:
        unit = waiting[-1]
        inner = [name for name, _ in _references(gathered.parsed[unit], unit) if name not in wanted]
        if inner:
            waiting.extend(inner)
            continue
        waiting.pop()
        own = text if unit is None else gathered.included[unit].text
        wanted[unit] = _find_wanted(environment, unit, own, gathered, wanted)
    return wanted[None]


def _find_wanted(
    environment: TextEnvironment,
    unit: str | None,
    text: str,
    gathered: Gathered,
    wanted: Mapping[str | None, frozenset[str]],
) -> frozenset[str]:
    """The variables that a template takes from outside; `wanted` knows those of what it includes.

    What it sets before an include, the included template takes from there. What is imported or extended sees nothing
    of that, so its variables come from outside.
    """
    if not any(_references(gathered.parsed[unit], unit)):
        return frozenset(meta.find_undeclared_variables(gathered.parsed[unit]))
    tree = _WithNames(wanted).visit(environment.parse(text, unit))  # a tree of its own: it is changed
    apart = (
        wanted[node.template.value] for node in tree.find_all((nodes.Import, nodes.FromImport, nodes.Extends))
    )
    return frozenset(meta.find_undeclared_variables(tree)).union(*apart)


class _WithNames(NodeTransformer):
    """Puts the variables that an included template wants where it is included."""

    def __init__(self, wanted: Mapping[str | None, frozenset[str]]) -> None:
        self._wanted = wanted

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802  # Jinja2 calls it by the node's name
        assert isinstance(node.template, nodes.Const)
        names = [nodes.Name(name, "load") for name in sorted(self._wanted[node.template.value])]
        return nodes.Output(names, lineno=node.lineno)


def _references(tree: nodes.Template, unit: str | None) -> Iterator[tuple[str, int]]:
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        named: nodes.Expr = node.template  # type: ignore[attr-defined]  # each of the four has it
        if not (isinstance(named, nodes.Const) and isinstance(named.value, str)):
            message = "the name of an included template is written out, in quotes: a review must know it"
            raise BadInclude(message, named.lineno, unit)
        yield named.value, named.lineno


def _read(name: str, root: Path | None, unit: str | None, lineno: int) -> Included:
    if root is None:
        raise BadInclude(f"{name}: there is no project to include it from", lineno, unit)
    folder = root / FOLDER
    path = root / name if name.startswith(f"{FOLDER}/") else folder / name
    inside = folder.resolve()
    if not (inside.is_relative_to(root.resolve()) and path.resolve().is_relative_to(inside)):
        raise BadInclude(f"{name} leads out of the project's {FOLDER}/", lineno, unit)
    if not path.is_file():
        raise BadInclude(f"there is no file {name} in the project's {FOLDER}/", lineno, unit)
    try:
        return Included(path.read_text(encoding="utf-8-sig"), path.relative_to(root).as_posix())
    except UnicodeDecodeError as error:
        raise BadInclude(f"{name} is not UTF-8: save it as UTF-8", lineno, unit) from error
