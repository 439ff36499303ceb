"""Git commits for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> None:
    """Run git as Anna."""
    identity = ("-c", "user.name=Anna", "-c", "user.email=Anna@Example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, *files: str, author: str = "Anna <Anna@Example.com>") -> None:
    """Commit `files`, or sale.yaml, in a repository that is created if necessary."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "--literal-pathspecs", "add", *(files or ("sale.yaml",)))
    git(folder, "commit", "-q", "-m", "A campaign", "--author", author)
