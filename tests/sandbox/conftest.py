"""A sandbox in this process, with its own socket and a clock that does not move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
from smsby_deploy.sandbox.server import make_service, serving
from smsby_deploy.sandbox.service import Service

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
PHONES = ("375291111111", "375292222222")


class Stopped(SystemClock):
    """A clock that always shows noon of 2026-12-01 UTC, and never sleeps (tests/conftest.py)."""

    def now(self) -> datetime:
        return NOON


@dataclass
class Client:
    """Calls the API with a token, and the control routes."""

    url: str
    service: Service
    session: requests.Session = field(
        default_factory=requests.Session
    )  # one session for all calls, since making one takes time

    def __post_init__(self) -> None:
        self.session.trust_env = False  # no search for proxies and passwords before each call

    def get(self, method: str, **params: Any) -> requests.Response:
        return self.session.get(f"{self.url}/api/v1/{method}", params={"token": "t", **params}, timeout=5)

    def post(self, method: str, **params: Any) -> requests.Response:
        """Call a method with JSON."""
        return self.session.post(f"{self.url}/api/v1/{method}", json={"token": "t", **params}, timeout=5)

    def ok(self, method: str, **params: Any) -> Any:
        """Return the answer to a call that must succeed."""
        answer = self.post(method, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bulk(self, *phones: str, name: str = "one", text: str = "Hi", **fields: Any) -> requests.Response:
        """Send a mailing with one text."""
        return self.post(
            "sendBulkSms",
            messages=[
                {
                    "alphaname_id": "1363",
                    "name": name,
                    "message_type": "bulk",
                    "text": text,
                    "delivery_list": list(phones or PHONES),
                    **fields,
                }
            ],
        )

    def control(self, name: str, given: Any = None, verb: str = "POST") -> Any:
        """Call a route of /_sandbox, which must succeed."""
        answer = self.session.request(verb, f"{self.url}/_sandbox/{name}", json=given, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def view(self, name: str) -> Any:
        """Return what a route of /_sandbox shows."""
        return self.control(name, verb="GET")

    def inbox(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = self.view("inbox")
        return found

    def names(self) -> list[str]:
        """Return the names in getSMSMessages, which answers 406 if there are none."""
        answer = self.get("getSMSMessages")
        return [] if answer.status_code == 406 else [row["name"] for row in answer.json()["data"]]


@pytest.fixture
def sms() -> Iterator[Client]:
    """A lenient sandbox whose deliveries take 10 seconds of a clock that only tests move."""
    service = make_service(SandboxSettings(delay=10, strict=False), clock=Stopped())
    with serving(service) as url:
        yield Client(url, service)


@pytest.fixture
def strict(sms: Client) -> Client:
    """The same sandbox with its default strictness."""
    sms.control("settings", {"strict": True})
    return sms
