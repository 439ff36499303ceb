"""The shipped files: in the wheel, or at the top of a checkout."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

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


def catalog_file(language: str) -> Path:
    """Return the path of the translations into `language`."""
    return _PACKAGE / "locale" / language / "LC_MESSAGES" / "messages.po"


def sample_project() -> Path:
    """Return the directory of the sample project, which `demo` runs and `init` copies."""
    return _shipped("campaigns")


def problems_page(language: str) -> Path:
    """Return the page of the docs that explains every problem code in `language`."""
    return _shipped("docs") / ("problems.md" if language == "en" else f"problems.{language}.md")
