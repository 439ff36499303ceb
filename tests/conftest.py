"""Guards for every test: no network beyond loopback, no real home, no real token, no real clock."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tests.guard.sitecustomize  # noqa: F401  # installs the audit hook in this process
from smsby_deploy.clock import SystemClock

pytest_plugins = ["tests.databases", "tests.shared_stores"]

# A shell that starts the tests in the background makes them and their children ignore SIGINT, so that no command would
# receive a Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GUARD = Path(__file__).resolve().parent / "guard"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

# How long an example takes depends on the load of the machine. With the default deadline of Hypothesis (200 ms), sound tests
# failed now and then ("unreliable test timings").
# The examples are others in each run, so fewer of them find the same within some days, and every run is shorter.
settings.register_profile(
    "any-machine", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME is an empty folder, no SMSBY_* variable is set, and child processes have the same guards."""
    for name in list(os.environ):
        if name.startswith(("SMSBY_", "XDG_", "GIT_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home: Path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(GUARD), os.getenv("PYTHONPATH")])))


@pytest.fixture(autouse=True)
def _simulated_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process the time is NOW plus all sleeps, and a sleep returns immediately.

    ruff ensures that the package reads no other clock (banned-api in pyproject.toml).
    """
    passed = [0.0]

    def sleep(self: SystemClock, seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(SystemClock, "now", lambda self: NOW + timedelta(seconds=passed[0]))
    monkeypatch.setattr(SystemClock, "monotonic", lambda self: passed[0])
    monkeypatch.setattr(SystemClock, "sleep", sleep)
