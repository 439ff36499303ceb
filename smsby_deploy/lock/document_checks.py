"""Checks locks, journals, plans, approvals and rescue files before they are used.

Only this program should write them, but the author of a pull request can change them as well. A message names keys of the
schema and positions, never a value or a key of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from smsby_deploy.errors import LockDamaged
from smsby_deploy.resources import compile_schema, is_valid, load_schema, schema_validator
from smsby_deploy.wording import remove_controls

if TYPE_CHECKING:
    from jsonschema_rs import Validator

MAX_TEXT, MAX_PROSE = 10_000, 100_000  # characters, as in the schemas
_PROSE = frozenset({"error", "reason", "what", "by"})
_UNLIMITED = frozenset({"rows", "baseline", "address"})
_OPEN = frozenset({"additionalProperties", "enum"})  # rules that a newer version may extend
_KEYS = ("events", "results", "changes", "entry", "resolution")  # only of journals and rescue files
_POSITION = {"type": "integer", "minimum": 0, "maximum": 10**9}


class UnknownContent(ValueError):
    """A key or a word that the schema does not have, such as one of a newer version."""

    def in_intact(self, where: str, recovery: str) -> LockDamaged:
        """Return the error for a file whose seal or checksums match.

        `recovery` is what to do if it is damaged after all.
        """
        return LockDamaged(
            f"{where}: this version of smsby-deploy does not know all of it: {self}",
            hint=f"use the version of smsby-deploy that wrote it, or a newer one; if it is this one, {recovery}",
        )


def check_lock(document: Any) -> None:
    """Check a lock; ValueError if it violates its schema, as in the functions below."""
    _check(_lock_validator(), document)
    check_mailings(document["mailings"])


def check_mailings(mailings: Any) -> None:
    """Check mailings of a lock."""
    _check(_entries_validator(), {"mailings": mailings})


def check_archived(line: Any) -> None:
    """Check one line of an archive."""
    _check(_archived_validator(), line)


def check_plan(document: Any) -> None:
    _check(schema_validator("plan"), document)


def check_approval(document: Any) -> None:
    _check(schema_validator("approval"), document)


def check_rescue(document: Any) -> None:
    _check(_rescue_validator(), document)


def is_event(event: Any) -> bool:
    """Whether a line of a journal is valid for its kind."""
    return is_valid(_entries_validator(), {"events": [event]})


def check_events(events: list[Any]) -> None:
    """Check the lines of a journal."""
    _check(_entries_validator(), {"events": events})


def is_address(text: str) -> bool:
    """Whether `text` is an address as the schemas allow it."""
    return re.search(_address_schema()["pattern"].replace("$", r"\Z"), text) is not None


def storable(name: str, value: str) -> str:
    """Return `value` as the schemas allow it under the key `name`: no controls, truncated."""
    if name in _UNLIMITED:
        return value
    cleaned = remove_controls(value)
    return cleaned[:MAX_PROSE] if name in _PROSE else cleaned.replace("\n", " ")[:MAX_TEXT]


def _check(validator: Validator, document: Any) -> None:
    if is_valid(validator, document):
        return
    try:
        error = next(iter(validator.iter_errors(document)), None)
    except (ValueError, RecursionError, OverflowError):
        error = None
    if error is None:
        raise ValueError("a number is too large, or the nesting too deep")
    rules = list(error.schema_path)
    kind = UnknownContent if rules[-1] in _OPEN else ValueError
    raise kind(_explain(list(error.instance_path), rules))


def _explain(path: list[Any], rules: list[Any]) -> str:
    """Say where the document violates the schema, and which rule."""
    if "propertyNames" in rules:
        return f"{_place(path)} has a name that is not valid"
    return f"{_place(path)} is not allowed by the schema ({rules[-1]})"


def _place(path: list[Any]) -> str:
    """Return a path like `mailings.?.chunks[0].state`, with keys foreign to the schema hidden."""
    known = {*_KEYS, *_keys_of(load_schema("lock")), *_keys_of(load_schema("plan"))}
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" if step in known else ".?" for step in path)
    return "".join(steps).removeprefix(".") or "the document"


def _keys_of(schema: Any) -> Iterator[str]:
    """Yield the keys that a schema names, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from _keys_of(part)


@cache
def _lock_validator() -> Validator:
    """Return the validator of a lock, without its mailings."""
    lock = load_schema("lock")
    return compile_schema({**lock, "properties": {**lock["properties"], "mailings": {"type": "object"}}})


