"""Questions to git about a checkout, whose files and settings are not trusted."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Nothing that a checkout configures is run.
SAFE_OPTIONS = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "safe.bareRepository=explicit",
)
_TIMEOUT = 10.0  # seconds


def ask_git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, without whitespace at either end.

    None without git, outside a repository, or if git fails.
    """
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands
            ["git", *SAFE_OPTIONS, *arguments],  # noqa: S607  # the user's git is the one on the PATH
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
