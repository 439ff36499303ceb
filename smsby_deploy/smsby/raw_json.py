"""JSON that is written already, as a part of what a request says.

A delivery list of a thousand people is hashed as JSON before it leaves; to read it into lists and to write those again
would take longer than all else that is done for a request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Written:
    """A value as its JSON text, in UTF-8."""

    text: bytes

    @property
    def value(self) -> Any:
        """What it says."""
        return json.loads(self.text)


def write_json(value: Any) -> bytes:
    """`value`, anywhere in which a Written may stand, as JSON."""
    if isinstance(value, Written):
        return value.text
    if isinstance(value, Mapping):
        pairs = (
            json.dumps(name, ensure_ascii=False).encode() + b": " + write_json(item)
            for name, item in value.items()
        )
        return b"{" + b", ".join(pairs) + b"}"
    if isinstance(value, list | tuple):
        return b"[" + b", ".join(map(write_json, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode()
