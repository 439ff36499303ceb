"""`plan`: what would be sent, to how many people, at what cost. It has no way to send."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.machine_formats import MACHINE_FORMATS, machine_text
from smsby_deploy.errors import SmsbyDeployError

if TYPE_CHECKING:
    from decimal import Decimal

    from smsby_deploy.clock import Clock
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.plan.model import Plan
    from smsby_deploy.smsby.client import ReadClient


@click.command(
    "plan",
    epilog=examples(
        "smsby-deploy plan",
        "smsby-deploy plan 'spring-sale/*' --out spring.plan.json",
        "smsby-deploy plan --format markdown --out plan.json --compare ../base > comment.md",
        "smsby-deploy plan --offline --format json",
    ),
)
@click.argument("select", nargs=-1)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan for apply.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", *MACHINE_FORMATS]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there is something to apply.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="BASE",
    help="For markdown: a saved plan, or a folder with the base's project, to compare with (else: the lock).",
)
@click.option("--offline", is_flag=True, help="Ask sms.by nothing; such a plan can't be applied.")
@click.pass_obj
def command(
    context: Context,
    select: tuple[str, ...],
    out: Path | None,
    form: str,
    detailed_exitcode: bool,
    compare: Path | None,
    offline: bool,
) -> int:
    """Show what apply would do. SELECT is an address (campaign/mailing) or a glob on addresses.

    It exits 3 if the files are not valid and 4 if a mailing is blocked; the plan is printed all the same.
    """
    from decimal import Decimal
    from uuid import uuid4

    from smsby_deploy.apply.precedence import first_that_fits
    from smsby_deploy.cli.session import (
        api_url,
        load,
        open_lock,
        open_reader,
        progress_of,
        read_token,
        watch_with,
    )
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import SmsbyUnavailable
    from smsby_deploy.output.findings import plan_problems
    from smsby_deploy.output.json_documents import json_text
    from smsby_deploy.output.plan_markdown import no_plan_markdown
    from smsby_deploy.output.plan_text import balance_after, write_plan_text
    from smsby_deploy.plan.guardrails import check_apply
    from smsby_deploy.plan.plan_file import account_id, plan_document, write_plan
    from smsby_deploy.plan.planner import make_plan

    loaded = load(context)
    clock = SystemClock()
    store = open_lock(loaded.project)
    lock = store.read()
    client = account = None
    try:
        if not offline:
            client = open_reader(loaded.project.api, context.environ, clock)
            account = account_id(api_url(loaded.project.api, context.environ), read_token(context.environ))
        with progress_of(context, clock) as progress:
            plan = make_plan(
                loaded,
                select=select,
                client=client,
                account=account,
                lock=lock,
                clock=clock,
                new_id=uuid4().hex[:12],
                progress=watch_with(progress),
            )
    except SmsbyUnavailable as error:
        first = first_that_fits(error, load=lambda: loaded, store=store, clock=clock, select=select)
        if form == "markdown":
            click.echo(no_plan_markdown(loaded.project.name, first.message), nl=False)
        raise first from error
    if out is not None:
        write_plan(plan, out)
    breach = check_apply(loaded.project.guardrails, plan.actions)
    refused = breach.message if breach else None
    if form == "json":
        click.echo(json_text(plan_document(plan)), nl=False)
    elif form == "markdown":
        balance = _read_balance(client, plan)
        text = _comment(context, plan, loaded.project, lock, clock, compare, out, refused, balance)
        click.echo(text, nl=False)
    elif form in MACHINE_FORMATS:
        problems = plan_problems(plan, loaded.project, refused)
        addresses = [action.address for action in plan.actions]
        click.echo(machine_text(context, problems, form, addresses), nl=False)
    else:
        words = shlex.join(["plan", *select, "--out", "plan.json"])
        command_line = f"{context.program} {words} && {context.program} apply plan.json"
        balance = _read_balance(client, plan)
        can_apply = plan.to_do and not breach and not offline and not plan.has_errors
        can_apply = can_apply and (balance is None or (balance_after(plan, balance) or Decimal(0)) >= 0)
        following = command_line if can_apply and out is None else None
        write_plan_text(plan, sys.stdout, color=context.color, balance=balance, next_command=following)
    if out is not None:
        told = f"apply exactly this with `{context.program} {shlex.join(['apply', str(out)])}`"
        if offline or plan.has_errors:
            told = "to look at only: it can't be applied, as it was made offline or holds errors"
        elif breach:
            told = "to look at only: apply will refuse all of it"
        sys.stdout.flush()
        context.note(f"saved: {told}", "saved", file=str(out))
    if breach:
        _tell_refused(context, breach.message)
    if plan.has_errors:
        return 3
    if plan.blocked or breach:
        return 4
    return 2 if detailed_exitcode and plan.to_do else 0


def _tell_refused(context: Context, message: str) -> None:
    if context.log is not None:
        context.log.write("error", "refused", message=message)
    else:
        click.echo(f"refused: {message}", err=True)


def _read_balance(client: ReadClient | None, plan: Plan) -> Decimal | None:
    """What the account holds, if something is to be paid for, and in that currency; a plan does not fail for want of it."""
    from smsby_deploy.plan.guardrails import is_same_currency

    if client is None or not any(action.sends for action in plan.actions):
        return None
    try:
        balance = client.get_balance()
    except SmsbyDeployError:
        return None
    return balance.amount if is_same_currency(plan.currency, balance.currency) else None


def _comment(
    context: Context,
    plan: Plan,
    project: Project,
    lock: Lock,
    clock: Clock,
    compare: Path | None,
    out: Path | None,
    refused: str | None,
    balance: Decimal | None,
) -> str:
    from smsby_deploy.cli.git import git_commit
    from smsby_deploy.output.baseline import read_base
    from smsby_deploy.output.comparison import base_of_lock
    from smsby_deploy.output.plan_markdown import CommentContext, plan_markdown
    from smsby_deploy.recipients.suppression import load_suppression
    from smsby_deploy.texts.samples import MailingReview, review_mailing

    suppressed, _ = load_suppression(project.suppress)
    base = base_of_lock(lock)
    if compare is not None:
        base = read_base(compare, clock, context.environ, project, suppressed, plan)
    mailings = {mailing.address: mailing for mailing in project.mailings}

    # Nobody reviews the texts of what will not be sent, and a large audience takes its time.
    shown = {action.address for action in (*plan.to_do, *plan.blocked)}

    def details(address: str) -> MailingReview | None:
        if address not in mailings:
            return None
        return review_mailing(project, mailings[address], suppressed, with_samples=address in shown)

    told = CommentContext(
        base,
        details,
        str(out) if out else None,
        git_commit(project.root),
        refused,
        balance,
        program=context.program,
    )
    return plan_markdown(plan, told)
