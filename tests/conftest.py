"""Guards for every test: no network beyond loopback, no real home, no real token, no real clock."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
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

# Collecting thousands of tests leaves hardly any garbage, and looking for it would visit them all.
gc.set_threshold(20_000, 20, 100)

GUARD = Path(__file__).resolve().parent / "guard"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

# How long an example takes depends on the load of the machine. With the default deadline of Hypothesis (200 ms), sound tests
# failed now and then ("unreliable test timings").
# Each run has new examples, so a few in each find as much within some days, and every run is shorter. `make unit` runs many
# times a day and tries a third of them.
settings.register_profile(
    "any-machine", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("unit", parent=settings.get_profile("any-machine"), max_examples=20)
settings.load_profile("any-machine")
_SERVERS = {"git_remote", "open_store", "postgres", "s3_server"}  # fixtures that start other programs


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need a real git remote, PostgreSQL or S3 as no unit tests, and skip on Windows what it lacks."""
    for item in items:
        if os.name == "nt" and item.get_closest_marker("posix"):
            item.add_marker(pytest.mark.skip(reason="Windows lacks what it needs"))
        if isinstance(item, pytest.Function) and _SERVERS & set(item.fixturenames):
            item.add_marker("slow")


_passed = [0.0]  # seconds by which the simulated clock is ahead of NOW


@pytest.fixture(scope="session", autouse=True)
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give each test an empty HOME and no SMSBY_* variables, and child processes the same guards."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("SMSBY_", "XDG_", "GIT_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        home: Path = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        patch.setenv("NO_COLOR", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(GUARD), os.getenv("PYTHONPATH")])))
        yield home


@pytest.fixture(scope="session", autouse=True)
def _simulated_clock() -> Iterator[None]:
    """Simulate the clock of this process: the time is NOW plus all sleeps of a test, and a sleep returns immediately.

    ruff ensures that the package reads no other clock (banned-api in pyproject.toml).
    """

    def sleep(self: SystemClock, seconds: float) -> None:
        _passed[0] += seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda self: NOW + timedelta(seconds=_passed[0]))
        patch.setattr(SystemClock, "monotonic", lambda self: _passed[0])
        patch.setattr(SystemClock, "sleep", sleep)
        yield


@pytest.fixture(autouse=True)
def _fresh_home_and_clock(_isolated_environment: Path) -> Iterator[None]:
    """Give each test an empty home and a clock that shows NOW."""
    _passed[0] = 0.0
    yield
    for left in _isolated_environment.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
