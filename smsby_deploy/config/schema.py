"""JSON Schema with our own errors: every one at its line and column, none showing what the file holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from smsby_deploy.config.gate import (
    UnknownKeyword,
    find_schema,
    make_gate,
    to_python,
    type_scalar,
    types_of,
)
from smsby_deploy.config.yaml_nodes import Mark, Plain, YamlList, YamlMap
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.resources import schema_file

_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


@cache
def load_schema(name: str) -> Any:
    """The JSON Schema `name` (project, campaign, plan, lock)."""
    return json.loads(schema_file(name).read_text(encoding="utf-8"))


def check_document(name: str, document: YamlMap, file: str) -> list[Problem]:
    """Every violation of the schema `name`. Plain scalars are typed on the way, in place, where the schema wants it."""
    gate = _gate(name)
    if gate is not None and gate(document):
        return []
    schema = load_schema(name)
    type_scalars(document, schema, schema)
    problems = [problem for error in _errors(name, document) for problem in _explain(error, document, file)]
    return sorted(set(problems), key=lambda problem: (problem.location or Location(file), problem.message))


def drop_invalid(name: str, document: YamlMap) -> bool:
    """Take out of `document` what breaks the schema `name`: unknown keys, whole mailings, else keys at the top.

    What is left serves to find more problems. Returns whether anything that can be read is left.
    """
    for error in _errors(name, document):
        path = list(error.absolute_path)
        if error.validator == "additionalProperties":
            for key in set(error.instance) - set(error.schema.get("properties", {})):
                del error.instance[key]
        elif not path:
            return False
        elif path[0] == "mailings" and len(path) > 1:
            document["mailings"][path[1]] = None
        else:
            document.pop(path[0], None)
    mailings = document.get("mailings")
    if mailings is not None:
        kept = [index for index, mailing in enumerate(mailings) if mailing is not None]
        mailings.items_at[:] = [mailings.items_at[index] for index in kept]
        mailings[:] = [mailings[index] for index in kept]
    return not any(error.validator == "required" for error in _errors(name, document))


def _errors(name: str, document: YamlMap) -> list[Any]:
    return list(_validator(name).iter_errors(document))


@cache
def _gate(name: str) -> Callable[[YamlMap], bool] | None:
    try:
        return make_gate(load_schema(name))
    except UnknownKeyword:
        return None


@cache
def _validator(name: str) -> Any:
    """A validator whose `$` is the end of the text, as in ECMAScript: Python's also stands before a last newline."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def matches(_: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and re.search(to_python(pattern), instance) is None:
            yield ValidationError(f"does not match {pattern}")

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"pattern": matches})(load_schema(name))


def type_scalars(node: Any, schema: Any, root: Any) -> Any:
    """`node` with its plain scalars typed as `schema` wants them; text stays as its author wrote it."""
    schema = find_schema(schema, root)
    if isinstance(node, Plain):
        return type_scalar(node, types_of(schema))
    if isinstance(node, YamlMap):
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
        for key, value in node.items():
            inner = properties.get(key, rest)
            if isinstance(inner, dict):
                node[key] = type_scalars(value, inner, root)
    elif isinstance(node, YamlList) and isinstance(schema.get("items"), dict):
        for index, value in enumerate(node):
            if not isinstance(value, str):
                node[index] = type_scalars(value, schema["items"], root)
            elif isinstance(value, Plain):
                node[index] = type_scalar(value, types_of(schema["items"]))
    return node


def _explain(error: Any, document: YamlMap, file: str) -> list[Problem]:
    path = list(error.absolute_path)
    where = ".".join(str(step) for step in path)
    own = error.schema.get("x-error") if isinstance(error.schema, dict) else None

    def at(mark: Mark, code: str, message: str) -> Problem:
        return Problem(Severity.ERROR, code, message, location=Location(file, *mark))

    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            return [
                at(error.instance.keys_at[key], "UNKNOWN_KEY", _unknown_key(key, known))
                for key in error.instance
                if key not in known
            ]
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            # jsonschema tells one missing key an error; the set in check_document drops the repeats
            place = locate(document, path)
            return [at(place, "SCHEMA", f"the key {key} is missing{_of(where)}") for key in missing]
        case "type":
            wanted = error.validator_value
            names = [_NAMES[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted)]
            got = "something else" if error.instance is not None else "nothing"
            if error.instance is None and "string" in wanted:
                got += "; put it in quotes if you mean the word"
            message = f"{where}: {' or '.join(dict.fromkeys(names))} is wanted, here is {got}"
        case "enum":
            from difflib import get_close_matches

            near = get_close_matches(str(error.instance), [str(v) for v in error.validator_value], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            message = f"{where}: one of {', '.join(map(str, error.validator_value))} is wanted{hint}"
        case "const":
            message = f"{where}: only {error.validator_value} is known"
        case "pattern":
            message = f"{where}: it does not look as wanted ({error.validator_value})"
        case "minimum" | "exclusiveMinimum":
            message = f"{where}: it is too small, the least is {error.validator_value}"
        case "maximum":
            message = f"{where}: it is too large, the most is {error.validator_value}"
        case "minLength" | "minItems" | "minProperties":
            message = f"{where}: it is empty"
        case "maxLength":
            message = f"{where}: it is too long, at most {error.validator_value} characters"
        case _:
            message = f"{where}: it is not as the schema wants it ({error.validator})"
    return [at(locate(document, path), "SCHEMA", f"{where}: {own}" if own and where else own or message)]


def _of(where: str) -> str:
    return f" in {where}" if where else ""


def _unknown_key(key: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"unknown key {key}; {hint}"


def locate(document: Any, path: Sequence[str | int]) -> Mark:
    """Where the value at `path` stands; the nearest node above it if it does not."""
    node, mark = document, document.mark
    for step in path:
        if isinstance(node, YamlMap) and step in node.values_at:
            mark = node.values_at[str(step)]
        elif isinstance(node, YamlList) and isinstance(step, int) and step < len(node.items_at):
            mark = node.items_at[step]
        else:
            break
        node = node[step]
    return mark  # type: ignore[no-any-return]  # a node's mark, whichever it is
