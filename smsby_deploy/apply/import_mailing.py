"""Adopt a mailing that was made elsewhere: what sms.by knows of it, as the lock's entry of the mailing in the files.

Only asks. What a person names must be known to sms.by, must have gone out, and must not be another mailing's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import ApiError, FilesInvalid, Refused, UsageError
from smsby_deploy.lock.edit import LockChange
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.drift import (
    Difference,
    ReportedValues,
    compare_values,
    intended_by_files,
    reported_values,
)
from smsby_deploy.plan.fingerprint import RemoteName, read_remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.planner import TOOL, make_plan
from smsby_deploy.plan.selection import find_mailing
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.texts.price import money

_PLACE = re.compile(r" \[(\d+)/(\d+)\] ")


@dataclass(frozen=True, slots=True)
class FoundMailing:
    """One mailing at sms.by. `recipients` is sms.by's count, None if it tells none; `listed` its row in the list."""

    message_id: int | None
    uuid: str | None
    name: str
    recipients: int | None
    listed: RemoteMailing | None

    @property
    def ours(self) -> RemoteName | None:
        return read_remote_name(self.name)


def import_mailing(
    loaded: LoadedProject,
    held: HeldLock,
    client: ReadClient,
    *,
    address: str,
    message_ids: Sequence[int],
    uuids: Sequence[str],
    clock: Clock,
    new_id: str,
    commit: str | None,
    by: str,
    reason: str,
) -> tuple[Difference, ...]:
    """Record the mailing `address` as sent with these messages, as a plan made now would have it.

    Returns what sms.by reports of them differently than the files.

    Raises:
        UsageError: there is no such mailing, or it is not clear which message is meant.
        FilesInvalid: the files are not valid.
        Refused: see find_messages, check_messages and LockChange.adopt.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    mailing = find_mailing(loaded, address)
    plan = make_plan(
        loaded, select=(address,), client=client, account=None, lock=held.lock, clock=clock, new_id=new_id
    )
    if plan.has_errors:
        raise FilesInvalid(plan.problems)
    (action,) = plan.actions
    found = find_messages(client, loaded.project, mailing, message_ids=message_ids, uuids=uuids)
    at = clock.now().isoformat(timespec="seconds")
    change = LockChange(held, by=by, at=at, tool=TOOL, reason=reason)
    entry = entry_of(action, mailing.revision, found, AppliedBy(at, plan.id, commit, TOOL), plan.currency)
    change.check_adoptable(address, entry)
    check_messages(client, loaded.project, mailing, found, held.lock)
    what = [f"uuid {uuid}" for uuid in uuids] or [f"message_id {number}" for number in message_ids]
    change.adopt(address, entry, ", ".join(what))
    return tuple(find_differences(mailing, action, found))


def find_messages(
    client: ReadClient,
    project: Project,
    mailing: Mailing,
    *,
    message_ids: Sequence[int],
    uuids: Sequence[str],
) -> tuple[FoundMailing, ...]:
    """The mailings at sms.by with these message_ids, or those of the requests `uuids` that are `mailing`.

    Raises:
        UsageError: it is not clear which mailing of a request is meant.
        Refused: sms.by knows none of them, or has a draft only.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    listed = {row.id: row for row in client.get_sms_messages()}
    found = [_by_message(client, listed, number) for number in dict.fromkeys(message_ids)]
    for uuid in dict.fromkeys(uuids):
        found.extend(_by_uuid(client, listed, project, mailing, uuid))
    for one in found:
        if one.listed is not None and one.listed.is_draft:
            raise Refused(
                f"the message {one.message_id} is a draft that was not confirmed: nothing of it was sent",
                hint="confirm or delete it at sms.by first",
            )
    return tuple(found)


