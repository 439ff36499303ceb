"""`demo`, the first command of a new user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_LIKE_WINDOWS = Path(__file__).resolve().parents[1] / "windows"


@pytest.mark.parametrize("system", ["this", "like Windows"])
def test_demo_runs_all_steps(system: str, tmp_path: Path) -> None:
    """The demo validates, plans, applies, reports the status and plans again without anything to do; exit code 0."""
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy", "demo"],
        cwd=tmp_path,
        env={**os.environ} | ({"PYTHONPATH": str(_LIKE_WINDOWS)} if system == "like Windows" else {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing to send" in done.stdout
