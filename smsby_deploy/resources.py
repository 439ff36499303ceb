"""The shipped files: in the wheel, or at the top of a checkout."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import Validator

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    in_wheel = _PACKAGE / name
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name


def schema_file(name: str) -> Path:
    """Return the path of the JSON Schema `name`: project, campaign, plan, lock, …"""
    return _shipped("schema") / f"{name}.schema.json"


@lru_cache(maxsize=1)
def load_schema(name: str) -> Any:
    """Return the JSON Schema `name`, decoded."""
    return json.loads(schema_file(name).read_text(encoding="utf-8"))


def compile_schema(schema: Any) -> Validator:
    """Return a validator that also checks formats, such as that of a time."""
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(schema, validate_formats=True)


@cache
def schema_validator(name: str) -> Validator:
    """Return the validator of the JSON Schema `name`."""
    return compile_schema(load_schema(name))


def is_valid(validator: Validator, document: Any) -> bool:
    """Whether a document is valid; one that JSON cannot represent, such as 1e999, is not."""
    try:
        return validator.is_valid(document)
    except (ValueError, RecursionError, OverflowError):
        return False


def catalog_file(language: str) -> Path:
    """Return the path of the translations into `language`."""
    return _PACKAGE / "locale" / language / "LC_MESSAGES" / "messages.po"


def sample_project() -> Path:
    """Return the directory of the sample project, which `demo` runs and `init` copies."""
    return _shipped("campaigns")


def problems_page(language: str) -> Path:
    """Return the page of the docs that explains every problem code in `language`."""
    return _shipped("docs") / ("problems.md" if language == "en" else f"problems.{language}.md")
