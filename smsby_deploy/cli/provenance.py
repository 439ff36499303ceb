"""Who runs a command on which commit, for the lock and the reports."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_MAX_LENGTH = 80
# The user who started a pipeline on GitHub, on GitLab, and on Jenkins with the build user vars plugin.
_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")


def find_actor(environ: Mapping[str, str]) -> str:
    """The user who started the pipeline, or else the user of this machine; `unknown` if neither has a name."""
    import getpass

    from smsby_deploy.output.values import safe_line

    actor = next((environ[name] for name in _ACTORS if environ.get(name)), "")
    if not actor:
        try:
            actor = getpass.getuser()
        except (OSError, KeyError):  # in a container the user may have no name
            actor = "unknown"
    return safe_line(actor)[:_MAX_LENGTH]


def find_commit(folder: Path) -> str | None:
    """The commit checked out in `folder`; None outside a git repository or without git."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607  # the user's git is the one on the PATH
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return git.stdout.strip() or None if git.returncode == 0 else None
