"""`doctor`: find out how sms.by behaves for this account."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, examples, format_option
from smsby_deploy.cli.session import load, progress_of, refuse_damaged_lock
from smsby_deploy.clock import SystemClock
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import output_of, write_text

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.doctor.diagnosis import DoctorRequest
    from smsby_deploy.output.progress import Progress


@click.command(
    "doctor",
    epilog=examples(
        "smsby-deploy doctor",
        "smsby-deploy doctor --ask",
        "smsby-deploy doctor --ask --to 375291234567 --format json",
    ),
)
@click.option(
    "--ask",
    is_flag=True,
    help="Also make requests that leave rows at sms.by and reach no recipient: unsent messages and a contact list.",
)
@click.option(
    "--to",
    metavar="PHONE",
    help="Also send one SMS to this phone, without confirmation; it must be one of test_phones, if they are set.",
)
@format_option("text", "json")
@click.pass_obj
def command(context: Context, ask: bool, to: str | None, form: str) -> ExitCode:
    """Find out how sms.by behaves for this account, and store the facts in smsby.facts.json.

    Commit the file: `plan` and `apply` use it. By default only free requests are made. Exits 4 if a fact contradicts a
    setting or a promise, and 6 if the outcome of the SMS of --to is unknown; it is never sent again.
    """
    from smsby_deploy.doctor.diagnosis import run_doctor
    from smsby_deploy.output.doctor_report import doctor_document, write_doctor
    from smsby_deploy.output.json_documents import json_text
    from smsby_deploy.output.translation import translator

    project = load(context).project
    refuse_damaged_lock(project)
    language = translator(project.language)
    with progress_of(context) as progress:
        report = run_doctor(_request(context, project, progress, leaves_rows=ask, to=to))
    with output_of(report.exit_code, f"account {report.account}"):
        if form == "json":
            write_text(json_text(doctor_document(report)), sys.stdout)
        else:
            write_doctor(report, sys.stdout, color=context.color, t=language)
    if report.failure is not None:
        context.fail(report.failure.message, "error")
        if report.failure.hint:
            context.note(f"hint: {report.failure.hint}")
    if report.has_learned and project.api.facts_file is not None and not project.environment.is_sandbox:
        file = shlex.quote(os.path.relpath(project.api.facts_file))
        lead = language.gettext("next:")
        context.note(f'{lead} git add {file} && git commit -m "Record the facts of the account"')
    return report.exit_code


def _request(
    context: Context, project: Project, progress: Progress, *, leaves_rows: bool, to: str | None
) -> DoctorRequest:
    from secrets import token_hex

    from smsby_deploy.apply.self_test import SelfTest
    from smsby_deploy.doctor.diagnosis import DoctorRequest
    from smsby_deploy.lock.store import make_private_folder
    from smsby_deploy.smsby.facts import NO_FACTS, AccountFacts, write_facts
    from smsby_deploy.smsby.probe_client import WRONG_TOKEN, ProbeClient

    clock, mark = SystemClock(), token_hex(5)
    account, path = AccountAccess(project.api, context.environ), project.api.facts_file
    here = account.binding()
    assert path is not None

    def save(facts: AccountFacts) -> None:
        if project.environment.is_sandbox:
            make_private_folder(path.parent)
        write_facts(path, facts, here.service)

    return DoctorRequest(
        project,
        account.facts(),
        ProbeClient(
            account.open_send_transport(NO_FACTS),
            account.open_send_transport(NO_FACTS, token=WRONG_TOKEN),
            may_write=leaves_rows,
        ),
        clock,
        mark,
        lambda facts, look: SelfTest(
            project, account.open_sender(facts), clock, mark, know=look.know, miss=look.miss
        ),
        save,
        progress.step,
        to,
    )
