"""A pytest fixture for projects that talk to sms.by: `smsby_sandbox`, a local sms.by of each test's own.

Loaded by pytest wherever this package is installed, so nothing heavy is imported before a test asks for it.
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
    """A running sandbox, seen from a test. `url` is what the code under test is to call instead of sms.by."""

    url: str
    token: str
    service: Service

    def inbox(self) -> dict[str, list[dict[str, Any]]]:
        """What each phone got or is to get, the oldest first; the keys of a message are in docs/sandbox.md."""
        from smsby_deploy.sandbox.inbox import read_inbox

        return read_inbox(self.service.account)

    def texts(self, phone: str) -> list[str]:
        """The texts that one phone (digits only) got or is to get."""
        return [message["text"] for message in self.inbox().get(phone, [])]

    def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """The calls so far, the token aside; of one method in any case of letters, or all."""
        return [
            {"method": call.method, "verb": call.verb, "params": dict(call.params), "accepted": call.accepted}
            for call in self.service.calls()
            if method is None or call.method.lower() == method.lower()
        ]

    def fault(self, mode: str, **fields: Any) -> None:
        """Let a later call go wrong: modes and fields are in docs/sandbox.md. Raises ValueError for one that can't be."""
        from smsby_deploy.sandbox.faults import read_fault

        self.service.faults.add(read_fault({"mode": mode, **fields}))

    def set(self, **switches: Any) -> None:
        """Change switches, `error_status=200` for one. Raises ValueError for one that can't be."""
        self.service.change_settings(switches)

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock: what is due by then is delivered."""
        self.service.account.clock.advance(seconds)


@pytest.fixture
def smsby_sandbox_switches() -> Mapping[str, Any]:
    """Override it to let every sandbox of a module start with other switches."""
    return {}


@pytest.fixture
def smsby_sandbox(
    monkeypatch: pytest.MonkeyPatch, smsby_sandbox_switches: Mapping[str, Any]
) -> Iterator[SandboxHandle]:
    """A local sms.by on a free port of loopback, with nothing sent; SMSBY_API_URL and SMSBY_TOKEN point to it."""
    pytest.importorskip("flask", reason="smsby_sandbox needs: pip install 'smsby-deploy[sandbox]'")
    from smsby_deploy.sandbox.server import make_service, serving
    from smsby_deploy.sandbox.settings import SandboxSettings

    service = make_service(SandboxSettings(delay=0))
    service.change_settings(dict(smsby_sandbox_switches))
    with serving(service) as url:
        handle = SandboxHandle(url, "sandbox-token", service)
        monkeypatch.setenv("SMSBY_API_URL", handle.url)
        monkeypatch.setenv("SMSBY_TOKEN", handle.token)
        yield handle
