"""shutdown: the two signals, and a freeze or an unreadable file that a running apply notices."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from smsby_deploy.apply.shutdown import FreezeWatch, ShutdownSignal, StopSending
from smsby_deploy.clock import SystemClock
from smsby_deploy.exit_codes import ExitCode
from tests.apply.fake_dispatch import VirtualClock

HEAD = "version: 1\nproject: shop\n"


def _watch(folder: Path, clock: VirtualClock, environment: str = "production") -> FreezeWatch:
    (folder / "smsby.yaml").write_text(HEAD, "utf-8")
    return FreezeWatch(folder / "smsby.yaml", environment, clock)


def test_freeze_watch_notices_a_freeze(tmp_path: Path) -> None:
    """Once a freeze is noticed it stays the reason for stopping, even if it is lifted."""
    watch = _watch(tmp_path, VirtualClock())
    assert watch.why() == ""
    (tmp_path / "smsby.yaml").write_text(HEAD + "freeze: wrong\n  price\n", "utf-8")
    assert watch.why() == "frozen: wrong price (`freeze` in smsby.yaml)"
    (tmp_path / "smsby.yaml").write_text(HEAD, "utf-8")
    assert watch.why() == "frozen: wrong price (`freeze` in smsby.yaml)"


def test_freeze_watch_obeys_its_environment(tmp_path: Path) -> None:
    """An environment inherits the freeze, unless it has its own `freeze`."""
    environments = "environments: {staging: {}, stage: {freeze: false}}\n"
    (tmp_path / "smsby.yaml").write_text(f"{HEAD}freeze: wrong price\n{environments}", "utf-8")
    reasons = [
        FreezeWatch(tmp_path / "smsby.yaml", name, VirtualClock()).why()
        for name in ("production", "staging", "stage")
    ]
    assert reasons == [*["frozen: wrong price (`freeze` in smsby.yaml)"] * 2, ""]


def test_freeze_watch_reads_the_file_only_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that did not change is not read between requests."""
    reads: list[Path] = []
    monkeypatch.setattr(
        "smsby_deploy.apply.shutdown.read_freeze", lambda path, environment: reads.append(path) or ""
    )
    watch = _watch(tmp_path, VirtualClock())
    assert [watch.why() for _ in range(3)] == [""] * 3
    assert len(reads) == 1
    os.utime(tmp_path / "smsby.yaml", ns=(1, 1))
    watch.why()
    assert len(reads) == 2


@pytest.mark.posix
@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("freeze: wrong: price\n", "smsby.yaml:3:14: a second `: ` on this line"),
        ("freze: wrong price\n", "smsby.yaml:3:1: unknown key freze; did you mean freeze?"),
        ("freeze:\n", "smsby.yaml:3:8: freeze: expected text or true or false, got nothing"),
        (None, "smsby.yaml: file smsby.yaml not found"),
        ("a pipe", "smsby.yaml: smsby.yaml is a pipe or a device"),
    ],
)
def test_freeze_watch_stops_at_a_broken_file(tmp_path: Path, content: str | None, why: str) -> None:
    """A freeze that cannot be read stops the run as well, after a moment in which the file may be being written."""
    clock = VirtualClock()
    watch = _watch(tmp_path, clock)
    assert watch.why() == ""
    if content in (None, "a pipe"):
        (tmp_path / "smsby.yaml").unlink()
        if content:
            os.mkfifo(tmp_path / "smsby.yaml")
    else:
        (tmp_path / "smsby.yaml").write_text(HEAD + content, "utf-8")
    assert watch.why().startswith(f"frozen: smsby.yaml has changed and is no longer valid: {why}")
    assert clock.time == pytest.approx(2, abs=0.2)


def test_freeze_watch_waits_for_a_file_being_written(tmp_path: Path) -> None:
    """A file that is missing for a moment, while a checkout replaces it, does not stop the run."""
    clock = VirtualClock()
    watch = _watch(tmp_path, clock)
    assert watch.why() == ""
    (tmp_path / "smsby.yaml").unlink()
    clock.at(
        0.5, lambda: (tmp_path / "smsby.yaml").write_text(HEAD + "price: {currency: BYN, per_part: 1}\n")
    )
    assert watch.why() == ""
    assert clock.time < 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_shutdown_signal_counts_signals_only_inside(number: signal.Signals) -> None:
    """The handlers are installed for the `with` block, and the earlier ones are restored."""
    before = signal.getsignal(number)
    with ShutdownSignal(SystemClock()) as shutdown:
        signal.raise_signal(number)
        assert (shutdown.is_requested, shutdown.is_urgent) == (True, False)
        signal.raise_signal(number)
        assert shutdown.is_urgent
    assert signal.getsignal(number) is before


def test_shutdown_signal_check_raises_after_the_first() -> None:
    """`check` stops the run with exit code 1 after a signal."""
    shutdown = ShutdownSignal(SystemClock())
    shutdown.check()
    shutdown.count = 1
    with pytest.raises(StopSending, match="stopped by a signal before it was sent") as caught:
        shutdown.check()
    assert caught.value.exit_code is ExitCode.FAILED


def test_shutdown_signal_ends_pauses() -> None:
    """The first signal ends `pause`, and only the second one ends `pause_until_urgent`."""
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
