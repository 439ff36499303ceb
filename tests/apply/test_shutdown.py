"""ShutdownSignal: what the first and the second signal end."""

from __future__ import annotations

import os
import signal

import pytest

from smsby_deploy.apply.shutdown import ShutdownSignal, StopSending
from smsby_deploy.clock import SystemClock
from smsby_deploy.exit_codes import ExitCode
from tests.apply.fake_dispatch import VirtualClock


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_shutdown_signal_counts_signals_only_inside(number: signal.Signals) -> None:
    """Its handlers are installed for the `with` block, and the earlier ones come back."""
    before = signal.getsignal(number)
    with ShutdownSignal(SystemClock()) as shutdown:
        os.kill(os.getpid(), number)
        assert (shutdown.is_requested, shutdown.is_urgent) == (True, False)
        os.kill(os.getpid(), number)
        assert shutdown.is_urgent
    assert signal.getsignal(number) is before


def test_shutdown_signal_check_raises_after_the_first() -> None:
    """`check` stops the run with exit code 1 once a signal came."""
    shutdown = ShutdownSignal(SystemClock())
    shutdown.check()
    shutdown.count = 1
    with pytest.raises(StopSending, match="stopped by a signal before it was sent") as caught:
        shutdown.check()
    assert caught.value.exit_code is ExitCode.FAILED


def test_shutdown_signal_ends_pauses() -> None:
    """The first signal ends `pause`, only the second ends `pause_until_urgent`."""
    clock = VirtualClock()
    shutdown = ShutdownSignal(clock)
    clock.at(1, lambda: setattr(shutdown, "count", 1))
    clock.at(5, lambda: setattr(shutdown, "count", 2))
    shutdown.pause(60)
    assert clock.time == pytest.approx(1, abs=0.11)
    shutdown.pause_until_urgent(60)
    assert clock.time == pytest.approx(5, abs=0.11)
    shutdown.count = 0
    shutdown.pause(2)
    assert clock.time == pytest.approx(7, abs=0.11)
