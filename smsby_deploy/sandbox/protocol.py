"""Parameters as PHP reads them, replies, and errors as replies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from flask import Request

Params = Mapping[str, Any]

PLACES = ("query", "form", "json")
_SURROGATE = b"\\ud"
_DEEPEST = 64  # the `max_input_nesting_level` of PHP
_KEY = re.compile(r"\[([^\]]*)\]")
_PHONE = re.compile(r"\+?\d{9,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call, before a fault breaks it."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The call is answered with `{"error": text}` and the keys of `more`.

    `status` is the HTTP status if `keeps_status`, or if the setting `error_status` is 400; otherwise that setting is.
    """

    def __init__(self, text: str, status: int = 400, *, keeps_status: bool = False, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.keeps_status = keeps_status
        self.body = {"error": text, **more}


class EmptyAnswer(Exception):
    """The call is answered with an HTTP status and no body."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def incorrect_arguments() -> Refusal:
    """Return the error that sms.by has for every missing or malformed parameter."""
    return Refusal("incorrect arguments")


def read_params(request: Request, max_variables: int = 0) -> dict[str, Params]:
    """Return the parameters in each of PLACES of a request.

    JSON may have any content type. Like PHP, silently read only the first `max_variables` of a query or a form; 0 is all.
    """
    found: dict[str, Params] = {}
    for place, pairs in (("query", request.args), ("form", request.form)):
        params: dict[str, Any] = {}
        for name, value in islice(pairs.items(multi=True), max_variables or None):
            _put(params, name, value)
        found[place] = {name: _as_list(value) for name, value in params.items()}
    body = read_json(request) if not request.form else None
    try:
        found["json"] = (
            {name: _as_list(value) for name, value in body.items()} if isinstance(body, dict) else {}
        )
    except RecursionError:
        found["json"] = {}
    return found


def read_json(request: Request) -> Any:
    """Return the JSON in a body of any content type; None if there is none.

    Like PHP, this reads none that contains half of a UTF-16 pair.
    """
    content = request.get_data()
    try:
        body = json.loads(content)
        if _SURROGATE in content.lower():
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return body


def merge_places(sent: Mapping[str, Params]) -> Params:
    """Return all parameters: the form overrides the query, and JSON overrides both."""
    return {name: value for place in PLACES for name, value in sent[place].items()}


def text_of(params: Params, name: str, default: str | None = None) -> str:
    """Return a parameter as text, unchanged; true is 1.

    Raises:
        Refusal: it is missing or blank and has no default, or it is not a single value.
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
    """Return a parameter as an integer of at least 0; it may be text.

    Raises:
        Refusal: it is not such an integer, or it is missing and has no default.
    """
    text = text_of(params, name, None if default is None else str(default)).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise incorrect_arguments()
    return int(text)


def phone_of(value: Any) -> str:
    """Return the digits of a phone, which may start with a plus sign.

    Raises:
        Refusal: it is not a phone number.
    """
    text = str(value or "").strip()
    if isinstance(value, dict | list) or not _PHONE.fullmatch(text):
        raise Refusal("incorrect phone number")
    return text.lstrip("+")


def _put(found: dict[str, Any], name: str, value: str) -> None:
    """Store messages[0][name]=x as {"messages": {"0": {"name": "x"}}}."""
    head = name.split("[", 1)[0]
    keys = [head, *_KEY.findall(name[len(head) :])]
    if len(keys) > _DEEPEST:
        return
    node = found
    for key in keys[:-1]:
        inner = node.setdefault(key or str(len(node)), {})
        if not isinstance(inner, dict):
            return
        node = inner
    node[keys[-1] or str(len(node))] = value


def _as_list(value: Any, depth: int = 0) -> Any:
    """Turn maps with the keys 0, 1, 2 … into lists. Raises RecursionError."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        items = {key: _as_list(item, depth + 1) for key, item in value.items()}
        if items and list(items) == [str(index) for index in range(len(items))]:
            return list(items.values())
        return items
    return [_as_list(item, depth + 1) for item in value] if isinstance(value, list) else value
