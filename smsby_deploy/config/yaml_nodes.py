"""YAML with the line and column of every node, built from libyaml's events.

All scalars are text, so `+375…`, `0123`, `22:00`, `NO` and `2026-01-01` stay as written; schema.py converts the
unquoted ones as the schema requires. Duplicate keys, tags, merge keys and several documents are errors. yaml_places.py
finds the place of each character inside a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from smsby_deploy.config.yaml_errors import explain_error
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.wording import sentence

Mark = tuple[int, int]  # line and column, counted from 1
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_NUL_ESCAPES = ("\\0", "\\x00", "\\u0000", "\\U00000000")
_LONG_LIST = 100  # items after which mappings are rows, whose places are found only when needed
_MAX_ALIASED = 10_000  # nodes that aliases may expand to: far more than any real file needs
_MAX_NODES = 500_000  # of a file, about 1 GB and half a minute; long lists of recipients need their own files
_MAX_REPEATED = 100  # duplicate keys of a file, after which it is not read on
_MAX_IN_ALL = 1_000_000  # of all campaign files together


class Marks(dict[str, Any]):
    """Places by key; libyaml's marks are converted only when needed."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Mark:
        mark = super().__getitem__(key)
        return mark.line + 1, mark.column + 1


class YamlMap(dict[str, Any]):
    """A mapping with its own place and those of its values.

    `untyped` are the keys whose values are, or contain, scalars without quotes. The top-level mapping of a file also has
    the file's `content`, with every line break as a newline. So do the rows of a long list, whose places are found in it only
    when a problem needs them. Only the top-level mapping has a `size`, the number of values in the file.
    """

    __slots__ = ("_values_at", "content", "mark", "size", "untyped")
    size: int

    def __init__(self, mark: Mark, row_of: str = "") -> None:  # without super(): the dict is empty already
        self.mark = mark
        self._values_at = None if row_of else Marks()
        self.untyped: list[str] = []
        self.content = row_of

    @property
    def values_at(self) -> Marks:
        if self._values_at is None:
            self._values_at = _places_in(self.content)[self.mark]
        return self._values_at


class YamlList(list[Any]):
    """A sequence with its own place and those of its items; `untyped` as in YamlMap, by index."""

    __slots__ = ("items_at", "mark", "untyped")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[Mark] = []
        self.untyped: list[int] = []


class _UnsupportedYaml(Exception):
    """YAML that is well-formed but not accepted here."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


_NO_COLON = sentence(
    "an entry without a colon; commas separate entries, so put a text or number that contains one in quotes"
)


def read_yaml(path: Path, name: str) -> YamlMap:
    """Read the mapping in the file at `path`; `name` is the file's name in problems.

    Raises:
        FilesInvalid: it cannot be read, or is not UTF-8, not YAML, or not a mapping.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        message = sentence("cannot read the file: {why}", why=error.strerror)
        raise _invalid(name, message, (1, 1), "FILE_MISSING") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise _invalid(name, sentence("not UTF-8; save the file as UTF-8"), (line, column)) from error
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return parse_yaml(text, name)


class YamlFiles:
    """Reads several files whose values are limited together."""

    def __init__(self) -> None:
        self._values = 0

    def read(self, path: Path, name: str) -> YamlMap:
        """Read one more file; raises like `read_yaml`, and if there are too many values."""
        document = read_yaml(path, name) if self._values <= _MAX_IN_ALL else None
        self._values += document.size if document is not None else 0
        if document is None or self._values > _MAX_IN_ALL:
            message = sentence(
                "more than {limit:,} values in all campaign files; keep recipients in CSV files",
                limit=_MAX_IN_ALL,
            )
            raise _invalid(name, message, (1, 1))
        return document


def parse_yaml(text: str, name: str) -> YamlMap:
    """Read the mapping in `text`, whose line breaks are newlines; raises like `read_yaml`."""
    repeated: list[_UnsupportedYaml] = []
    try:
        if "\\" in text and any(written in text for written in _NUL_ESCAPES):
            _refuse_nul(text)
        builder = _Builder(text, repeated)
        root = builder.build()
        if repeated:
            raise repeated.pop()
    except _UnsupportedYaml as error:
        raise _invalid(name, error.message, error.mark, after=repeated) from error
    except yaml.MarkedYAMLError as error:
        message, place = explain_error(error, text)
        raise _invalid(name, message, place, after=repeated) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _invalid(name, sentence("not valid YAML ({why})", why=type(error).__name__), (1, 1)) from error
    if not isinstance(root, YamlMap):
        raise _invalid(name, sentence("expected a mapping (`key: value`)"), (1, 1))
    root.content, root.size = text, builder.size
    return root


