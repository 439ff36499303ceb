"""`listen`: starts at the given port, and prints where the callbacks are stored."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from smsby_deploy.cli.main import run
from smsby_deploy.config.environments import read_callback_path

SECRET = "0123456789abcdef" * 2


def test_listen_needs_a_secret(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a secret, which has no default, any client could send callbacks."""
    assert run(["-C", str(shop), "listen"]) == 64
    assert "SMSBY_CALLBACK_SECRET is not set" in capsys.readouterr().err


def test_listen_refuses_a_short_secret(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short secret is refused by every command, since apply passes on an address made from it."""
    monkeypatch.setenv("SMSBY_CALLBACK_SECRET", "short")
    for command in (["listen", "--port", "0"], ["validate"]):
        assert run(["-C", str(shop), *command]) == 64
        assert "SMSBY_CALLBACK_SECRET is too short" in capsys.readouterr().err


def test_listen_on_a_used_port_is_an_error(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A used port is an error with its address and another port to try."""
    monkeypatch.setenv("SMSBY_CALLBACK_SECRET", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["-C", str(shop), "listen", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in error
    assert "choose another --port" in error


def test_listen_stores_callbacks_until_it_is_interrupted(shop: Path) -> None:
    """`listen` prints its URL on stdout, stores callbacks next to the lock, and exits with 0 on SIGINT."""
    secret_path = read_callback_path({"SMSBY_CALLBACK_SECRET": SECRET}, "shop")
    environ = {**os.environ, "SMSBY_CALLBACK_SECRET": SECRET}
    arguments = [sys.executable, "-m", "smsby_deploy", "-C", str(shop), "listen", "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environ) as listener:
        assert listener.stdout is not None
        url = listener.stdout.readline().strip()
        assert requests.post(f"{url}/callback", json={"message_id": 4}, timeout=10).status_code == 404
        assert requests.post(f"{url}/callback/{secret_path}", json={"message_id": 5}, timeout=10).ok
        listener.send_signal(signal.SIGINT)
        assert listener.wait(20) == 0
    (stored,) = shop.glob("*.callbacks.jsonl")
    text = stored.read_text(encoding="utf-8")
    assert json.loads(text)["body"] == '{"message_id": 5}'
    assert secret_path not in text
