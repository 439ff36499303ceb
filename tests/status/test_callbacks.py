"""The callback file: what is appended, and what is read from it."""

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

from smsby_deploy.lock.records import Lock
from smsby_deploy.status.callbacks import (
    MAX_BODY_BYTES,
    CallbackLog,
    callbacks_path,
    open_listener,
    read_callbacks,
)
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.report import State
from tests.status.examples import A, FixedClock, TableClient, answer, chunk, entry


def _rows(**statuses: str) -> list[dict[str, Any]]:
    rows = [{"phone": phone[1:], "status": status} for phone, status in statuses.items()]
    return [{"message_id": 1, "name": f"c/x shop#{A}", "success": rows}]


def _store(path: Path, *bodies: object) -> None:
    log = CallbackLog(path, FixedClock())
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        log.append("POST", "/", {}, raw)


def test_read_callbacks_keeps_the_latest_status_of_a_phone(tmp_path: Path) -> None:
    """Callbacks of one request are merged; those of other requests are ignored."""
    path = tmp_path / "c.jsonl"
    _store(
        path,
        {"uuid": "u1", "result": _rows(p1="SENT", p2="SENT")},
        {"uuid": "u2", "result": _rows(p3="DELIVERED")},
        {"uuid": "u1", "data": _rows(p1="DELIVERED")},
    )
    (mailing,) = read_callbacks(path, "u1")
    assert {one.phone: one.status for one in mailing.deliveries} == {"1": "DELIVERED", "2": "SENT"}
    assert read_callbacks(path, "u9") == ()


def test_read_callbacks_skips_unreadable_lines(tmp_path: Path) -> None:
    """Bodies without JSON, other shapes and truncated lines do not hide the callbacks around them."""
    path = tmp_path / "c.jsonl"
    assert read_callbacks(path, "u1") == ()
    odd: list[object] = [
        b"uuid=u1&status=ok",
        b"\xff u1",
        ["u1"],
        {"uuid": "u1"},
        {"uuid": "u1", "result": "ok"},
    ]
    odd += [
        {"uuid": "u1", "result": [{"success": 5}]},
        {"uuid": "u1", "result": [{"success": [{"phone": "1"}]}]},
    ]
    _store(path, *odd)
    assert read_callbacks(path, "u1") == ()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"body": "{\\"uuid\\": \\"u1\\"')
    _store(path, {"uuid": "u1", "result": _rows(p1="DELIVERED")})
    assert len(read_callbacks(path, "u1")) == 1


@pytest.mark.parametrize(
    ("answered", "delivered", "state"),
    [([], 2, State.FINAL), ([answer("c/x", A, "SENT", "SENT")], 0, State.SENDING)],
)
def test_callbacks_are_used_where_sms_by_reports_nothing(
    tmp_path: Path, answered: list[Any], delivered: int, state: State
) -> None:
    """An answer of statusBulkSms takes precedence over callbacks."""
    path = tmp_path / "c.jsonl"
    _store(path, {"uuid": "u1", "result": _rows(p1="DELIVERED", p2="DELIVERED")})
    report = collect_status(
        Lock("shop", mailings={"c/x": entry(chunk(A, 2))}),
        TableClient({"u1": answered}),
        select=(),
        clock=FixedClock(),
        read_callbacks=lambda uuid: read_callbacks(path, uuid),
    )
    assert (report.mailings[0].delivered, report.mailings[0].state) == (delivered, state)


def test_callback_log_starts_a_new_line_after_a_torn_one(tmp_path: Path) -> None:
    """A line that a crash truncated is not continued by the next callback."""
    path = callbacks_path(tmp_path / "smsby.lock.json")
    path.write_text('{"torn', encoding="utf-8")
    _store(path, {"uuid": "u1"})
    torn, line = path.read_text(encoding="utf-8").splitlines()
    assert torn == '{"torn'
    assert json.loads(line)["method"] == "POST"


@contextmanager
def _listening(path: Path, token: str = "") -> Iterator[tuple[HTTPConnection, list[str]]]:
    noted: list[str] = []
    server = open_listener(CallbackLog(path, FixedClock(), (token,)), "127.0.0.1", 0, noted.append)
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
