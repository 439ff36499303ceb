"""The callback file beside the lock, and the server that fills it.

`listen` appends to it; `status` reads what statusBulkSms does not report.
sms.by does not document the shape of its callbacks. A JSON body with a `uuid` and the rows of statusBulkSms (a list under
`result` or `data`) is read; any other body is only stored.

`listen` is a small HTTP server that stores each callback before it answers.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smsby_deploy.clock import Clock
from smsby_deploy.errors import ApiError
from smsby_deploy.files import NO_FOLLOW, refuse_link
from smsby_deploy.privacy import hide_token_parameters, hide_tokens

if TYPE_CHECKING:
    from smsby_deploy.smsby.deliveries import BulkMailingStatus, Delivery

MAX_BODY_BYTES = 1024 * 1024  # enough for the status of 10,000 phones
_STORED_HEADERS = ("Content-Type", "Content-Length", "User-Agent", "X-Forwarded-For")
_TIMEOUT_SECONDS = 30


def callbacks_path(lock: Path) -> Path:
    """Return the callback file that belongs to `lock`.

    It holds phones and must not be committed.
    """
    return lock.with_name(lock.name + ".callbacks.jsonl")


def read_callbacks(path: Path, uuid: str) -> tuple[BulkMailingStatus, ...]:
    """Return the mailings of request `uuid` with the latest status of each phone.

    Empty if no callback has any.
    """
    from smsby_deploy.smsby.deliveries import BulkMailingStatus

    latest: dict[tuple[int | None, str], dict[str, Delivery]] = {}
    for mailing in _reported_mailings(path, uuid):
        if mailing.message_id is None and not mailing.name:
            continue
        phones = latest.setdefault((mailing.message_id, mailing.name), {})
        phones.update({one.phone: one for one in mailing.deliveries if one.phone and one.status})
    return tuple(
        BulkMailingStatus(message_id, name, None, tuple(phones.values()), None)
        for (message_id, name), phones in latest.items()
        if phones
    )


def _reported_mailings(path: Path, uuid: str) -> Iterator[BulkMailingStatus]:
    from smsby_deploy.smsby.deliveries import read_bulk_status
    from smsby_deploy.smsby.response import find_value

    refuse_link(path)
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            body = _read_body(line) if uuid in line else None
            if isinstance(body, dict) and find_value(body, "uuid") == uuid:
                try:
                    yield from list(read_bulk_status(body))
                except ApiError:
                    continue  # not the shape of statusBulkSms


def _read_body(line: str) -> Any:
    """Return the JSON body in a line; None if it has none, or if a crash truncated the line."""
    try:
        return json.loads(json.loads(line)["body"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class CallbackLog:
    """Appends callbacks to the file `path`, one JSON object per line.

    Safe to use from several threads.
    A line has `time` (ISO, UTC), `method`, `path` (with the query), `headers` (about the body and its sender), `body`,
    and `encoding`: utf-8, or base64 for a body that is not UTF-8. The token is removed.
    """

    def __init__(self, path: Path, clock: Clock, tokens: Sequence[str] = ()) -> None:
        self._path = path
        self._clock = clock
        self._tokens = tokens
        self._lock = threading.Lock()

    def append(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Write one callback and wait until it is on disk.

        Raises:
            OSError: it cannot be written.
        """
        line = self._format_line(method, target, headers, body)
        with self._lock:
            # Only the owner may read the file: the bodies may contain phones.
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_FOLLOW, 0o600)
            with os.fdopen(handle, "r+b", buffering=0) as file:
                if _is_torn(file):
                    line = b"\n" + line
                if file.write(line) != len(line):
                    raise OSError("the line was only written in part")
                os.fsync(file.fileno())

    def _format_line(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        try:
            text, encoding = self._hide_token(body.decode("utf-8")), "utf-8"
        except UnicodeDecodeError:
            text, encoding = base64.b64encode(body).decode(), "base64"
        document = {
            "time": self._clock.now().isoformat(),
            "method": method,
            "path": self._hide_token(target),
            "headers": {name: self._hide_token(value) for name, value in headers.items()},
            "body": text,
            "encoding": encoding,
        }
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def _hide_token(self, text: str) -> str:
        return hide_token_parameters(hide_tokens(text, self._tokens))


def _is_torn(file: RawIOBase) -> bool:
    """Return whether the last line has no end because of a crash or a full disk."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def open_listener(log: CallbackLog, host: str, port: int, note: Callable[[str], None]) -> ThreadingHTTPServer:
    """Return a server that stores every GET and POST in `log` and answers 200.

    `note` gets one line per callback, without its content. A callback that cannot be stored is answered 500, so that
    sms.by may repeat it; a body over MAX_BODY_BYTES is answered 413.

    Raises:
        OSError: the port is in use or not permitted.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_SECONDS

        def do_GET(self) -> None:  # the names are those of http.server
            self._store()

        def do_POST(self) -> None:
            self._store()

        def _store(self) -> None:
            length = self.headers.get("Content-Length", "0" if self.command == "GET" else "").strip()
            if self.headers.get("Transfer-Encoding") or not re.fullmatch(r"[0-9]{1,18}", length):
                self._answer(411)
                return
            if int(length) > MAX_BODY_BYTES:
                self._answer(413)
                return
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self._answer(400)
                return
            headers = {name: self.headers[name] for name in _STORED_HEADERS if name in self.headers}
            try:
                log.append(self.command, self.path, headers, body)
            except OSError as error:
                note(f"cannot store a callback: {error.strerror or error}")
                self._answer(500)
                return
            note(f"stored a callback of {len(body)} bytes")
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def version_string(self) -> str:
            return "smsby-deploy"

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing: the path may contain phones."""

    return ThreadingHTTPServer((host, port), Handler)
