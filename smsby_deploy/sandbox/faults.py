"""The fault switch: which call is to go wrong, and how. docs/sandbox.md tells what each mode does."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from smsby_deploy.sandbox.methods import METHODS, documented_name
from smsby_deploy.sandbox.params import Params

ANY = "*"
# These change what the account shows, not what the call answers.
SILENT = ("lag", "cut")
MODES = (
    "reset",
    "close",
    "timeout",
    "slow",
    "500",
    "502",
    "503",
    "504",
    "error",
    "html",
    "empty",
    "no-proof",
    "truncated",
    "incomplete",
    "429",
    "redirect",
    *SILENT,
)


class BadFault(ValueError):
    """A fault that can't be set."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The `nth` call of `method` from now on (and the `times - 1` after it) goes wrong by `mode`.

    `when` is before or after the call was carried out. Only calls whose parameters equal `params` count. The other
    fields belong to single modes.
    """

    mode: str
    method: str = ANY
    nth: int = 1
    times: int = 1
    when: str = "before"
    params: Mapping[str, str] | None = None
    seconds: float = 1.0
    calls: int = 0
    chars: int = 20
    status: int | None = None
    text: str = "Server is not available"
    retry_after: str | None = None
    location: str | None = None

    def hits(self, method: str, params: Params) -> bool:
        """Whether a call counts."""
        return self.method in (ANY, method) and all(
            str(params.get(name)) == value for name, value in (self.params or {}).items()
        )


def read_fault(given: Any) -> Fault:
    """A fault from JSON.

    Raises:
        BadFault: something in it is not known or can't be.
    """
    if not isinstance(given, Mapping):
        raise BadFault("a fault is a JSON object")
    known = {field.name for field in fields(Fault)}
    if strange := sorted(set(given) - known):
        raise BadFault(f"unknown field {strange[0]!r}; known: {', '.join(sorted(known))}")
    mode = str(given.get("mode"))
    if mode not in MODES:
        raise BadFault(f"unknown mode {mode!r}; known: {', '.join(MODES)}")
    method = str(given.get("method", ANY))
    name = ANY if method == ANY else documented_name(method)
    if name is None:
        raise BadFault(f"unknown method {method!r}; known: {ANY}, {', '.join(METHODS)}")
    when = given.get("when", "before")
    if when not in ("before", "after"):
        raise BadFault("`when` is before or after")
    params = given.get("params")
    if not isinstance(params, Mapping | None):
        raise BadFault("`params` is a JSON object")
    try:
        return Fault(
            mode=mode,
            method=name,
            nth=_at_least(1, given.get("nth", 1)),
            times=_at_least(1, given.get("times", 1)),
            when=when,
            params=None if params is None else {str(key): str(value) for key, value in params.items()},
            seconds=float(given.get("seconds", 1)),
            calls=_at_least(0, given.get("calls", 0)),
            chars=_at_least(0, given.get("chars", 20)),
            status=None if given.get("status") is None else _at_least(200, given["status"]),
            text=str(given.get("text", Fault.__dataclass_fields__["text"].default)),
            retry_after=None if given.get("retry_after") is None else str(given["retry_after"]),
            location=None if given.get("location") is None else str(given["location"]),
        )
    except (TypeError, ValueError) as error:
        raise BadFault(f"a number of the fault can't be: {error}") from error


def _at_least(least: int, value: Any) -> int:
    number = int(value)
    if number < least:
        raise ValueError(f"{number} is under {least}")
    return number


@dataclass(slots=True)
class _PendingFault:
    fault: Fault
    seen: int = 0
    fired: int = 0


class FaultSwitch:
    """The faults that wait for their calls; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_PendingFault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(_PendingFault(fault))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, method: str, params: Params) -> tuple[Fault, ...]:
        """Count one call; the faults it meets: the silent ones, and the first of the others."""
        met: list[Fault] = []
        is_broken = False
        with self._lock:
            for waiting in self._waiting:
                fault = waiting.fault
                if not fault.hits(method, params):
                    continue
                waiting.seen += 1
                if waiting.seen < fault.nth:
                    continue
                # One that loses to another waits for the next call, so no fault is lost unseen.
                if fault.mode not in SILENT:
                    if is_broken:
                        continue
                    is_broken = True
                waiting.fired += 1
                met.append(fault)
            self._waiting = [one for one in self._waiting if one.fired < one.fault.times]
        return tuple(met)

    def as_json(self) -> list[dict[str, Any]]:
        """What still waits, and how often each call was seen."""
        with self._lock:
            return [{**asdict(one.fault), "seen": one.seen, "fired": one.fired} for one in self._waiting]
