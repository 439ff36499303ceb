"""`render`: the texts that people would read. Offline; it asks sms.by nothing."""

from __future__ import annotations

import sys

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples


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
    default=3,
    show_default=True,
    metavar="N",
    help="At most N texts: first, most expensive, longest, each default, then from the top.",
)
@click.option(
    "--row",
    "rows",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="The N-th recipient instead; may be given again.",
)
@click.option("--unmask", is_flag=True, help="Show whole phone numbers.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.pass_obj
def command(
    context: Context, select: tuple[str, ...], limit: int, rows: tuple[int, ...], unmask: bool, form: str
) -> int:
    """Show what people would read, with parts, their borders and the cost; phones are masked.

    SELECT is an address (campaign/mailing) or a glob on addresses. Works offline and needs no token.
    """
    from smsby_deploy.cli.session import load
    from smsby_deploy.errors import FilesInvalid
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.output.json_documents import json_text
    from smsby_deploy.output.problems_text import log_problems, write_problems
    from smsby_deploy.output.render_text import samples_document, write_samples
    from smsby_deploy.plan.selection import select_mailings
    from smsby_deploy.problems import has_errors
    from smsby_deploy.texts.samples import mask_samples, sample_mailings

    loaded = load(context)
    mailings, _ = select_mailings(loaded, Lock(loaded.project.name), select)
    shown, problems = sample_mailings(loaded, mailings, limit=limit, rows=rows)
    if not unmask:
        shown = list(map(mask_samples, shown))
    if form == "json":
        click.echo(json_text(samples_document(shown)), nl=False)
    else:
        write_samples(shown, sys.stdout, color=context.color)
    if context.log is not None:
        log_problems(problems, context.log)
    elif problems:
        write_problems(problems, sys.stderr, color=context.color)
    return FilesInvalid.exit_code if has_errors(problems) else 0