def check_messages(
    client: ReadClient, project: Project, mailing: Mailing, found: Sequence[FoundMailing], lock: Lock
) -> None:
    """Refuse messages that are another mailing's, and a part of a mailing that would pass for the whole.

    Raises:
        Refused: one of both.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    taken_marks, taken_uuids = _recorded(lock)
    known = {m.address for m in project.mailings} | lock.mailings.keys()
    places: dict[int, int] = {}
    for one in found:
        name = one.ours
        if name is None or name.project != project.name:
            owner = _owner_by_uuid(client, one, taken_uuids)
            if owner is not None:
                raise Refused(
                    f"this is recorded for {owner} already", hint="`smsby-deploy lock list` names all"
                )
            continue
        owner = taken_marks.get(name.fingerprint)
        if owner is not None:
            raise Refused(f"this is recorded for {owner} already", hint="`smsby-deploy lock list` names all")
        if name.address != mailing.address and name.address in known:
            raise Refused(
                f"at sms.by this is the mailing {name.address}, not {mailing.address}",
                hint=f"`smsby-deploy import {name.address} --message-id {one.message_id}`, or name another",
            )
        if name.address == mailing.address and name.revision != mailing.revision:
            raise Refused(
                f"at sms.by this is revision {name.revision} of {mailing.address}, the file says {mailing.revision}",
                hint=f"set `revision: {name.revision}` in the file while you import it",
            )
        place = _PLACE.search(one.name)
        if place:
            places[int(place[1])] = int(place[2])
    missing = max(places.values(), default=0) - len(places)
    if missing > 0:
        raise Refused(
            f"this is a part of the mailing: {missing} of its {max(places.values())} messages are missing",
            hint="repeat --message-id (or --uuid) for each of them, once all were sent",
        )


def entry_of(
    action: Action, revision: int, found: Sequence[FoundMailing], applied: AppliedBy, currency: str | None
) -> Entry:
    """The mailing as the lock records it: content, audience and chunks as planned now, messages as sms.by has them.

    One message holds everybody, so the first chunk bears it and all recipients; of several each chunk bears one.
    A chunk without a message of its own went out with another: it is done, with nobody in it.
    """
    planned = action.recipients
    counts = [one.recipients for one in found]
    total = sum(filter(None, counts)) if None not in counts else None
    people = planned if planned is not None and len(found) == 1 else total if total is not None else planned
    records = []
    for index in range(max(len(action.chunks), len(found))):
        chunk = action.chunks[index] if index < len(action.chunks) else None
        one = found[index] if index < len(found) else None
        mark = chunk.fingerprint if chunk else one.ours.fingerprint if one and one.ours else "0" * 10
        digest = chunk.digest if chunk else action.content_digest
        if one is None:
            record = ChunkRecord(mark, 0, digest, ChunkState.SUPPRESSED)
        else:
            own = people if len(found) == 1 else one.recipients
            record = ChunkRecord(
                mark, own, digest, ChunkState.ACCEPTED, one.uuid, one.message_id, accepted_at=applied.at
            )
        records.append(record)
    return Entry(
        revision=revision,
        content_digest=action.content_digest,
        audience_digest=action.audience_digest,
        transport=action.via,
        alphaname=action.alphaname,
        alphaname_id=action.alphaname_id,
        schedule_time=action.schedule_time,
        recipients=people,
        parts=action.parts,
        cost=None if action.cost is None else money(action.cost),
        currency=currency,
        chunks=tuple(records),
        applied=applied,
    )


def find_differences(mailing: Mailing, action: Action, found: Sequence[FoundMailing]) -> Iterable[Difference]:
    """Yield each value of the found messages, taken together, that differs from the files."""
    counts = [one.recipients for one in found]
    total = sum(filter(None, counts)) if None not in counts else None
    intended = replace(intended_by_files(mailing), counts_recipients=True)
    differences = dict.fromkeys(
        compare_values(intended, action.recipients, ReportedValues(None, total, None))
    )
    for one in found:
        if one.listed is not None:
            differences |= dict.fromkeys(compare_values(intended, None, reported_values(one.listed)))
    return differences


def _by_message(client: ReadClient, listed: dict[int, RemoteMailing], number: int) -> FoundMailing:
    row = listed.get(number)
    if row is not None:
        return FoundMailing(number, None, row.name, row.count_phones, row)
    # A message of createSmsMessage may not be in the list, and the list may lag.
    try:
        people = sum(1 for _ in client.get_sms_delivery_list(number))
    except ApiError as error:
        raise Refused(
            f"sms.by does not know the message {number}: {error.message}",
            hint="`smsby-deploy api getSMSMessages` lists all",
        ) from None
    if not people:
        raise Refused(f"sms.by has no delivery of the message {number}: nothing proves that it was sent")
    return FoundMailing(number, None, "", people, None)


def _by_uuid(
    client: ReadClient, listed: dict[int, RemoteMailing], project: Project, mailing: Mailing, uuid: str
) -> list[FoundMailing]:
    told = client.status_bulk_sms(uuid)
    if not told:
        raise Refused(
            f"sms.by tells nothing of the request {uuid}",
            hint="of a new one it may not do so yet: try again later",
        )
    found = []
    for one in told:
        row = listed.get(one.message_id) if one.message_id is not None else None
        people = row.count_phones if row and row.count_phones is not None else len(one.deliveries) or None
        found.append(FoundMailing(one.message_id, uuid, one.name, people, row))
    own = [
        one
        for one in found
        if one.ours and (one.ours.project, one.ours.address) == (project.name, mailing.address)
    ]
    if own or len(found) == 1:
        return own or found
    numbers = ", ".join(str(one.message_id) for one in found)
    raise UsageError(
        f"the request {uuid} carried {len(found)} mailings, and none bears this one's name",
        hint=f"name the right one: --message-id, one of {numbers}",
    )


def _recorded(lock: Lock) -> tuple[dict[str, str], dict[str, str]]:
    """Fingerprint → address, and uuid → address for the chunks whose message_id is not recorded."""
    marks: dict[str, str] = {}
    uuids: dict[str, str] = {}
    for address, entry in lock.mailings.items():
        for chunk in (chunk for one in (entry, *entry.earlier) for chunk in one.chunks):
            if chunk.state is not ChunkState.ACCEPTED:
                continue
            marks[chunk.fingerprint] = address
            if chunk.uuid is not None and chunk.message_id is None:
                uuids[chunk.uuid] = address
    return marks, uuids


def _owner_by_uuid(client: ReadClient, one: FoundMailing, uuids: dict[str, str]) -> str | None:
    """The mailing whose recorded request carried `one`: its name does not tell, and the lock has no message_id."""
    if one.uuid is not None and one.uuid in uuids:
        return uuids[one.uuid]
    for uuid, address in uuids.items():
        if one.message_id in {told.message_id for told in client.status_bulk_sms(uuid)}:
            return address
    return None
