"""`apply`: send what was reviewed, and record it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.git import git_commit
from smsby_deploy.cli.prompts import check_can_ask, says_yes
from smsby_deploy.cli.provenance import who

if TYPE_CHECKING:
    from smsby_deploy.apply.events import Event
    from smsby_deploy.apply.result import ApplyResult
    from smsby_deploy.output.json_log import JsonLog


@click.command(
    "apply",
    epilog=examples(
        "smsby-deploy plan --out reviewed.json && smsby-deploy apply reviewed.json",
        "smsby-deploy apply --select spring-sale/vip",
        "smsby-deploy apply reviewed.json --format json --report result.json --lock-timeout 600",
    ),
)
@click.argument("plan_path", metavar="[PLANFILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--select", multiple=True, metavar="SELECT", help="An address or a glob on addresses; may be repeated."
)
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Also write the JSON result to FILE."
)
@click.option(
    "--lock-timeout",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait for another run.",
)
@click.pass_obj
def command(
    context: Context,
    plan_path: Path | None,
    select: tuple[str, ...],
    auto_approve: bool,
    form: str,
    report: Path | None,
    lock_timeout: float,
) -> int:
    """Send what PLANFILE says, exactly; without one, plan, show it and ask for `yes`.

    A plan file is applied once, and refused if one byte of its inputs changed since. Commit the lock file afterwards.
    """
    from smsby_deploy.apply.precedence import first_that_fits
    from smsby_deploy.apply.result import refused_result
    from smsby_deploy.apply.run import ApplyRequest, apply_plan
    from smsby_deploy.cli.session import api_url, load, open_lock, open_sender, progress_of, read_token
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import FilesInvalid, LockHeld, PlanRefused, Refused, SmsbyUnavailable, UsageError
    from smsby_deploy.output.apply_text import write_apply
    from smsby_deploy.output.json_documents import apply_document, json_text
    from smsby_deploy.output.plan_text import write_plan_text
    from smsby_deploy.plan.model import Plan
    from smsby_deploy.plan.plan_file import account_id, read_plan

    if plan_path is not None and select:
        raise UsageError("a plan file says itself what it concerns: --select can't go with it")
    if report is not None and not report.parent.is_dir():
        hint = "make the folder, or name another file"
        raise UsageError(f"the report can't be written: {report.parent} is no folder", hint=hint)
    project, clock = load(context).project, SystemClock()
    store = open_lock(project)
    reviewed = account = None
    plans: list[Plan] = []

    def approve(plan: Plan) -> bool:
        if reviewed is None and not auto_approve and plan.to_do:
            check_can_ask(context)
            progress.pause()
            write_plan_text(plan, sys.stderr, color=context.color)
            if not says_yes(context):
                return False
        if plan.to_do:
            progress.step("sending", sum(action.recipients or 0 for action in plan.actions if action.sends))
        return True

    try:
        reviewed = read_plan(plan_path) if plan_path is not None else None
        client = open_sender(project.api, context.environ, clock)
        account = account_id(api_url(project.api, context.environ), read_token(context.environ))
        with progress_of(context, clock) as progress:
            progress.step("planning")
            result = apply_plan(
                ApplyRequest(
                    load=lambda: load(context),
                    store=store,
                    client=client,
                    account=account,
                    clock=clock,
                    select=select,
                    plan_file=reviewed,
                    planned=plans.append,
                    approve=approve,
                    tell=progress.tell,
                    on_event=lambda event: _log_event(context, event),
                    advance=progress.advance,
                    commit=git_commit(project.root),
                    by=who(context.environ),
                    lock_timeout=lock_timeout,
                )
            )
    except (LockHeld, PlanRefused, SmsbyUnavailable) as error:
        raise first_that_fits(
            error,
            load=lambda: load(context),
            store=store,
            clock=clock,
            select=select,
            reviewed=reviewed,
            account=account,
            lock_timeout=lock_timeout,
        ) from error
    except (Refused, FilesInvalid) as error:
        if form == "json" and plans:
            click.echo(json_text(apply_document(refused_result(plans[0], error))), nl=False)
        raise
    for difference in result.differences:
        told = f"{difference.code}: {difference.address}: {difference.message}"
        context.warn(told, difference.code, address=difference.address)
    document = apply_document(result)
    if context.log is not None:
        _log_result(context.log, result, quiet=context.quiet)
    if form == "json":
        click.echo(json_text(document), nl=False)
    else:
        lock = shlex.quote(os.path.relpath(project.lock))
        write_apply(result, sys.stdout, color=context.color, lock=lock, program=context.program)
    if report is not None:
        report.write_text(json_text(document), encoding="utf-8")
    return result.exit_code


def _log_event(context: Context, event: Event) -> None:
    """What happened, for machines; a person hears its line through the progress."""
    if context.log is None or (context.quiet and not event.is_warning):
        return
    one = event.addresses[0] if len(event.addresses) == 1 else None
    context.log.write(
        "warning" if event.is_warning else "info",
        event.name,
        message=" ".join(event.line.split()),
        address=one,
        addresses=None if len(event.addresses) < 2 else list(event.addresses),
        people=event.recipients,
        outcome=event.outcome,
    )


def _log_result(log: JsonLog, result: ApplyResult, *, quiet: bool) -> None:
    """The outcome of each mailing, then the end; with -q only what went wrong."""
    for mailing in result.mailings:
        is_wrong = mailing.error is not None
        if quiet and not is_wrong:
            continue
        log.write(
            "warning" if is_wrong else "info",
            "mailing",
            address=mailing.address,
            outcome=mailing.outcome,
            people=mailing.recipients,
            error=mailing.error,
        )
    if not quiet:
        log.write("info", "applied", plan=result.plan.id, exit_code=result.exit_code)
