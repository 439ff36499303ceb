"""What no test may touch: the network beyond loopback, the real home, the real token, the real clock."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tests.guard.sitecustomize  # noqa: F401  # the audit hook, in this process
from smsby_deploy.clock import SystemClock

pytest_plugins = ["tests.databases"]

# Who starts the tests in the background (nohup, `&` in a script) has SIGINT ignored for them and all their children, and
# then no command would hear a Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

GUARD = Path(__file__).resolve().parent / "guard"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

# A property holds or does not; how long an example takes says only what else the machine does. With Hypothesis' 200 ms a
# busy one made sound tests fail now and then ("unreliable test timings").
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def _no_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME is empty, no SMSBY_* variable leaks in, child processes are guarded as this one is."""
    for name in list(os.environ):
        if name.startswith(("SMSBY_", "XDG_", "GIT_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home: Path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(GUARD), os.getenv("PYTHONPATH")])))


@pytest.fixture(autouse=True)
def _no_real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process it is always the same moment: time passes only while somebody sleeps, and that takes none.

    That nothing else reads the machine's clock is held by ruff (banned-api in pyproject.toml).
    """
    passed = [0.0]

    def sleep(self: SystemClock, seconds: float) -> None:
        passed[0] += seconds

    monkeypatch.setattr(SystemClock, "now", lambda self: NOW + timedelta(seconds=passed[0]))
    monkeypatch.setattr(SystemClock, "monotonic", lambda self: passed[0])
    monkeypatch.setattr(SystemClock, "sleep", sleep)
