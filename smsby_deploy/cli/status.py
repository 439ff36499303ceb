"""`status`: what became of the mailings that were sent."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.status.report import StatusReport


@click.command(
    "status",
    epilog=examples(
        "smsby-deploy status",
        "smsby-deploy status --watch",
        "smsby-deploy status 'spring-sale/*' --format json",
        "smsby-deploy status --campaign spring-sale --format html --out status.html",
        "smsby-deploy status spring-sale/vip --format csv --out missed.csv",
        "smsby-deploy status --since 7d --format junit --fail-under 95",
        "smsby-deploy status --history",
    ),
)
@click.argument("select", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "html", "junit", "csv"]),
    default="text",
    show_default=True,
    help="How to print it; csv lists who did not get it.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to FILE, not to stdout.")
@click.option("--campaign", multiple=True, metavar="NAME", help="Only this campaign; may be repeated.")
@click.option("--since", metavar="WHEN", help="Only what goes out since a date, a time, or 7d, 12h, 90min.")
@click.option("--watch", is_flag=True, help="Look again, ever more seldom, until everything is final.")
@click.option("--history", is_flag=True, help="Tell past applies instead; text, json or markdown.")
@click.option("--unmask", is_flag=True, help="For csv: whole phone numbers.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PCT",
    help="Exit 1 if fewer than PCT % were delivered.",
)
@click.pass_obj
def command(
    context: Context,
    select: tuple[str, ...],
    form: str,
    out: Path | None,
    campaign: tuple[str, ...],
    since: str | None,
    watch: bool,
    history: bool,
    unmask: bool,
    fail_under: float | None,
) -> int:
    """Tell what became of the mailings that were sent. SELECT is an address or a glob on addresses.

    Counts are sms.by's. With --fail-under only mailings that are final are judged. Ctrl-C ends --watch with what is
    known by then (exit 1).
    """
    from smsby_deploy.cli.session import load, open_lock, open_reader, progress_of
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import UsageError
    from smsby_deploy.output.status_live import StatusDisplay
    from smsby_deploy.status.callbacks import callbacks_path, read_callbacks
    from smsby_deploy.status.collect import (
        NO_PROGRESS,
        CollectProgress,
        StatusOptions,
        collect_status,
        watch_status,
    )
    from smsby_deploy.status.selection import read_since

    if out is not None and not out.parent.is_dir():
        hint = "make the folder, or name another file"
        raise UsageError(f"the report can't be written: {out.parent} is no folder", hint=hint)
    if unmask and form != "csv":
        raise click.UsageError("--unmask is for --format csv: no other format tells of single people")
    project = load(context).project
    clock = SystemClock()
    lock = open_lock(project).read()
    if history:
        _write(context, _history(lock, form, context, out), out)
        return 0
    chosen = (*select, *(f"{name}/*" for name in campaign))
    after = read_since(since, now=clock.now(), zone=project.api.account_timezone) if since else None
    client = open_reader(project.api, context.environ, clock)
    kept = callbacks_path(project.lock)

    def collect(previous: StatusReport | None, shown: CollectProgress = NO_PROGRESS) -> StatusReport:
        return collect_status(
            lock,
            client,
            select=chosen,
            clock=clock,
            options=StatusOptions(after, project.mailings, list_missed=form == "csv"),
            previous=previous,
            read_callbacks=lambda uuid: read_callbacks(kept, uuid),
            progress=shown,
        )

    is_over = True
    if watch:
        currency = project.price.currency if project.price else None
        stream = sys.stdout if form == "text" and out is None else io.StringIO()
        with StatusDisplay(stream, color=context.color, currency=currency, note=context.note) as display:
            try:
                report = watch_status(collect, display.show, clock)
            except KeyboardInterrupt:
                if display.shown is None:
                    raise
                report, is_over = display.shown, False
    else:
        with progress_of(context, clock) as progress:
            report = collect(
                None,
                CollectProgress(
                    begin=lambda recipients: progress.step("asking sms.by", recipients or None),
                    advance=progress.advance,
                ),
            )
    _write(context, _text(report, form, context, project, out, unmask=unmask, fail_under=fail_under), out)
    code = report.exit_code(fail_under)
    if not is_over:
        context.warn("the wait was ended: not everything is final", "interrupted")
    return code if is_over else code or 1


def _text(
    report: StatusReport,
    form: str,
    context: Context,
    project: Project,
    out: Path | None,
    *,
    unmask: bool,
    fail_under: float | None,
) -> str | None:
    """The report in `form`; None if it was written to the terminal."""
    from smsby_deploy.output.json_documents import json_text, status_document
    from smsby_deploy.output.junit import status_junit
    from smsby_deploy.output.status_csv import status_csv
    from smsby_deploy.output.status_html import status_html
    from smsby_deploy.output.status_text import status_markdown, write_status
    from smsby_deploy.plan.planner import TOOL

    currency = project.price.currency if project.price else None
    if form == "json":
        return json_text(status_document(report))
    if form == "markdown":
        return status_markdown(report, currency)
    if form == "html":
        return status_html(report, currency=currency, tool=TOOL, zone=project.api.account_timezone)
    if form == "junit":
        return status_junit(report, fail_under)
    if form == "csv":
        return status_csv(report, unmask=unmask)
    if out is None:
        write_status(report, sys.stdout, color=context.color, currency=currency, program=context.program)
        return None
    buffer = io.StringIO()
    write_status(report, buffer, color=False, currency=currency, program=context.program)
    return buffer.getvalue()


def _history(lock: Lock, form: str, context: Context, out: Path | None) -> str | None:
    from smsby_deploy.output.history import history_document, history_markdown, write_history
    from smsby_deploy.output.json_documents import json_text

    if form == "json":
        return json_text(history_document(lock))
    if form == "markdown":
        return history_markdown(lock)
    if form != "text":
        raise click.UsageError(f"--history has no --format {form}; it has text, json and markdown")
    if out is None:
        write_history(lock, sys.stdout, color=context.color)
        return None
    buffer = io.StringIO()
    write_history(lock, buffer, color=False)
    return buffer.getvalue()


def _write(context: Context, text: str | None, out: Path | None) -> None:
    if text is None:
        return
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        context.note(f"written to {out}")
