"""Parameters as PHP reads them: query, form with brackets and JSON, merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from flask import Request

from smsby_deploy.sandbox.errors import Refusal, incorrect_arguments

Params = Mapping[str, Any]

_STEP = re.compile(r"\[([^\]]*)\]")
_PHONE = re.compile(r"\+?\d{9,15}", re.ASCII)


def read_params(request: Request, most: int = 0) -> dict[str, Any]:
    """All parameters of a request; a later source wins: query, then form, then JSON whatever its content type.

    Of a query or a form only the first `most` variables are read, as PHP does without a word; 0 is all.
    """
    found: dict[str, Any] = {}
    for pairs in (request.args, request.form):
        for name, value in islice(pairs.items(multi=True), most or None):
            _put(found, name, value)
    body = request.get_json(silent=True, force=True) if not request.form else None
    if isinstance(body, dict):
        found.update(body)
    return {name: _as_list(value) for name, value in found.items()}


def text_of(params: Params, name: str, default: str | None = None) -> str:
    """A parameter as text, just as it came; true is 1.

    Raises:
        Refusal: it is blank or not there and has no default, or is no single value.
    """
    value = params.get(name)
    if isinstance(value, dict | list):
        raise incorrect_arguments()
    text = "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)
    if text.strip():
        return text
    if default is None:
        raise incorrect_arguments()
    return default


def int_of(params: Params, name: str, default: int | None = None) -> int:
    """A parameter as a number from 0 on; numbers may come as text.

    Raises:
        Refusal: it is no such number, or is not there and has no default.
    """
    text = text_of(params, name, None if default is None else str(default)).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise incorrect_arguments()
    return int(text)


def phone_of(value: Any) -> str:
    """The digits of a phone; one plus before them is tolerated.

    Raises:
        Refusal: it is no phone number.
    """
    text = str(value or "").strip()
    if isinstance(value, dict | list) or not _PHONE.fullmatch(text):
        raise Refusal("incorrect phone number")
    return text.lstrip("+")


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
