"""The log of --log-format json: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from smsby_deploy.clock import Clock
from smsby_deploy.output.terminal import escape_json
from smsby_deploy.privacy import hide_tokens, mask_phones
from smsby_deploy.problems import Problem, Severity

if TYPE_CHECKING:
    from smsby_deploy.apply.apply_result import ApplyResult
    from smsby_deploy.apply.context import Event

# Facts in which a phone number may occur. A plan's id is not masked, although its digits may look like a number.
_PROSE = frozenset({"message", "hint", "error", "place"})
Fact = str | int | float | None | list[str]


class JsonLog:
    """Writes `{"time", "level", "event", …}` to `stream`, one object per line.

    A line is ASCII and flushed at once.
    `time` is in UTC; `level` is info, warning or error. Facts that are None are left out. No text contains a whole
    phone number or one of `secrets`. With `is_quiet`, events of level info are left out.
    """

    def __init__(
        self, stream: TextIO, clock: Clock, *, secrets: Sequence[str] = (), is_quiet: bool = False
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._secrets = secrets
        self._is_quiet = is_quiet

    def write(self, level: str, event: str, **facts: Fact) -> None:
        """Write one line; `facts` keep their order."""
        if self._is_quiet and level == "info":
            return
        time = self._clock.now().isoformat(timespec="milliseconds")
        known = {name: self._safe(name, fact) for name, fact in facts.items() if fact is not None}
        line = json.dumps({"time": time, "level": level, "event": event, **known})
        self._stream.write(escape_json(line) + "\n")
        self._stream.flush()

    def _safe(self, name: str, fact: Fact) -> Fact:
        if isinstance(fact, list):
            return [self._hide(text) for text in fact]
        if not isinstance(fact, str):
            return fact
        return mask_phones(self._hide(fact)) if name in _PROSE else self._hide(fact)

    def _hide(self, text: str) -> str:
        return hide_tokens(text, self._secrets)


def log_problems(problems: Iterable[Problem], log: JsonLog) -> None:
    """Write each problem as a separate event."""
    for problem in problems:
        file, line, column = problem.location or (None, None, None)
        log.write(
            "info" if problem.severity is Severity.NOTE else problem.severity.value,
            "problem",
            code=problem.code,
            message=problem.message,
            address=problem.address,
            file=file,
            line=line,
            column=column,
        )


def log_event(log: JsonLog, event: Event) -> None:
    """Write what happened during an apply."""
    addresses = list(event.addresses)
    log.write(
        "warning" if event.is_warning else "info",
        event.name,
        message=" ".join(event.line.split()),
        address=addresses[0] if len(addresses) == 1 else None,
        addresses=addresses if len(addresses) > 1 else None,
        people=event.recipients,
        outcome=event.outcome,
    )


def log_apply(log: JsonLog, result: ApplyResult) -> None:
    """Write the outcome of each mailing in the files, then the end of the apply."""
    for mailing in result.mailings:
        log.write(
            "info" if mailing.error is None else "warning",
            "mailing",
            address=mailing.address,
            outcome=mailing.outcome,
            people=mailing.counted,
            error=mailing.error,
        )
    log.write("info", "applied", plan=result.plan.id, exit_code=result.exit_code)
