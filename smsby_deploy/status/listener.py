"""The HTTP server of `listen`.

It stores each callback before it answers, and only those that arrive at the secret address.
"""

from __future__ import annotations

import hmac
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

from smsby_deploy.clock import Clock
from smsby_deploy.status.callbacks import CallbackLog, QuotaExceeded

MAX_BODY_BYTES = 1024 * 1024  # enough for the status of 10,000 phones
REQUESTS_PER_SECOND = 50
_MOST_CONNECTIONS = 64
_LONGEST_LINE = 1024  # of a chunk's size, or of a trailer
_MOST_TRAILERS = 32
_STORED_HEADERS = ("Content-Type", "Content-Length", "User-Agent", "X-Forwarded-For")
_TIMEOUT_SECONDS = 30


class _BadBody(Exception):
    """The body cannot be accepted; `status` is the HTTP status of the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class RateLimit:
    """Allows a number of calls within any second. Safe to use from several threads."""

    def __init__(self, per_second: int, clock: Clock) -> None:
        self._clock = clock
        self._recent: deque[float] = deque(maxlen=per_second)
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Return whether one more call is allowed now, and count it if so."""
        with self._lock:
            now = self._clock.monotonic()
            if len(self._recent) == self._recent.maxlen and now - self._recent[0] < 1:
                return False
            self._recent.append(now)
            return True


class CallbackServer(ThreadingHTTPServer):
    """Stores each GET and POST at the secret address and answers 200.

    Any other address gets 404, and nothing is read or stored. `note` gets one line per callback, without its content. A
    callback that cannot be stored gets 500 or, over the quota, 507, so that sms.by may repeat it; one over
    REQUESTS_PER_SECOND gets 429, a body over MAX_BODY_BYTES 413.

    It serves a limited number of connections at a time and closes any other at once. A request that takes longer than
    _TIMEOUT_SECONDS in total is cut off, so that slow clients do not keep out others.
    """

    def __init__(
        self,
        address: tuple[str, int],
        log: CallbackLog,
        note: Callable[[str], None],
        *,
        secret_path: str,
        clock: Clock,
    ) -> None:
        """Listen at `address`; OSError if the port is in use or not permitted."""
        super().__init__(address, _CallbackHandler)
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._clock = clock
        self._open: dict[socket.socket, float] = {}  # since when
        self._open_lock = threading.Lock()
        self._secret = secret_path.encode()
        self.rate = RateLimit(REQUESTS_PER_SECOND, clock)
        self.log = log
        self.note = note

    def is_secret(self, target: str) -> bool:
        """Return whether a path ends in the secret segment; a proxy may put anything before it."""
        last = target.partition("?")[0].rstrip("/").rpartition("/")[2]
        return hmac.compare_digest(last.encode("utf-8", "replace"), self._secret)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            with self._open_lock:
                self._open[request] = self._clock.monotonic()
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off the requests that take too long; `serve_forever` calls this about twice a second."""
        with self._open_lock:
            for request, since in self._open.items():
                if self._clock.monotonic() - since > _TIMEOUT_SECONDS:
                    with suppress(OSError):  # it has just ended
                        request.shutdown(socket.SHUT_RD)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                del self._open[request]
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what failed in one line, instead of a traceback.

        A lost connection is not reported.
        """
        error = sys.exception()
        if not isinstance(error, OSError):
            self.note(f"a request failed: {type(error).__name__}")


class _CallbackHandler(BaseHTTPRequestHandler):
    server: CallbackServer
    timeout = _TIMEOUT_SECONDS
    protocol_version = "HTTP/1.1"  # for Expect: 100-continue, which curl sends

    def do_GET(self) -> None:  # the names are those of http.server
        self._store()

    def do_POST(self) -> None:
        self._store()

    def handle_expect_100(self) -> bool:
        if self.server.is_secret(self.path):
            return super().handle_expect_100()
        self._answer(404)
        return False

    def _store(self) -> None:
        if not self.server.is_secret(self.path):
            self._answer(404)
            return
        if not self.server.rate.allows():
            self._answer(429)
            return
        try:
            body = _read_body(self)
        except _BadBody as error:
            self._answer(error.status)
            return
        headers = {name: self.headers[name] for name in _STORED_HEADERS if name in self.headers}
        try:
            self.server.log.append(self.command, self.path, headers, body)
        except QuotaExceeded as error:
            self.server.note(f"a callback was not stored: {error}")
            self._answer(507)
        except OSError as error:
            self.server.note(f"cannot store a callback: {error.strerror or error}")
            self._answer(500)
        else:
            self.server.note(f"stored a callback of {len(body)} bytes")
            self._answer(200)

    def _answer(self, status: int) -> None:
        """Answer, and end the connection: the body may not have been read."""
        self.close_connection = True
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def version_string(self) -> str:
        return "smsby-deploy"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log nothing: the path may contain phones."""


def _read_body(request: BaseHTTPRequestHandler) -> bytes:
    """Return the body of a request, which may be chunked.

    Raises:
        _BadBody: it is too long, incomplete, or has no length.
    """
    encoding = request.headers.get("Transfer-Encoding", "").strip().lower()
    if encoding == "chunked":
        return _read_chunks(request.rfile)
    length = request.headers.get("Content-Length", "0" if request.command == "GET" else "").strip()
    if encoding or not re.fullmatch(r"[0-9]{1,18}", length):
        raise _BadBody(411)
    if int(length) > MAX_BODY_BYTES:
        raise _BadBody(413)
    return _read_exactly(request.rfile, int(length))


def _read_chunks(stream: BufferedIOBase) -> bytes:
    body = b""
    while True:
        size = stream.readline(_LONGEST_LINE).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
            raise _BadBody(400)
        if int(size, 16) == 0:
            break
        if len(body) + int(size, 16) > MAX_BODY_BYTES:
            raise _BadBody(413)
        body += _read_exactly(stream, int(size, 16))
        if stream.readline(_LONGEST_LINE).strip():
            raise _BadBody(400)
    for _ in range(_MOST_TRAILERS):
        if not stream.readline(_LONGEST_LINE).strip():
            return body
    raise _BadBody(400)


def _read_exactly(stream: BufferedIOBase, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise _BadBody(400)
    return content
