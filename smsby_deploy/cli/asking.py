"""Ask a person before something goes out."""

from __future__ import annotations

import sys

import click

from smsby_deploy.errors import Refused


def says_yes() -> bool:
    """Whether stdin answers `yes`: nothing else will do, and no answer is none."""
    click.echo("Send this? It can't be undone. Only `yes` is taken: ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        click.echo(err=True)  # nobody pressed Enter: what follows begins on a line of its own
    return answer.strip() == "yes"


def ask_to_send() -> None:
    """Go on only after `yes`.

    Raises:
        Refused: it was not approved.
    """
    if not says_yes():
        raise Refused("not approved: nothing was sent", hint="answer yes, or use --yes")
