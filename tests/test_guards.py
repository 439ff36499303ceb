"""The guards of tests/conftest.py hold: a test that reaches for the world fails."""

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

OUTSIDE = ("192.0.2.1", 80)  # a documentation address: nobody is there


def test_no_socket_leaves_the_machine() -> None:
    """Connecting, sending a datagram, even asking for a name: refused before a packet leaves."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        with pytest.raises(ReachedOut):
            stream.connect(OUTSIDE)
        with pytest.raises(ReachedOut):
            stream.connect_ex(OUTSIDE)
        with pytest.raises(ReachedOut):
            datagram.sendto(b"x", OUTSIDE)
    with pytest.raises(ReachedOut):
        socket.getaddrinfo("app.sms.by", 443)


def test_loopback_can_be_reached() -> None:
    """A server of the test's own is not the world."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_child_processes_are_held_too() -> None:
    """The real command, run against the real sms.by by mistake, can't get there."""
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert "ReachedOut" in done.stderr


def test_the_real_home_is_shut() -> None:
    """HOME is an empty folder, and the real one can't be opened behind its back."""
    assert list(Path.home().iterdir()) == []
    if _HOME is None:
        pytest.skip("whoever runs this has no home")
    real = Path(_HOME)
    assert Path.home() != real
    with pytest.raises(ReachedOut):
        (real / ".smsby-deploy-test").open("x")


def test_time_passes_only_in_sleep() -> None:
    """An hour is slept at once, and two readings without a sleep are equal."""
    clock = SystemClock()
    assert clock.now() == clock.now() == NOW
    clock.sleep(3600)
    assert clock.now() == NOW + timedelta(hours=1)
    assert clock.monotonic() == 3600


def test_no_setting_of_the_caller_leaks_in() -> None:
    """A developer's own token or project does not reach a test."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", __file__, "-k", "sees_no_setting"]
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


def test_a_test_sees_no_setting() -> None:
    """No SMSBY_* variable is set unless a test sets it."""
    assert not [name for name in os.environ if name.startswith("SMSBY_")]
