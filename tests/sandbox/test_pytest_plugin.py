"""The fixture for other projects, used as they would: in a separate pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from smsby_deploy.sandbox.pytest_plugin import SandboxHandle

OTHER_PROJECT = """
import os
import urllib.request
import pytest

def remind(phone, text):
    # the code under test
    url = os.environ["SMSBY_API_URL"] + "/api/v1/sendQuickSMS"
    query = urllib.parse.urlencode({"token": os.environ["SMSBY_TOKEN"], "phone": phone, "message": text})
    return urllib.request.urlopen(f"{url}?{query}").status

def test_reminder_is_sent(smsby_sandbox):
    assert remind("375291234567", "tomorrow at 10") == 200
    assert smsby_sandbox.texts("375291234567") == ["tomorrow at 10"]
    assert smsby_sandbox.texts("375290000000") == []

def test_next_sandbox_is_empty(smsby_sandbox):
    assert smsby_sandbox.inbox() == {}

def test_reminder_fails(smsby_sandbox):
    smsby_sandbox.fault("503", method="sendQuickSMS")
    with pytest.raises(Exception, match="503"):
        remind("375291234567", "x")
    with pytest.raises(ValueError, match="unknown mode"):
        smsby_sandbox.fault("explode")

class TestSettings:
    @pytest.fixture
    def smsby_sandbox_switches(self):
        return {"balance": 0, "error_status": 200}

    def test_balance_is_too_low(self, smsby_sandbox):
        assert remind("375291234567", "x") == 200
        assert smsby_sandbox.inbox() == {}
"""


def test_plugin_needs_only_an_installation(tmp_path: Path) -> None:
    """Other projects need no import and no conftest, since the entry point is enough."""
    (tmp_path / "test_other.py").write_text(OTHER_PROJECT)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_plugin_imports_nothing_until_it_is_used() -> None:
    """The plugin, which pytest loads in every project, does not import Flask, requests or YAML."""
    code = (
        "import sys, smsby_deploy.sandbox.pytest_plugin; "
        "print([name for name in ('flask', 'werkzeug', 'requests', 'yaml', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plugin_handle_shows_inbox_and_requests(
    smsby_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handle gives inbox, requests, settings and clock."""
    query = {"token": "t", "phone": "375291111111", "message": "x"}
    smsby_sandbox.set(delay=60, fates={"375291111111": "DELIVERED"})
    requests.post(f"{smsby_sandbox.url}/api/v1/sendquicksms", params=query, timeout=5)
    assert smsby_sandbox.requests("sendQuickSMS") == [
        {
            "method": "sendquicksms",
            "verb": "POST",
            "params": {"phone": "375291111111", "message": "x"},
            "accepted": True,
        }
    ]
    assert smsby_sandbox.requests("getBalance") == []
    assert smsby_sandbox.inbox()["375291111111"][0]["status"] == "NEW"
    smsby_sandbox.advance(60)
    assert smsby_sandbox.inbox()["375291111111"][0]["status"] == "DELIVERED"
