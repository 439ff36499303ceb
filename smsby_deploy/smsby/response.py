"""One answer of sms.by, before anybody asks what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from smsby_deploy.privacy import hide_token

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `data` is the parsed JSON, `readable` tells whether there was any. Its repr shows no content.

    `retry_after` is in seconds; `is_empty` tells a body without content from one that can't be read.
    """

    status: int
    data: Any = field(default=None, repr=False)
    readable: bool = False
    is_empty: bool = False
    retry_after: float | None = None
    token: str = field(default="", repr=False)

    @property
    def error(self) -> str | None:
        """The text of its `error`, without the token, on one line; it may contain phone numbers."""
        data = unwrap(self.data)
        error = data.get("error") if isinstance(data, dict) else None
        if not error:
            return None
        text = hide_token(str(error), self.token)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if len(text) <= _LONGEST_ERROR:
            return text
        # A phone number that is cut could not be recognized and masked, so it is left out.
        return text[:_LONGEST_ERROR].rstrip("0123456789+-. ()") + "…"


def unwrap(data: Any) -> Any:
    """An old answer wrapped in a one-element list is unwrapped."""
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def find_value(data: Any, key: str) -> Any:
    """`key` at the top level or under `result` or `data`."""
    data = unwrap(data)
    if not isinstance(data, dict):
        return None
    if data.get(key) is not None:
        return data[key]
    for inner in ("result", "data"):
        found = unwrap(data.get(inner))
        if isinstance(found, dict) and found.get(key) is not None:
            return found[key]
    return None


def find_anywhere(data: Any, key: str) -> Any:
    """`key` wherever it stands; the one nearest to the top wins."""
    level = [data]
    while level:
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                if node.get(key) is not None:
                    return node[key]
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = below
    return None


def read_int(value: Any) -> int | None:
    """A whole number that may come as text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
