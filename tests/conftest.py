"""What no test may touch: the network beyond loopback, the real home, the real token."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only loopback can be reached, HOME is empty, and no SMSBY_* variable leaks in."""
    for name in list(os.environ):
        if name.startswith("SMSBY_"):
            monkeypatch.delenv(name)
    home: Path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    connect = socket.socket.connect

    def only_loopback(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        if host not in ("localhost",) and not ipaddress.ip_address(host).is_loopback:
            raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
