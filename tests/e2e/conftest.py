"""The real command in its own process, against a sandbox in another process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.forked import Forked
from tests.e2e.sandboxes import new_sandbox
from tests.plan.ssh_keys import keys as keys  # these tests use it as a fixture, too

PROJECT = """\
version: 1
project: shop
api: {requests_per_second: 1000, recipients_per_request: 2, timeout_seconds: 5, reconcile_seconds: 0.3}
price: {currency: BYN, per_part: 0.026}
"""
_HTTP = requests.Session()
_HTTP.trust_env = False  # saves looking for a proxy and a netrc file thousands of times


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Run:
    """A command that is running."""

    forked: Forked

    def signal(self, number: int) -> None:
        assert self.forked.process.pid is not None
        os.kill(self.forked.process.pid, number)

    @property
    def is_running(self) -> bool:
        return self.forked.process.is_alive()

    def said(self) -> str:
        """Return its stderr so far."""
        return self.forked.said()

    def finish(self, timeout: float = 60) -> Result:
        code, out, err = self.forked.finish(timeout)
        assert "Traceback" not in err, err
        assert "internal error" not in err, err
        assert "secret-token" not in out + err
        return Result(code, out, err)


@dataclass
class Shop:
    """A project folder with its own sandbox."""

    root: Path
    url: str

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        stdin: str = "",
        file_limit: int | None = None,
    ) -> Result:
        """Run `smsby-deploy ARGUMENTS` in the project. No file it writes may grow beyond `file_limit` bytes."""
        return self.start(*arguments, env=env, stdin=stdin, file_limit=file_limit).finish()

    def start(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        stdin: str = "",
        file_limit: int | None = None,
    ) -> Run:
        """Start it and return at once."""
        environ = {**os.environ, "SMSBY_API_URL": self.url, "SMSBY_TOKEN": "secret-token", **(env or {})}
        return Run(Forked(arguments, self.root, environ, stdin, file_limit))

    def inbox(self) -> dict[str, list[dict[str, Any]]]:
        """The messages that the sandbox delivered, by phone."""
        answer: dict[str, list[dict[str, Any]]] = _HTTP.get(f"{self.url}/_sandbox/inbox", timeout=5).json()
        return answer

    def ids(self) -> list[int]:
        """The ids of the mailings that the sandbox lists."""
        return [row["id"] for row in self.run("api", "getSMSMessages").json.get("data", [])]

    def delete_all(self, *, but: int = 0) -> None:
        """Delete every mailing in the account, as a user would, except the first `but` ones."""
        for number in sorted(self.ids())[but:]:
            body = {"message_id": number}
            _HTTP.post(f"{self.url}/_sandbox/delete", json=body, timeout=5).raise_for_status()

    def fault(self, **fault: Any) -> None:
        """Make a later call of a method fail."""
        _HTTP.post(f"{self.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()

    def clear_faults(self) -> None:
        _HTTP.delete(f"{self.url}/_sandbox/faults", timeout=5).raise_for_status()

    def reset(self) -> None:
        """Reset the sandbox to its first state: nothing sent, no faults."""
        _HTTP.post(f"{self.url}/_sandbox/reset", timeout=5).raise_for_status()

    def calls(self) -> list[dict[str, Any]]:
        """Every call that the sandbox received."""
        calls: list[dict[str, Any]] = _HTTP.get(f"{self.url}/_sandbox/requests", timeout=5).json()
        return calls

    def has_been_called(self, method: str) -> bool:
        return any(call["method"] == method for call in self.calls())

    def settings(self, **settings: Any) -> None:
        """Change settings of the sandbox."""
        _HTTP.post(f"{self.url}/_sandbox/settings", json=settings, timeout=5).raise_for_status()

    def wait_until(self, condition: Callable[[], bool], tries: int = 2000) -> None:
        """Check `condition` every 10 ms until it holds."""
        assert any(condition() or threading.Event().wait(0.01) for _ in range(tries)), (
            "the condition never held"
        )

    def lock(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.root / "smsby.lock.json").read_text(encoding="utf-8"))
        return document


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An empty project named shop, and a sandbox."""
    with new_sandbox() as url:
        root = tmp_path / "project"
        root.mkdir()
        made = Shop(root, url)
        made.write("smsby.yaml", PROJECT)
        yield made


@contextmanager
def running_sandbox(folder: Path) -> Iterator[str]:
    """Run the `smsby-deploy sandbox` command itself on a free port while the block runs; yields its URL."""
    forked = Forked(("sandbox", "--port", "0", "--delay", "0"), folder, os.environ)
    try:
        yield forked.first_line().rstrip("/")
    finally:
        forked.kill()
