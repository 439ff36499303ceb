"""A real HTTP server on loopback: it gives the answers that a test scripts, even broken ones, and records requests."""

from __future__ import annotations

import io
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.smsby.transport import ReadTransport, SendTransport

TOKEN = "4c6f766520697320616c6c207468657265"


def keep_all(number: int, name: str) -> bool:
    """Keep every mailing of the list."""
    return True


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is JSON unless it is bytes; `break_off` is how the connection fails instead."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float = 0.0  # seconds before each byte of the headers and the body
    break_off: Literal["", "reset", "close", "truncated", "silence"] = ""


@dataclass(frozen=True)
class Asked:
    """One request as it was received."""

    verb: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)

    @property
    def places(self) -> dict[str, dict[str, Any]]:
        """Return the parameters in the query, in the form and in the JSON, with their values."""
        kind = self.headers.get("content-type", "")
        form = self.form if kind == "application/x-www-form-urlencoded" else {}
        return {
            "query": {name: values[0] for name, values in self.query.items()},
            "form": {name: values[0] for name, values in form.items()},
            "json": self.json if kind == "application/json" else {},
        }


class FakeServer:
    """The server's script and record. Without a script it answers an empty 200."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.was_asked = threading.Event()
        self.over = threading.Event()
        self.url = ""
        self.speak_tls: Callable[[ssl.SSLContext], None] = lambda context: None

    def answers(self, *replies: Reply) -> None:
        self.replies.extend(replies)


class _Drip(io.RawIOBase):
    """Writes byte by byte."""

    def __init__(self, file: IO[bytes], wait: Callable[[], object]) -> None:
        self._file = file
        self._wait = wait

    def write(self, content: Any) -> int:
        for byte in bytes(content):
            self._wait()
            self._file.write(bytes([byte]))
        return len(content)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # otherwise the body waits up to 40 ms for the client to confirm the headers
    )
    wire: FakeServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.wire.asked.append(
            Asked(
                self.command,
                parts.path,
                parse_qs(parts.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
                body,
                self.client_address[1],
            )
        )
        self.wire.was_asked.set()
        reply = self.wire.replies.popleft() if self.wire.replies else Reply()
        match reply.break_off:
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._hang_up()
                return
            case "close":
                self._hang_up()
                return
            case "silence":
                self.wire.over.wait(10)
                self._hang_up()
                return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        if reply.drip:
            self.wfile = _Drip(self.wfile, lambda: self.wire.over.wait(reply.drip))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) + (100 if reply.break_off == "truncated" else 0)))
        self.end_headers()
        self.wfile.write(content)
        if reply.break_off == "truncated":
            self.wfile.flush()
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()
        self.rfile.close()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A server on loopback, without a proxy in between."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = FakeServer()
    handler = type("Handler", (_Handler,), {"wire": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]

    def speak_tls(context: ssl.SSLContext) -> None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    made.speak_tls = speak_tls
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.002}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    made.over.set()
    server.shutdown()
    server.server_close()


class FakeClock:
    """A clock that only moves during sleep()."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 12, 1, 7, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


MakeSender = Callable[..., SendClient]


@pytest.fixture
def reader(wire: FakeServer, clock: FakeClock) -> ReadClient:
    """A client that cannot send, with a rate so high that it never waits."""
    return ReadClient(
        ReadTransport(wire.url, TOKEN, timeout=5, requests_per_second=1e6, body="json", clock=clock)
    )


@pytest.fixture
def make_sender(wire: FakeServer, clock: FakeClock) -> MakeSender:
    """Return a function that makes a client that can send; its arguments replace the defaults."""

    def make(**changes: Any) -> SendClient:
        settings: dict[str, Any] = {"timeout": 5, "requests_per_second": 1e6, "body": "json"}
        url = changes.pop("url", wire.url)
        return SendClient(
            SendTransport(url, changes.pop("token", TOKEN), **(settings | changes), clock=clock)
        )

    return make


@pytest.fixture
def sender(make_sender: MakeSender) -> SendClient:
    return make_sender()


@pytest.fixture
def certificate(wire: FakeServer, tmp_path: Path) -> Path:
    """The certificate of `wire`, which from now on speaks TLS and has an https URL."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    wire.speak_tls(context)
    wire.url = wire.url.replace("http:", "https:")
    return certificate


@contextmanager
def hang_up(size: int) -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server that reads `size` bytes of each connection and closes it, and what it read."""
    taken: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                taken.append(connection.recv(size))

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1], taken
    server.close()
