"""Taking back: `lock withdraw` and `lock abandon`. Neither sends."""

from __future__ import annotations

import click

from smsby_deploy.cli.context import Context, examples, reason_option
from smsby_deploy.cli.session import change_lock, load, next_lines
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.wording import counted


@click.command(
    "withdraw",
    epilog=examples(
        "smsby-deploy lock withdraw spring-sale/vip --reason 'wrong price'",
        "smsby-deploy lock withdraw spring-sale/vip --anyway --reason 'support deleted it'",
    ),
)
@click.argument("address")
@click.option(
    "--anyway", is_flag=True, help="You know that it was deleted at sms.by, whatever its list shows."
)
@reason_option()
@click.pass_obj
def withdraw(context: Context, address: str, anyway: bool, reason: str) -> ExitCode:
    """Take back the mailing ADDRESS, which is approved for later or scheduled.

    One that waits for its hand-over is no longer approved. One that sms.by has scheduled must have been deleted in the
    account before: it is refused while the list of sms.by still shows it. It stays withdrawn until its revision is raised.
    """
    from smsby_deploy.cli.account import binding_of, listing_seconds, open_reader
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.plan.take_back import AccountList, withdraw_mailing

    clock, project = SystemClock(), load(context).project
    api = project.api
    account = None
    if not anyway:
        account = AccountList(
            binding_of=lambda: binding_of(api, context.environ),
            connect=lambda: open_reader(api, context.environ, clock),
            reconcile_seconds=listing_seconds(api, context.environ),
        )
    with change_lock(context, reason, f"lock withdraw {address}") as change:
        entry = withdraw_mailing(change, address, clock.now(), account)
    context.note(
        f"{address} r{entry.revision} is withdrawn; raise its revision to send it after all\n"
        f"{next_lines(context, project, f'Withdraw {address}', 'plan')}"
    )
    return ExitCode.DONE


@click.command(
    "abandon", epilog=examples("smsby-deploy lock abandon spring-sale/vip --reason 'the text is wrong'")
)
@click.argument("address")
@reason_option()
@click.pass_obj
def abandon(context: Context, address: str, reason: str) -> ExitCode:
    """End the mailing ADDRESS: what was certainly not sent of it never will be.

    It then counts as finished. What sms.by accepted stays sent; a raised revision is sent as usual.
    """
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.plan.take_back import abandon_mailing, drafts_of

    with change_lock(context, reason, f"lock abandon {address}") as change:
        entry = abandon_mailing(change, address, SystemClock().now())
    for draft in drafts_of(entry):
        context.warn(
            f"{address}: delete its draft {draft} in the account: whoever confirms it there sends it", "draft"
        )
    project = load(context).project
    accepted = counted(entry.accepted_recipients, "recipient")
    context.note(
        f"{address} r{entry.revision} is abandoned: sms.by accepted it for {accepted}, and the rest gets nothing\n"
        f"{next_lines(context, project, f'Abandon {address}', f'recipients {address} --not-sent')}"
    )
    return ExitCode.DONE
