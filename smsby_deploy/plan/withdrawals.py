"""The checks before a user withdraws a mailing or abandons the rest of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from smsby_deploy.errors import Refused
from smsby_deploy.lock.binding import Binding, check_service, find_binding
from smsby_deploy.lock.decisions import EndingKind
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.records import DONE, ChunkState, Entry, EntryState, Lock
from smsby_deploy.plan.remote_list_check import check_list, shows_any
from smsby_deploy.plan.remote_state import RemoteView, read_remote
from smsby_deploy.plan.scheduled import listed_names, sending_time
from smsby_deploy.plan.situation import is_past, is_scheduled
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.wording import first_of


@dataclass(frozen=True, slots=True)
class AccountList:
    """The list of the account in which a scheduled mailing was deleted.

    A list read within `reconcile_seconds` of the acceptance may not show it yet.
    """

    binding_of: Callable[[], Binding]
    connect: Callable[[], ReadClient]
    reconcile_seconds: float

    def read_list(self, lock: Lock, address: str, entry: Entry) -> RemoteView:
        """Return the list of the lock's account as far as `lock` and this mailing need it.

        Raises as find_binding and read_remote.
        """
        here = self.binding_of()
        check_service(lock, here.service)
        ids = (chunk.message_id for chunk in entry.chunks)
        remote = read_remote(self.connect(), lock.scope, lock, [address], ids)
        find_binding(lock, here, is_shown=shows_any(lock, remote))
        return remote


def withdraw_mailing(change: LockEdit, address: str, now: datetime, account: AccountList | None) -> Entry:
    """Record that none of a mailing will be sent, and return the revision concerned.

    A waiting mailing is no longer approved. One that sms.by accepted for a later time must have been deleted in the account;
    without `account`, the user's word counts.

    Raises:
        UsageError: it is not recorded.
        Refused: it is unknown, gone, or neither approved nor scheduled; or sms.by still lists it.
    """
    entry = change.entry(address)
    _check_known(address, entry)
    chosen = next((one for one in entry.revisions if _waits(one) or _is_ahead(one, now)), None)
    if chosen is None:
        raise _not_withdrawable(address, entry, change.zone)
    _check_not_begun(address, chosen, now)
    if account is not None and not _waits(chosen):
        _check_deleted(change.lock, address, chosen, account, now)
    change.end(address, chosen.revision, EndingKind.WITHDRAWN)
    return chosen


def abandon_mailing(change: LockEdit, address: str, now: datetime) -> Entry:
    """Record that the unsent rest of a mailing will never be sent, and return the mailing.

    Raises:
        UsageError: it is not recorded.
        Refused: a chunk of it is unknown, or none of it remains to be sent.
    """
    entry = change.entry(address)
    _check_known(address, entry)
    if entry.is_withdrawn or entry.is_abandoned:
        raise _already_ended(address, entry, change.zone)
    if all(chunk.state in DONE for chunk in entry.chunks):
        withdrawal = f"delete it in the account, then run `smsby-deploy lock withdraw {address}`"
        raise Refused(
            f"nothing of {address} remains to be sent: sms.by accepted all of it",
            hint=withdrawal
            if _is_ahead(entry, now) and not is_past(entry.send_time, now)
            else _show(address),
        )
    change.end(address, entry.revision, EndingKind.ABANDONED)
    return entry


def drafts_of(entry: Entry) -> list[str]:
    """Return the ids of its drafts at sms.by; "?" for an unknown id."""
    drafts = (chunk for chunk in entry.chunks if chunk.state is ChunkState.DRAFT)
    return [str(draft.message_id or "?") for draft in drafts]


def _check_known(address: str, entry: Entry) -> None:
    if any(one.has_unknown for one in entry.revisions):
        raise Refused(
            f"{address} may have been sent: it has an unknown chunk",
            hint=f"resolve it first: `smsby-deploy lock resolve {address} --sent` or `--not-sent`",
        )


def _waits(entry: Entry) -> bool:
    """Whether it was approved for later, and none of it was sent."""
    is_lapsed = entry.state is EntryState.WITHDRAWN and not entry.is_withdrawn
    return entry.state is EntryState.WAITING or is_lapsed


def _is_ahead(entry: Entry, now: datetime) -> bool:
    return is_scheduled(entry, [chunk.state for chunk in entry.chunks], now)


def _check_not_begun(address: str, entry: Entry, now: datetime) -> None:
    """Check that no chunk of a spread mailing is gone; "withdrawn" means that none was sent."""
    pairs = zip(entry.chunks, entry.send_times, strict=True)
    gone = sum(chunk.was_sent and is_past(time, now) for chunk, time in pairs)
    if gone:
        raise Refused(
            f"{gone} of the {len(entry.chunks)} chunks of {address} can no longer be withdrawn",
            hint="delete the others in the account: `smsby-deploy status` then counts their recipients as undelivered, and "
            "`smsby-deploy recipients` still as accepted",
        )


def _already_ended(address: str, entry: Entry, zone: tzinfo) -> Refused:
    assert entry.ending is not None
    return Refused(f"{address} is already {entry.ending.in_zone(zone)}", hint=_show(address))


def _not_withdrawable(address: str, entry: Entry, zone: tzinfo) -> Refused:
    """Return the error that says why a mailing cannot be withdrawn."""
    if entry.is_withdrawn:
        return _already_ended(address, entry, zone)
    if entry.was_sent_in_part:
        when = f" {sending_time(entry)}" if entry.schedule_time else ""
        rest = f"; to leave the rest of it unsent, use `smsby-deploy lock abandon {address}`"
        return Refused(
            f"{address} is gone: it was sent{when} and cannot be withdrawn",
            hint=f"send a correction as another mailing{'' if entry.is_complete else rest}",
        )
    has_draft = any(chunk.state is ChunkState.DRAFT for chunk in entry.chunks)
    what = "it is an unconfirmed draft" if has_draft else "none of it was approved for later or accepted"
    return Refused(
        f"{address} needs no withdrawal: {what}",
        hint=f"to make sure it is never sent: `smsby-deploy lock abandon {address}`, or remove it from the files",
    )


def _check_deleted(lock: Lock, address: str, entry: Entry, account: AccountList, now: datetime) -> None:
    """Check that the list of the account no longer shows a scheduled mailing."""
    anyway = "to override its list, use --anyway"
    latest = max((chunk.accepted_at for chunk in entry.chunks if chunk.accepted_at), default=None)
    if latest is not None and now - datetime.fromisoformat(latest) < timedelta(
        seconds=account.reconcile_seconds
    ):
        raise Refused(
            f"sms.by accepted {address} moments ago, and its list may not show it yet",
            hint=f"wait {account.reconcile_seconds:g} s (api.reconcile_seconds), then run the command again",
        )
    remote = account.read_list(lock, address, entry)
    if any(remote.shows_chunk(address, entry, chunk) for chunk in entry.chunks):
        names = listed_names(lock.scope, address, entry, remote)
        raise Refused(
            f"sms.by still lists {address}, and will send it {sending_time(entry, remote)}",
            hint=f"delete {first_of(names)} in the account, then run the command again; {anyway}",
        )
    others = replace(lock, mailings={one: entry for one, entry in lock.mailings.items() if one != address})
    check = check_list(others, remote, now=now, reconcile_seconds=account.reconcile_seconds)
    if check.is_disproved:
        raise Refused(f"the list of sms.by does not prove that it was deleted: {check.doubt}", hint=anyway)


def _show(address: str) -> str:
    return f"`smsby-deploy lock show {address}` shows the record"
