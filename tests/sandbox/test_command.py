"""`smsby-deploy sandbox` as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests


@contextmanager
def _running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "smsby_deploy", "sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_its_first_line_is_the_address_of_api_and_page() -> None:
    """Nothing else is on stdout; Ctrl-C is an ordinary end."""
    with _running() as (process, url):
        assert requests.get(f"{url}/api/v1/getLimit?token=t", timeout=5).json() == {"limit": 38461}
        assert "<title>sms.by sandbox</title>" in requests.get(url, timeout=5).text
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


def test_what_was_taken_survives_a_kill(tmp_path: Path) -> None:
    """With --data, as soon as it was answered."""
    data = str(tmp_path / "sandbox.sqlite")
    query = {"token": "t", "phone": "375291111111", "message": "x"}
    with _running("--data", data) as (process, url):
        assert requests.get(f"{url}/api/v1/sendQuickSMS", query, timeout=5).status_code == 200
        process.kill()
    with _running("--data", data) as (_, url):
        assert list(requests.get(f"{url}/_sandbox/inbox", timeout=5).json()) == ["375291111111"]


def test_switches_are_set_at_the_start(tmp_path: Path) -> None:
    """JSON or text; the balance also where an earlier run left another one."""
    data = str(tmp_path / "sandbox.sqlite")
    for balance in ("7", "5.5"):
        more = ("--set", 'fates={"375291111111": "LOST"}', "--set", "currency=EUR")
        with _running("--data", data, "--set", f"balance={balance}", *more) as (_, url):
            settings = requests.get(f"{url}/_sandbox/settings", timeout=5).json()
            assert (settings["balance"], settings["currency"]) == (balance, "EUR")
            assert settings["fates"] == {"375291111111": "LOST"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--account-timezone", "Europe/Atlantis"], 64, "Europe/Atlantis"),
        (["--delay", "-1"], 64, "--delay"),
        (["--set", "balance"], 64, "NAME=VALUE"),
        (["--set", "colour=red"], 64, "unknown setting 'colour'"),
        (["--set", "error_status=500"], 64, "error_status"),
        (["--data", "notes.txt"], 1, "can't be opened as a sandbox's data"),
        (["--port", "{taken}"], 1, "can't be listened on"),
    ],
)
def test_what_can_not_be_is_said_in_one_sentence(
    tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    """No traceback, a documented exit code."""
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        given = [argument.format(taken=other.getsockname()[1]) for argument in arguments]
        command = [sys.executable, "-m", "smsby_deploy", "sandbox", *given]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "another program" not in done.stderr, "the server's own words"
    assert done.stdout == ""
