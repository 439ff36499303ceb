"""Receive callbacks of sms.by and keep each as it came: a JSON line with its time, on disk before it is answered."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from smsby_deploy.clock import Clock

MOST_BYTES = 1024 * 1024  # of a body; the whole status of 10,000 phones
_KEPT_HEADERS = ("Content-Type", "Content-Length", "User-Agent", "X-Forwarded-For")
_TIMEOUT_SECONDS = 30
_HIDDEN = "<hidden>"
_TOKEN = re.compile(r"""(\btoken["']?\s*[=:]\s*["']?)[^&"'\s,}]+""", re.IGNORECASE)
_SHORTEST_TOKEN = 8  # characters: a shorter one may stand in a text by chance


class CallbackLog:
    """Appends callbacks to the file `path`, one JSON object a line; safe to use from several threads.

    A line has `time` (ISO, UTC), `method`, `path` (with the query), `headers` (those that tell of the body and the
    sender), `body`, and `encoding`: utf-8, or base64 for what is not UTF-8. The token is taken out.
    """

    def __init__(self, path: Path, clock: Clock, token: str = "") -> None:
        self._path = path
        self._clock = clock
        self._token = token if len(token) >= _SHORTEST_TOKEN else ""
        self._lock = threading.Lock()

    def append(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Write one callback and wait until the disk has it.

        Raises:
            OSError: the disk does not take it.
        """
        try:
            text, encoding = body.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            text, encoding = base64.b64encode(body).decode(), "base64"
        document = {
            "time": self._clock.now().isoformat(),
            "method": method,
            "path": self._without_token(target),
            "headers": {name: self._without_token(value) for name, value in headers.items()},
            "body": self._without_token(text) if encoding == "utf-8" else text,
            "encoding": encoding,
        }
        line = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            # Only its owner may read it: the bodies may hold phones.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if self._is_torn(file):
                    line = b"\n" + line
                if os.write(file, line) != len(line):
                    raise OSError("the line was not written whole")
                os.fsync(file)
            finally:
                os.close(file)

    def _without_token(self, text: str) -> str:
        if self._token:
            text = text.replace(self._token, _HIDDEN)
        return _TOKEN.sub(rf"\1{_HIDDEN}", text)

    @staticmethod
    def _is_torn(file: int) -> bool:
        """Whether a crash, or a full disk, left a line without its end."""
        size = os.fstat(file).st_size
        return size > 0 and os.pread(file, 1, size - 1) != b"\n"


def open_listener(log: CallbackLog, host: str, port: int, tell: Callable[[str], None]) -> ThreadingHTTPServer:
    """A server that keeps every GET and POST in `log` and answers 200; `tell` hears a line of each, without content.

    A callback that can't be kept is answered 500, so that sms.by may try again; a body over MOST_BYTES 413.

    Raises:
        OSError: the port is taken, or may not be opened.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_SECONDS

        def do_GET(self) -> None:  # http.server calls it so
            self._keep()

        def do_POST(self) -> None:
            self._keep()

        def _keep(self) -> None:
            length = self.headers.get("Content-Length", "0" if self.command == "GET" else "").strip()
            if self.headers.get("Transfer-Encoding") or not re.fullmatch(r"[0-9]{1,18}", length):
                self._answer(411)
                return
            if int(length) > MOST_BYTES:
                self._answer(413)
                return
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self._answer(400)
                return
            kept = {name: self.headers[name] for name in _KEPT_HEADERS if name in self.headers}
            try:
                log.append(self.command, self.path, kept, body)
            except OSError as error:
                tell(f"a callback could not be kept: {error.strerror or error}")
                self._answer(500)
                return
            tell(f"a callback of {len(body)} bytes")
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def version_string(self) -> str:
            return "smsby-deploy"

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the path may hold phones."""

    return ThreadingHTTPServer((host, port), Handler)
