"""Queries to git about an untrusted checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from smsby_deploy.git import ask_git, find_author
from tests.commits import commit, git


def test_ask_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert ask_git(tmp_path, "rev-parse", "--is-inside-work-tree") == "true"


def test_ask_git_outside_a_repository(tmp_path: Path) -> None:
    assert ask_git(tmp_path, "rev-parse", "HEAD") is None


def test_ask_git_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert ask_git(tmp_path, "--version") is None


def test_ask_git_runs_no_monitor_of_the_checkout(tmp_path: Path) -> None:
    """git does not run a monitor that the checkout configures for `git status`."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monitor = tmp_path / "monitor.sh"
    monitor.write_text("#!/bin/sh\ntouch started\n", "utf-8")
    monitor.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(monitor)], cwd=tmp_path, check=True)
    assert ask_git(tmp_path, "status", "--porcelain") is not None
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("file", ["s*.yaml", ":!other.yaml"])
def test_find_author_of_a_file_named_as_a_pattern(tmp_path: Path, file: str) -> None:
    """The author of a file whose name is a pattern is not that of another file that matches it."""
    (tmp_path / file).write_text("a", "utf-8")
    (tmp_path / "sale.yaml").write_text("a", "utf-8")
    commit(tmp_path, file)
    commit(tmp_path, author="Eve <eve@example.com>")
    assert find_author(tmp_path, file).email == "anna@example.com"


def test_find_author(tmp_path: Path) -> None:
    (tmp_path / "sale.yaml").write_text("a", "utf-8")
    commit(tmp_path)
    assert find_author(tmp_path, "sale.yaml").email == "anna@example.com"
    (tmp_path / "sale.yaml").write_text("b", "utf-8")
    assert "not committed" in find_author(tmp_path, "sale.yaml").why_unknown


def test_find_author_in_a_shallow_checkout(tmp_path: Path) -> None:
    """In a shallow checkout the author is unknown: its only commit may not be the one that changed the file last."""
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "sale.yaml").write_text("a", "utf-8")
    commit(origin)
    git(origin, "commit", "-q", "--allow-empty", "-m", "Something else")
    git(tmp_path, "clone", "-q", "--depth=1", origin.as_uri(), "shallow")
    assert "lacks the history" in find_author(tmp_path / "shallow", "sale.yaml").why_unknown
    git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
    assert find_author(tmp_path / "shallow", "sale.yaml").email == "anna@example.com"
