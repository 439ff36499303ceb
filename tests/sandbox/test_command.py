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


def test_sandbox_command_prints_its_url() -> None:
    """The URL is all of stdout and serves API and page, and Ctrl-C ends the command normally."""
    with _running() as (process, url):
        assert requests.get(f"{url}/api/v1/getLimit?token=t", timeout=5).json() == {"limit": 38461}
        assert "<title>sms.by sandbox</title>" in requests.get(url, timeout=5).text
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_command_ends_at_once(number: signal.Signals) -> None:
    """The command ends at once when stopped, even before its first call, and without an error."""
    with _running() as (process, _):
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")


def test_sandbox_command_data_survives_a_kill(tmp_path: Path) -> None:
    """With --data a call is on disk before it is answered."""
    data = str(tmp_path / "sandbox.sqlite")
    query = {"token": "t", "phone": "375291111111", "message": "x"}
    with _running("--data", data, "--lenient") as (process, url):
        assert requests.get(f"{url}/api/v1/sendQuickSMS", query, timeout=5).status_code == 200
        process.kill()
    with _running("--data", data) as (_, url):
        assert list(requests.get(f"{url}/_sandbox/inbox", timeout=5).json()) == ["375291111111"]


def test_sandbox_command_sets_settings(tmp_path: Path) -> None:
    """Values are JSON or text; a balance replaces that of an earlier run."""
    data = str(tmp_path / "sandbox.sqlite")
    for balance in ("7", "5.5"):
        more = ("--set", 'fates={"375291111111": "LOST"}', "--set", "currency=EUR")
        with _running("--data", data, "--set", f"balance={balance}", *more) as (_, url):
            settings = requests.get(f"{url}/_sandbox/settings", timeout=5).json()
            assert (settings["balance"], settings["currency"]) == (balance, "EUR")
            assert settings["fates"] == {"375291111111": "LOST"}


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--account-timezone", "Europe/Atlantis"], 64, "Europe/Atlantis"),
        (["--delay", "-1"], 64, "--delay"),
        (["--set", "balance"], 64, "NAME=VALUE"),
        (["--set", "colour=red"], 64, "unknown setting 'colour'"),
        (["--set", "error_status=503"], 64, "error_status"),
        (
            ["--data", "notes.txt"],
            1,
            "cannot keep sandbox data in notes.txt: file is not a database\nhint: name a file",
        ),
        (["--port", "{taken}"], 1, "Address already in use\nhint:"),
    ],
)
def test_sandbox_command_reports_errors_in_one_sentence(
    tmp_path: Path, arguments: list[str], code: int, expected: str
) -> None:
    """An error is one sentence without a traceback, and a documented exit code."""
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        given = [argument.format(taken=other.getsockname()[1]) for argument in arguments]
        command = [sys.executable, "-m", "smsby_deploy", "sandbox", *given]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert "another program" not in done.stderr, "a message of the server library"
    assert done.stdout == ""
