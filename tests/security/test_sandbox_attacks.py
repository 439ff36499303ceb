"""Attacks on a sandbox from a web page in its user's browser, or from another local program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import requests
from werkzeug.test import Client

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.server import create_app, make_service, send_callbacks, serving
from smsby_deploy.sandbox.service import Service

_PHONE = "375291111111"


@pytest.fixture
def sandbox() -> Iterator[tuple[str, Service]]:
    service = make_service(SandboxSettings(), clock=SystemClock())
    with serving(service) as url:
        yield url, service


class _Once:
    """Ends the loop of the callback thread after one round."""

    def __init__(self) -> None:
        self.rounds = 0

    def wait(self, seconds: float) -> bool:
        self.rounds += 1
        return self.rounds > 1


def _bulk(callback: str) -> bytes:
    message = {
        "alphaname_id": "0",
        "name": "n",
        "text": "hello",
        "message_type": "bulk",
        "delivery_list": [_PHONE],
    }
    return json.dumps({"token": "t", "callback_url": callback, "messages": [message]}).encode()


def test_dns_rebinding_reads_no_phone(sandbox: tuple[str, Service]) -> None:
    """A page whose public name was pointed at this machine gets no answer of the API."""
    url, _ = sandbox
    requests.post(f"{url}/api/v1/sendBulkSms", _bulk(""), timeout=5)
    for path in (
        "/api/v1/getSmsDeliveryList?token=t&message_id=1",
        "/api/v1/getSMSMessages?token=t",
        "/_sandbox/inbox",
    ):
        answer = requests.get(url + path, headers={"Host": "rebound.example.com"}, timeout=5)
        assert answer.status_code == 403
        assert _PHONE not in answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_cross_site_post_sends_nothing(sandbox: tuple[str, Service], origin: str) -> None:
    """A text/plain POST, which a browser sends to any site without asking, is refused by its Origin."""
    url, service = sandbox
    headers = {"Content-Type": "text/plain", "Origin": origin}
    answer = requests.post(
        f"{url}/api/v1/sendBulkSms", _bulk("http://127.0.0.1:1/"), headers=headers, timeout=5
    )
    assert answer.status_code == 403
    assert service.account.store.mailings() == []


@pytest.mark.parametrize("is_chosen", [False, True])
def test_callback_url_reaches_no_other_local_service(is_chosen: bool) -> None:
    """A callback_url can make the sandbox post only to the ports that its user chose."""
    service = make_service(SandboxSettings(), clock=SystemClock())
    reached: list[str] = []

    class Victim(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reached.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Victim) as victim:
        Thread(target=victim.serve_forever, args=(0.01,), daemon=True).start()
        service.change_settings({"callback_ports": [victim.server_port] if is_chosen else [], "delay": 0})
        body = _bulk(f"http://127.0.0.1:{victim.server_port}/flush")
        assert Client(create_app(service)).post("/api/v1/sendBulkSms", data=body).status_code == 200
        send_callbacks(service, _Once())  # type: ignore[arg-type]
        victim.shutdown()
    assert reached == (["/flush"] if is_chosen else [])