@cache
def _entries_validator() -> Validator:
    """Return the validator of the mailings of a lock and the lines of a journal.

    Compiled together, they share half a megabyte.
    """
    mailings = load_schema("lock")["properties"]["mailings"]
    properties = {"mailings": mailings, "events": {"type": "array", "items": _event_schema()}}
    return compile_schema(_with_definitions({"properties": properties}))


@cache
def _rescue_validator() -> Validator:
    lock = load_schema("lock")["properties"]
    result = {
        "type": "object",
        "required": ["chunks", "changes"],
        "properties": {
            "chunks": _chunk_refs(_chunk_keys()["fingerprint"]),
            "changes": _changes_schema(),
            "row": _POSITION,
        },
    }
    keys = {"format": {"const": "smsby-rescue"}, "project": lock["project"], "lineage": lock["lineage"]}
    schema = {
        "type": "object",
        "required": [*keys, "results"],
        "properties": {**keys, "results": {"type": "array", "items": result}},
    }
    return compile_schema(_with_definitions(schema))


@cache
def _archived_validator() -> Validator:
    lock = load_schema("lock")["properties"]
    properties = {
        "sum": {"type": "string"},
        "scope": {"type": "string"},
        "address": _address_schema(),
        "last": {"type": "string"},
        "digests": {"type": "string"},
        "at": lock["applies"]["items"]["properties"]["at"],
        "digest_key": {**lock["digest_key"], "type": ["string", "null"]},
        "sealed": lock["sealed"],
        "entry": {"$ref": "#/$defs/entry"},
    }
    schema = {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }
    return compile_schema(_with_definitions(schema))


def _with_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$defs": load_schema("lock")["$defs"]}


def _entry_keys() -> Any:
    """Return the schema of each key of a mailing's entry."""
    return load_schema("lock")["$defs"]["entry"]["properties"]


def _chunk_keys() -> Any:
    return _entry_keys()["chunks"]["items"]["properties"]


def _address_schema() -> dict[str, Any]:
    return {"type": "string", **load_schema("lock")["properties"]["mailings"]["propertyNames"]}


def _chunk_refs(*more: Any) -> dict[str, Any]:
    """Return the schema of a list of [address, index, …]."""
    ref = [_address_schema(), _POSITION, *more]
    item = {"type": "array", "prefixItems": ref, "items": False, "minItems": len(ref)}
    return {"type": "array", "items": item}


def _changes_schema() -> dict[str, Any]:
    """Return the schema of changes to a chunk, and of what sms.by knows about a list mailing."""
    entry, chunk = _entry_keys(), _chunk_keys()
    facts = {key: entry[key] for key in ("recipients", "parts", "cost", "billed")}
    no_longer = {"opted_out": {**chunk["opted_out"], "type": ["string", "null"]}}  # none, or unknown
    return {"type": "object", "additionalProperties": False, "properties": {**facts, **chunk, **no_longer}}


def _event_schema() -> dict[str, Any]:
    """Return the schema of a journal line; events.py has a table of the keys."""
    lock, entry, chunk = load_schema("lock")["properties"], _entry_keys(), _chunk_keys()
    apply = lock["applies"]["items"]["properties"]
    binding = {key: lock[key] for key in ("environment", "service", "account", "lineage")}
    text = apply["commit"]  # or null
    counts = {key: apply[key] for key in ("mailings", "recipients")}
    properties = {
        **binding,
        **counts,
        "event": {"type": "string", "pattern": "^[a-z][a-z_-]{0,39}$"},
        **dict.fromkeys(("id", "plan", "commit", "tool", "by", "step"), text),
        "at": apply["at"],
        "address": _address_schema(),
        "to": _address_schema(),
        "addresses": {"type": "array", "items": _address_schema()},
        "archived": lock["archived"],
        "entry": {"$ref": "#/$defs/entry"},
        "chunks": _chunk_refs(),
        "row": _POSITION,
        "changes": _changes_schema(),
        "rows": chunk["rows"],
        "baseline": chunk["baseline"],
        "upload": chunk["upload"],
        "revision": entry["revision"],
        "ending": {"anyOf": [{"type": "null"}, entry["ending"]]},
        "verdict": entry["verdicts"]["items"],
        "resolution": lock["resolutions"]["items"],
        "digest_key": {**lock["digest_key"], "type": ["string", "null"]},
        "sealed": lock["sealed"],
        "digests": lock["sealed"],  # from one digest to another
    }
    return {"type": "object", "required": ["event"], "properties": properties}
