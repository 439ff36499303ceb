"""`lock`: show the lock file, or change it manually. Never sends."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.lock_changes import abandon, bind, move, rekey, remove, rescue, resolve, withdraw
from smsby_deploy.cli.options import Context, Duration, FullHelpGroup, NamedPath, examples, reason_option
from smsby_deploy.cli.session import asking_progress, change_lock, load, note_running, open_lock, progress_of
from smsby_deploy.clock import SystemClock
from smsby_deploy.errors import UsageError, unknown_address
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import safe_line, write_line, write_text
from smsby_deploy.wording import counted, time_text

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Project
    from smsby_deploy.lock.records import Lock
    from smsby_deploy.lock.store import LockStore
    from smsby_deploy.status.archivable import Archivable


@click.group(
    "lock",
    cls=FullHelpGroup,
    epilog=examples("smsby-deploy lock list", "smsby-deploy lock show spring-sale/vip"),
)
def command() -> None:
    """Show the lock file, or change it manually."""


for change in (resolve, rescue, move, remove, bind, rekey, withdraw, abandon):
    command.add_command(change)


@command.command("list", epilog=examples("smsby-deploy lock list", "smsby-deploy lock list --archived"))
@click.option("--archived", is_flag=True, help="List the archived mailings instead.")
@click.pass_obj
def list_entries(context: Context, archived: bool) -> ExitCode:
    """List the recorded mailings.

    Each line has the state, address, revision, recipients and time of the apply, and for a waiting mailing its window.
    """
    from smsby_deploy.lock.archive import read_archive
    from smsby_deploy.lock.records import EntryState

    project = load(context).project
    lock = open_lock(project).read()
    recorded = (
        lock.mailings.items() if not archived else ((one.address, one.entry()) for one in read_archive(lock))
    )
    entries = sorted(recorded, key=lambda item: item[0])
    for address, entry in entries:
        size = "? recipients" if entry.recipients is None else counted(entry.recipients, "recipient")
        applied = datetime.fromisoformat(entry.applied.at).astimezone(project.zone)
        line = f"{entry.state:<9} {address} r{entry.revision}  {size}  {time_text(applied)}"
        if entry.state is EntryState.WAITING and entry.approval is not None:
            opens, closes = entry.approval.window
            line += f"  window between {time_text(opens)} and {time_text(closes)}"
        if entry.ending is not None:
            line += f"  {safe_line(str(entry.ending.in_zone(project.zone)))}"
        write_line(line, sys.stdout)
    if any(entry.state in (EntryState.UNKNOWN, EntryState.PARTIAL) for _, entry in entries):
        note_running(context, project)
    if not archived and not lock.mailings:
        context.note("the lock records no mailing")
    if not archived and lock.archived:
        context.note(
            f"{counted(lock.archived, 'mailing')} archived: `{context.program} lock list --archived`"
        )
    return ExitCode.DONE


@command.command("show", epilog=examples("smsby-deploy lock show spring-sale/vip"))
@click.argument("address")
@click.pass_obj
def show(context: Context, address: str) -> ExitCode:
    """Print everything recorded about the mailing ADDRESS, as JSON."""
    from smsby_deploy.lock.archive import find_recorded
    from smsby_deploy.lock.entry_json import entry_document
    from smsby_deploy.output.json_documents import json_text

    lock = open_lock(load(context).project).read()
    entry = find_recorded(lock, address)
    if entry is None:
        raise unknown_address(address, lock.mailings)
    where = {"archived": True} if entry.is_archived else {}
    write_text(json_text({"address": address, **where, **entry_document(entry)}), sys.stdout)
    return ExitCode.DONE


@command.command(
    "archive",
    epilog=examples(
        "smsby-deploy lock archive --older-than 30d", "smsby-deploy lock archive 'spring-sale/*'"
    ),
)
@click.argument("select", nargs=-1)
@click.option(
    "--older-than",
    type=Duration(),
    metavar="AGE",
    help="Only mailings sent at least this long ago, such as 30d or 12h.",
)
@reason_option()
@click.pass_obj
def archive(context: Context, select: tuple[str, ...], older_than: timedelta | None, reason: str) -> ExitCode:
    """Move final mailings out of the lock, to the archive next to it.

    A mailing is final if each of its messages has its last status; the command queries sms.by for statuses that are still
    unknown. An archived mailing is never sent again. Commit the archive together with the lock.
    """
    from smsby_deploy.lock.archive import archive_path

    project = load(context).project
    lock = open_lock(project).read()
    found = _find_archivable(context, project, lock, select, older_than)
    with change_lock(context, reason, "lock archive") as change:  # only now are other runs kept out
        archived = change.archive(
            {address: lock.mailings[address] for address in found.addresses}, found.reported
        )
    path = archive_path(project.lock)
    context.note(f"{counted(len(archived), 'mailing')} moved to the archive")
    if found.recent:
        context.note(f"{counted(found.recent, 'mailing')} left: too recent")
    for address, state in found.left:
        context.note(f"{address} left: {state}")
    if archived and project.is_lock_committed:
        names = " ".join(shlex.quote(os.path.relpath(file)) for file in (project.lock, path))
        context.note(f'next: git add {names} && git commit -m "Archive final mailings"')
    return ExitCode.DONE


def _find_archivable(
    context: Context, project: Project, lock: Lock, select: tuple[str, ...], older_than: timedelta | None
) -> Archivable:
    """Query sms.by about mailings not known to be final, and store the answers like `status`."""
    from smsby_deploy.status.archivable import find_archivable
    from smsby_deploy.status.collect import StatusOptions
    from smsby_deploy.status.final_chunks import read_final

    clock, account = SystemClock(), AccountAccess(project.api, context.environ)
    final = read_final(project.lock, account.secret())
    options = StatusOptions(
        reconcile_seconds=account.listing_seconds(),
        here=account.binding(),
        settle_after=project.settle_after,
        final=final,
    )
    try:
        with progress_of(context) as progress:
            return find_archivable(
                lock,
                account.open_reader,
                select=select,
                sent_before=None if older_than is None else clock.now() - older_than,
                clock=clock,
                options=options,
                progress=asking_progress(progress),
            )
    finally:  # keep the answers that came before an outage
        final.save()


@command.command("path", epilog=examples("smsby-deploy lock path"))
@click.pass_obj
def path(context: Context) -> ExitCode:
    """Print the files that a pipeline has to commit after an apply, as relative paths.

    Nothing is printed if the lock is kept elsewhere.
    """
    from smsby_deploy.lock.archive import archive_path

    project = load(context).project
    if project.is_lock_committed:
        write_line(os.path.relpath(project.lock), sys.stdout)
        archived = archive_path(project.lock)
        if archived.exists():
            write_line(os.path.relpath(archived), sys.stdout)
    return ExitCode.DONE


@command.command("pull", epilog=examples("smsby-deploy lock pull backup.lock.json"))
@click.argument("file", type=NamedPath(dir_okay=False))
@click.pass_obj
def pull(context: Context, file: Path) -> ExitCode:
    """Write the lock to FILE, but never over a different or newer lock."""
    from smsby_deploy.lock.shared import copy_lock

    project = load(context).project
    lock = copy_lock(open_lock(project), _lock_file(project, file, is_new=True), "lock pull")
    context.note(f"written to {file} (serial {lock.serial})")
    return ExitCode.DONE


@command.command("push", epilog=examples("smsby-deploy lock push smsby.lock.json"))
@click.argument("file", type=NamedPath(dir_okay=False))
@click.pass_obj
def push(context: Context, file: Path) -> ExitCode:
    """Store the lock in FILE where smsby.yaml says, but never over a different or newer lock.

    It moves a lock from a file to a shared store in one step.
    """
    from tempfile import TemporaryDirectory

    from smsby_deploy.lock.opening import open_lock_at
    from smsby_deploy.lock.shared import copy_lock

    project = load(context).project
    with TemporaryDirectory(prefix="smsby-lock-") as folder:
        place = project.lock_place
        if place.shared is not None:  # not next to the copy: FILE may be the copy, or replace it
            place = place._replace(path=Path(folder) / place.path.name)
        target = open_lock_at(place, project.name, project.root)
        lock = copy_lock(_lock_file(project, file, is_new=False), target, "lock push")
    context.note(f"stored (serial {lock.serial})\nnext: {context.program} plan")
    return ExitCode.DONE


def _lock_file(project: Project, file: Path, *, is_new: bool) -> LockStore:
    """Return the lock in FILE, which may be a new file or must be there."""
    from smsby_deploy.lock.serialization import names_its_format
    from smsby_deploy.lock.store import LockStore

    if file.exists() and not file.is_file():  # a device or pipe may never end
        raise UsageError(f"{file} is not a regular file", hint="name a file for the lock")
    store = LockStore(file, project.name, project.environment.name)
    if file.exists() and not names_its_format(file):
        hint = "name a new file: no other is overwritten" if is_new else "name one that `lock pull` wrote"
        raise UsageError(f"{file} is not a lock file", hint=hint)
    if not (is_new or file.exists() or store.journal_path.exists()):
        raise UsageError(f"{file} does not exist", hint="name the file of a lock")
    return store


@command.command("unlock", epilog=examples("smsby-deploy lock unlock"))
@click.pass_obj
def unlock(context: Context) -> ExitCode:
    """Check whether another run holds the lock.

    A lock never has to be broken: it is released when its run has died, in a shared store within a minute.
    """
    with open_lock(load(context).project).held(command="lock unlock"):
        context.note("the lock is free")
    return ExitCode.DONE
