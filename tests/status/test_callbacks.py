"""What is read of callbacks, and how they are kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from smsby_deploy.lock.records import Lock
from smsby_deploy.status.callback_reports import callbacks_path, told_by_callbacks
from smsby_deploy.status.collect import collect_status
from smsby_deploy.status.listener import MOST_BYTES, CallbackLog, open_listener
from smsby_deploy.status.report import State
from tests.status.test_collect import A, FixedClock, TableClient, answer, chunk, entry


def _rows(**statuses: str) -> list[dict[str, Any]]:
    rows = [{"phone": phone[1:], "status": status} for phone, status in statuses.items()]
    return [{"message_id": 1, "name": f"c/x shop#{A}", "success": rows}]


def _keep(path: Path, *bodies: object) -> None:
    log = CallbackLog(path, FixedClock())
    for body in bodies:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        log.append("POST", "/", {}, raw)


def test_the_last_word_on_each_phone_counts(tmp_path: Path) -> None:
    """Several callbacks of one request are put together, those of others left out."""
    path = tmp_path / "c.jsonl"
    _keep(
        path,
        {"uuid": "u1", "result": _rows(p1="SENT", p2="SENT")},
        {"uuid": "u2", "result": _rows(p3="DELIVERED")},
        {"uuid": "u1", "data": _rows(p1="DELIVERED")},
    )
    (told,) = told_by_callbacks(path, "u1")
    assert {one.phone: one.status for one in told.deliveries} == {"1": "DELIVERED", "2": "SENT"}
    assert told_by_callbacks(path, "u9") == ()


def test_what_can_not_be_read_tells_nothing(tmp_path: Path) -> None:
    """No JSON, other shapes, a line that a crash cut off: the callbacks around them are read."""
    path = tmp_path / "c.jsonl"
    assert told_by_callbacks(path, "u1") == ()
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
    _keep(path, *odd)
    assert told_by_callbacks(path, "u1") == ()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"body": "{\\"uuid\\": \\"u1\\"')
    _keep(path, {"uuid": "u1", "result": _rows(p1="DELIVERED")})
    assert len(told_by_callbacks(path, "u1")) == 1


@pytest.mark.parametrize(
    ("answered", "delivered", "state"),
    [([], 2, State.FINAL), ([answer("c/x", A, "SENT", "SENT")], 0, State.SENDING)],
)
def test_status_asks_callbacks_only_where_sms_by_tells_nothing(
    tmp_path: Path, answered: list[Any], delivered: int, state: State
) -> None:
    path = tmp_path / "c.jsonl"
    _keep(path, {"uuid": "u1", "result": _rows(p1="DELIVERED", p2="DELIVERED")})
    report = collect_status(
        Lock("shop", mailings={"c/x": entry(chunk(A, 2))}),
        TableClient({"u1": answered}),
        select=(),
        clock=FixedClock(),
        told=lambda uuid: told_by_callbacks(path, uuid),
    )
    assert (report.mailings[0].delivered, report.mailings[0].state) == (delivered, state)


@contextmanager
def _listening(path: Path, token: str = "") -> Iterator[tuple[HTTPConnection, list[str]]]:
    said: list[str] = []
    server = open_listener(CallbackLog(path, FixedClock(), token), "127.0.0.1", 0, said.append)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield HTTPConnection("127.0.0.1", server.server_address[1], timeout=10), said
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kept(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_callback_is_kept_as_it_came(tmp_path: Path) -> None:
    """POST and GET, any bytes; nothing of them is told on the terminal, and nobody else may read the file."""
    path = callbacks_path(tmp_path / "smsby.lock.json")
    with _listening(path) as (client, said):
        client.request(
            "POST", "/cb?x=1", "номер 375291111111".encode(), {"Content-Type": "text/plain", "Cookie": "c"}
        )
        assert client.getresponse().status == 200
        client.request("GET", "/cb?phone=375291111111&status=ok")
        assert client.getresponse().status == 200
        client.request("POST", "/", b"\xff\x00")
        assert client.getresponse().status == 200
    first, second, third = _kept(path)
    assert (first["method"], first["path"], first["body"]) == ("POST", "/cb?x=1", "номер 375291111111")
    assert first["time"] == datetime(2026, 12, 1, tzinfo=UTC).isoformat()
    assert first["headers"] == {"Content-Type": "text/plain", "Content-Length": "23"}
    assert (second["path"], second["body"]) == ("/cb?phone=375291111111&status=ok", "")
    assert (third["encoding"], third["body"]) == ("base64", "/wA=")
    assert "375291111111" not in "".join(said)
    assert path.name == "smsby.lock.json.callbacks.jsonl"
    assert path.stat().st_mode & 0o077 == 0


def test_the_token_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with _listening(path, "secret-token") as (client, _):
        client.request("POST", "/secret-token?token=abc", b'{"token": "def", "key": "secret-token", "n": 1}')
        assert client.getresponse().status == 200
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("secret-token", "abc", "def") if word in text]
    assert json.loads(_kept(path)[0]["body"])["n"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": str(MOST_BYTES + 1)}, 413),
        ({"Content-Length": "9" * 30}, 411),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_a_body_without_a_fit_length_is_not_read(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    path = tmp_path / "c.jsonl"
    with _listening(path) as (client, _):
        client.putrequest("POST", "/")
        for name, value in headers.items():
            client.putheader(name, value)
        client.endheaders()
        assert client.getresponse().status == status
    assert not path.exists()


def test_what_can_not_be_kept_is_not_taken(tmp_path: Path) -> None:
    """sms.by is told so, and may try again."""
    path = tmp_path / "gone" / "c.jsonl"
    with _listening(path) as (client, said):
        client.request("POST", "/", b"{}")
        assert client.getresponse().status == 500
    assert "could not be kept" in said[0]
