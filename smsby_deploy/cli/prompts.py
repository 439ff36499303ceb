"""Ask a person before something goes out."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.errors import Refused, UsageError


def says_yes(context: Context) -> bool:
    """Whether stdin answers `yes`: nothing else will do, and no answer is none.

    Raises:
        UsageError: stderr is a log for machines.
    """
    check_can_ask(context)
    click.echo("Send this? It can't be undone. Only `yes` is taken: ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        click.echo(err=True)  # nobody pressed Enter: what follows begins on a line of its own
    return answer.strip() == "yes"


def check_can_ask(context: Context) -> None:
    """Refuse to ask where a question would stand between lines of JSON.

    Raises:
        UsageError: stderr is a log for machines.
    """
    if context.log is not None:
        raise UsageError(
            "--log-format json can't ask for `yes`",
            hint="give a plan file, or the option that says not to ask",
        )


def ask_to_send(context: Context) -> None:
    """Go on only after `yes`.

    Raises:
        Refused: it was not approved.
    """
    if not says_yes(context):
        raise Refused("not approved: nothing was sent", hint="answer yes, or use --yes")
