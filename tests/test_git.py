"""Questions to git about a checkout that is not trusted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from smsby_deploy.git import ask_git


def test_ask_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert ask_git(tmp_path, "rev-parse", "--is-inside-work-tree") == "true"


def test_ask_git_outside_a_repository(tmp_path: Path) -> None:
    assert ask_git(tmp_path, "rev-parse", "HEAD") is None


def test_ask_git_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert ask_git(tmp_path, "--version") is None


def test_ask_git_runs_no_monitor_of_the_checkout(tmp_path: Path) -> None:
    """Whoever writes a checkout could otherwise name a program that `git status` starts."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monitor = tmp_path / "monitor.sh"
    monitor.write_text("#!/bin/sh\ntouch started\n", "utf-8")
    monitor.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(monitor)], cwd=tmp_path, check=True)
    assert ask_git(tmp_path, "status", "--porcelain") is not None
    assert not (tmp_path / "started").exists()
