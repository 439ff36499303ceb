"""`test`: the tests that mailings have under `tests`. Offline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.options import Context, examples, format_option
from smsby_deploy.cli.session import (
    excuses_of,
    folder_from_here,
    load,
    progress_of,
    reading_progress,
    refuse_damaged_lock,
    report_problems,
)
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import output_of, write_text
from smsby_deploy.problems import Severity, has_errors

if TYPE_CHECKING:
    from smsby_deploy.config.project_loader import LoadedProject
    from smsby_deploy.plan.mailing_test_results import MailingTestResult
    from smsby_deploy.problems import Problem


@click.command(
    "test",
    epilog=examples(
        "smsby-deploy test",
        "smsby-deploy test 'spring-sale/*'",
        "smsby-deploy test --format junit > tests.xml",
        "smsby-deploy test spring-sale/vip --accept && git diff",
    ),
)
@click.argument("select", nargs=-1)
@click.option(
    "--accept",
    is_flag=True,
    help="Write the actual texts into the tests that expect others, then run them again; review the difference.",
)
@format_option("text", "json", "junit", "github")
@click.pass_obj
def command(context: Context, select: tuple[str, ...], accept: bool, form: str) -> ExitCode:
    """Run the tests that mailings have under `tests`. Works offline, without a token.

    SELECT is an address (campaign/mailing) or a glob on addresses. Exits 3 if a test fails. `validate` and `plan` also run
    the tests.
    """
    loaded = load(context)
    results, problems = _run(context, loaded, select)
    if not has_errors(problems):
        refuse_damaged_lock(loaded.project)
    if accept:
        from smsby_deploy.plan.mailing_test_results import accept_texts

        accepted, refused = accept_texts(loaded.project.root, results)
        for test in accepted:
            context.note(f"{test.text_location}: accepted the text of test {test.number}", "accepted")
        for test in refused:
            context.warn(f"{test.text_location}: cannot be rewritten; change it manually", "not_accepted")
        if accepted:
            loaded = load(context)
            results, problems = _run(context, loaded, select)
    failed = has_errors(problems) or any(result.failures for result in results)
    exit_code = ExitCode.FILES_INVALID if failed else ExitCode.DONE
    with output_of(exit_code):
        _write(context, form, results, problems)
    return exit_code


def _run(
    context: Context, loaded: LoadedProject, select: tuple[str, ...]
) -> tuple[Sequence[MailingTestResult], Sequence[Problem]]:
    """The results, and the errors of the files."""
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.plan.gone import excuse_missing
    from smsby_deploy.plan.selection import problems_in, select_mailings
    from smsby_deploy.plan.validation import run_mailing_tests

    mailings, _ = select_mailings(loaded, Lock(loaded.project.name), select)
    with progress_of(context) as progress:
        excuses = excuses_of(loaded.project)
        loaded = excuse_missing(loaded, excuses)
        results, errors = run_mailing_tests(loaded, mailings, reading_progress(progress), excuses)
    own = (problem for problem in problems_in(loaded, select) if problem.severity is Severity.ERROR)
    return results, [*own, *errors]


def _write(
    context: Context, form: str, results: Sequence[MailingTestResult], problems: Sequence[Problem]
) -> None:
    from smsby_deploy.output import mailing_test_report
    from smsby_deploy.output.json_documents import json_text

    if form == "json":
        write_text(json_text(mailing_test_report.results_document(results, problems)), sys.stdout)
        return
    if form == "github":
        from smsby_deploy.output.ci_reports import github_annotations, list_findings

        failed = [result.problem for result in results if result.failures and not result.is_echo]
        findings = list_findings([*problems, *failed], folder=folder_from_here(context))
        write_text(github_annotations(findings), sys.stdout, has_commands=True)
        return
    if form == "junit":
        write_text(mailing_test_report.results_junit(results), sys.stdout)
    else:
        mailing_test_report.write_tests(results, sys.stdout, color=context.color)
    report_problems(context, problems)
