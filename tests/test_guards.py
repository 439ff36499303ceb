"""The guards of tests/conftest.py work."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from smsby_deploy.clock import SystemClock
from tests.conftest import NOW
from tests.guard.sitecustomize import _HOME, ReachedOut

OUTSIDE = ("192.0.2.1", 80)  # a documentation address without a host


def test_guard_blocks_connections_to_other_hosts() -> None:
    """Connections, datagrams and DNS lookups fail before a packet is sent."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        with pytest.raises(ReachedOut):
            stream.connect(OUTSIDE)
        with pytest.raises(ReachedOut):
            stream.connect_ex(OUTSIDE)
        with pytest.raises(ReachedOut):
            datagram.sendto(b"x", OUTSIDE)
    with pytest.raises(ReachedOut):
        socket.getaddrinfo("app.sms.by", 443)


def test_guard_allows_loopback() -> None:
    """A test may connect to its own server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_guard_blocks_child_processes() -> None:
    """A command that is run against the real sms.by by mistake cannot connect."""
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert "ReachedOut" in done.stderr


def test_guard_blocks_the_real_home() -> None:
    """HOME is an empty folder, and files in the real home cannot be opened."""
    assert list(Path.home().iterdir()) == []
    if _HOME is None:
        pytest.skip("this user has no home")
    real = Path(_HOME)
    assert Path.home() != real
    with pytest.raises(ReachedOut):
        (real / ".smsby-deploy-test").open("x")


def test_guard_simulates_the_clock() -> None:
    """A sleep of an hour returns immediately; two readings without a sleep are equal."""
    clock = SystemClock()
    assert clock.now() == clock.now() == NOW
    clock.sleep(3600)
    assert clock.now() == NOW + timedelta(hours=1)
    assert clock.monotonic() == 3600


def test_guard_removes_settings_of_the_caller() -> None:
    """A developer's token and project do not reach a test."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", __file__, "-k", "without_settings"]
    done = subprocess.run(
        command,
        env={**os.environ, "SMSBY_TOKEN": "leaked", "SMSBY_PROJECT": "/leaked"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).resolve().parent.parent,
    )
    assert done.returncode == 0, done.stdout


def test_guard_runs_tests_without_settings() -> None:
    """SMSBY_* variables are set only by tests themselves."""
    assert not [name for name in os.environ if name.startswith("SMSBY_")]
