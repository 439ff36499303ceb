"""`lock`: look at the lock file, or settle what it can't know. Never a send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy import __version__
from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples
from smsby_deploy.cli.provenance import who
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.lock.edit import LockChange


@click.group("lock", epilog=examples("smsby-deploy lock list", "smsby-deploy lock show spring-sale/vip"))
def command() -> None:
    """Look at the lock file, or settle what it can't know."""


@command.command("list", epilog=examples("smsby-deploy lock list"))
@click.pass_obj
def list_entries(context: Context) -> int:
    """One line a mailing: state, address, revision, recipients, when it was applied."""
    from smsby_deploy.cli.session import load, open_lock
    from smsby_deploy.wording import counted

    lock = open_lock(load(context).project).read()
    for address, entry in sorted(lock.mailings.items()):
        people = "? recipients" if entry.recipients is None else counted(entry.recipients, "recipient")
        click.echo(f"{entry.state:<9} {address} r{entry.revision}  {people}  {entry.applied.at}")
    if not lock.mailings:
        context.note("the lock records no mailing yet")
    return 0


@command.command("show", epilog=examples("smsby-deploy lock show spring-sale/vip"))
@click.argument("address")
@click.pass_obj
def show(context: Context, address: str) -> int:
    """Everything that is recorded of the mailing ADDRESS, as JSON."""
    from smsby_deploy.cli.session import load, open_lock
    from smsby_deploy.errors import UsageError
    from smsby_deploy.lock.serialization import entry_document
    from smsby_deploy.output.json_documents import json_text

    lock = open_lock(load(context).project).read()
    entry = lock.mailings.get(address)
    if entry is None:
        raise UsageError(f"the lock has no mailing {address}", hint="`smsby-deploy lock list` names them all")
    click.echo(json_text({"address": address, **entry_document(entry)}), nl=False)
    return 0


@command.command(
    "resolve",
    epilog=examples(
        "smsby-deploy lock resolve spring-sale/vip --sent --reason 'seen at sms.by'",
        "smsby-deploy lock resolve spring-sale/vip --not-sent --reason 'support says it never came'",
        "smsby-deploy lock resolve newsletter/letter --sent --message-id 2604834",
    ),
)
@click.argument("address")
@click.option("--sent", is_flag=True, help="You found out that it was sent.")
@click.option(
    "--not-sent",
    is_flag=True,
    help="You found out that it surely was not sent; it is sent by the next apply.",
)
@click.option("--message-id", type=int, help="The draft's id at sms.by, for a list mailing.")
@click.option("--reason", default="", help="How you know; it is recorded.")
@click.pass_obj
def resolve(
    context: Context, address: str, sent: bool, not_sent: bool, message_id: int | None, reason: str
) -> int:
    """Settle what is unknown of the mailing ADDRESS: it was sent, or it surely was not. Sends nothing."""
    if sent == not_sent:  # of both the last would win, and people might get it twice
        raise click.UsageError("say which one it is: --sent, or --not-sent")
    with _change(context, reason, f"lock resolve {address}") as change:
        count = change.resolve(address, sent=sent, message_id=message_id)
    told = f"{counted(count, 'chunk')} settled as {'sent' if sent else 'not sent'}"
    context.note(f"{address}: {told}\nnext: {context.program} plan")
    return 0


@command.command(
    "rescue",
    epilog=examples("smsby-deploy lock rescue smsby.lock.json.rescue-x1y2z3", "smsby-deploy lock rescue"),
)
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def rescue(context: Context, file: Path | None) -> int:
    """Take in FILE, the result that an apply could not save on a full disk.

    Without FILE: keep what can be read of a damaged journal, and call the rest unknown. Sends nothing.
    """
    from smsby_deploy.apply.rescue import read_rescue
    from smsby_deploy.cli.session import load, open_lock

    if file is None:
        doubtful = open_lock(load(context).project).salvage()
        context.note("the journal was moved aside; what could be read of it is in the lock")
        for address in doubtful:
            context.note(f"unknown now: {address}; `smsby-deploy apply` looks for it at sms.by")
        return 0
    document = read_rescue(file)
    with _change(context, f"from {file.name}", "lock rescue") as change:
        count = change.rescue(document)
    context.note(f"{counted(count, 'chunk')} recorded from {file.name}; the file is no longer needed")
    return 0


@command.command("move", epilog=examples("smsby-deploy lock move spring-sale/vip spring-sale/gold"))
@click.argument("old")
@click.argument("new")
@click.option("--reason", default="", help="Why; it is recorded.")
@click.pass_obj
def move(context: Context, old: str, new: str, reason: str) -> int:
    """Give the record of the mailing OLD the address NEW, after it was renamed in the files."""
    with _change(context, reason, f"lock move {old}") as change:
        change.move(old, new)
    context.note(f"{old} is recorded as {new} now")
    return 0


@command.command("remove", epilog=examples("smsby-deploy lock remove old/vip --reason 'sent by hand'"))
@click.argument("address")
@click.option("--reason", default="", help="Why; it is recorded.")
@click.pass_obj
def remove(context: Context, address: str, reason: str) -> int:
    """Forget the mailing ADDRESS. What sms.by lists of it is still found, and not sent again."""
    with _change(context, reason, f"lock remove {address}") as change:
        change.remove(address)
    context.note(f"{address} is no longer recorded")
    return 0


@command.command("unlock", epilog=examples("smsby-deploy lock unlock"))
@click.pass_obj
def unlock(context: Context) -> int:
    """Tell who holds the lock. A dead process holds nothing: the system frees its lock, so nothing needs breaking."""
    from smsby_deploy.cli.session import load, open_lock

    with open_lock(load(context).project).held(command="lock unlock"):
        context.note("nobody holds the lock")
    return 0


@contextmanager
def _change(context: Context, reason: str, words: str) -> Iterator[LockChange]:
    from smsby_deploy.cli.session import load, open_lock
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.lock.edit import LockChange

    at = SystemClock().now().isoformat(timespec="seconds")
    with open_lock(load(context).project).held(command=words) as held:
        yield LockChange(
            held, by=who(context.environ), at=at, tool=f"smsby-deploy {__version__}", reason=reason
        )
