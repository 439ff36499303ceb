"""JSON Schema validation of YAML documents: jsonschema-rs decides, jsonschema explains.

jsonschema gives better explanations, but importing it takes several times as long as checking a typical project, so it
is imported only for invalid documents.

The YAML reader leaves all scalars as text. Unquoted ones are converted here to the types that the schema requires, because
only the schema knows whether `0123` or `22:00` is a number. Messages name the kind of a value, never the value: it could
be a phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import islice
from typing import Any, NamedTuple

import jsonschema_rs

from smsby_deploy.config.yaml_nodes import Mark, YamlList, YamlMap, key_marks
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.resources import load_schema
from smsby_deploy.wording import Sentence, join_sentences, sentence, with_suggestion

_TYPE_NAMES = {
    "string": sentence("text"),
    "integer": sentence("an integer"),
    "number": sentence("a number"),
    "boolean": sentence("true or false"),
    "array": sentence("a list"),
    "object": sentence("a mapping"),
    "null": sentence("nothing"),
}
_TOKEN_KEYS = frozenset({"token", "smsby_token", "api_key", "apikey"})
_MOST_DIGITS = 30
_MOST_PROBLEMS = 1000  # explained in one file: an explanation takes time and memory
_INTEGER = re.compile(r"[-+]?\d+", re.ASCII)
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


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
                message = sentence(
                    "missing key {key} in {name}" if name else "missing key {key}", key=key, name=name
                )
                yield _problem("SCHEMA", message, place)
        return
    own_message = error.schema.get("x-error") if isinstance(error.schema, dict) else None
    said = _own_sentence(own_message) if own_message else _expectation(error)
    if error.validator == "type" and path[-1:] == ["recipients"] and isinstance(error.instance, str):
        said = join_sentences([said, _suggest_source(error.instance)])
    if name:
        said = sentence("{name}: {message}", name=name, message=said)
    yield _problem("SCHEMA", said, place)


def _own_sentence(message: str) -> Sentence:
    """Return a schema's own message as a sentence, with its braces kept."""
    return Sentence(message, message.replace("{", "{{").replace("}", "}}"))


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
            message = sentence("expected one of {values}", values=", ".join(map(str, limit)))
            return with_suggestion(message, str(error.instance), limit)
        case "const":
            return sentence("expected {value}", value=limit)
        case "pattern":
            return sentence("must match {pattern}", pattern=limit)
        case "minimum":
            return sentence("must be at least {limit}", limit=limit)
        case "exclusiveMinimum":
            return sentence("must be greater than {limit}", limit=limit)
        case "maximum":
            return sentence("must be at most {limit:,}", limit=limit)
        case "minLength" | "minItems" | "minProperties":
            return sentence("must not be empty")
        case "maxLength":
            return sentence("must have at most {limit:character|characters}", limit=limit)
        case "maxItems" | "maxProperties":
            return sentence("must have at most {limit:entry|entries}", limit=limit)
        case _:
            return sentence("not allowed by the schema ({rule})", rule=error.validator)


def _wrong_type(value: Any, types: Sequence[str]) -> str:
    names = list(dict.fromkeys(_TYPE_NAMES[name] for name in types))
    expected = reduce(
        lambda first, second: sentence("{first} or {second}", first=first, second=second), names
    )
    message = sentence("expected {expected}, got {found}", expected=expected, found=_kind_of(value))
    if value is None and "string" in types:
        return join_sentences([message, sentence("for the word itself, put it in quotes")])
    return message


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return _TYPE_NAMES["null"]
        case bool():
            return _TYPE_NAMES["boolean"]
        case str():
            return sentence("a number that is too large") if _is_huge(value) else _TYPE_NAMES["string"]
        case int() | float():
            return _TYPE_NAMES["number"]
        case dict():
            return _TYPE_NAMES["object"]
        case _:
            return _TYPE_NAMES["array"]


def _suggest_source(value: str) -> str:
    """Return the hint for a path where recipients are expected; it never shows a phone."""
    if re.fullmatch(r"[^\s{}\[\]:,]+\.(csv|tsv|txt|jsonl|ndjson)", value, re.IGNORECASE):
        return sentence("for a file, write {{file: {value}}}", value=value)
    if value.lower().endswith(".parquet"):
        return sentence("for a Parquet file, write {{parquet: {value}}}", value=value)
    return sentence('for a file, write {{file: …}}; phones are a list: ["…"]')


def _unknown_key(key: str, known: Sequence[str]) -> str:
    message = sentence("unknown key {key}", key=key)
    if key.lower() in _TOKEN_KEYS:
        return sentence(
            "{message}; the token is read only from the environment: never write it into a file",
            message=message,
        )
    suggested = with_suggestion(message, key, known)
    if suggested is message:
        return sentence("unknown key {key}; known keys: {known}", key=key, known=", ".join(known))
    return suggested


