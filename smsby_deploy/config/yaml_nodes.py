"""YAML from libyaml's events, with the line and column of every node, and no scalar re-typed.

Plain scalars stay text (`Plain`); the schema decides which become numbers (schema.py). So `+375…`, `0123`, `22:00`,
`NO` and `2026-01-01` arrive as their author wrote them. Duplicate keys, tags, merge keys and several documents are
refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem, Severity

Mark = tuple[int, int]  # line and column, counted from 1
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_MOST_ALIASED = 10_000  # nodes that aliases may stand for: far over any real file, far under a bomb


class Plain(str):
    """A scalar without quotes."""

    __slots__ = ()


class Marks(dict[str, Any]):
    """Places by key. It holds libyaml's own marks, which are there anyway, and makes a Mark of one that is asked for."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Mark:
        mark = super().__getitem__(key)
        return mark.line + 1, mark.column + 1


class YamlMap(dict[str, Any]):
    """A mapping; `keys_at` and `values_at` place what it holds, `mark` places itself. The mapping that a file is knows its
    `content`, every line break in it a newline."""

    __slots__ = ("content", "keys_at", "mark", "values_at")

    def __init__(self, mark: Mark) -> None:  # an empty dict it is already
        self.mark = mark
        self.keys_at = Marks()
        self.values_at = Marks()
        self.content = ""


class YamlList(list[Any]):
    """A sequence; `items_at` places its items."""

    __slots__ = ("items_at", "mark")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[Mark] = []


class _Refused(Exception):
    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.mark = mark


# libyaml's words for what authors of campaigns get wrong most.
_IN_OUR_WORDS = {
    "mapping values are not allowed in this context": "a second `: ` on this line; a text that holds one wants quotes",
    "did not find expected '-' indicator": "the indentation of this line does not fit the list above it",
    "did not find expected key": "the indentation of this line, or the quotes above it, do not fit",
    "did not find expected node content": "a value is missing here, or a bracket above was not closed",
    "did not find expected ',' or ']'": "a comma or the closing ] is missing",
    "did not find expected ',' or '}'": "a comma or the closing } is missing",
    "found unexpected end of stream": "the quotes that began here are not closed",
    "found character that cannot start any token": "a text that begins with this character wants quotes",
}


def read_yaml(path: Path, name: str) -> YamlMap:
    """The mapping that the file holds; `name` is what errors call it.

    Raises:
        FilesInvalid: it is not UTF-8, not YAML, or not a mapping; with its place.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise _invalid(name, "it is not UTF-8: save it as UTF-8", (line, column)) from error
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        root = _Builder(text).build()
    except _Refused as error:
        raise _invalid(name, str(error), error.mark) from error
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or "it is not YAML"
        if "end of stream" in problem:  # it is noticed there; what is to be mended is where the quotes began
            mark = error.context_mark or mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = _IN_OUR_WORDS.get(problem, problem)
        if "cannot start any token" in problem and "\t" in text.split("\n")[place[0] - 1]:
            message = "a tab indents this line: YAML wants spaces"
        raise _invalid(name, message, place) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _invalid(name, f"it is not YAML: {type(error).__name__}", (1, 1)) from error
    if not isinstance(root, YamlMap):
        raise _invalid(name, "a mapping (`key: value`) is wanted", (1, 1))
    root.content = text
    return root


def _invalid(name: str, message: str, mark: Mark) -> FilesInvalid:
    return FilesInvalid([Problem(Severity.ERROR, "YAML", message, location=Location(name, *mark))])


class _Builder:
    """Most of a long file are scalars in mappings: what is done for each of them is written where it is done, as calls
    would take longer than the work."""

    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._next: Callable[[], Any] = loader(text).get_event
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliased = 0

    def build(self) -> Any:
        root: Any = None
        documents = 0
        while (event := self._next()).__class__ is not yaml.StreamEndEvent:
            if event.__class__ is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _Refused("one file holds one document: a second `---`", _mark(event))
                root, _ = self._node(self._next())
        return root

    def _node(self, event: Any) -> tuple[Any, int]:
        """The value of the node that begins with `event`, and how many nodes it holds."""
        kind = event.__class__
        if kind is yaml.AliasEvent:
            if event.anchor not in self._anchors:
                raise _Refused(f"no anchor &{event.anchor} stands before this alias", _mark(event))
            value, size = self._anchors[event.anchor]
            self._aliased += size
            if self._aliased > _MOST_ALIASED:
                raise _Refused("aliases explode: they stand for too many nodes", _mark(event))
            return value, size
        if event.tag not in (None, "!"):
            raise _Refused(f"tags are not taken: {event.tag}", _mark(event))
        if kind is yaml.ScalarEvent:
            value, size = _scalar(event), 1
        elif kind is yaml.MappingStartEvent:
            value, size = self._mapping(_mark(event))
        else:
            value, size = self._sequence(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, size)
        return value, size

    def _mapping(self, mark: Mark) -> tuple[YamlMap, int]:
        made, nested = YamlMap(mark), 0
        keys_at, values_at = made.keys_at, made.values_at
        next_event, scalar, end = self._next, yaml.ScalarEvent, yaml.MappingEndEvent
        while (event := next_event()).__class__ is not end:
            if event.__class__ is not scalar:
                message = "a key is a word; a text that begins with { or [ wants quotes around it"
                raise _Refused(message, _mark(event))
            key = event.value
            if key == "<<":
                raise _Refused("merge keys (<<) are not taken: write the keys out", _mark(event))
            if key in made:
                raise _Refused(f"the key {key} stands twice", _mark(event))
            keys_at[key] = event.start_mark
            event = next_event()
            values_at[key] = event.start_mark
            if event.__class__ is scalar and event.tag is None and event.anchor is None:
                made[key] = event.value if event.style else _scalar(event)
            else:
                made[key], size = self._node(event)
                nested += size - 1
        return made, 1 + len(made) + nested

    def _sequence(self, start: Any) -> tuple[YamlList, int]:
        made, total = YamlList(_mark(start)), 1
        next_event, mapping, end = self._next, yaml.MappingStartEvent, yaml.SequenceEndEvent
        while (event := next_event()).__class__ is not end:
            mark = _mark(event)
            is_row = event.__class__ is mapping and event.tag is None and event.anchor is None
            value, size = self._mapping(mark) if is_row else self._node(event)
            made.items_at.append(mark)
            made.append(value)
            total += size
        return made, total


def _scalar(event: Any) -> Any:
    if event.style:
        return event.value
    return None if event.value in _NOTHING else Plain(event.value)


def _mark(event: Any) -> Mark:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
