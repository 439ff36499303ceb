"""Guardrails are changed in the file, in review: no option of a command turns one off."""

from __future__ import annotations

import click
import pytest

from smsby_deploy.cli.apply import command as apply_command
from smsby_deploy.cli.plan import command as plan_command

_APPLY = {"plan_path", "--select", "--auto-approve", "--format", "--report", "--lock-timeout"}
_PLAN = {"select", "--out", "--format", "--detailed-exitcode", "--compare", "--offline"}


@pytest.mark.parametrize(("command", "options"), [(apply_command, _APPLY), (plan_command, _PLAN)])
def test_no_option_lifts_a_guardrail(command: click.Command, options: set[str]) -> None:
    """These and no others; whoever adds one is to think of the sentence above."""
    assert {option for parameter in command.params for option in parameter.opts} == options
