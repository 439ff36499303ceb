"""The commands that change the lock, such as `lock resolve` and `lock move`; none sends."""

from __future__ import annotations

from pathlib import Path

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, MessageId, NamedPath, examples, reason_option
from smsby_deploy.cli.session import change_lock, load, note_change, open_lock
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.wording import counted


@click.command(
    "withdraw",
    epilog=examples(
        "smsby-deploy lock withdraw spring-sale/vip --reason 'wrong price'",
        "smsby-deploy lock withdraw spring-sale/vip --anyway --reason 'it is gone'",
    ),
)
@click.argument("address")
@click.option(
    "--anyway", is_flag=True, help="Confirm that it was deleted at sms.by, whatever the list shows."
)
@reason_option()
@click.pass_obj
def withdraw(context: Context, address: str, anyway: bool, reason: str) -> ExitCode:
    """Withdraw the mailing ADDRESS, which is approved for later or scheduled.

    A mailing that waits for its hand-over loses its approval. A mailing that sms.by has scheduled must first be deleted in
    the account: the command refuses while the list of sms.by still shows it. The mailing stays withdrawn until its revision
    is raised.
    """
    from smsby_deploy.plan.withdrawals import AccountList, withdraw_mailing

    account = None
    if not anyway:
        here = AccountAccess(load(context).project.api, context.environ)
        account = AccountList(here.binding, here.open_reader, here.listing_seconds())
    with change_lock(context, reason, f"lock withdraw {address}") as change:
        entry = withdraw_mailing(change, address, SystemClock().now(), account)
    said = f"{address} r{entry.revision} is withdrawn; raise its revision to send it after all"
    note_change(context, said, f"Withdraw {address}", "plan")
    return ExitCode.DONE


@click.command(
    "abandon", epilog=examples("smsby-deploy lock abandon spring-sale/vip --reason 'the text is wrong'")
)
@click.argument("address")
@reason_option()
@click.pass_obj
def abandon(context: Context, address: str, reason: str) -> ExitCode:
    """End the mailing ADDRESS: parts that were certainly not sent are never sent.

    It then counts as finished. What sms.by accepted stays sent; a raised revision is sent as usual.
    """
    from smsby_deploy.plan.withdrawals import abandon_mailing, drafts_of

    with change_lock(context, reason, f"lock abandon {address}") as change:
        entry = abandon_mailing(change, address, SystemClock().now())
    for draft in drafts_of(entry):
        context.warn(
            f"{address}: delete its draft {draft} in the account: confirming it there would send it", "draft"
        )
    accepted = counted(entry.accepted_recipients, "recipient")
    said = f"{address} r{entry.revision} is abandoned: sms.by accepted it for {accepted}, and the rest gets nothing"
    note_change(context, said, f"Abandon {address}", f"recipients {address} --not-sent")
    return ExitCode.DONE


@click.command(
    "resolve",
    epilog=examples(
        "smsby-deploy lock resolve spring-sale/vip --sent --reason 'seen at sms.by'",
        "smsby-deploy lock resolve spring-sale/vip --not-sent --reason 'not listed'",
        "smsby-deploy lock resolve newsletter/letter --sent --message-id 2604834",
        "smsby-deploy lock resolve spring-sale/vip --go --reason 'an outage'",
    ),
)
@click.argument("address")
@click.option("--sent", is_flag=True, help="You have verified that it was sent.")
@click.option(
    "--not-sent", is_flag=True, help="You have verified that it was not sent; the next apply sends it."
)
@click.option(
    "--go",
    is_flag=True,
    help="Continue with the next wave, although the figures of the last one stopped the mailing.",
)
@click.option(
    "--message-id",
    type=MessageId(),
    metavar="N",
    help="The draft's message_id at sms.by (list mailings).",
)
@reason_option("How you know; recorded in the lock.")
@click.pass_obj
def resolve(
    context: Context, address: str, sent: bool, not_sent: bool, go: bool, message_id: int | None, reason: str
) -> ExitCode:
    """Record your decision about the mailing ADDRESS.

    If the outcome of a send is unknown, say whether it was sent. If the mailing stopped after a wave, --go continues it: the
    next `apply --due` sends the next wave. This command sends nothing.
    """
    if [sent, not_sent, go].count(True) != 1:  # with two, one would win, and recipients could get it twice
        raise click.UsageError("say which one applies: --sent, --not-sent or --go")
    if message_id is not None and not sent:
        raise click.UsageError("--message-id needs --sent")
    with change_lock(context, reason, f"lock resolve {address}") as change:
        if go:
            said, then = f"{address} continues after wave {change.go(address)}", "apply --due"
        else:
            count = counted(change.resolve(address, sent=sent, message_id=message_id), "chunk")
            said, then = f"{address}: {count} resolved as {'sent' if sent else 'not sent'}", "plan"
    note_change(context, said, f"Resolve {address}", then)
    return ExitCode.DONE


