"""YAML scalars without quotes, converted to the types that a JSON Schema asks for.

The YAML reader leaves them as text, because only the schema knows whether `0123` or `22:00` is a number. Where the
schema allows text, they stay exactly what the author wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from smsby_deploy.config.yaml_nodes import YamlList, YamlMap

_INTEGER = re.compile(r"[-+]?\d+", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


class ScalarTypes(NamedTuple):
    """The scalar types that a schema allows in one place, and in the places below it."""

    types: frozenset[str]
    properties: Mapping[str, ScalarTypes]
    other_properties: ScalarTypes | None
    items: ScalarTypes | None


_ANY_TEXT = ScalarTypes(frozenset({"string"}), {}, None, None)


def scalar_types(schema: Any, root: Any) -> ScalarTypes:
    """Return the types that `schema` allows; its references point into `root`."""
    while "$ref" in schema:
        found = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    types = schema.get("type", ())
    other, items = schema.get("additionalProperties"), schema.get("items")
    return ScalarTypes(
        frozenset([types] if isinstance(types, str) else types),
        {key: scalar_types(part, root) for key, part in schema.get("properties", {}).items()},
        scalar_types(other, root) if isinstance(other, dict) else None,
        scalar_types(items, root) if isinstance(items, dict) else None,
    )


def type_scalars(node: YamlMap | YamlList, allowed: ScalarTypes) -> None:
    """Convert the unquoted scalars of `node`, in place, to an allowed type; text that looks like none stays text."""
    if isinstance(node, YamlMap):
        find, other = allowed.properties.get, allowed.other_properties or _ANY_TEXT
        for key in node.untyped:
            node[key] = _typed(node[key], find(key, other))
    else:
        inner = allowed.items or _ANY_TEXT
        for index in node.untyped:
            node[index] = _typed(node[index], inner)


def _typed(value: Any, allowed: ScalarTypes) -> Any:
    if value.__class__ is not str:
        if isinstance(value, YamlMap | YamlList):
            type_scalars(value, allowed)
        return value
    types = allowed.types
    if "string" in types:
        return value
    if "boolean" in types and value in ("true", "false"):
        return value == "true"
    if "integer" in types and _INTEGER.fullmatch(value):
        return int(value)
    if "number" in types and _NUMBER.fullmatch(value):
        return float(value)
    return value