def _refuse_nul(text: str) -> None:
    """Refuse a NUL, which no path, name or text can contain."""
    next_event = _event_reader(text)
    while (event := next_event()).__class__ is not yaml.StreamEndEvent:
        if event.__class__ is yaml.ScalarEvent and "\0" in event.value:
            raise _UnsupportedYaml(sentence("a NUL character; remove it"), _mark(event))


@lru_cache(maxsize=1)
def _places_in(content: str) -> dict[Mark, Marks]:
    """Return the places of all values in `content`, by the place of their mapping."""
    builder = _Builder(content, [], keeps_all=True)
    builder.build()
    return builder.places


@lru_cache(maxsize=1)
def key_marks(content: str) -> dict[Mark, Mark]:
    """Return the place of each key in `content`, by the place of its value.

    Only problems need these places, so the nodes of a long file do not store them.
    """
    next_event = _event_reader(content)
    marks: dict[Mark, Mark] = {}
    before: Any = None
    while (event := next_event()).__class__ is not yaml.StreamEndEvent:
        if before.__class__ is yaml.ScalarEvent:
            marks.setdefault(_mark(event), _mark(before))
        before = event
    return marks


class YamlLocator(NamedTuple):
    """Locates nodes and keys in a YAML `file` with the text `content`."""

    file: str
    content: str

    def at(self, mark: Mark) -> Location:
        return Location(self.file, *mark)

    def at_key(self, node: YamlMap, key: str) -> Location:
        """Return the location of `key` itself; `node.values_at[key]` has that of its value."""
        return self.at(key_marks(self.content)[node.values_at[key]])


