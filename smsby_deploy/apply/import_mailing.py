"""Records a mailing that was sent elsewhere as if it had been applied (`import`).

Nothing is sent. sms.by must know the messages that the user names; they must have been sent and must not belong to another
mailing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from smsby_deploy import TOOL
from smsby_deploy.apply.recorder import planned_entry
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import ApiError, FilesInvalid, Refused, UsageError
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.edit import LockEdit
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.drift import (
    Difference,
    DriftField,
    ReportedValues,
    compare_values,
    intended_by_files,
    reported_values,
)
from smsby_deploy.plan.fingerprint import RemoteName, fingerprint, read_remote_name, remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.plan.selection import find_mailing
from smsby_deploy.smsby.client import ReadClient
from smsby_deploy.smsby.deliveries import BulkMailingStatus
from smsby_deploy.smsby.parsers import RemoteMailing
from smsby_deploy.wording import counted

_CHUNK_NUMBER = re.compile(r" \[(\d+)/(\d+)\] ")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The mailing to import, its messages, and the user who imports it.

    Either `message_ids` or `uuids` names the messages.
    """

    address: str
    message_ids: Sequence[int]
    uuids: Sequence[str]
    by: str
    reason: str
    commit: str | None = None

    @property
    def description(self) -> str:
        """The messages as the lock's history names them."""
        named = [f"uuid {uuid}" for uuid in self.uuids]
        return ", ".join(named or [f"message_id {number}" for number in self.message_ids])


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """One message at sms.by.

    `recipients` is the count that sms.by reports, if any; `listed` is the message's row in the remote list; None if it is
    not listed.
    """

    message_id: int | None
    uuid: str | None
    name: str
    recipients: int | None
    listed: RemoteMailing | None

    @property
    def remote_name(self) -> RemoteName | None:
        """The parsed name, if this program made it."""
        return read_remote_name(self.name)


def import_mailing(
    loaded: LoadedProject,
    held: HeldLock,
    client: ReadClient,
    wanted: ImportRequest,
    *,
    clock: Clock,
    new_id: str,
    here: Binding | None = None,
) -> tuple[Difference, ...]:
    """Record the mailing of `wanted` as sent by the messages it names.

    Its content is taken from a plan made now. With `here`, the lock must belong there, and that is recorded.
    Returns the values that sms.by reports and that differ from the files.

    Raises:
        UsageError: there is no such mailing, or it is not clear which message is meant.
        FilesInvalid: the files are not valid.
        Refused: the lock belongs to another service or account; see find_messages, check_messages and LockEdit.adopt.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    mailing = find_mailing(loaded, wanted.address)
    if mailing.cancelled is not None:
        raise Refused(
            f"{wanted.address} is cancelled in the files, so its content is not known",
            hint="remove `cancelled` while you import it",
        )
    files = measure_files(loaded, select=(wanted.address,), lock=held.lock)
    files.check_key()
    plan = files.plan(client=client, account=None, now=clock.now(), new_id=new_id, here=here)
    if plan.has_errors:
        raise FilesInvalid(plan.problems)
    (action,) = plan.actions
    messages = find_messages(client, loaded.project, mailing, wanted)
    at = clock.now().isoformat(timespec="seconds")
    applied = AppliedBy(at, plan.id, wanted.commit, TOOL)
    entry = imported_entry(action, mailing.revision, messages, applied, plan.currency)
    change = LockEdit(held, by=wanted.by, at=at, reason=wanted.reason)
    change.check_adoptable(wanted.address, entry)
    check_messages(client, loaded.project, mailing, messages, held.lock)
    change.adopt(wanted.address, entry, wanted.description, plan.binding, loaded.project.digest_key)
    return tuple(find_differences(mailing, action, messages, loaded.project.scope))


def find_messages(
    client: ReadClient, project: Project, mailing: Mailing, wanted: ImportRequest
) -> tuple[RemoteMessage, ...]:
    """Return the messages that `wanted` names by id, or by the uuid of their request.

    Of a request's messages, only those of `mailing` are returned.

    Raises:
        UsageError: it is not clear which message of a request is meant.
        Refused: sms.by does not know one of them, or it is an unconfirmed draft.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    requests = {uuid: _ask_about(client, uuid) for uuid in wanted.uuids}
    reported = {status.message_id for statuses in requests.values() for status in statuses}
    ids = {*wanted.message_ids, *reported}
    listed = {row.id: row for row in client.get_sms_messages(keep=lambda number, name: number in ids)}
    messages = [_find_by_id(client, listed, number) for number in dict.fromkeys(wanted.message_ids)]
    for uuid, statuses in requests.items():
        messages.extend(_messages_of(statuses, listed, project, mailing, uuid))
    for message in messages:
        if message.listed is not None and message.listed.is_draft:
            raise Refused(
                f"message {message.message_id} is an unconfirmed draft: none of it was sent",
                hint="confirm or delete it at sms.by first",
            )
    return tuple(messages)


