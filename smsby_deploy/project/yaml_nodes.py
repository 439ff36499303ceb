"""YAML from libyaml's events, with the line and column of every node, and no scalar re-typed.

Plain scalars stay text (`Plain`); the schema decides which become numbers (schema.py). So `+375…`, `0123`, `22:00`,
`NO` and `2026-01-01` arrive as their author wrote them. Duplicate keys, tags, merge keys and several documents are
refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Problem, Severity

Mark = tuple[int, int]  # line and column, counted from 1
_MOST_ALIASED = 10_000  # nodes that aliases may stand for: far over any real file, far under a bomb


class Plain(str):
    """A scalar without quotes."""

    __slots__ = ()


class YamlMap(dict[str, Any]):
    """A mapping; `keys_at` and `values_at` place what it holds, `mark` places itself."""

    __slots__ = ("keys_at", "mark", "values_at")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[str, Mark] = {}
        self.values_at: dict[str, Mark] = {}


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
    return root


def _invalid(name: str, message: str, mark: Mark) -> FilesInvalid:
    return FilesInvalid([Problem(Severity.ERROR, "YAML", message, None, name, *mark)])


class _Builder:
    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=loader))
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliased = 0

    def build(self) -> Any:
        root: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused("one file holds one document: a second `---`", _mark(event))
                root, _ = self._node(next(self._events))
        return root

    def _node(self, event: Any) -> tuple[Any, int]:
        """The value of the node that begins with `event`, and how many nodes it holds."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _Refused(f"no anchor &{event.anchor} stands before this alias", _mark(event))
            value, size = self._anchors[event.anchor]
            self._aliased += size
            if self._aliased > _MOST_ALIASED:
                raise _Refused("aliases explode: they stand for too many nodes", _mark(event))
            return value, size
        if event.tag not in (None, "!"):
            raise _Refused(f"tags are not taken: {event.tag}", _mark(event))
        if isinstance(event, yaml.ScalarEvent):
            value, size = self._scalar(event), 1
        elif isinstance(event, yaml.MappingStartEvent):
            value, size = self._mapping(event)
        else:
            value, size = self._sequence(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, size)
        return value, size

    def _scalar(self, event: Any) -> Any:
        if event.style is not None and event.style != "":
            return event.value
        return None if event.value in ("", "~", "null", "Null", "NULL") else Plain(event.value)

    def _mapping(self, start: Any) -> tuple[YamlMap, int]:
        made, total = YamlMap(_mark(start)), 1
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = _mark(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused("a key is a word; a text that begins with { or [ wants quotes around it", mark)
            key = event.value
            if key == "<<":
                raise _Refused("merge keys (<<) are not taken: write the keys out", mark)
            if key in made:
                raise _Refused(f"the key {key} stands twice", mark)
            value_event = next(self._events)
            made.keys_at[key], made.values_at[key] = mark, _mark(value_event)
            made[key], size = self._node(value_event)
            total += size
        return made, total

    def _sequence(self, start: Any) -> tuple[YamlList, int]:
        made, total = YamlList(_mark(start)), 1
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            made.items_at.append(_mark(event))
            value, size = self._node(event)
            made.append(value)
            total += size
        return made, total


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1
