"""`render`: the texts as recipients would read them. Offline."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.options import Context, examples, format_option
from smsby_deploy.cli.session import load, refuse_damaged_lock, report_problems
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_text
from smsby_deploy.problems import has_errors


@click.command(
    "render",
    epilog=examples(
        "smsby-deploy render spring-sale/vip",
        "smsby-deploy render 'spring-sale/*' --limit 10",
        "smsby-deploy render spring-sale/vip --row 7 --unmask",
    ),
)
@click.argument("select", nargs=-1, required=True)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="At most N texts: one of each combination of conditions, the first, the most expensive, the longest, then "
    "the next rows. Default: at most 8, with the next rows only up to 3.",
)
@click.option(
    "--row",
    "rows",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="Show the text of the N-th recipient instead; repeatable.",
)
@click.option("--unmask", is_flag=True, help="Show whole phone numbers.")
@format_option("text", "json")
@click.pass_obj
def command(
    context: Context,
    select: tuple[str, ...],
    limit: int | None,
    rows: tuple[int, ...],
    unmask: bool,
    form: str,
) -> ExitCode:
    """Show the texts as recipients would read them, with parts and cost.

    SELECT is an address (campaign/mailing) or a glob on addresses. Works offline, without a token. Phone numbers
    are masked.
    """
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.output.json_documents import json_text, samples_document
    from smsby_deploy.output.sms_text import write_samples
    from smsby_deploy.plan.selection import problems_in, select_mailings
    from smsby_deploy.texts.samples import mask_samples, sample_mailings

    loaded = load(context)
    mailings, _ = select_mailings(loaded, Lock(loaded.project.name), select)
    loaded = loaded._replace(problems=problems_in(loaded, select))
    shown, problems = sample_mailings(loaded, mailings, limit=limit, rows=rows)
    if not has_errors(problems):
        refuse_damaged_lock(loaded.project)
    if not unmask:
        shown = list(map(mask_samples, shown))
    if form == "json":
        write_text(json_text(samples_document(shown)), sys.stdout)
    else:
        write_samples(shown, sys.stdout, color=context.color)
    report_problems(context, problems)
    return ExitCode.FILES_INVALID if has_errors(problems) else ExitCode.DONE
