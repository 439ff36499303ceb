"""JSON Schema validation of YAML documents: jsonschema-rs decides, jsonschema explains.

jsonschema gives the better explanations, but importing it takes several times as long as checking a usual project. It
is imported only for documents that are not valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs

from smsby_deploy.config.scalar_types import ScalarTypes, scalar_types, type_scalars
from smsby_deploy.config.schema_errors import explain
from smsby_deploy.config.yaml_nodes import YamlMap
from smsby_deploy.problems import Location, Problem
from smsby_deploy.resources import schema_file


@cache
def load_schema(name: str) -> Any:
    """Return the JSON Schema `name` (project, campaign, plan, lock)."""
    return json.loads(schema_file(name).read_text(encoding="utf-8"))


def check_document(name: str, document: YamlMap, file: str) -> list[Problem]:
    """Give the plain scalars of `document` their types, in place, and return every violation of the schema `name`."""
    type_scalars(document, _scalar_types(name))
    if is_valid(name, document):
        return []
    problems = {problem for error in _errors(name, document) for problem in explain(error, document, file)}
    return sorted(problems, key=lambda problem: (problem.location or Location(file), problem.message))


def is_valid(name: str, document: YamlMap) -> bool:
    """Whether `document`, its scalars typed, matches the schema `name`."""
    try:
        return _fast_validator(name).is_valid(document)
    except ValueError:  # a value that JSON cannot hold, such as 1e999, or nesting too deep for it
        return not _errors(name, document)


def drop_invalid(name: str, document: YamlMap) -> bool:
    """Remove from `document` what breaks the schema `name`: unknown keys, whole mailings, or top-level keys.

    The rest serves to find more problems. Returns whether the rest can be read.
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


@cache
def _scalar_types(name: str) -> ScalarTypes:
    schema = load_schema(name)
    return scalar_types(schema, schema)


@cache
def _fast_validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(load_schema(name))


@cache
def _explaining_validator(name: str) -> Any:
    """Return jsonschema's validator, its `$` matching only the end of the text as in ECMAScript.

    Python's `$` also matches before a final line break.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators

    def matches(_: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and re.search(re.sub(r"\$$", r"\\Z", pattern), instance) is None:
            yield ValidationError(f"does not match {pattern}")

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"pattern": matches})(load_schema(name))


def _errors(name: str, document: YamlMap) -> list[Any]:
    return list(_explaining_validator(name).iter_errors(document))
