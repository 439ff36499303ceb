"""callback_url: the sandbox tells a client of this machine, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from smsby_deploy.sandbox.callbacks import can_be_called
from tests.sandbox.conftest import PHONES, Client


@pytest.fixture
def listener() -> Iterator[tuple[str, Queue[Any]]]:
    """A server that keeps what is posted to it; it answers 500, which must not lead to a second call."""
    heard: Queue[Any] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_error(500)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/heard", heard
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_request_is_called_back_for_once(sms: Client, listener: tuple[str, Queue[Any]]) -> None:
    """When all its messages are handled, with what statusBulkSms tells."""
    url, heard = listener
    message = {"alphaname_id": "0", "text": "x", "delivery_list": list(PHONES)}
    first, second = (
        sms.ok("sendBulkSms", callback_url=url, messages=[message | {"name": name}])["uuid"]
        for name in ("one", "two")
    )
    assert heard.empty()
    sms.door("clock", {"advance": 10})
    told = [heard.get(timeout=5) for _ in range(2)]
    assert {one["uuid"] for one in told} == {first, second}
    assert told[0]["result"] == sms.ok("statusBulkSms", uuid=told[0]["uuid"])
    third = sms.ok("sendBulkSms", callback_url=url, messages=[message])["uuid"]
    sms.door("clock", {"advance": 10})
    assert heard.get(timeout=5)["uuid"] == third, "the others are not told again"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8026/", True),
        ("http://localhost/x", True),
        ("http://[::1]:80/", True),
        ("http://example.com/", False),
        ("http://10.0.0.1/", False),
        ("http://127.0.0.1.example.com/", False),
        ("file:///etc/passwd", False),
        ("https://localhost/", False),
        ("http://[::1", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_is_called(url: str, expected: bool) -> None:
    """A sandbox reaches nobody."""
    assert can_be_called(url) is expected
