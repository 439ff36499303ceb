"""`apply`: send what was reviewed, and record it."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, NumberRange, check_output, examples, file_option, format_option
from smsby_deploy.cli.session import (
    find_actor,
    find_commit,
    load,
    notify,
    open_lock,
    progress_of,
    refuse_to_overwrite,
    report_problems,
)
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import FilesInvalid, SmsbyDeployError, SmsbyUnavailable, UsageError
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.files import write_file
from smsby_deploy.output.terminal import output_of, write_parts
from smsby_deploy.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from smsby_deploy.apply.apply_result import ApplyResult
    from smsby_deploy.apply.context import ApplyRequest, Event
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.output.progress import Progress
    from smsby_deploy.plan.model import Plan


@click.command(
    "apply",
    epilog=examples(
        "smsby-deploy plan --out reviewed.json",
        "smsby-deploy apply reviewed.json",
        "smsby-deploy apply --select spring-sale/vip",
        "smsby-deploy apply reviewed.json --report result.json --lock-timeout 600",
        "smsby-deploy apply --due",
    ),
)
@click.argument(
    "plan_path", metavar="[PLANFILE]", required=False, type=click.Path(path_type=Path, readable=False)
)
@click.option(
    "--select",
    multiple=True,
    metavar="SELECT",
    help="Only these mailings: an address or a glob on addresses; repeatable.",
)
@click.option(
    "--due",
    is_flag=True,
    help="Hand over mailings that were approved earlier and are due now (`release`), without asking; takes no PLANFILE.",
)
@click.option("--watch", is_flag=True, help="With --due: keep running until no approved mailing is waiting.")
@click.option("--auto-approve", is_flag=True, help="Do not ask for confirmation.")
@format_option("text", "json")
@file_option("--report", "Also write the JSON result to FILE.")
@file_option(
    "--comment", "Also write the result to FILE as Markdown, for a pull request, even if nothing was sent."
)
@click.option(
    "--lock-timeout",
    type=NumberRange(0),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait while another run holds the lock.",
)
@click.pass_obj
def command(
    context: Context,
    plan_path: Path | None,
    select: tuple[str, ...],
    due: bool,
    watch: bool,
    auto_approve: bool,
    form: str,
    report: Path | None,
    comment: Path | None,
    lock_timeout: float,
) -> ExitCode:
    """Send exactly what PLANFILE contains; without it, plan, show the plan and ask.

    A plan file can be applied until all of it has been sent, and only while all of its inputs are unchanged: if a run fails,
    apply the same file again. Commit the lock file afterwards.
    """
    from smsby_deploy.config.project_loader import ProjectFlawed

    _check_options(plan_path, select, due=due, watch=watch)
    check_output("the report", report)
    check_output("the comment", comment)
    approval = _Approval(context, is_needed=not (auto_approve or due), is_reviewed=plan_path is not None)
    flawed: ProjectFlawed | None = None
    try:
        project = load(context).project
    except ProjectFlawed as error:
        flawed, project = error, error.loaded.project
    except FilesInvalid as error:  # it is unknown which files must not be overwritten
        _write_failure(approval, error, form, None)
        raise
    refuse_to_overwrite(project, report, comment, plan=plan_path)
    try:
        if flawed is not None:
            raise flawed
        run = _runner(due=due, watch=watch)
        result = _apply(approval, project, run, plan_path, select, lock_timeout)
    except SmsbyDeployError as error:
        _notify_of_failure(approval, project, error, is_due=due)
        _write_comment(context, project, error, comment)
        if not isinstance(error, UsageError):
            _write_failure(approval, error, form, report)
        raise
    except KeyboardInterrupt:
        interruption = SmsbyDeployError("interrupted")
        _write_comment(context, project, interruption, comment)
        _write_failure(approval, interruption, form, report)
        raise
    _report_differences(context, result)
    try:
        with output_of(result.exit_code, partial(_summary, result)):
            _write_result(context, result, project, form, "--due" if due else plan_path)
    finally:  # the report must not depend on stdout
        is_complete = _write_beside(context, "report", report, lambda: _result_parts(result))
        is_complete &= _write_comment(context, project, result, comment)
        _notify(context, project, result, is_due=due)
    return result.exit_code if is_complete else first_exit_code((result.exit_code, ExitCode.FAILED))


def _check_options(plan_path: Path | None, select: tuple[str, ...], *, due: bool, watch: bool) -> None:
    """Raises UsageError for options that do not go together."""
    if plan_path is not None and select:
        raise UsageError("--select cannot be combined with a plan file: the file names its mailings")
    if plan_path is not None and due:
        raise UsageError("--due takes no plan file: the lock says what was approved")
    if watch and not due:
        raise UsageError("--watch needs --due", hint="`smsby-deploy status --watch` waits for delivery")


def _notify(context: Context, project: Project, result: ApplyResult, *, is_due: bool) -> None:
    if project.notify:
        from smsby_deploy.output.notifications import apply_notification

        notify(context, project, apply_notification(result, project, is_due=is_due))


def _notify_of_failure(
    approval: _Approval, project: Project, error: SmsbyDeployError, *, is_due: bool
) -> None:
    """Notify of an apply that ended without a result.

    An apply that sent nothing is left out if it runs every few minutes, or at a terminal where the user sees the error.
    """
    is_asked = approval.is_needed and not approval.is_reviewed
    if project.notify and (approval.has_begun or not (is_due or is_asked)):
        from smsby_deploy.output.notifications import failed_apply_notification

        failure = failed_apply_notification(error, project, has_begun=approval.has_begun)
        notify(approval.context, project, failure)


_RECORD_ONLY = "Record these mailings in the lock? Nothing is sent."
_HOLD_ONLY = "Approve these mailings? Nothing is sent now; `apply --due` sends them later."


@dataclass(slots=True)
class _Approval:
    """Shows the plan and asks for confirmation, unless the plan `is_reviewed`.

    If no confirmation `is_needed`, only the plan's warnings are shown. It keeps what the report of a failure needs.
    """

    context: Context
    is_needed: bool
    is_reviewed: bool
    plan: Plan | None = None  # as made while the lock was held, otherwise as reviewed
    has_begun: bool = False  # something may have been sent

    def read(self, path: Path) -> Plan:
        """Return the reviewed plan."""
        from smsby_deploy.plan.plan_file import read_plan

        self.plan = read_plan(path)
        return self.plan

    def keep(self, plan: Plan) -> None:
        self.plan = plan

    def is_given(self, plan: Plan, progress: Progress) -> bool:
        if plan.to_do and not self.is_reviewed:
            if not self.is_needed:
                self._warn(plan, progress)
            elif not self._is_confirmed(plan, progress):
                return False
        if plan.to_do:
            progress.step("sending", plan.totals.recipients)
        self.has_begun = True
        return True

    def _warn(self, plan: Plan, progress: Progress) -> None:
        """Write the warnings of a plan that is applied without a review or a question."""
        warnings = [problem for problem in plan.problems if problem.severity is Severity.WARNING]
        if warnings:
            progress.pause()
            report_problems(self.context, warnings)

    def _is_confirmed(self, plan: Plan, progress: Progress) -> bool:
        """Show the plan and ask."""
        from smsby_deploy.output.plan_text import write_plan_text
        from smsby_deploy.plan.plan_result import PlanResult

        self.context.check_can_ask()
        progress.pause()
        write_plan_text(PlanResult(plan), sys.stderr, color=self.context.color)
        if any(action.sends for action in plan.to_do):
            return self.context.confirms()
        return self.context.confirms(_HOLD_ONLY if plan.held.mailings else _RECORD_ONLY)


def _runner(*, due: bool, watch: bool) -> Callable[[ApplyRequest], ApplyResult]:
    """Return the function to run; applying a plan does not load the code for waves."""
    if watch:
        from smsby_deploy.apply.due_watch import watch_due as run
    elif due:
        from smsby_deploy.apply.hand_over import hand_over as run
    else:
        from smsby_deploy.apply.run import apply_plan as run
    return run


def _apply(
    approval: _Approval,
    project: Project,
    run: Callable[[ApplyRequest], ApplyResult],
    plan_path: Path | None,
    select: tuple[str, ...],
    lock_timeout: float,
) -> ApplyResult:
    from smsby_deploy.apply.context import ApplyRequest

    context, account = approval.context, AccountAccess(project.api, approval.context.environ)
    here = None
    with suppress(SmsbyUnavailable):  # reported when sms.by is first queried
        here = account.binding()
    with progress_of(context) as progress:
        progress.step("planning")
        return run(
            ApplyRequest(
                load=lambda: load(context),
                store=open_lock(project),
                connect=account.open_sender,
                account=here.account if here is not None else None,
                here=here,
                clock=SystemClock(),
                select=select,
                reviewed=None if plan_path is None else lambda: approval.read(plan_path),
                planned=approval.keep,
                approve=lambda plan: approval.is_given(plan, progress),
                say=lambda event: _say(context, progress, event),
                advance=progress.advance,
                commit=find_commit(project.root),
                by=find_actor(context.environ),
                lock_timeout=lock_timeout,
            )
        )


def _say(context: Context, progress: Progress, event: Event) -> None:
    """Write the line of an event, and the whole event to the JSON log, if any."""
    if context.log is not None:
        from smsby_deploy.output.json_log import log_event

        log_event(context.log, event)
    progress.tell(event.line)


def _write_failure(approval: _Approval, error: SmsbyDeployError, form: str, report: Path | None) -> None:
    """Write the JSON of an apply without a result: to --report and, if requested, to stdout."""
    from smsby_deploy.output.json_documents import failed_apply_document, json_parts

    document = failed_apply_document(error, approval.plan, has_begun=approval.has_begun)
    parts = list(json_parts(document))
    _write_beside(approval.context, "report", report, lambda: parts)
    if form == "json":
        with output_of(error.exit_code, error.message):
            write_parts(parts, sys.stdout)


def _result_parts(result: ApplyResult) -> Iterator[str]:
    """The JSON of a result, made piece by piece."""
    from smsby_deploy.output.json_documents import apply_document, json_parts

    return json_parts(apply_document(result))


def _summary(result: ApplyResult) -> str:
    from smsby_deploy.output.apply_report import summary_line

    return summary_line(result)


def _report_differences(context: Context, result: ApplyResult) -> None:
    from smsby_deploy.output.json_log import log_apply

    for difference in result.differences:
        text = f"{difference.code}: {difference.address}: {difference.message}"
        context.warn(text, difference.code, address=difference.address)
    if context.log is not None:
        log_apply(context.log, result)


def _write_beside(
    context: Context, what: str, path: Path | None, make_parts: Callable[[], Iterable[str]]
) -> bool:
    """Write the report or the comment, if requested, and return whether that worked.

    A failure hides neither the result nor its exit code.
    """
    if path is None:
        return True
    try:
        write_file(path, lambda file: file.writelines(make_parts()))
    except OSError as error:
        context.fail(f"cannot write the {what} {path}: {error.strerror}", "error")
        return False
    return True


def _write_comment(
    context: Context, project: Project, outcome: ApplyResult | SmsbyDeployError, comment: Path | None
) -> bool:
    def make_parts() -> list[str]:
        from smsby_deploy.output.apply_report import apply_markdown
        from smsby_deploy.output.translation import translator

        return [apply_markdown(outcome, translator(project.language))]

    return _write_beside(context, "comment", comment, make_parts)


def _write_result(
    context: Context, result: ApplyResult, project: Project, form: str, applied: Path | str | None
) -> None:
    """Write the result; `applied` is the argument that said what to apply."""
    if form == "json":
        write_parts(_result_parts(result), sys.stdout)
        return
    from smsby_deploy.output.apply_report import write_apply
    from smsby_deploy.output.translation import translator

    lock = shlex.quote(os.path.relpath(project.lock)) if project.is_lock_committed else None
    plan = None if applied is None else shlex.quote(str(applied))
    write_apply(
        result,
        sys.stdout,
        color=context.color,
        lock=lock,
        program=context.program,
        plan=plan,
        t=translator(project.language),
    )
