"""Parameters as PHP reads them: query, form with brackets and JSON, merged."""

from __future__ import annotations

import re
from typing import Any

from flask import Request

_STEP = re.compile(r"\[([^\]]*)\]")


def read_params(request: Request) -> dict[str, Any]:
    """All parameters of a request; a later source wins: query, then form, then JSON."""
    found: dict[str, Any] = {}
    for pairs in (request.args, request.form):
        for name, values in pairs.lists():
            for value in values:
                _put(found, name, value)
    body = request.get_json(silent=True, force=True) if not request.form else None
    if isinstance(body, dict):
        found.update(body)
    return {name: _as_list(value) for name, value in found.items()}


def _put(found: dict[str, Any], name: str, value: str) -> None:
    """messages[0][name]=x becomes {"messages": {"0": {"name": "x"}}}."""
    head = name.split("[", 1)[0]
    steps = [head, *_STEP.findall(name[len(head) :])]
    node = found
    for step in steps[:-1]:
        inner = node.setdefault(step or str(len(node)), {})
        if not isinstance(inner, dict):
            return
        node = inner
    node[steps[-1] or str(len(node))] = value


def _as_list(value: Any) -> Any:
    """A map with the keys 0, 1, 2 … is a list."""
    if isinstance(value, dict):
        items = {key: _as_list(item) for key, item in value.items()}
        if items and list(items) == [str(index) for index in range(len(items))]:
            return list(items.values())
        return items
    return [_as_list(item) for item in value] if isinstance(value, list) else value
