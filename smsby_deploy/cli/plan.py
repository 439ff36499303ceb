"""`plan`: what would be sent, to how many recipients, at what cost. It cannot send."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import (
    MACHINE_FORMATS,
    Context,
    NamedPath,
    check_output,
    examples,
    file_option,
    format_option,
)
from smsby_deploy.cli.session import (
    find_commit,
    folder_from_here,
    load,
    note_running,
    notify,
    open_lock,
    progress_of,
    reading_progress,
    refuse_to_overwrite,
)
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import FilesInvalid, Refused, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.files import write_file
from smsby_deploy.output.terminal import output_of, write_text

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.config.project_loader import LoadedProject
    from smsby_deploy.exit_codes import ExitCode
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.output.plan_markdown import CommentContext
    from smsby_deploy.plan.plan_result import PlanResult
    from smsby_deploy.plan.planner import MeasuredFiles
    from smsby_deploy.plan.review import CheckoutBase, PlanReviewer, SavedBase

# These have sample texts and changes; for them and for text, sms.by is asked for the balance.
_REVIEWED = ("markdown", "html")


@click.command(
    "plan",
    epilog=examples(
        "smsby-deploy plan",
        "smsby-deploy plan 'spring-sale/*' --out spring.plan.json",
        "smsby-deploy plan --format markdown --compare ../base > comment.md",
        "smsby-deploy plan --format html > plan.html",
        "smsby-deploy plan --offline --format json",
    ),
)
@click.argument("select", nargs=-1)
@file_option("--out", "Save the plan for `apply FILE`.")
@file_option("--page", "Also write the plan as an HTML page to FILE, as --format html does.")
@format_option("text", "json", "markdown", "html", *MACHINE_FORMATS)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help=(
        "Exit 2 if there is something to apply. `notify` then reports what was merged but not sent, unless "
        "SELECT, --out, --page or --compare make it the plan of a pull request."
    ),
)
@click.option(
    "--compare",
    type=NamedPath(),
    metavar="BASE",
    help="List how smsby.yaml and the lock differ from BASE, another checkout of the project or a saved "
    "plan; markdown and html also compare the mailings with BASE instead of with the lock.",
)
@click.option("--offline", is_flag=True, help="Do not contact sms.by; the plan cannot be applied.")
@click.pass_obj
def command(
    context: Context,
    select: tuple[str, ...],
    out: Path | None,
    page: Path | None,
    form: str,
    detailed_exitcode: bool,
    compare: Path | None,
    offline: bool,
) -> ExitCode:
    """Show what apply would do. SELECT is an address (campaign/mailing) or a glob on addresses.

    Exits 3 if the files are not valid and 4 if a mailing is blocked; the plan is printed in both cases.
    """
    from smsby_deploy.plan.plan_file import write_plan

    check_output("the plan", out)
    check_output("the page", page)
    is_reviewed = form in _REVIEWED or page is not None
    loaded, lock, is_flawed = _load(context)
    refuse_to_overwrite(loaded.project, out, page)
    base = None
    if compare is not None:
        from smsby_deploy.plan.review import compare_plan, read_base

        base = read_base(compare, context.environ, loaded.project.environment.name)
    reviewer = _make_reviewer(loaded, lock, select, base) if is_reviewed else None
    files = _measure_files(context, loaded, lock, select, reviewer)
    try:
        shows_balance = is_reviewed or form == "text"
        result = _plan(context, loaded, files, is_offline=offline or is_flawed, shows_balance=shows_balance)
    except (FilesInvalid, SmsbyUnavailable, Refused) as error:
        if form == "markdown":
            with output_of(error.exit_code, error.message):
                _write_no_plan(loaded, error)
        raise
    if base is not None:
        plan = compare_plan(result.plan, base, files, context.environ, reviewer)
        result = replace(result, plan=plan)
    if out is not None:
        write_plan(result.plan, out)
    exit_code = result.exit_code(is_detailed=detailed_exitcode)
    review = None if reviewer is None else _review(context, result, files, reviewer, out, page)
    if review is not None and page is not None:
        write_file(page, _reviewed(result, review, "html"), is_private=True)
    with output_of(exit_code):
        if form == "text":
            _write_text(context, result, select, out)
        elif review is not None and form in _REVIEWED:
            write_text(_reviewed(result, review, form), sys.stdout)
        else:
            write_text(_document(context, result, loaded, form), sys.stdout, has_commands=form == "github")
    _report_use(context, result, out)
    if result.may_be_running:
        note_running(context, loaded.project)
    if detailed_exitcode and not (select or out or page or compare):
        _notify_of_unsent(context, loaded.project, result)
    return exit_code


def _load(context: Context) -> tuple[LoadedProject, Lock, bool]:
    """The project, its lock, and whether settings or facts are flawed, so sms.by is not asked.

    Raises:
        FilesInvalid: nothing of the project can be planned.
    """
    from smsby_deploy.config.project_loader import ProjectFlawed

    try:
        loaded = load(context)
    except ProjectFlawed as flawed:
        try:
            return flawed.loaded, open_lock(flawed.loaded.project).read(), True
        except SmsbyDeployError:  # the settings may name another lock than the author meant
            raise flawed from None
    has_flawed_facts = any(problem.code == "FACTS" for problem in loaded.problems)
    return loaded, open_lock(loaded.project).read(), has_flawed_facts


def _notify_of_unsent(context: Context, project: Project, result: PlanResult) -> None:
    if project.notify:
        from smsby_deploy.output.notifications import unsent_notification

        notify(context, project, unsent_notification(result, project))


def _plan(
    context: Context, loaded: LoadedProject, files: MeasuredFiles, *, is_offline: bool, shows_balance: bool
) -> PlanResult:
    from uuid import uuid4

    from smsby_deploy.plan.budget import ask_balance
    from smsby_deploy.plan.plan_result import review_plan

    client = here = None
    account = AccountAccess(loaded.project.api, context.environ)
    with files.errors_first():
        files.check_key()
        if not is_offline:
            client, here = account.open_reader(), account.binding()
        plan = files.plan(
            client=client,
            account=here.account if here is not None else None,
            now=SystemClock().now(),
            new_id=uuid4().hex[:12],
            here=here,
        )
    result = review_plan(plan, loaded.project)
    return replace(result, balance=ask_balance(client, plan)) if shows_balance else result


def _write_no_plan(loaded: LoadedProject, error: SmsbyDeployError) -> None:
    """Say in the comment that there is no plan, so that it does not keep an outdated one."""
    from smsby_deploy.output.plan_markdown import no_plan_markdown
    from smsby_deploy.output.translation import translator

    project = loaded.project
    language = translator(project.language)
    write_text(no_plan_markdown(project.name, project.environment.name, error.message, language), sys.stdout)


def _measure_files(
    context: Context,
    loaded: LoadedProject,
    lock: Lock,
    select: tuple[str, ...],
    reviewer: PlanReviewer | None,
) -> MeasuredFiles:
    from smsby_deploy.plan.planner import ignore_mailing, measure_files

    with progress_of(context) as progress:
        return measure_files(
            loaded,
            select=select,
            lock=lock,
            progress=reading_progress(progress),
            now=SystemClock().now(),
            observe=reviewer.observe if reviewer is not None else ignore_mailing,
            runs_tests=True,
            finds_overlap=True,
        )


def _write_text(context: Context, result: PlanResult, select: tuple[str, ...], out: Path | None) -> None:
    from smsby_deploy.output.plan_text import write_plan_text

    commands: list[tuple[str, ...]] = []
    if result.is_worth_applying and out is None:
        commands += ("plan", *select, "--out", "plan.json"), ("apply", "plan.json")
    if result.is_hand_over_due:
        commands.append(("apply", "--due", *(word for one in select for word in ("--select", one))))
    next_commands = tuple(f"{context.program} {shlex.join(command)}" for command in commands)
    write_plan_text(result, sys.stdout, color=context.color, next_commands=next_commands)


def _document(context: Context, result: PlanResult, loaded: LoadedProject, form: str) -> str:
    if form == "json":
        from smsby_deploy.output.json_documents import json_text
        from smsby_deploy.plan.plan_file import plan_document

        return json_text(plan_document(result.plan))
    from smsby_deploy.output.ci_reports import ci_report, list_findings

    findings = list_findings(result.find_problems(loaded.project), folder=folder_from_here(context))
    return ci_report(form, findings, [action.address for action in result.plan.actions])


def _make_reviewer(
    loaded: LoadedProject, lock: Lock, select: tuple[str, ...], base: SavedBase | CheckoutBase | None
) -> PlanReviewer:
    from smsby_deploy.plan.review import make_reviewer

    return make_reviewer(loaded.project, lock, base, SystemClock(), select)


def _review(
    context: Context,
    result: PlanResult,
    files: MeasuredFiles,
    reviewer: PlanReviewer,
    out: Path | None,
    page: Path | None,
) -> CommentContext:
    """What the comment and the page show besides the plan."""
    from smsby_deploy.output.plan_markdown import CommentContext
    from smsby_deploy.output.translation import translator

    return CommentContext(
        reviewer.base(result.plan),
        reviewer.reviews(result.plan),
        out=str(out) if out else None,
        commit=find_commit(files.loaded.project.root),
        program=context.program,
        language=translator(files.loaded.project.language),
        has_page=page is not None,
        tests=files.tests,
    )


def _reviewed(result: PlanResult, review: CommentContext, form: str) -> str:
    from smsby_deploy.output.plan_html import plan_html
    from smsby_deploy.output.plan_markdown import plan_markdown

    return plan_html(result, review) if form == "html" else plan_markdown(result, review)


def _report_use(context: Context, result: PlanResult, out: Path | None) -> None:
    """Print on stderr what the saved plan can be used for, and why apply will refuse it."""
    if out is not None:
        from smsby_deploy.output.plan_text import saved_plan_line

        sys.stdout.flush()
        apply = f"{context.program} {shlex.join(['apply', str(out)])}"
        context.note(saved_plan_line(result, apply), "saved", file=str(out))
    if result.refusal is not None:
        context.fail(result.refusal.message, "refused")