def _event_reader(text: str) -> Callable[[], Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: Callable[[], Any] = loader(text).get_event
    return read


def _invalid(
    name: str, message: str, mark: Mark, code: str = "YAML", after: Sequence[_UnsupportedYaml] = ()
) -> FilesInvalid:
    found = [*((one.message, one.mark) for one in after), (message, mark)]
    return FilesInvalid([Problem(Severity.ERROR, code, why, None, Location(name, *at)) for why, at in found])


# A node's value, how many nodes it contains, and whether its scalars are still to be typed. A named tuple would take
# 3 ms per 10,000 rows.
_Node = tuple[Any, int, bool]


class _Builder:
    """Builds nodes from events.

    Scalars in mappings are handled inline: in a long file, calls would double the time. Duplicate keys are added to
    `repeated`. If it `keeps_all`, `places` maps the place of every mapping to those of its values.
    """

    def __init__(self, text: str, repeated: list[_UnsupportedYaml], *, keeps_all: bool = False) -> None:
        self._repeated = repeated
        self.places: dict[Mark, Marks] = {}
        self._keeps_all = keeps_all
        self._text = text
        self._not_kept: dict[str, Any] = {}
        self._depth = 0  # of lists
        self._next = _event_reader(text)
        self._anchors: dict[str, _Node] = {}
        self._aliased = 0
        self.size = 0  # so far
        self._keys: dict[str, str] = {}  # one string per key: rows repeat them

    def build(self) -> Any:
        root: Any = None
        documents = 0
        while (event := self._next()).__class__ is not yaml.StreamEndEvent:
            if event.__class__ is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _UnsupportedYaml(
                        sentence("a second document (`---`); a file may contain only one"), _mark(event)
                    )
                root, _, _ = self._node(self._next())
        return root

    def _node(self, event: Any) -> _Node:
        kind = event.__class__
        if kind is yaml.AliasEvent:
            return self._alias(event)
        if event.tag not in (None, "!"):
            raise _UnsupportedYaml(sentence("tags are not supported ({tag})", tag=event.tag), _mark(event))
        if kind is yaml.ScalarEvent:
            is_null = not event.style and event.value in _NOTHING
            node: _Node = None if is_null else event.value, 1, not event.style and not is_null
        elif kind is yaml.MappingStartEvent:
            node = self._mapping(YamlMap(_mark(event)))
        else:
            node = self._sequence(event)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise _UnsupportedYaml(
                sentence("alias of an unknown anchor &{name}", name=event.anchor), _mark(event)
            )
        _, size, _ = node
        self._aliased += size
        if self._aliased > _MAX_ALIASED:
            raise _UnsupportedYaml(sentence("aliases expand to too many nodes"), _mark(event))
        return node

    def _mapping(self, made: YamlMap, values_at: dict[str, Any] | None = None) -> _Node:
        """Fill `made`, and `values_at` instead of its own places if given."""
        nested, untyped = 0, made.untyped
        if values_at is None:
            values_at = made.values_at
            if self._keeps_all:
                self.places[made.mark] = made.values_at
        next_event, scalar, end = self._next, yaml.ScalarEvent, yaml.MappingEndEvent
        keys = self._keys
        while (event := next_event()).__class__ is not end:
            if event.__class__ is not scalar:
                message = sentence("expected a key; put a text that begins with {{ or [ in quotes")
                raise _UnsupportedYaml(message, _mark(event))
            key = keys.get(event.value)
            if key is None:
                key = event.value
                if key == "<<":
                    raise _UnsupportedYaml(
                        sentence("merge keys (<<) are not supported; write the keys out"), _mark(event)
                    )
                keys[key] = key
                if len(keys) > _MAX_NODES:  # only here: rows repeat their keys
                    raise _too_long(event)
            if key in made:
                fault = _UnsupportedYaml(sentence('duplicate key "{key}"', key=key), _mark(event))
                if len(self._repeated) == _MAX_REPEATED:
                    raise fault
                self._repeated.append(fault)
            key_event, event = event, next_event()
            values_at[key] = event.start_mark
            if event.__class__ is scalar and event.tag is None and event.anchor is None:
                if event.style:
                    made[key] = event.value
                elif event.value in _NOTHING:
                    if not event.value:
                        self._check_colon(key_event, event)
                    made[key] = None
                else:
                    made[key] = event.value
                    untyped.append(key)
            else:
                made[key], size, is_untyped = self._node(event)
                nested += size - 1
                if is_untyped:
                    untyped.append(key)
        self.size += len(made)
        if self.size > _MAX_NODES:
            raise _too_long(event)
        return made, 1 + len(made) + nested, True

    def _check_colon(self, key: Any, value: Any) -> None:
        """Refuse `{sum: 1,234}`, which is a sum of 1 and an entry named 234."""
        if ":" not in self._text[key.end_mark.index : value.start_mark.index]:
            raise _UnsupportedYaml(_NO_COLON, _mark(key))

    def _sequence(self, start: Any) -> _Node:
        made, total = YamlList(_mark(start)), 1
        self._depth += 1
        may_be_long = self._depth > 1 and not self._keeps_all  # recipients, not mailings
        next_event, mapping, end = self._next, yaml.MappingStartEvent, yaml.SequenceEndEvent
        while (event := next_event()).__class__ is not end:
            start_mark = event.start_mark
            mark = (start_mark.line + 1, start_mark.column + 1)  # _mark(event), without a call for each row
            is_row = event.__class__ is mapping and event.tag is None and event.anchor is None
            if not is_row:
                value, size, is_untyped = self._node(event)
            elif may_be_long and len(made) >= _LONG_LIST:
                value, size, is_untyped = self._mapping(YamlMap(mark, self._text), self._not_kept)
            else:
                value, size, is_untyped = self._mapping(YamlMap(mark))
            if is_untyped:
                made.untyped.append(len(made))
            made.items_at.append(mark)
            made.append(value)
            total += size
            self.size += 1
            if self.size > _MAX_NODES:
                raise _too_long(event)
        self._depth -= 1
        return made, total, True


def _too_long(event: Any) -> _UnsupportedYaml:
    message = sentence(
        "more than {limit:,} values in one file; keep recipients in a CSV file", limit=_MAX_NODES
    )
    return _UnsupportedYaml(message, _mark(event))


def _mark(event: Any) -> Mark:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
