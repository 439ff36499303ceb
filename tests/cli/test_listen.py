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


def test_listen_on_a_used_port_is_an_error(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the address and suggests another port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["-C", str(shop), "listen", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in error
    assert "choose another --port" in error


def test_listen_stores_callbacks_until_it_is_interrupted(shop: Path) -> None:
    """The URL is on stdout; SIGINT ends it with exit code 0; the callback is in the file beside the lock."""
    arguments = [sys.executable, "-m", "smsby_deploy", "-C", str(shop), "listen", "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as listener:
        assert listener.stdout is not None
        url = listener.stdout.readline().strip()
        assert requests.post(url, json={"message_id": 5}, timeout=10).ok
        listener.send_signal(signal.SIGINT)
        assert listener.wait(20) == 0
    (stored,) = shop.glob("*.callbacks.jsonl")
    assert json.loads(stored.read_text(encoding="utf-8"))["body"] == '{"message_id": 5}'
