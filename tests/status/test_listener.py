"""The HTTP server of `listen`."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.status.callbacks import CallbackLog, callbacks_path
from smsby_deploy.status.listener import MAX_BODY_BYTES, open_listener
from tests.status.examples import FixedClock


@contextmanager
def _listening(path: Path, token: str = "") -> Iterator[tuple[HTTPConnection, list[str]]]:
    noted: list[str] = []
    server = open_listener(CallbackLog(path, FixedClock(), token), "127.0.0.1", 0, noted.append)
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
    """GET and POST with any bytes are stored; the notes have no content, and only the owner may read the file."""
    path = callbacks_path(tmp_path / "smsby.lock.json")
    with _listening(path) as (client, noted):
        client.request(
            "POST", "/cb?x=1", "номер 375291111111".encode(), {"Content-Type": "text/plain", "Cookie": "c"}
        )
        assert client.getresponse().status == 200
        client.request("GET", "/cb?phone=375291111111&status=ok")
        assert client.getresponse().status == 200
        client.request("POST", "/", b"\xff\x00")
        assert client.getresponse().status == 200
    first, second, third = _stored(path)
    assert (first["method"], first["path"], first["body"]) == ("POST", "/cb?x=1", "номер 375291111111")
    assert first["time"] == datetime(2026, 12, 1, tzinfo=UTC).isoformat()
    assert first["headers"] == {"Content-Type": "text/plain", "Content-Length": "23"}
    assert (second["path"], second["body"]) == ("/cb?phone=375291111111&status=ok", "")
    assert (third["encoding"], third["body"]) == ("base64", "/wA=")
    assert "375291111111" not in "".join(noted)
    assert path.name == "smsby.lock.json.callbacks.jsonl"
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0


def test_listener_does_not_store_the_token(tmp_path: Path) -> None:
    """Neither the token nor the value of any `token` parameter is in the file."""
    path = tmp_path / "c.jsonl"
    with _listening(path, "secret-token") as (client, _):
        client.request("POST", "/secret-token?token=abc", b'{"token": "def", "key": "secret-token", "n": 1}')
        assert client.getresponse().status == 200
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("secret-token", "abc", "def") if word in text]
    assert json.loads(_stored(path)[0]["body"])["n"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"Content-Length": "9" * 30}, 411),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_listener_refuses_bodies_of_unusable_length(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """A body that is too long or has no valid length is neither read nor stored."""
    path = tmp_path / "c.jsonl"
    with _listening(path) as (client, _):
        client.putrequest("POST", "/")
        for name, value in headers.items():
            client.putheader(name, value)
        client.endheaders()
        assert client.getresponse().status == status
    assert not path.exists()


def test_listener_answers_500_if_it_cannot_store(tmp_path: Path) -> None:
    """sms.by gets an error and may repeat the callback."""
    path = tmp_path / "gone" / "c.jsonl"
    with _listening(path) as (client, noted):
        client.request("POST", "/", b"{}")
        assert client.getresponse().status == 500
    assert "cannot store a callback" in noted[0]
