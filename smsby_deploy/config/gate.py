"""Whether a document keeps its schema, told fast where it does.

jsonschema says best what is wrong with a document, but takes eight times python's own start to be imported, and longer
than all the rest of `validate` to find that nothing is wrong. So each schema is made into functions here, once, which
walk a document, type its plain scalars on the way as the schema wants them, and end in yes or no. After a no jsonschema
is asked for the reasons. A keyword that is not known here makes no gate, and jsonschema judges every document;
tests/config/test_gate.py holds both to each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from smsby_deploy.config.yaml_nodes import Plain, YamlList, YamlMap

_INTEGER = re.compile(r"[-+]?\d+", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$defs", "title", "description", "default", "examples", "x-error"}
)
_KNOWN = frozenset({
    "type", "properties", "additionalProperties", "required", "minProperties", "propertyNames", "items", "minItems",
    "maxItems", "minLength", "maxLength", "pattern", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "allOf",
    "anyOf", "not", "if", "then", "else",
})  # fmt: skip


class UnknownKeyword(Exception):
    """The schema says something that only jsonschema understands."""


class _Broken(Exception):
    """A document, or a part of it, does not keep its schema."""


def make_gate(schema: Any) -> Callable[[YamlMap], bool]:
    """A function that types the plain scalars of a document in place and tells whether it keeps `schema`. After a no
    some of them may be typed and others not.

    Raises:
        UnknownKeyword: there can be none for it.
    """
    check = _Check(schema, schema, is_typing=True)

    def passes(document: YamlMap) -> bool:
        try:
            check(document)
        except _Broken:
            return False
        return True

    return passes


def type_scalar(text: Plain, types: frozenset[str]) -> Any:
    """A plain scalar as one of `types`, if it looks like one; else the text as its author wrote it."""
    if "string" in types:
        return text
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    if "integer" in types and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return float(text)
    return text


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """What the keyword `type` names; nothing if any will do."""
    wanted = schema.get("type", ())
    return frozenset([wanted] if isinstance(wanted, str) else wanted)


def find_schema(schema: Any, root: Any) -> Any:
    """`schema`, or what it refers to in `root`."""
    while "$ref" in schema:
        found = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


class _Check:
    """One schema as a function: it returns the node, typed, or raises _Broken. `takes_text` says that every text passes as
    it is, which spares most scalars the call."""

    def __init__(self, schema: Any, root: Any, *, is_typing: bool) -> None:
        if "$ref" in schema and schema.keys() - {"$ref"} - _ANNOTATIONS:
            raise UnknownKeyword("$ref beside others")
        schema = find_schema(schema, root)
        if unknown := schema.keys() - _KNOWN - _ANNOTATIONS:
            raise UnknownKeyword(", ".join(sorted(unknown)))
        self._types = types_of(schema)
        self._is_typing = is_typing

        def inner(part: Any, *, is_typing: bool = is_typing) -> _Check:
            return _Check(part, root, is_typing=is_typing)

        self._properties = {key: inner(part) for key, part in schema.get("properties", {}).items()}
        rest = schema.get("additionalProperties", True)
        self._is_closed = rest is False
        self._rest = inner(rest) if isinstance(rest, dict) else None
        self._items = inner(schema["items"]) if "items" in schema else None
        self._required = frozenset(schema.get("required", ()))
        self._least_keys = schema.get("minProperties", 0)
        self._names = inner(schema["propertyNames"], is_typing=False) if "propertyNames" in schema else None
        self._least_items, self._most_items = schema.get("minItems", 0), schema.get("maxItems")
        self._shortest, self._longest = schema.get("minLength", 0), schema.get("maxLength")
        self._pattern: str | None = schema.get("pattern")
        self._regex: re.Pattern[str] | None = None  # of the pattern, once it is wanted
        self._enum = _texts(schema.get("enum"))
        self._const = schema.get("const")
        if "const" in schema and self._const.__class__ not in (str, int):
            raise UnknownKeyword("const of no text or whole number")
        self._least, self._above = schema.get("minimum"), schema.get("exclusiveMinimum")
        self._most = schema.get("maximum")
        # Of the whole node, once its parts are typed: nothing is typed by them.
        self._whole = _whole(schema, lambda part: inner(part, is_typing=False))
        self.takes_text = (
            "string" in self._types
            and not (self._shortest or self._longest or self._pattern or self._enum or self._whole)
            and self._const is None
        )

    def __call__(self, node: Any) -> Any:
        kind = node.__class__
        if kind is Plain and self._is_typing:
            node = type_scalar(node, self._types)
            kind = node.__class__
        if kind is str or kind is Plain:
            self._check_text(node)
        elif kind is YamlMap:
            self._check_map(node)
        elif kind is YamlList:
            self._check_list(node)
        else:
            self._check_number(node)
        for ask in self._whole:
            if not ask(node):
                raise _Broken
        return node

    def holds(self, node: Any) -> bool:
        try:
            self(node)
        except _Broken:
            return False
        return True

    def _check_text(self, text: str) -> None:
        if self._types and "string" not in self._types:
            raise _Broken
        if len(text) < self._shortest or (self._longest is not None and len(text) > self._longest):
            raise _Broken
        if self._pattern is not None:
            if self._regex is None:
                self._regex = re.compile(to_python(self._pattern))
            if self._regex.search(text) is None:
                raise _Broken
        if (self._enum is not None and text not in self._enum) or (
            self._const is not None and text != self._const
        ):
            raise _Broken

    def _check_map(self, node: YamlMap) -> None:
        if (self._types and "object" not in self._types) or self._enum is not None or self._const is not None:
            raise _Broken
        get, rest, is_typing = self._properties.get, self._rest, self._is_typing
        for key, value in node.items():
            check = get(key, rest)
            if check is None:
                if self._is_closed:
                    raise _Broken
            elif not check.takes_text or not isinstance(value, str):
                made = check(value)
                if is_typing:
                    node[key] = made
        if not self._required <= node.keys() or len(node) < self._least_keys:
            raise _Broken
        if self._names is not None:
            for key in node:
                self._names(key)

    def _check_list(self, node: YamlList) -> None:
        if (self._types and "array" not in self._types) or self._enum is not None or self._const is not None:
            raise _Broken
        if len(node) < self._least_items or (self._most_items is not None and len(node) > self._most_items):
            raise _Broken
        check, is_typing = self._items, self._is_typing
        if check is None:
            return
        for index, value in enumerate(node):
            if not check.takes_text or not isinstance(value, str):
                made = check(value)
                if is_typing:
                    node[index] = made

    def _check_number(self, value: Any) -> None:
        """Also true, false and nothing."""
        if self._types and not (_NAMES[value.__class__] & self._types or _is_whole(value, self._types)):
            raise _Broken
        if self._enum is not None:
            raise _Broken
        if value is None or value.__class__ is bool:
            if self._const is not None:
                raise _Broken
            return
        if self._const is not None and value != self._const:
            raise _Broken
        if self._least is not None and value < self._least:
            raise _Broken
        if self._above is not None and value <= self._above:
            raise _Broken
        if self._most is not None and value > self._most:
            raise _Broken


_NAMES = {
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    type(None): frozenset({"null"}),
}


def _is_whole(value: Any, types: frozenset[str]) -> bool:
    return isinstance(value, float) and "integer" in types and value.is_integer()


def _whole(schema: Any, inner: Callable[[Any], _Check]) -> list[Callable[[Any], bool]]:
    """What the keywords that hold other schemas ask of a node."""

    def asks(part: Any) -> Callable[[Any], bool]:
        said = part.keys() - _ANNOTATIONS
        if said == {"required"}:  # a call each, and there are many of them
            required = frozenset(part["required"])
            return lambda node: not isinstance(node, dict) or required <= node.keys()
        if said in ({"not"}, {"anyOf"}):
            (ask,) = _whole(part, inner)
            return ask
        return inner(part).holds

    found = list(map(asks, schema.get("allOf", ())))
    if "anyOf" in schema:
        ways = list(map(asks, schema["anyOf"]))
        found.append(lambda node: any(ask(node) for ask in ways))
    if "not" in schema:
        refuses = asks(schema["not"])
        found.append(lambda node: not refuses(node))
    if "if" in schema:
        condition = asks(schema["if"])
        then, otherwise = asks(schema.get("then", {})), asks(schema.get("else", {}))
        found.append(lambda node: then(node) if condition(node) else otherwise(node))
    return found


def _texts(values: Any) -> frozenset[str] | None:
    if values is None:
        return None
    if not all(isinstance(value, str) for value in values):
        raise UnknownKeyword("enum of other things than texts")
    return frozenset(values)


def to_python(pattern: str) -> str:
    """A pattern whose `$` is the end of the text, as in ECMAScript: Python's also stands before a last newline."""
    return re.sub(r"\$$", r"\\Z", pattern)
