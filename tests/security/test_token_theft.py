"""If a pull request names another service, a runner with the token does not send it there."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.one_campaign import CAMPAIGN
from tests.e2e.conftest import Shop
from tests.e2e.forked import program
from tests.smsby.conftest import TOKEN, FakeServer, Reply

COMMANDS = (
    ("plan",),
    ("apply", "--auto-approve"),
    ("status",),
    ("import", "sale/vip", "--message-id", "1"),
    ("test-send", "sale/vip", "--to", "375291234567", "--yes"),
    ("otp", "telegram", "375291234567", "1234", "--yes"),
    ("api", "getBalance"),
    ("lock", "bind"),
)


@pytest.fixture
def thief() -> Iterator[socket.socket]:
    """The server of the attacker, to which every request of the runner would go."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def _was_reached(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _run(folder: Path, thief: socket.socket, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    proxy = f"http://127.0.0.1:{thief.getsockname()[1]}"
    environ = {name: value for name, value in os.environ.items() if name != "SMSBY_API_URL"}
    return subprocess.run(
        [program(), *arguments],
        cwd=folder,
        env={**environ, "SMSBY_TOKEN": TOKEN, "http_proxy": proxy, "https_proxy": proxy, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _write_project(folder: Path, url: str) -> None:
    (folder / "smsby.yaml").write_text(
        f"version: 1\nproject: shop\napi:\n  url: '{url}'\n  timeout_seconds: 1\n", "utf-8"
    )
    (folder / "sale.yaml").write_text(CAMPAIGN, "utf-8")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_url_in_a_pull_request_gets_no_token(
    command: tuple[str, ...], tmp_path: Path, thief: socket.socket
) -> None:
    """Every command that would ask sms.by refuses (7) before any request, and names SMSBY_API_URL."""
    _write_project(tmp_path, "https://elsewhere.example")
    done = _run(tmp_path, thief, *command)
    assert done.returncode == 7, done.stderr
    assert "SMSBY_API_URL" in done.stderr
    assert "smsby.yaml:4:8" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert not _was_reached(thief)


def test_url_of_the_runner_is_used(tmp_path: Path, thief: socket.socket) -> None:
    """The same URL in SMSBY_API_URL is set by the runner, so requests are sent."""
    _write_project(tmp_path, "https://elsewhere.example")
    assert (
        _run(tmp_path, thief, "api", "getBalance", SMSBY_API_URL="https://elsewhere.example").returncode == 7
    )
    assert _was_reached(thief)


def test_offline_commands_need_no_known_service(tmp_path: Path, thief: socket.socket) -> None:
    """validate and an offline plan, which send no token, do not refuse an unknown service."""
    _write_project(tmp_path, "https://elsewhere.example")
    assert _run(tmp_path, thief, "validate").returncode == 0
    assert _run(tmp_path, thief, "plan", "--offline").returncode == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_carries_no_token(
    status: int,
    shop: Shop,
    wire: FakeServer,
) -> None:
    """A redirect is not followed, neither after a query nor after a send."""
    shop.write("sale.yaml", CAMPAIGN)
    wire.answers(*[Reply(200, {"uuid": "cc9c8043"})] * 9)
    for method, exit_code in (("getSMSMessages", 7), ("sendBulkSms", 6)):
        place = f"{wire.url}/api/v1/{method}"
        shop.fault(method=method, mode="redirect", status=status, location=place, times=9)
        assert shop.run("apply", "--auto-approve").code == exit_code
        assert shop.has_been_called(method)
        shop.clear_faults()
    assert wire.asked == []
