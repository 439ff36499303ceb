"""What happens, for a log that machines read: a JSON object a line."""

from __future__ import annotations

import json
from typing import TextIO

from smsby_deploy.clock import Clock
from smsby_deploy.privacy import MIN_SECRET, hide_token, mask_phones

# What may hold anything; an id of a plan is masked by no means, though its digits may look like a number.
_PROSE = frozenset({"message", "hint", "error", "place"})
Fact = str | int | float | None | list[str]


class JsonLog:
    """Writes `{"time", "level", "event", …}` to `stream`, each at once and on one line of plain ASCII.

    `time` is in UTC; `level` is debug, info, warning or error. What is None is left out. Texts never hold a phone number
    or `secret`.
    """

    def __init__(self, stream: TextIO, clock: Clock, *, secret: str = "") -> None:
        self._stream = stream
        self._clock = clock
        self._secret = secret if len(secret) >= MIN_SECRET else ""

    def write(self, level: str, event: str, **facts: Fact) -> None:
        """One line; `facts` follow in their order."""
        time = self._clock.now().isoformat(timespec="milliseconds")
        known = {name: self._safe(name, fact) for name, fact in facts.items() if fact is not None}
        self._stream.write(json.dumps({"time": time, "level": level, "event": event, **known}) + "\n")
        self._stream.flush()

    def _safe(self, name: str, fact: Fact) -> Fact:
        if isinstance(fact, list):
            return [self._hide(text) for text in fact]
        if not isinstance(fact, str):
            return fact
        return mask_phones(self._hide(fact)) if name in _PROSE else self._hide(fact)

    def _hide(self, text: str) -> str:
        return hide_token(text, self._secret)
