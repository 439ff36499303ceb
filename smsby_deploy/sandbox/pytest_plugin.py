"""The pytest fixture `smsby_sandbox`: a separate local sms.by for each test of any project.

pytest loads this module wherever the package is installed, so heavy imports wait until a test uses the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from smsby_deploy.sandbox.service import Service


@dataclass(frozen=True, slots=True)
class SandboxHandle:
    """A running sandbox. The code under test calls `url` instead of sms.by."""

    url: str
    token: str
    service: Service

    def inbox(self) -> dict[str, list[dict[str, Any]]]:
        """Return the messages of each phone, sent and scheduled, the oldest first.

        docs/sandbox.md lists their keys.
        """
        from smsby_deploy.sandbox.routes import read_inbox

        return read_inbox(self.service.account)

    def texts(self, phone: str) -> list[str]:
        """Return the texts sent or scheduled to one phone (digits only)."""
        return [message["text"] for message in self.inbox().get(phone, [])]

    def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """Return the calls so far without their tokens: all, or those of one method (in any case)."""
        return [
            {"method": call.method, "verb": call.verb, "params": dict(call.params), "accepted": call.accepted}
            for call in self.service.calls()
            if method is None or call.method.lower() == method.lower()
        ]

    def fault(self, mode: str, **fields: Any) -> None:
        """Make a later call fail; docs/sandbox.md lists modes and fields.

        Raises ValueError for an invalid fault.
        """
        from smsby_deploy.sandbox.faults import parse_fault

        self.service.faults.add(parse_fault({"mode": mode, **fields}))

    def set(self, **switches: Any) -> None:
        """Change settings, for example `error_status=200`. Raises ValueError for an invalid one."""
        self.service.change_settings(switches)

    def advance(self, seconds: float) -> None:
        """Move the clock of the sandbox; messages due by then are delivered."""
        self.service.account.clock.advance(seconds)


@pytest.fixture
def smsby_sandbox_switches() -> Mapping[str, Any]:
    """Override this to start every sandbox of a module with other settings."""
    return {}


@pytest.fixture
def smsby_sandbox(
    monkeypatch: pytest.MonkeyPatch, smsby_sandbox_switches: Mapping[str, Any]
) -> Iterator[SandboxHandle]:
    """Run an empty, lenient local sms.by on a free port.

    SMSBY_API_URL and SMSBY_TOKEN refer to it.
    """
    pytest.importorskip("flask", reason="smsby_sandbox needs: pip install 'smsby-deploy[sandbox]'")
    from smsby_deploy.sandbox.sandbox_settings import SandboxSettings
    from smsby_deploy.sandbox.server import make_service, serving

    service = make_service(SandboxSettings(delay=0, strict=False))
    service.change_settings(dict(smsby_sandbox_switches))
    with serving(service) as url:
        handle = SandboxHandle(url, "sandbox-token", service)
        monkeypatch.setenv("SMSBY_API_URL", handle.url)
        monkeypatch.setenv("SMSBY_TOKEN", handle.token)
        yield handle
