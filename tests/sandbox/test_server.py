"""The time of answers, and callbacks to `callback_url`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import requests

from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.server import is_callable_url, make_service, serving
from tests.sandbox.conftest import PHONES, Client


@pytest.fixture
def listener() -> Iterator[tuple[str, Queue[Any]]]:
    """A server that stores what is posted; it answers 500, which must not cause a second call."""
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


def test_answers_have_the_time_of_the_sandbox() -> None:
    service = make_service(SandboxSettings())
    service.account.clock.advance(3600)
    with serving(service) as url:
        dates = requests.get(f"{url}/api/v1/getBalance?token=t", timeout=10).raw.headers.getlist("Date")
    assert len(dates) == 1
    assert abs(parsedate_to_datetime(dates[0]) - service.account.clock.now()) < timedelta(minutes=1)


def test_callbacks_are_sent_once_per_request(sms: Client, listener: tuple[str, Queue[Any]]) -> None:
    """Once all messages have their outcome, one callback has the answer of statusBulkSms."""
    url, heard = listener
    sms.control("settings", {"callback_ports": [int(url.split(":")[2].split("/")[0])]})
    message = {"alphaname_id": "0", "text": "x", "delivery_list": list(PHONES)}
    first, second = (
        sms.ok("sendBulkSms", callback_url=url, messages=[message | {"name": name}])["uuid"]
        for name in ("one", "two")
    )
    assert heard.empty()
    sms.control("clock", {"advance": 10})
    received = [heard.get(timeout=5) for _ in range(2)]
    assert {one["uuid"] for one in received} == {first, second}
    assert received[0]["result"] == sms.ok("statusBulkSms", uuid=received[0]["uuid"])
    third = sms.ok("sendBulkSms", callback_url=url, messages=[message])["uuid"]
    sms.control("clock", {"advance": 10})
    assert heard.get(timeout=5)["uuid"] == third, "the others are not called again"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8026/", True),
        ("http://127.0.0.1:8027/", False),
        ("http://localhost:6379/", False),
        ("http://localhost/x", True),
        ("http://[::1]:80/", True),
        ("http://example.com/", False),
        ("http://127.0.0.1:99999/", False),
        ("http://10.0.0.1/", False),
        ("http://127.0.0.1.example.com/", False),
        ("file:///etc/passwd", False),
        ("https://localhost/", False),
        ("http://[::1", False),
        ("nonsense", False),
    ],
)
def test_callbacks_only_go_to_this_machine(url: str, expected: bool) -> None:
    """The sandbox calls back only this machine, and only chosen ports."""
    assert is_callable_url(url, (80, 8026)) is expected
