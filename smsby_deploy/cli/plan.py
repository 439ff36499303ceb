"""`plan`: what would be sent, to how many people, at what cost. It has no way to send."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples


@click.command(
    "plan",
    epilog=examples(
        "smsby-deploy plan",
        "smsby-deploy plan 'spring-sale/*' --out spring.plan.json",
        "smsby-deploy plan --format markdown --out plan.json > comment.md",
        "smsby-deploy plan --offline --format json",
    ),
)
@click.argument("select", nargs=-1)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan for apply.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there is something to apply.")
@click.option("--offline", is_flag=True, help="Ask sms.by nothing; such a plan can't be applied.")
@click.pass_obj
def command(
    context: Context,
    select: tuple[str, ...],
    out: Path | None,
    form: str,
    detailed_exitcode: bool,
    offline: bool,
) -> int:
    """Show what apply would do. SELECT is an address (campaign/mailing) or a glob on addresses.

    It exits 3 if the files are not valid and 4 if a mailing is blocked; the plan is printed all the same.
    """
    from uuid import uuid4

    from smsby_deploy.cli.session import api_url, load, open_lock, open_reader, read_token
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.plan.guardrails import check_apply
    from smsby_deploy.plan.make import make_plan
    from smsby_deploy.plan.planfile import account_id, plan_document, write_plan
    from smsby_deploy.report.json_out import json_text
    from smsby_deploy.report.plan_text import plan_markdown, write_plan_text

    loaded = load(context)
    clock = SystemClock()
    client = account = None
    if not offline:
        client = open_reader(loaded.project, context.environ, clock)
        account = account_id(api_url(loaded.project, context.environ), read_token(context.environ))
    plan = make_plan(
        loaded,
        select=select,
        client=client,
        account=account,
        lock=open_lock(loaded.project).read(),
        clock=clock,
        new_id=uuid4().hex[:12],
    )
    if out is not None:
        write_plan(plan, out)
        context.note(f"saved: apply exactly this with `smsby-deploy apply {out}`")
    if form == "json":
        click.echo(json_text(plan_document(plan)), nl=False)
    elif form == "markdown":
        click.echo(plan_markdown(plan), nl=False)
    else:
        write_plan_text(plan, sys.stdout, color=context.color)
    breach = check_apply(loaded.project.guardrails, plan.actions)
    if breach:
        click.echo(f"refused: {breach.message}", err=True)
    if plan.has_errors:
        return 3
    if plan.blocked or breach:
        return 4
    return 2 if detailed_exitcode and plan.to_do else 0
