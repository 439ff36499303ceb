"""`status`: how the sent mailings were delivered."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, NumberRange, check_output, examples, file_option, format_option
from smsby_deploy.cli.session import (
    asking_progress,
    load,
    notify,
    open_lock,
    progress_of,
    refuse_to_overwrite,
)
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import unknown_first
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.output.terminal import output_of, write_parts, write_text

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.config.project_loader import LoadedProject
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.status.status_report import StatusReport

    Collect = Callable[..., StatusReport]
    Write = Callable[[TextIO], None]

_HISTORY_FORMATS = ("text", "json", "markdown")


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
@format_option(
    "text",
    "json",
    "markdown",
    "html",
    "junit",
    "csv",
    help="Output format; csv lists the recipients who did not get the SMS.",
)
@file_option("--out")
@click.option("--campaign", multiple=True, metavar="NAME", help="Only this campaign; repeatable.")
@click.option(
    "--since",
    metavar="WHEN",
    help="Only mailings sent or scheduled since WHEN: a date, a time, or an age such as 7d, 12h, 90m.",
)
@click.option("--watch", is_flag=True, help="Poll until every message that was sent is final.")
@click.option("--history", is_flag=True, help="List past applies instead (text, json, markdown).")
@click.option("--unmask", is_flag=True, help="Show whole phone numbers (csv only).")
@click.option(
    "--fail-under",
    type=NumberRange(0, 100),
    metavar="PCT",
    help="Exit 1 if less than PCT % of the recipients of final mailings got the SMS.",
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
) -> ExitCode:
    """Show how the sent mailings were delivered. SELECT is an address or a glob on addresses.

    The counts are those of sms.by. Ctrl-C ends --watch with the latest report (exit 1).
    """
    output = _Output(form, out, unmask, fail_under, context.color and out is None)
    output.check(history=history)
    if history and (select or campaign or since or watch or fail_under is not None):
        raise click.UsageError("--history lists all applies; it takes no SELECT and only --format and --out")
    loaded = load(context)
    project = loaded.project
    refuse_to_overwrite(project, out)
    if history:
        context.write_out(
            out, _history_writer(open_lock(project).read(), project.zone, output), is_private=unmask
        )
        return ExitCode.DONE
    patterns = (*select, *(f"{name}/*" for name in campaign))
    collect = _collector(context, loaded, patterns, since, list_missed=form == "csv")
    report, is_complete = (
        _watch(context, collect, project, output) if watch else (_collect(context, collect), True)
    )
    codes = (report.exit_code(fail_under), ExitCode.DONE if is_complete else ExitCode.FAILED)
    exit_code = first_exit_code(codes)
    with output_of(exit_code):
        context.write_out(out, _report_writer(context, report, project, output), is_private=unmask)
    if project.notify:
        from smsby_deploy.output.notifications import status_notification

        was_watched = watch and is_complete
        notify(context, project, status_notification(report, project, fail_under, was_watched=was_watched))
    if fail_under is not None and report.is_under(fail_under):
        context.fail(f"less than {fail_under:g}% of the recipients of final mailings got the SMS", "error")
    if not is_complete:
        context.warn("interrupted: not every mailing is final", "interrupted")
    return exit_code


@dataclass(frozen=True, slots=True)
class _Output:
    """What to write, and where to."""

    form: str
    out: Path | None
    unmask: bool
    fail_under: float | None
    color: bool

    @property
    def is_terminal_text(self) -> bool:
        return self.form == "text" and self.out is None

    def check(self, *, history: bool) -> None:
        """Raises UsageError for options that do not go together."""
        check_output("the report", self.out)
        if self.unmask and self.form != "csv":
            raise click.UsageError("--unmask needs --format csv: no other format shows single recipients")
        if history and self.form not in _HISTORY_FORMATS:
            raise click.UsageError(f"--history cannot be combined with --format {self.form}")


def _collector(
    context: Context,
    loaded: LoadedProject,
    patterns: tuple[str, ...],
    since: str | None,
    *,
    list_missed: bool,
) -> Collect:
    """A function that asks sms.by; it takes the other arguments of `collect_status`.

    The lock is read each time: another run may be writing it.
    """
    from smsby_deploy.plan.removed import find_unknown
    from smsby_deploy.plan.selection import removed_from
    from smsby_deploy.status.callbacks import Callbacks, callbacks_path
    from smsby_deploy.status.collect import StatusOptions, collect_status, read_since, select_addresses
    from smsby_deploy.status.final_chunks import read_final

    clock, project = SystemClock(), loaded.project
    after = read_since(since, now=clock.now(), zone=project.api.account_timezone) if since else None
    account = AccountAccess(project.api, context.environ)
    store = open_lock(project)

    def is_unknown() -> bool:
        lock = store.read()
        return any(find_unknown(lock, select_addresses(lock, patterns, after)))

    with unknown_first(is_unknown):
        reader = account.open_reader()
    final = read_final(project.lock, account.secret())
    callbacks = Callbacks(callbacks_path(project.lock))

    def collect(**arguments: Any) -> StatusReport:
        options = StatusOptions(
            after,
            project.by_address,
            list_missed=list_missed,
            reconcile_seconds=reader.facts.reconcile_seconds(project.api.reconcile_seconds),
            here=account.binding(),
            settle_after=project.settle_after,
            running=store.read_running(),
            final=final,
            may_start_anew=project.environment.is_sandbox,
            is_removed=removed_from(loaded),
            zone=project.zone,
        )
        with unknown_first(is_unknown):
            report = collect_status(
                store.read(),
                reader,
                select=patterns,
                clock=clock,
                options=options,
                read_callbacks=callbacks.read,
                **arguments,
            )
        final.save()
        return report

    return collect


def _collect(context: Context, collect: Collect) -> StatusReport:
    """The report, with progress on stderr."""
    with progress_of(context) as progress:
        return collect(progress=asking_progress(progress))


def _watch(
    context: Context, collect: Collect, project: Project, output: _Output
) -> tuple[StatusReport, bool]:
    """The last report, and whether every mailing is final; Ctrl-C ends the wait."""
    from smsby_deploy.output.status_text import StatusDisplay
    from smsby_deploy.status.collect import watch_status

    stream = sys.stdout if output.is_terminal_text else io.StringIO()
    currency = project.currency
    with StatusDisplay(stream, color=context.color, currency=currency, note=context.note) as display:
        try:
            report = watch_status(lambda previous: collect(previous=previous), display.show, SystemClock())
        except KeyboardInterrupt:
            if display.shown is None:
                raise
            return display.shown, False
    return report, True


def _report_writer(context: Context, report: StatusReport, project: Project, output: _Output) -> Write:
    from smsby_deploy.output.ci_reports import status_junit
    from smsby_deploy.output.json_documents import json_text, status_document
    from smsby_deploy.output.status_csv import status_csv
    from smsby_deploy.output.status_html import status_html
    from smsby_deploy.output.status_markdown import status_markdown
    from smsby_deploy.output.status_text import write_status
    from smsby_deploy.output.translation import translator

    currency = project.currency
    if output.form == "text":
        return lambda stream: write_status(
            report, stream, color=output.color, currency=currency, program=context.program
        )
    language = translator(project.language)
    zone = project.api.account_timezone
    texts = {
        "json": lambda: json_text(status_document(report)),
        "markdown": lambda: status_markdown(report, currency, language),
        "html": lambda: status_html(report, currency=currency, zone=zone, t=language),
        "junit": lambda: status_junit(report, output.fail_under),
    }
    if output.form == "csv":
        return lambda stream: write_parts(status_csv(report, unmask=output.unmask), stream)
    return lambda stream: write_text(texts[output.form](), stream)


def _history_writer(lock: Lock, zone: tzinfo, output: _Output) -> Write:
    from smsby_deploy.output.apply_report import history_markdown, write_history
    from smsby_deploy.output.json_documents import history_document, json_text

    if output.form == "text":
        return lambda stream: write_history(lock, zone, stream, color=output.color)
    text = history_markdown(lock, zone) if output.form == "markdown" else json_text(history_document(lock))
    return lambda stream: write_text(text, stream)
