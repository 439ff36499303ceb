"""Questions to git about a checkout, whose files and settings are not trusted."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from smsby_deploy.wording import sentence

# Run nothing that a checkout configures.
SAFE_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "safe.bareRepository=explicit"),
)
_TIMEOUT = 10.0  # seconds
_LITERALLY = "--literal-pathspecs"  # a file may be called `*.yaml`, or `:!other.yaml`


def ask_git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, without whitespace at either end.

    None without git, outside a repository, or if git fails.
    """
    try:
        done = subprocess.run(  # noqa: S603  # fixed commands
            ["git", *SAFE_OPTIONS, *arguments],  # noqa: S607  # the user's git is the one on the PATH
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Author(NamedTuple):
    """The author of the last commit of a file.

    `email` is in lower case; if it is unknown, it is empty, and `why_unknown` says why.
    """

    email: str
    why_unknown: str = ""


def find_author(root: Path, file: str) -> Author:
    """Return the author of the last commit of `file`.

    It is unknown if `file` has uncommitted changes or an incomplete history.
    """
    if ask_git(root, "rev-parse", "--is-inside-work-tree") != "true":
        return Author("", sentence("{file} is not in a git repository, so its author is unknown", file=file))
    if ask_git(root, _LITERALLY, "status", "--porcelain", "--", file) != "":
        return Author("", sentence("{file} has changes that are not committed", file=file))
    email, _, parents = (
        ask_git(root, _LITERALLY, "log", "-1", "--format=%ae%x00%P", "--", file) or ""
    ).partition("\0")
    if not parents and ask_git(root, "rev-parse", "--is-shallow-repository") != "false":
        why = sentence(
            "the checkout lacks the history of {file}, so its author is unknown (fetch the full history)",
            file=file,
        )
        return Author("", why)
    return Author(
        email.casefold(), "" if email else sentence("the last commit of {file} names no author", file=file)
    )
