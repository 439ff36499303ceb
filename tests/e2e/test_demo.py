"""The first command of a new user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_demo_runs_all_steps(tmp_path: Path) -> None:
    """validate, plan, apply, status and a second plan that has nothing to do; exit code 0."""
    done = subprocess.run(
        [sys.executable, "-m", "smsby_deploy", "demo"],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing to send" in done.stdout
