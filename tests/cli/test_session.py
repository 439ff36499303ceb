"""Who runs a command on which commit, and whether another run holds the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsby_deploy.cli.options import Context
from smsby_deploy.cli.session import find_actor, find_commit, load, note_running
from smsby_deploy.errors import StoreUnavailable
from smsby_deploy.lock.store import LockStore


def test_find_actor_prefers_who_started_the_pipeline() -> None:
    """The actor is who started the pipeline, not the runner's user, on one short line without a phone number."""
    assert find_actor({"GITHUB_ACTOR": "anna", "USER": "runner"}) == "anna"
    assert find_actor({"GITLAB_USER_LOGIN": "a\x1b[2J\nb"}) == "a [2J b"
    assert find_actor({"BUILD_USER_ID": "375291234567"}) == "37529*****67"
    assert len(find_actor({"GITHUB_ACTOR": "x" * 999})) == 80


def test_find_commit_outside_a_repository_is_none(tmp_path: Path) -> None:
    """Outside a repository there is no commit, which a project does not need."""
    assert find_commit(tmp_path) is None


def test_note_on_another_run_spoils_no_output(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the lock's store fails when asked about another run, the output is still complete."""

    def fail(store: LockStore) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(LockStore, "read_running", fail)
    context = Context(str(shop), environ={})
    note_running(context, load(context).project)
