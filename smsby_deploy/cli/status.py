"""`status`: what became of the mailings that were sent."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples


@click.command(
    "status",
    epilog=examples(
        "smsby-deploy status",
        "smsby-deploy status 'spring-sale/*' --format json",
        "smsby-deploy status --format markdown --out status.md",
        "smsby-deploy status spring-sale/vip --fail-under 95",
    ),
)
@click.argument("select", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE, not to stdout.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PCT",
    help="Exit 1 if fewer than PCT % were delivered.",
)
@click.pass_obj
def command(
    context: Context, select: tuple[str, ...], form: str, out: Path | None, fail_under: float | None
) -> int:
    """Tell what became of the mailings that were sent. SELECT is an address or a glob on addresses."""
    from smsby_deploy.cli.session import load, open_lock, open_reader
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.report.json_out import json_text, status_document
    from smsby_deploy.report.status_text import status_markdown, write_status
    from smsby_deploy.status.collect import collect_status

    project = load(context).project
    clock = SystemClock()
    lock = open_lock(project).read()
    report = collect_status(lock, open_reader(project, context.environ, clock), select=select, clock=clock)
    if form == "json":
        text = json_text(status_document(report))
    elif form == "markdown":
        text = status_markdown(report)
    elif out is None:
        write_status(report, sys.stdout, color=context.color)
        return report.exit_code(fail_under)
    else:
        buffer = io.StringIO()
        write_status(report, buffer, color=False)
        text = buffer.getvalue()
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        context.note(f"written to {out}")
    return report.exit_code(fail_under)
