"""The fixture for other people's projects, used as they use it: in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from smsby_deploy.sandbox.pytest_plugin import SandboxHandle

THEIRS = """
import os
import urllib.request
import pytest

def remind(phone, text):
    # stands for the code under test
    url = os.environ["SMSBY_API_URL"] + "/api/v1/sendQuickSMS"
    query = urllib.parse.urlencode({"token": os.environ["SMSBY_TOKEN"], "phone": phone, "message": text})
    return urllib.request.urlopen(f"{url}?{query}").status

def test_a_reminder_is_sent(smsby_sandbox):
    assert remind("375291234567", "tomorrow at 10") == 200
    assert smsby_sandbox.texts("375291234567") == ["tomorrow at 10"]
    assert smsby_sandbox.texts("375290000000") == []

def test_the_next_one_starts_empty(smsby_sandbox):
    assert smsby_sandbox.inbox() == {}

def test_it_goes_wrong(smsby_sandbox):
    smsby_sandbox.fault("503", method="sendQuickSMS")
    with pytest.raises(Exception, match="503"):
        remind("375291234567", "x")
    with pytest.raises(ValueError, match="unknown mode"):
        smsby_sandbox.fault("explode")

class TestSwitches:
    @pytest.fixture
    def smsby_sandbox_switches(self):
        return {"balance": 0, "error_status": 200}

    def test_poor(self, smsby_sandbox):
        assert remind("375291234567", "x") == 200
        assert smsby_sandbox.inbox() == {}
"""


def test_other_projects_get_the_fixture_by_installing(tmp_path: Path) -> None:
    """No import, no conftest: the entry point is enough."""
    (tmp_path / "test_theirs.py").write_text(THEIRS)
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


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    """pytest loads it in every project: no Flask, no client, no YAML."""
    code = (
        "import sys, smsby_deploy.sandbox.pytest_plugin; "
        "print([name for name in ('flask', 'werkzeug', 'requests', 'yaml', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_handle_tells(smsby_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inbox, calls, switches, clock."""
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
