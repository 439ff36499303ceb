"""Who is recorded."""

from __future__ import annotations

from smsby_deploy.cli.provenance import who


def test_a_pipeline_is_whoever_started_it() -> None:
    """Not the user of the runner; on one line, never a phone number, never without end."""
    assert who({"GITHUB_ACTOR": "anna", "USER": "runner"}) == "anna"
    assert who({"GITLAB_USER_LOGIN": "a\x1b[2J\nb"}) == "a [2J b"
    assert who({"BUILD_USER_ID": "375291234567"}) == "37529*****67"
    assert len(who({"GITHUB_ACTOR": "x" * 999})) == 80
