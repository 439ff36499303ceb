"""fault_points: they are numbered in the order they are reached, and a kill at one cleans nothing up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from smsby_deploy.fault_points import fault_point

_PASS_TWO = (
    "from smsby_deploy.fault_points import fault_point\n"
    "try:\n"
    "    fault_point('first')\n"
    "    fault_point('second')\n"
    "finally:\n"
    "    print('cleaned up', flush=True)\n"
)


def _run(fault: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SMSBY_FAULT": fault}
    return subprocess.run([sys.executable, "-c", _PASS_TWO], env=env, capture_output=True, text=True)


def test_fault_point_does_nothing_unless_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a request, as in every user's run, a fault point does nothing."""
    monkeypatch.delenv("SMSBY_FAULT", raising=False)
    fault_point("never")
    assert list(tmp_path.iterdir()) == []


def test_fault_point_is_counted_by_name(tmp_path: Path) -> None:
    """Fault points are counted by name and number, by which a test can choose where to kill."""
    assert _run(f"count:{tmp_path / 'points'}").returncode == 0
    assert (tmp_path / "points").read_text("utf-8") == "1 first\n2 second\n"


@pytest.mark.parametrize(("point", "code", "out"), [(2, -signal.SIGKILL, ""), (3, 0, "cleaned up\n")])
def test_fault_point_kills_at_once(point: int, code: int, out: str) -> None:
    """A kill does not run even `finally`, as if the machine were lost, and an unreached point kills nothing."""
    done = _run(f"kill:{point}")
    assert (done.returncode, done.stdout) == (code, out)


def test_fault_point_waits_for_a_byte(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A waiting fault point writes its name first, so that a test knows where the program is."""
    points, pipe = tmp_path / "points", tmp_path / "points.pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("SMSBY_FAULT", f"pause:{points}")
    waiting = threading.Thread(target=fault_point, args=("here",))
    waiting.start()
    with pipe.open("wb") as stream:  # opening waits for the reader
        assert points.read_text("utf-8").endswith(" here\n")
        assert waiting.is_alive()
        stream.write(b"x")
    waiting.join(timeout=20)
    assert not waiting.is_alive()