@click.command(
    "rescue",
    epilog=examples("smsby-deploy lock rescue smsby.lock.json.rescue-x1y2z3", "smsby-deploy lock rescue"),
)
@click.argument("file", metavar="[FILE]", required=False, type=NamedPath())
@click.pass_obj
def rescue(context: Context, file: Path | None) -> ExitCode:
    """Record the results in FILE, or recover a damaged journal.

    An apply writes FILE if the disk with the lock is full. Without FILE, the damaged journal is recovered, and chunks that
    are not certainly done become unknown. Sends nothing.
    """
    from smsby_deploy.apply.rescue import read_rescue

    if file is None:
        doubtful = open_lock(load(context).project).salvage()
        context.note("the damaged journal was renamed; what could be read of it is in the lock")
        for address in doubtful:
            context.note(f"now unknown: {address}; `smsby-deploy apply` looks for it at sms.by")
        context.note(
            "a new mailing that only a damaged line named is not in the lock: before the next apply, look in the account for "
            "each mailing that `smsby-deploy plan` shows as `create`"
        )
        return ExitCode.DONE
    document = read_rescue(file)
    with change_lock(context, f"from {file.name}", "lock rescue") as change:
        count = change.rescue(document)
    context.note(f"{counted(count, 'chunk')} recorded from {file.name}; you can delete the file")
    return ExitCode.DONE


@click.command("move", epilog=examples("smsby-deploy lock move spring-sale/vip spring-sale/gold"))
@click.argument("old")
@click.argument("new")
@reason_option()
@click.pass_obj
def move(context: Context, old: str, new: str, reason: str) -> ExitCode:
    """Change the recorded address of a mailing from OLD to NEW.

    Use this after renaming the mailing in the files.
    """
    with change_lock(context, reason, f"lock move {old}") as change:
        change.move(old, new)
    note_change(context, f"{old} is now recorded as {new}", f"Move {old} to {new}", "plan")
    return ExitCode.DONE


@click.command("remove", epilog=examples("smsby-deploy lock remove old/vip --reason 'sent manually'"))
@click.argument("address")
@reason_option()
@click.pass_obj
def remove(context: Context, address: str, reason: str) -> ExitCode:
    """Remove the mailing ADDRESS from the lock.

    A mailing that sms.by lists under the name given by `apply` is found again and not sent. A mailing that was imported or
    declared as sent is not found: the next apply sends it.
    """
    with change_lock(context, reason, f"lock remove {address}") as change:
        was_declared = any(chunk.declared for chunk in change.entry(address).chunks)
        change.remove(address)
    if was_declared:
        what = "it was imported, or declared as sent, so sms.by may not list it under its name"
        context.warn(f"{what}; then the next apply sends it again", "removed", address=address)
    note_change(context, f"{address} is no longer recorded", f"Remove {address} from the lock", "plan")
    return ExitCode.DONE


@click.command("bind", epilog=examples("smsby-deploy lock bind --reason 'the token was replaced'"))
@reason_option()
@click.pass_obj
def bind(context: Context, reason: str) -> ExitCode:
    """Confirm that the lock belongs to the account in use.

    It records the service and the account. Use it if sms.by does not list what the lock recorded as accepted, and you
    have verified that this is the right account. Sends nothing.
    """
    here = AccountAccess(load(context).project.api, context.environ).binding()
    with change_lock(context, reason, "lock bind") as change:
        change.bind(here)
    note_change(context, f"the lock is bound to {here.service}", "Bind the lock", "plan")
    return ExitCode.DONE


@click.command(
    "rekey",
    epilog=examples(
        "SMSBY_DIGEST_KEY_OLD=… SMSBY_DIGEST_KEY=… smsby-deploy lock rekey",
    ),
)
@click.option("--without-key", is_flag=True, help="Remove the key: the lock then has digests without a key.")
@reason_option()
@click.pass_obj
def rekey(context: Context, without_key: bool, reason: str) -> ExitCode:
    """Key the digests of the lock with SMSBY_DIGEST_KEY.

    If they already have a key, set SMSBY_DIGEST_KEY_OLD to it. Recipients are not needed: the lock keeps what a rotation
    needs, sealed with its key. Sends nothing. Plans made before are refused.
    """
    from smsby_deploy.digest_key import NO_KEY, OLD_DIGEST_KEY, read_digest_key

    old, new = read_digest_key(context.environ, OLD_DIGEST_KEY), load(context).project.digest_key
    if without_key:
        old, new = (new if old.id is None else old), NO_KEY
    elif new.id is None:
        raise UsageError(
            "SMSBY_DIGEST_KEY is not set: it must hold the new key",
            hint="set it, or remove the key with --without-key",
        )
    with change_lock(context, reason, "lock rekey") as change:
        is_new = change.rekey(old, new)
    outcome = f"have the key {new.id}" if new.id is not None else "have no key"
    said = f"the digests in the lock {outcome}{'' if is_new else ' already'}"
    note_change(context, said, "Change the key of the lock", "plan")
    return ExitCode.DONE
