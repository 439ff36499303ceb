"""`recipients`: who certainly got a mailing, and who certainly did not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, check_output, examples, file_option
from smsby_deploy.cli.session import load, open_lock, refuse_to_overwrite
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import TokenRefused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import write_parts
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.status.recipient_list import RecipientList


@click.command(
    "recipients",
    epilog=examples(
        "smsby-deploy recipients spring-sale/vip",
        "smsby-deploy recipients spring-sale/vip --sent",
        "smsby-deploy recipients spring-sale/vip --not-sent --unmask --out rest.csv",
    ),
)
@click.argument("address")
@click.option("--sent", is_flag=True, help="Only recipients for whom sms.by certainly accepted it.")
@click.option("--not-sent", is_flag=True, help="Only recipients for whom sms.by certainly did not accept it.")
@file_option("--out")
@click.option("--unmask", is_flag=True, help="Show whole phone numbers.")
@click.pass_obj
def command(
    context: Context, address: str, sent: bool, not_sent: bool, out: Path | None, unmask: bool
) -> ExitCode:
    """List the recipients who certainly got the mailing ADDRESS, or did not, as CSV.

    Without an option all recipients are listed, each with the outcome: accepted, rejected, not sent (including recipients
    left out under contact pressure), opted out, held out (not a test phone, under `only_to`), withdrawn, control (in a
    control group) or unknown. Those in a control group and those whose outcome is unknown are in neither --sent nor
    --not-sent. What sms.by accepted stays accepted if it is deleted in the account, unless the whole mailing was withdrawn.
    Needs the files as they were when the mailing was sent.

    The list reflects the lock. Another checkout with its own lock may have sent more: with a token, sms.by is asked, and the
    command refuses if sms.by has more of the mailing than the lock. Without a token, a warning says that it was not asked.
    With --sent, or with a lock in a shared store, sms.by is not asked.
    """
    from smsby_deploy.status.recipient_list import NOT_SENT, SENT, RecipientOutcome

    if sent and not_sent:
        raise click.UsageError("--sent and --not-sent cannot be combined; without either, all are listed")
    check_output("the list", out)
    chosen = SENT if sent else NOT_SENT if not_sent else frozenset(RecipientOutcome)
    found = _find(context, address, out, is_asking=chosen is not SENT)
    from smsby_deploy.output.status_csv import recipients_csv

    rows = (one for one in found if one.outcome in chosen)
    parts = recipients_csv(rows, unmask=unmask, has_variants=found.has_variants)
    context.write_out(out, lambda stream: write_parts(parts, stream), is_private=unmask)
    _report(context, found)
    return ExitCode.DONE


def _find(context: Context, address: str, out: Path | None, *, is_asking: bool) -> RecipientList:
    from smsby_deploy.plan.withdrawals import AccountList
    from smsby_deploy.status.recipient_list import find_recipients, refuse_outdated

    loaded = load(context)
    project = loaded.project
    refuse_to_overwrite(project, out)
    lock = open_lock(project).read()
    found = find_recipients(loaded, lock, address)
    if not is_asking or not found.may_be_outdated or project.shared_lock is not None:
        return found
    here = AccountAccess(project.api, context.environ)
    try:
        here.token()
    except TokenRefused:
        context.warn(
            "this is what the lock says: without a token, sms.by was not asked whether another checkout has sent more of it",
            "not-asked",
            address=address,
        )
    else:
        account = AccountList(here.binding, here.open_reader, here.listing_seconds())
        refuse_outdated(found, lock, account, SystemClock().now())
    return found


def _report(context: Context, found: RecipientList) -> None:
    """Report the number of recipients by outcome."""
    from smsby_deploy.status.recipient_list import RecipientOutcome

    by_kind = ", ".join(f"{count:,} {word}" for word, count in sorted(found.counts.items()))
    total = counted(found.counts.total(), "recipient")
    context.note(f"{found.mailing.address} r{found.entry.revision}: {total}: {by_kind}")
    if unknown := found.counts[RecipientOutcome.UNKNOWN]:
        context.warn(
            f"unknown whether {counted(unknown, 'recipient')} got it: neither --sent nor --not-sent lists them",
            "unknown",
        )
