"""One answer of sms.by, before it is interpreted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from smsby_deploy.privacy import hide_token

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Its repr shows no content.

    data: the parsed JSON
    readable: whether the body was JSON
    is_empty: whether there was no body at all
    retry_after: the seconds that sms.by asked to wait
    """

    status: int
    data: Any = field(default=None, repr=False)
    readable: bool = False
    is_empty: bool = False
    retry_after: float | None = None
    token: str = field(default="", repr=False)

    @property
    def is_success(self) -> bool:
        """Whether it is a 2xx without an error text; the body may still be empty or unreadable."""
        return 200 <= self.status < 300 and not self.error

    @property
    def error(self) -> str | None:
        """The error text in the answer, without the token, on one line.

        It may contain phone numbers.
        """
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
    """Return `data` without the one-element list that some methods of sms.by wrap it in."""
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def find_value(data: Any, key: str) -> Any:
    """Return the value of `key` at the top level or under `result` or `data`.

    None if there is none.
    """
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
    """Return the value of `key` at any depth, the one nearest to the top; None if there is none."""
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
    """Return an integer that may be written as text; None if `value` is not one."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
