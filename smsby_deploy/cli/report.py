"""`report`: what was sent and what it cost. Offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, check_output, examples, file_option, format_option
from smsby_deploy.cli.session import load, open_lock, refuse_to_overwrite
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_text

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.status.usage_report import DeliveriesOf, UsageReport


@click.command(
    "report",
    epilog=examples(
        "smsby-deploy report",
        "smsby-deploy report --by month,label:owner --since 2026-01-01",
        "smsby-deploy report --by campaign --format csv --out costs.csv",
        "smsby-deploy report --by mailing,variant",
        "smsby-deploy report --by mailing,plan,signed_by,applied_by,state",
        "smsby-deploy report --by environment,prefix --format openmetrics",
    ),
)
@click.option(
    "--by",
    default="month",
    show_default=True,
    metavar="GROUPS",
    help="Groups to sum by, separated by commas: month, campaign, mailing, variant, prefix, environment, plan, signed_by, "
    "applied_by, state, label:KEY.",
)
@click.option(
    "--since",
    metavar="WHEN",
    help="Only what was accepted since WHEN: a date, a time, or an age such as 7d, 12h, 90m.",
)
@format_option("text", "json", "markdown", "csv", "html", "openmetrics")
@file_option("--out")
@click.pass_obj
def command(context: Context, by: str, since: str | None, form: str, out: Path | None) -> ExitCode:
    """Show what was sent and what it cost, from the lock and its archive.

    `planned` is the cost at the project's price, `billed` the cost that sms.by reported. Deliveries come from what `status`
    has stored, and from the archive. Values that were not recorded are shown as such, never as 0. `--by environment` reads
    the locks of all environments; without it, only that of the chosen environment is read. Works offline.
    """
    check_output("the report", out)
    report, language = _make_report(context, by, since, out)
    write = _writer(report, form, language, color=context.color and out is None)
    context.write_out(out, write)
    return ExitCode.DONE


def _make_report(context: Context, by: str, since: str | None, out: Path | None) -> tuple[UsageReport, str]:
    """The report, and the language of the project."""
    from smsby_deploy.config.environments import find_lock_places
    from smsby_deploy.lock.opening import open_lock_at
    from smsby_deploy.status.collect import read_since
    from smsby_deploy.status.usage_groups import GroupKind, read_groupings
    from smsby_deploy.status.usage_report import UsageSource, make_usage_report

    groupings = read_groupings(by)
    project, now = load(context).project, SystemClock().now()
    refuse_to_overwrite(project, out)
    zone = project.api.account_timezone
    stores = {project.environment.name: open_lock(project)}
    if any(grouping.kind is GroupKind.ENVIRONMENT for grouping in groupings):
        for place in find_lock_places(project.root, context.environ):
            stores.setdefault(place.environment, open_lock_at(place, project.name, project.root))
    report = make_usage_report(
        project.name,
        [
            UsageSource(name, store.read(), _remembered(context, project))
            if name == project.environment.name
            else UsageSource(name, store.read())
            for name, store in stores.items()
        ],
        groupings,
        zone=zone,
        made_at=now,
        since=read_since(since, now=now, zone=zone) if since else None,
    )
    return report, project.language


def _remembered(context: Context, project: Project) -> DeliveriesOf:
    """The deliveries that `status` has stored; none without the token that sealed them."""
    from smsby_deploy.status.final_chunks import FinalChunks, read_final
    from smsby_deploy.status.mailing_summary import Moment

    try:
        final = read_final(project.lock, AccountAccess(project.api, context.environ).secret())
    except SmsbyDeployError:
        final = FinalChunks()
    moment = Moment(SystemClock().now(), project.settle_after)
    return lambda entry, chunk: final.deliveries(chunk, is_overdue=moment.is_overdue(entry, chunk))


def _writer(report: UsageReport, form: str, language: str, *, color: bool) -> Callable[[TextIO], None]:
    from smsby_deploy.output import usage_exports, usage_page
    from smsby_deploy.output.json_documents import json_text
    from smsby_deploy.output.translation import translator

    if form == "text":
        return lambda stream: usage_page.write_usage(report, stream, color=color)
    spoken = translator(language)
    texts = {
        "json": lambda: json_text(usage_exports.usage_document(report)),
        "markdown": lambda: usage_page.usage_markdown(report, spoken),
        "csv": lambda: usage_exports.usage_csv(report),
        "html": lambda: usage_page.usage_html(report, t=spoken),
        "openmetrics": lambda: usage_exports.usage_openmetrics(report),
    }
    return lambda stream: write_text(texts[form](), stream)
