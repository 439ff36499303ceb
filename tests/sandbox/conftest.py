"""A sandbox in this process, on a socket of its own, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from smsby_deploy.clock import SystemClock
from smsby_deploy.sandbox.server import make_service, serving
from smsby_deploy.sandbox.service import Service
from smsby_deploy.sandbox.settings import SandboxSettings

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
PHONES = ("375291111111", "375292222222")


class Stopped(SystemClock):
    """Noon of some day, for ever; a sleep takes no time."""

    def now(self) -> datetime:
        return NOON

    def sleep(self, seconds: float) -> None:
        pass


@dataclass
class Client:
    """Calls with a token, and the sandbox's own doors."""

    url: str
    service: Service

    def get(self, method: str, **params: Any) -> requests.Response:
        return requests.get(f"{self.url}/api/v1/{method}", {"token": "t", **params}, timeout=5)

    def post(self, method: str, **params: Any) -> requests.Response:
        """As JSON."""
        return requests.post(f"{self.url}/api/v1/{method}", json={"token": "t", **params}, timeout=5)

    def ok(self, method: str, **params: Any) -> Any:
        """The answer of a call that must succeed."""
        answer = self.post(method, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bulk(self, *phones: str, name: str = "one", text: str = "Hi", **fields: Any) -> requests.Response:
        """A mailing of one text."""
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

    def door(self, name: str, given: Any = None, verb: str = "POST") -> Any:
        """One of /_sandbox; must succeed."""
        answer = requests.request(verb, f"{self.url}/_sandbox/{name}", json=given, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def look(self, name: str) -> Any:
        return self.door(name, verb="GET")

    def inbox(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = self.look("inbox")
        return found

    def names(self) -> list[str]:
        """The names in getSMSMessages; none is HTTP 406."""
        answer = self.get("getSMSMessages")
        return [] if answer.status_code == 406 else [row["name"] for row in answer.json()["data"]]


@pytest.fixture
def sms() -> Iterator[Client]:
    """A sandbox whose deliveries take 10 seconds of a clock that only tests move."""
    service = make_service(SandboxSettings(delay=10), clock=Stopped())
    with serving(service) as url:
        yield Client(url, service)
