"""The server of `listen`: what it stores, and what it refuses to store."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.clock import Clock
from smsby_deploy.status.callbacks import CallbackLog, Quota, callbacks_path
from smsby_deploy.status.listener import MAX_BODY_BYTES, REQUESTS_PER_SECOND, CallbackServer, RateLimit
from tests.status.examples import FixedClock

SECRET = "0123456789abcdef0123456789abcdef"
CB = f"/cb/{SECRET}"


@contextmanager
def _listening(
    path: Path, token: str = "", quota: Quota | None = None, clock: Clock | None = None
) -> Iterator[tuple[HTTPConnection, list[str]]]:
    noted: list[str] = []
    log = CallbackLog(path, FixedClock(), (SECRET, token), read_uuids=frozenset, quota=quota)
    server = CallbackServer(
        ("127.0.0.1", 0), log, noted.append, secret_path=SECRET, clock=clock or FixedClock()
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield HTTPConnection("127.0.0.1", server.server_address[1], timeout=10), noted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _stored(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_listener_stores_callbacks_verbatim(tmp_path: Path) -> None:
    """GET and POST with any bytes are stored in a file that only its owner may read, and notes have no content."""
    path = callbacks_path(tmp_path / "smsby.lock.json")
    with _listening(path) as (client, noted):
        client.request(
            "POST", f"{CB}?x=1", "номер 375291111111".encode(), {"Content-Type": "text/plain", "Cookie": "c"}
        )
        assert client.getresponse().status == 200
        client.request("GET", f"{CB}/?phone=375291111111&status=ok")
        assert client.getresponse().status == 200
        client.request("POST", f"/{SECRET}", b"\xff\x00")
        assert client.getresponse().status == 200
    first, second, third = _stored(path)
    assert (first["method"], first["path"], first["body"]) == (
        "POST",
        "/cb/<hidden>?x=1",
        "номер 375291111111",
    )
    assert first["time"] == datetime(2026, 12, 1, tzinfo=UTC).isoformat()
    assert first["headers"] == {"Content-Type": "text/plain", "Content-Length": "23"}
    assert (second["path"], second["body"]) == ("/cb/<hidden>/?phone=375291111111&status=ok", "")
    assert (third["encoding"], third["body"]) == ("base64", "/wA=")
    assert "375291111111" not in "".join(noted)
    assert path.name == "smsby.lock.json.callbacks.jsonl"
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0


def test_listener_does_not_store_the_token(tmp_path: Path) -> None:
    """Neither the token nor the value of any `token` parameter is stored."""
    path = tmp_path / "c.jsonl"
    with _listening(path, "secret-token") as (client, _):
        client.request(
            "POST", f"/secret-token/{SECRET}?token=abc", b'{"token": "def", "key": "secret-token", "n": 1}'
        )
        assert client.getresponse().status == 200
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("secret-token", "=abc", '"def', SECRET) if word in text]
    assert json.loads(_stored(path)[0]["body"])["n"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"Content-Length": "9" * 30}, 411),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "gzip"}, 411),
        ({"Transfer-Encoding": "gzip, chunked"}, 411),
    ],
)
def test_listener_refuses_bodies_of_unusable_length(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """A body that is too long or has no valid length is neither read nor stored."""
    path = tmp_path / "c.jsonl"
    with _listening(path) as (client, _):
        client.putrequest("POST", CB)
        for name, value in headers.items():
            client.putheader(name, value)
        client.endheaders()
        assert client.getresponse().status == status
    assert not path.exists()


def test_listener_answers_500_if_it_cannot_store(tmp_path: Path) -> None:
    """If a callback cannot be stored, sms.by gets a 500 and may repeat it."""
    path = tmp_path / "gone" / "c.jsonl"
    with _listening(path) as (client, noted):
        client.request("POST", CB, b"{}")
        assert client.getresponse().status == 500
    assert "cannot store a callback" in noted[0]


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/cb",
        "/cb/0123",
        f"{CB}0",
        f"{CB}/x",
        f"/?{SECRET}",
        f"/x?/{SECRET}",
        "//[",
        "/%30" + SECRET[1:],
        "/я",
    ],
)
@pytest.mark.parametrize("expect", [True, False])
def test_listener_answers_404_elsewhere(tmp_path: Path, target: str, expect: bool) -> None:
    """At any other address nothing is read, stored or noted, even if the sender asks before it sends the body."""
    path = tmp_path / "c.jsonl"
    with _listening(path) as (client, noted), socket.create_connection((client.host, client.port), 10) as raw:
        more = "Expect: 100-continue\r\n" if expect else ""
        raw.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n{more}\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"404"
    assert (path.exists(), noted) == (False, [])


def test_listener_invites_a_body_at_the_secret_address(tmp_path: Path) -> None:
    """At the secret address, a client that asks before it sends a body, as curl does, is answered at once."""
    path = tmp_path / "c.jsonl"
    with _listening(path) as (client, _), socket.create_connection((client.host, client.port), 10) as raw:
        raw.sendall(
            f"POST {CB} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        answer = raw.makefile("rb")
        assert answer.readline().split()[1] == b"100"
        raw.sendall(b"{}")
        assert b" 200 " in answer.read()
    assert _stored(path)[0]["body"] == "{}"


def _send_chunks(path: Path, *pieces: bytes) -> int:
    with _listening(path) as (client, _):
        client.putrequest("POST", CB)
        client.putheader("Transfer-Encoding", "chunked")
        client.endheaders()
        for piece in pieces:
            client.send(piece)
        assert client.sock is not None
        client.sock.shutdown(socket.SHUT_WR)
        return client.getresponse().status


@pytest.mark.parametrize(
    "pieces",
    [
        [b'3\r\n{"a\r\n', b'4;x=y\r\n": 1\r\n', b"1\r\n}\r\n0\r\n\r\n"],
        [b'08\r\n{"a": 1}\r\n0\r\nX-Sum: 1\r\n\r\n'],
    ],
)
def test_listener_reads_chunked_bodies(tmp_path: Path, pieces: list[bytes]) -> None:
    """A chunked body is read, with extensions and trailers."""
    path = tmp_path / "c.jsonl"
    assert _send_chunks(path, *pieces) == 200
    assert _stored(path)[0]["body"] == '{"a": 1}'


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"z\r\n"], 400),
        ([b"-1\r\n"], 400),
        ([b"5\r\nab"], 400),
        ([b"2\r\nabcd\r\n0\r\n\r\n"], 400),
        ([b"2\r\nab\r\n0\r\n", b"X: 1\r\n" * 40], 400),
        ([b"%x\r\n" % (MAX_BODY_BYTES + 1)], 413),
        ([b"ffffffff\r\n"], 413),
        ([b"fffffffff\r\n"], 400),
        ([b"80000\r\n" + b"x" * 0x80000 + b"\r\n80001\r\n"], 413),
    ],
)
def test_listener_refuses_broken_chunks(tmp_path: Path, pieces: list[bytes], status: int) -> None:
    """A body with broken chunks is not stored."""
    path = tmp_path / "c.jsonl"
    assert _send_chunks(path, *pieces) == status
    assert not path.exists()


def test_listener_answers_507_beyond_the_quota(tmp_path: Path) -> None:
    """A callback beyond a quota gets a 507, which is noted once per quota."""
    path = tmp_path / "c.jsonl"
    with _listening(path, quota=Quota(other_lines=1)) as (client, noted):
        for status in (200, 507):
            client.request("POST", CB, b"{}")
            assert client.getresponse().status == status
    assert len(_stored(path)) == 1
    assert noted[1].startswith("a callback was not stored: c.jsonl holds")


def test_listener_answers_429_at_more_than_its_rate(tmp_path: Path) -> None:
    """Callbacks above the rate get a 429, and those to a wrong address do not count."""
    path = tmp_path / "c.jsonl"
    with _listening(path) as (client, _):
        seen = []
        for number in range(REQUESTS_PER_SECOND + 2):
            client.request("POST", "/wrong" if number == 0 else CB, b"{}")
            response = client.getresponse()
            seen.append((response.status, response.headers["Retry-After"]))
    assert seen == [(404, None), *[(200, None)] * REQUESTS_PER_SECOND, (429, "1")]


class _Seconds(FixedClock):
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_listener_cuts_off_slow_clients(tmp_path: Path) -> None:
    """A slow client is cut off, since it would hold one of only 64 connections."""
    path, clock = tmp_path / "c.jsonl", _Seconds()
    with (
        _listening(path, clock=clock) as (client, _),
        socket.create_connection((client.host, client.port), timeout=10) as slow,
    ):
        slow.sendall(f"POST {CB} HTTP/1.1\r\nX: y\r\n".encode())
        client.request("POST", CB, b"{}")  # accepted after the slow one
        assert client.getresponse().status == 200
        clock.seconds = 31
        assert slow.recv(100).startswith(b"HTTP/1.1 411 ")
    assert len(_stored(path)) == 1


@pytest.mark.parametrize("sent", [b"", b"POST /x HTTP/1.1\r\n", f"POST /{SECRET} HTTP/1.1\r\n".encode()])
def test_listener_is_silent_about_lost_connections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sent: bytes
) -> None:
    """A connection that a client resets is no traceback on the terminal."""
    noted: list[str] = []
    log = CallbackLog(
        callbacks_path(tmp_path / "smsby.lock.json"), FixedClock(), (SECRET,), read_uuids=frozenset
    )
    with (
        CallbackServer(("127.0.0.1", 0), log, noted.append, secret_path=SECRET, clock=FixedClock()) as server,
        socket.create_connection(server.server_address[:2]) as client,
    ):
        connection, address = server.socket.accept()
        client.sendall(sent)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        ThreadingHTTPServer.process_request_thread(server, connection, address)
    assert (noted, capsys.readouterr().err) == ([], "")


def test_rate_limit_looks_at_the_last_second() -> None:
    """The rate counts the last second, without refused calls."""
    clock = _Seconds()
    rate = RateLimit(2, clock)
    allowed = []
    for clock.seconds in (0.0, 0.5, 0.9, 1.0, 1.2, 1.5, 9.0):
        allowed.append(rate.allows())
    assert allowed == [True, True, False, True, False, True, True]
