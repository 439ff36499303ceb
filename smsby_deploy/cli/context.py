"""What the global options say; every command gets it as click's `obj`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from smsby_deploy.output.json_log import Fact, JsonLog


class Context(NamedTuple):
    """`verbosity` counts -v; `color` is False with --no-color and with NO_COLOR; `log` is there with --log-format json."""

    project: str | None
    verbosity: int
    quiet: bool
    color: bool
    environ: Mapping[str, str]
    log: JsonLog | None = None

    @property
    def program(self) -> str:
        """What a command of ours for the same project begins with, to be copied to a prompt."""
        return shlex.join(["smsby-deploy", *([] if self.project is None else ["-C", self.project])])

    def note(self, text: str, event: str = "note", **facts: Fact) -> None:
        """Tell something on stderr, unless -q; a program hears `event` and its `facts` too."""
        import click

        if self.quiet:
            return
        if self.log is not None:
            self.log.write("info", event, message=text, **facts)
        else:
            click.echo(text, err=True)

    def warn(self, text: str, event: str, **facts: Fact) -> None:
        """Tell on stderr what must not be missed, also with -q."""
        import click

        from smsby_deploy.privacy import mask_phones

        if self.log is not None:
            self.log.write("warning", event, message=text, **facts)
        else:
            click.echo(f"warning: {mask_phones(text)}", err=True)
