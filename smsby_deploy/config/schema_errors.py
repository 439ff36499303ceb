"""What is wrong with a document that breaks its JSON Schema, at its line and column.

Messages name the kind of a value, never the value itself: it could be a phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from smsby_deploy.config.yaml_nodes import Mark, YamlList, YamlMap, key_marks
from smsby_deploy.problems import Location, Problem, Severity

_TYPE_NAMES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def explain(error: Any, document: YamlMap, file: str) -> Iterator[Problem]:
    """Yield the problems behind one `ValidationError` of jsonschema."""
    path = list(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                place = Location(file, *key_marks(document.content)[error.instance.values_at[key]])
                yield _problem("UNKNOWN_KEY", _unknown_key(key, known), place)
        return
    place = Location(file, *locate(document, path))
    name = ".".join(map(str, path))
    if error.validator == "required":
        # jsonschema reports one missing key per error; the caller removes the repeats.
        for key in error.validator_value:
            if key not in error.instance:
                yield _problem("SCHEMA", f"missing key {key}{f' in {name}' if name else ''}", place)
        return
    own_message = error.schema.get("x-error") if isinstance(error.schema, dict) else None
    message = own_message or _expectation(error)
    yield _problem("SCHEMA", f"{name}: {message}" if name else message, place)


def locate(document: YamlMap, path: Sequence[str | int]) -> Mark:
    """Return the place of the value at `path`, or of the nearest node above it."""
    node: Any = document
    mark = document.mark
    for step in path:
        if isinstance(node, YamlMap) and step in node.values_at:
            mark = node.values_at[str(step)]
        elif isinstance(node, YamlList) and isinstance(step, int) and step < len(node.items_at):
            mark = node.items_at[step]
        else:
            break
        node = node[step]
    return mark


def _problem(code: str, message: str, place: Location) -> Problem:
    return Problem(Severity.ERROR, code, message, location=place)


def _expectation(error: Any) -> str:
    """Say what the schema expects of a value."""
    limit = error.validator_value
    match error.validator:
        case "type":
            return _wrong_type(error.instance, [limit] if isinstance(limit, str) else limit)
        case "enum":
            return f"expected one of {', '.join(map(str, limit))}{_suggest(str(error.instance), limit)}"
        case "const":
            return f"expected {limit}"
        case "pattern":
            return f"must match {limit}"
        case "minimum":
            return f"must be at least {limit}"
        case "exclusiveMinimum":
            return f"must be greater than {limit}"
        case "maximum":
            return f"must be at most {limit}"
        case "minLength" | "minItems" | "minProperties":
            return "must not be empty"
        case "maxLength":
            return f"must have at most {limit} characters"
        case _:
            return f"not allowed by the schema ({error.validator})"


def _wrong_type(value: Any, types: Sequence[str]) -> str:
    expected = " or ".join(dict.fromkeys(_TYPE_NAMES[name] for name in types))
    hint = "; for the word itself, put it in quotes" if value is None and "string" in types else ""
    return f"expected {expected}, got {_kind_of(value)}{hint}"


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _unknown_key(key: str, known: Sequence[str]) -> str:
    hint = _suggest(key, known) or f"; known keys: {', '.join(known)}"
    return f"unknown key {key}{hint}"


def _suggest(word: str, known: Sequence[Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, [str(one) for one in known], n=1)
    return f"; did you mean {near[0]}?" if near else ""
