"""The fault switch: which calls fail, and how. docs/sandbox.md describes the modes.

This module also applies a fault to an answer.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

from flask import Response, jsonify, request

from smsby_deploy.clock import Clock
from smsby_deploy.sandbox.methods import METHODS, documented_name
from smsby_deploy.sandbox.protocol import Params, Reply

ANY = "*"
_MOST = 10**9  # of anything that is counted
_PAUSE_STEP = 0.02  # seconds
# These change what the account lists, not the answer of the call.
SILENT = ("lag", "cut")
# The call is carried out before these change its answer, whatever `when` says.
ALWAYS_CARRIED_OUT = ("slow", "other-values")
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
    "answer",
    "other-values",
    *SILENT,
)
_PAGE = (
    "<!doctype html><html><head><title>sms.by</title></head><body><h1>Технические работы</h1></body></html>"
)
_TRUNCATED = b'{"uuid":"cc9c8043-8caf-11ef-b0'


class BadFault(ValueError):
    """The description of a fault is not valid."""


@dataclass(frozen=True, slots=True)
class Fault:
    """From the `nth` call of `method` on, `times` calls fail as `mode` describes.

    `when` is before or after the execution of the call. Only calls with the parameters `params` count. The other fields
    belong to single modes.
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
    body: Any = None
    values: Mapping[str, Any] | None = None

    def matches(self, method: str, params: Params) -> bool:
        """Return whether the fault counts a call."""
        return self.method in (ANY, method) and all(
            str(params.get(name)) == value for name, value in (self.params or {}).items()
        )


def parse_fault(given: Any) -> Fault:
    """Return the fault that a JSON object describes.

    Raises:
        BadFault: a field is unknown or has an invalid value.
    """
    if not isinstance(given, Mapping):
        raise BadFault("expected a JSON object")
    known = {field.name for field in fields(Fault)}
    if unknown := sorted(set(given) - known):
        raise BadFault(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(known))}")
    mode = str(given.get("mode"))
    if mode not in MODES:
        raise BadFault(f"unknown mode {mode!r}; known: {', '.join(MODES)}")
    method = str(given.get("method", ANY))
    name = ANY if method == ANY else documented_name(method)
    if name is None:
        raise BadFault(f"unknown method {method!r}; known: {ANY}, {', '.join(METHODS)}")
    for key in ("params", "values"):
        if not isinstance(given.get(key), Mapping | None):
            raise BadFault(f"`{key}` must be a JSON object")
    try:
        read = {key: _READERS[key](value) for key, value in given.items() if key in _READERS}
        fault = Fault(**{**given, **read, "method": name})
    except (TypeError, ValueError, OverflowError) as error:
        raise BadFault(f"invalid value: {error}") from error
    if fault.when not in ("before", "after"):
        raise BadFault("`when` must be before or after")
    if (mode == "other-values") != bool(fault.values):
        raise BadFault("`values` belongs to the mode other-values, and must not be empty there")
    return fault


def _at_least(least: int, value: Any) -> int:
    return int(_between(least, int(value), _MOST))


def _between(least: int, number: float, most: int) -> float:
    if not least <= number <= most:
        raise ValueError(f"{number} is not between {least} and {most}")
    return number


def _header(value: Any) -> str | None:
    if value is not None and not str(value).isprintable():
        raise ValueError("a header has no control characters")
    return None if value is None else str(value)


# Fields that are converted; the others are as given.
_READERS: dict[str, Callable[[Any], Any]] = {
    "mode": str,
    "nth": partial(_at_least, 1),
    "times": partial(_at_least, 1),
    "params": lambda value: value and {str(key): str(one) for key, one in value.items()},
    "seconds": lambda value: _between(0, float(value), _MOST),
    "calls": partial(_at_least, 0),
    "chars": partial(_at_least, 0),
    "status": lambda value: None if value is None else int(_between(200, int(value), 599)),
    "text": str,
    "retry_after": _header,
    "location": _header,
}


@dataclass(slots=True)
class _PendingFault:
    fault: Fault
    seen: int = 0
    fired: int = 0


class FaultSwitch:
    """The faults that have not occurred yet. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_PendingFault] = []
        self._times_cleared = 0

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._pending.append(_PendingFault(fault))

    def clear(self) -> None:
        """Remove all faults, and end the pauses of calls that are being answered."""
        with self._lock:
            self._pending.clear()
            self._times_cleared += 1

    def new_pause(self, clock: Clock) -> Callable[[float], None]:
        """Return a wait function that ends early once the faults are cleared.

        It takes seconds.
        """
        times_cleared = self._times_cleared

        def pause(seconds: float) -> None:
            end = clock.monotonic() + seconds
            while (left := end - clock.monotonic()) > 0 and self._times_cleared == times_cleared:
                clock.sleep(min(left, _PAUSE_STEP))

        return pause

    def take(self, method: str, params: Params) -> tuple[Fault, ...]:
        """Count one call and return its faults: all silent ones, and the first of the others."""
        found: list[Fault] = []
        is_broken = False
        with self._lock:
            for pending in self._pending:
                fault = pending.fault
                if not fault.matches(method, params):
                    continue
                pending.seen += 1
                if pending.seen < fault.nth:
                    continue
                # One fault per call: a second one waits for the next call.
                if fault.mode not in SILENT:
                    if is_broken:
                        continue
                    is_broken = True
                pending.fired += 1
                found.append(fault)
            self._pending = [one for one in self._pending if one.fired < one.fault.times]
        return tuple(found)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the waiting faults with the number of calls that matched, and that failed."""
        with self._lock:
            return [{**asdict(one.fault), "seen": one.seen, "fired": one.fired} for one in self._pending]