class ScalarTypes(NamedTuple):
    """The scalar types that a schema allows in one place, and in the places below it."""

    types: frozenset[str]
    properties: Mapping[str, ScalarTypes]
    other_properties: ScalarTypes | None
    items: ScalarTypes | None
    is_text_only: bool  # text is allowed everywhere here and below, so nothing is converted


_ANY_TEXT = ScalarTypes(frozenset({"string"}), {}, None, None, is_text_only=True)


def scalar_types(schema: Any, root: Any) -> ScalarTypes:
    """Return the types that `schema` allows; its references point into `root`."""
    while "$ref" in schema:
        found = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    types = schema.get("type", ())
    allowed = frozenset([types] if isinstance(types, str) else types)
    properties = {key: scalar_types(part, root) for key, part in schema.get("properties", {}).items()}
    other, items = (
        scalar_types(part, root) if isinstance(part, dict) else None
        for part in (schema.get("additionalProperties"), schema.get("items"))
    )
    below = [*properties.values(), other or _ANY_TEXT, items or _ANY_TEXT]
    is_text_only = "string" in allowed and all(part.is_text_only for part in below)
    return ScalarTypes(allowed, properties, other, items, is_text_only)


def type_scalars(node: YamlMap | YamlList, allowed: ScalarTypes) -> None:
    """Convert the unquoted scalars of `node`, in place, to a type that the schema allows.

    Scalars that look like none of these types stay text.
    """
    if isinstance(node, YamlMap):
        find, other = allowed.properties.get, allowed.other_properties or _ANY_TEXT
        for key in node.untyped:
            node[key] = _typed(node[key], find(key, other))
        return
    inner = allowed.items or _ANY_TEXT
    if inner.is_text_only:  # such as a list of recipients, which may be long
        return
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
    if _is_huge(value):
        return value
    if "integer" in types and _INTEGER.fullmatch(value):
        return int(value)
    if "number" in types and _NUMBER.fullmatch(value):
        return float(value)
    return value


def _is_huge(value: str) -> bool:
    """Whether `value` is a number with absurdly many digits."""
    return len(value) > _MOST_DIGITS and _NUMBER.fullmatch(value) is not None


def check_document(name: str, document: YamlMap, file: str) -> list[Problem]:
    """Type the scalars of `document` by the schema `name`, and return its first violations."""
    type_scalars(document, _scalar_types(name))
    if _is_surely_valid(name, document):
        return []
    found = (problem for error in _errors(name, document) for problem in explain(error, document, file))
    problems: dict[Problem, None] = {}
    for problem in found:
        problems[problem] = None
        if len(problems) > _MOST_PROBLEMS:
            break
    shown = sorted(problems, key=lambda problem: (problem.location or Location(file), problem.message))
    if len(problems) > _MOST_PROBLEMS:
        message = sentence("more errors follow; correct these first")
        shown[-1] = _problem("SCHEMA", message, shown[-1].location or Location(file))
    return shown


def _is_surely_valid(name: str, document: YamlMap) -> bool:
    """Whether jsonschema-rs accepts `document`; otherwise jsonschema decides.

    jsonschema-rs cannot read what JSON cannot hold, such as 1e999, or very deep nesting.
    """
    try:
        return _fast_validator(name).is_valid(document)
    except ValueError:
        return False


# Keys of a mailing without which its recipients and its text are still what the author means.
_SETTINGS = frozenset(
    (
        "alphaname", "cancelled", "max_late", "priority", "revision", "schedule_time", "smart_encoding", "tests",
        "timezone", "transliterate", "via",
    )
)  # fmt: skip
_TIMED = ("audience", "release", "spread")  # require a schedule_time


def drop_invalid(name: str, document: YamlMap) -> bool:
    """Remove what violates the schema `name`; return whether the rest is usable.

    Unknown keys, settings of mailings, whole mailings or top-level keys are removed. The rest serves to find more problems.
    """
    errors = list(islice(_errors(name, document), _MOST_PROBLEMS + 1))
    if len(errors) > _MOST_PROBLEMS:
        return False
    for error in errors:
        path = list(error.absolute_path)
        if error.validator == "additionalProperties":
            for key in set(error.instance) - set(error.schema.get("properties", {})):
                del error.instance[key]
        elif not path:
            return False
        elif path[0] == "mailings" and len(path) > 1:
            mailing = document["mailings"][path[1]]
            if mailing is not None and len(path) > 2 and path[2] in _SETTINGS:
                for key in (path[2], *(_TIMED if path[2] == "schedule_time" else ())):
                    mailing.pop(key, None)
            else:
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
    """Return jsonschema's validator, with `$` as in ECMAScript: only at the end of the text.

    Python's `$` also matches before a final line break.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators

    def matches(_: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and re.search(re.sub(r"\$$", r"\\Z", pattern), instance) is None:
            yield ValidationError(f"does not match {pattern}")

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"pattern": matches})(load_schema(name))


def _errors(name: str, document: YamlMap) -> Iterator[Any]:
    errors: Iterator[Any] = _explaining_validator(name).iter_errors(document)
    return errors
