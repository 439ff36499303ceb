"""What the global options say; every command gets it as click's `obj`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """`verbosity` counts -v; `color` is False with --no-color and with NO_COLOR."""

    project: str | None
    verbosity: int
    quiet: bool
    color: bool
    environ: Mapping[str, str]

    def note(self, text: str) -> None:
        """Tell a person something on stderr, unless -q."""
        import click

        if not self.quiet:
            click.echo(text, err=True)