def send_reply(reply: Reply) -> Response:
    """Return the complete answer; a body that is None is empty."""
    if reply.body is None:
        return Response("", reply.status, reply.headers, mimetype="application/json")
    response = jsonify(reply.body)
    response.status_code = reply.status
    response.headers.update(reply.headers)
    return response


def break_reply(fault: Fault, reply: Reply | None, pause: Callable[[float], None]) -> Response:
    """Return what `fault` leaves of `reply`, which is None if the call was not executed.

    `pause` waits for the seconds of a slow answer or a timeout.
    """
    match fault.mode:
        case "reset":
            return _drop_connection(with_reset=True)
        case "close":
            return _drop_connection(with_reset=False)
        case "timeout":
            pause(fault.seconds)
            return _drop_connection(with_reset=False)
        case "slow" if reply is not None:
            pause(fault.seconds)
            return send_reply(reply)
        case "other-values" if reply is not None:
            return send_reply(replace(reply, body=_with_values(reply.body, fault.values or {})))
        case "answer":
            return send_reply(Reply(fault.status or 200, fault.body))
        case "html":
            return Response(_PAGE, fault.status or 200, mimetype="text/html")
        case "empty":
            return Response("", fault.status or 200, mimetype="application/json")
        case "no-proof":
            return send_reply(Reply(fault.status or 200, {"success": "OK"}))
        case "error":
            return send_reply(Reply(fault.status or 400, {"error": fault.text}))
        case "500":
            return send_reply(Reply(500, {"error": fault.text}))
        case "truncated":
            return Response(_first_half(reply), fault.status or 200, mimetype="application/json")
        case "incomplete":
            return _incomplete(_first_half(reply))
        case "429":
            return _rate_limited(fault)
        case "redirect":
            # By default to the same address: a client that follows a 307 sends twice, which the inbox shows.
            return Response("", fault.status or 307, {"Location": fault.location or request.url})
    return Response("Service Unavailable", int(fault.mode), mimetype="text/plain")


def _with_values(body: Any, values: Mapping[str, Any]) -> Any:
    """Replace `values` in an answer: wherever it has such a key, otherwise at the top."""
    changed, found = _replace_values(body, values)
    missing = {key: value for key, value in values.items() if key not in found}
    return {**changed, **missing} if isinstance(changed, dict) else changed


def _replace_values(body: Any, values: Mapping[str, Any]) -> tuple[Any, set[str]]:
    """Replace `values` under any key of an answer; also return the keys that were found."""
    if isinstance(body, dict):
        found = set(body) & set(values)
        items = {}
        for key, value in body.items():
            items[key], inner = (values[key], set()) if key in values else _replace_values(value, values)
            found |= inner
        return items, found
    if isinstance(body, list):
        pairs = [_replace_values(item, values) for item in body]
        return [item for item, _ in pairs], set().union(*(inner for _, inner in pairs))
    return body, set()


def _first_half(reply: Reply | None) -> bytes:
    if reply is None:
        return _TRUNCATED
    whole = send_reply(reply).get_data().strip()
    return whole[: max(1, len(whole) // 2)]


def _rate_limited(fault: Fault) -> Response:
    retry_after = f"{fault.seconds:.0f}" if fault.retry_after is None else fault.retry_after
    response = send_reply(Reply(429, {"error": "Request limit exceeded"}))
    if retry_after:
        response.headers["Retry-After"] = retry_after
    return response


def _incomplete(body: bytes) -> Response:
    """Return fewer bytes than Content-Length announces."""
    response = Response(body, mimetype="application/json")
    response.automatically_set_content_length = False
    response.headers["Content-Length"] = str(len(body) + 64)
    return response


def _drop_connection(*, with_reset: bool) -> Response:
    """Send no answer: reset the connection, or close it gracefully."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    if with_reset:
        # With a linger time of 0, closing sends a reset; server.py then skips the graceful shutdown.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        connection.shutdown(socket.SHUT_RDWR)
    return Response(_fail_while_sending())


def _fail_while_sending() -> Iterator[bytes]:
    raise ConnectionResetError("a fault drops this connection")
    yield b""
