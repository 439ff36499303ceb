"""The exit code of a run in which several things went wrong."""

from __future__ import annotations

from smsby_deploy.exit_codes import ExitCode, first_exit_code


def test_first_exit_code_follows_the_documented_order() -> None:
    """Each of 64, 3, 8, 5, 6, 7, 4, 1, 2 takes precedence over those that follow, in whatever order they occur."""
    order = [64, 3, 8, 5, 6, 7, 4, 1, 2, 0]
    for place, code in enumerate(order):
        assert first_exit_code(ExitCode(other) for other in reversed(order[place:])) == code
    assert first_exit_code([]) is ExitCode.DONE
