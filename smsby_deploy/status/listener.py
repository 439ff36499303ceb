"""The HTTP server of `listen`: it stores every callback before answering it."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from smsby_deploy.status.callbacks import CallbackLog

MAX_BODY_BYTES = 1024 * 1024  # enough for the status of 10,000 phones
_STORED_HEADERS = ("Content-Type", "Content-Length", "User-Agent", "X-Forwarded-For")
_TIMEOUT_SECONDS = 30


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