def check_messages(
    client: ReadClient, project: Project, mailing: Mailing, messages: Sequence[RemoteMessage], lock: Lock
) -> None:
    """Refuse messages of another mailing, and messages that are only a part of this one.

    Raises:
        Refused: a message belongs elsewhere, or some are missing.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    owners = _Owners(lock)
    known = {m.address for m in project.mailings} | lock.mailings.keys()
    for message in messages:
        name = message.remote_name
        if name is None or name.project != project.scope:
            owner = owners.of_unnamed(client, message)
        else:
            owner = owners.by_fingerprint.get(name.fingerprint)
        if owner is not None:
            raise Refused(
                f"already recorded for {owner}", hint="`smsby-deploy lock list` shows all recorded mailings"
            )
        if name is not None and name.project == project.scope:
            _check_name(message, name, mailing, known)
    _check_complete([m.name for m in messages if m.remote_name and m.remote_name.project == project.scope])


def _check_name(message: RemoteMessage, name: RemoteName, mailing: Mailing, known: Iterable[str]) -> None:
    """Refuse a message whose name says that it is another mailing or another revision."""
    if name.address != mailing.address and name.address in known:
        raise Refused(
            f"this message belongs to {name.address}, not to {mailing.address}",
            hint=f"`smsby-deploy import {name.address} --message-id {message.message_id}`, or name another message",
        )
    if name.address == mailing.address and name.revision != mailing.revision:
        raise Refused(
            f"this message is revision {name.revision} of {mailing.address}, the file has revision {mailing.revision}",
            hint=f"set `revision: {name.revision}` in the file while you import it",
        )


def _check_complete(names: Iterable[str]) -> None:
    """Refuse messages whose names show that others are missing, as in `[2/3]`."""
    numbers = {int(found[1]): int(found[2]) for name in names if (found := _CHUNK_NUMBER.search(name))}
    total = max(numbers.values(), default=0)
    if len(numbers) < total:
        raise Refused(
            f"this is only a part of the mailing: {total - len(numbers)} of its {total} messages are missing",
            hint="repeat --message-id (or --uuid) for each message, once all of them were sent",
        )


def imported_entry(
    action: Action,
    revision: int,
    messages: Sequence[RemoteMessage],
    applied: AppliedBy,
    currency: str | None,
) -> Entry:
    """Return the lock's entry: planned as of now, with the messages of sms.by.

    A single message covers all recipients, so it becomes the first chunk; several messages become one chunk each. A chunk
    without its own message was sent as part of another one and is recorded as done, without recipients.
    """
    recipients = _imported_recipients(action, messages)
    chunks = [*_imported_chunks(action, messages, recipients, applied.at)]
    return replace(planned_entry(action, revision, chunks, applied, currency), recipients=recipients)


def _imported_recipients(action: Action, messages: Sequence[RemoteMessage]) -> int | None:
    """Return the planned number for a single message, otherwise the sum that sms.by reports."""
    reported = _reported_recipients(messages)
    if reported is None or (len(messages) == 1 and action.recipients is not None):
        return action.recipients
    return reported


def _reported_recipients(messages: Sequence[RemoteMessage]) -> int | None:
    counts = [message.recipients for message in messages]
    return None if None in counts else sum(filter(None, counts))


def _imported_chunks(
    action: Action, messages: Sequence[RemoteMessage], recipients: int | None, at: str
) -> Iterable[ChunkRecord]:
    for index in range(max(len(action.chunks), len(messages))):
        chunk = action.chunks[index] if index < len(action.chunks) else None
        message = messages[index] if index < len(messages) else None
        name = message.remote_name if message else None
        mark = chunk.fingerprint if chunk else name.fingerprint if name else "0" * 10
        digest = chunk.digest if chunk else action.content_digest
        if message is None:
            yield ChunkRecord(mark, 0, digest, ChunkState.SUPPRESSED)  # has no time of its own
        else:
            yield ChunkRecord(
                mark,
                recipients if len(messages) == 1 else message.recipients,
                digest,
                ChunkState.ACCEPTED,
                message.uuid,
                message.message_id,
                accepted_at=at,
                declared=True,
                schedule_time=chunk.schedule_time if chunk else None,
                variant=chunk.variant if chunk else None,
                wave=chunk.wave if chunk else None,
            )


def find_differences(
    mailing: Mailing, action: Action, messages: Sequence[RemoteMessage], scope: str
) -> Iterable[Difference]:
    """Return each value of the messages, taken together, that differs from the files."""
    intended = replace(intended_by_files(mailing), counts_recipients=True)
    together = ReportedValues(None, _reported_recipients(messages), None)
    differences = dict.fromkeys(compare_values(intended, action.recipients, together))
    for index, message in enumerate(messages):
        differences |= dict.fromkeys(_compare_name(mailing, action, message, scope))
        if message.listed is not None:
            own = intended.of_chunk(action.chunks[index]) if index < len(action.chunks) else intended
            differences |= dict.fromkeys(compare_values(own, None, reported_values(message.listed)))
    return differences


def _compare_name(
    mailing: Mailing, action: Action, message: RemoteMessage, scope: str
) -> Iterator[Difference]:
    """Yield the name if its fingerprint is that of another text, or of other recipients.

    The same ones may have been sent under another address.
    """
    name, chunks = message.remote_name, action.chunks
    if name is None or not chunks:
        return
    pairs = enumerate(chunk.digest for chunk in chunks)
    marks = (fingerprint(name.project, name.address, name.revision, *pair) for pair in pairs)
    if name.fingerprint not in marks:
        own = remote_name(scope, mailing.address, mailing.revision, 0, len(chunks), chunks[0].fingerprint)
        yield Difference(DriftField.NAME, own, message.name)


def _find_by_id(client: ReadClient, listed: dict[int, RemoteMailing], number: int) -> RemoteMessage:
    row = listed.get(number)
    if row is not None:
        return RemoteMessage(number, None, row.name, row.count_phones, row)
    # A message of createSmsMessage may be missing from the list, and the list may lag.
    try:
        recipients = sum(1 for _ in client.get_sms_delivery_list(number))
    except ApiError as error:
        raise Refused(
            f"sms.by does not know message {number}: {error.message}",
            hint="`smsby-deploy api getSMSMessages` lists all messages",
        ) from None
    if not recipients:
        raise Refused(f"sms.by has no delivery of message {number}: nothing proves that it was sent")
    return RemoteMessage(number, None, "", recipients, None)


def _ask_about(client: ReadClient, uuid: str) -> tuple[BulkMailingStatus, ...]:
    """Return what sms.by reports about one request; raises Refused if it reports nothing."""
    reported = client.status_bulk_sms(uuid)
    if not reported:
        raise Refused(
            f"sms.by reports nothing about request {uuid}",
            hint="a recent request may not be reported yet: try again later",
        )
    return reported


def _messages_of(
    reported: Sequence[BulkMailingStatus],
    listed: dict[int, RemoteMailing],
    project: Project,
    mailing: Mailing,
    uuid: str,
) -> list[RemoteMessage]:
    """Return the messages of one request that belong to `mailing`.

    The only message of a request is returned whatever its name is.
    """
    messages = []
    for status in reported:
        row = listed.get(status.message_id) if status.message_id is not None else None
        phones = {one.phone for one in status.deliveries}
        count = row.count_phones if row and row.count_phones is not None else len(phones) or None
        messages.append(RemoteMessage(status.message_id, uuid, status.name, count, row))
    own = [
        message
        for message in messages
        if (name := message.remote_name) and (name.project, name.address) == (project.scope, mailing.address)
    ]
    if own or len(messages) == 1:
        return own or messages
    numbers = ", ".join(str(message.message_id) for message in messages)
    raise UsageError(
        f"request {uuid} has {counted(len(messages), 'message')}, and none has the name of this mailing",
        hint=f"name the right one with --message-id, one of {numbers}",
    )


class _Owners:
    """The mailings that the lock records as sent, by the identifiers of their messages."""

    def __init__(self, lock: Lock) -> None:
        self.by_fingerprint: dict[str, str] = {}
        self._by_uuid: dict[str, str] = {}  # only of chunks whose message_id is not recorded
        for address, entry in lock.revisions():
            for chunk in entry.chunks:
                if chunk.state is not ChunkState.ACCEPTED:
                    continue
                self.by_fingerprint[chunk.fingerprint] = address
                if chunk.uuid is not None and chunk.message_id is None:
                    self._by_uuid[chunk.uuid] = address

    def of_unnamed(self, client: ReadClient, message: RemoteMessage) -> str | None:
        """Return the recorded mailing that an unnamed message belongs to, or None."""
        if message.uuid is not None and message.uuid in self._by_uuid:
            return self._by_uuid[message.uuid]
        for uuid, address in self._by_uuid.items():
            if message.message_id in {status.message_id for status in client.status_bulk_sms(uuid)}:
                return address
        return None
