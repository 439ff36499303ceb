"""Ask sms.by what became of the mailings in the lock: one question a request, whatever number of mailings it carried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.model import DONE, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.fingerprint import read_remote_name
from smsby_deploy.status.model import MailingStatus, State, StatusReport

if TYPE_CHECKING:
    from smsby_deploy.clock import Clock
    from smsby_deploy.smsby.answers import BulkMailingStatus, RemoteMailing
    from smsby_deploy.smsby.client import ReadClient

# sms.by writes statuses in capitals or not, depending on the method.
_KNOWN = {"DELIVERED": "delivered", "UNDELIVERED": "undelivered", "SENT": "sent", "NEW": "pending"}
_NOT_SENT = {
    ChunkState.UNKNOWN: "unknown",
    ChunkState.REJECTED: "rejected",
    ChunkState.PENDING: "not sent",
}


def collect_status(lock: Lock, client: ReadClient, *, select: tuple[str, ...], clock: Clock) -> StatusReport:
    """The status of the recorded mailings that `select` names (all, if it is empty), in the order of their addresses.

    Raises:
        UsageError: one of `select` fits no recorded mailing.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
    """
    chosen = _chosen(lock, select)
    if not chosen:
        return StatusReport(())
    remote = _Remote(lock.project, client)
    now = clock.now()
    return StatusReport(
        tuple(_mailing_status(address, lock.mailings[address], remote, now) for address in chosen)
    )


def _chosen(lock: Lock, select: tuple[str, ...]) -> list[str]:
    for pattern in select:
        if not any(fnmatchcase(address, pattern) for address in lock.mailings):
            raise UsageError(
                f"no recorded mailing fits {pattern}", hint="`smsby-deploy lock list` names them all"
            )
    return sorted(
        address
        for address in lock.mailings
        if not select or any(fnmatchcase(address, pattern) for pattern in select)
    )


class _Remote:
    """What sms.by says, each thing asked once."""

    def __init__(self, project: str, client: ReadClient) -> None:
        self._project = project
        self._client = client
        self._by_uuid: dict[str, tuple[BulkMailingStatus, ...]] = {}
        self._by_mark: dict[str, RemoteMailing] = {}
        self._by_id: dict[int, RemoteMailing] = {}
        for mailing in client.get_sms_messages():
            self._by_id[mailing.id] = mailing
            mark = self._mark(mailing.name)
            if mark:
                self._by_mark[mark] = mailing

    def listed(self, chunk: ChunkRecord) -> RemoteMailing | None:
        """The chunk in sms.by's list of mailings; None proves nothing."""
        found = self._by_mark.get(chunk.fingerprint)
        if found is None and chunk.message_id is not None:
            found = self._by_id.get(chunk.message_id)
        return found

    def statuses(self, chunk: ChunkRecord) -> Iterable[str]:
        """One status for each delivery that sms.by reports of an accepted chunk."""
        if chunk.uuid is not None:
            if chunk.uuid not in self._by_uuid:
                self._by_uuid[chunk.uuid] = tuple(self._client.status_bulk_sms(chunk.uuid))
            for mailing in self._by_uuid[chunk.uuid]:
                same_id = chunk.message_id is not None and mailing.message_id == chunk.message_id
                if same_id or self._mark(mailing.name) == chunk.fingerprint:
                    return [delivery.status for delivery in mailing.deliveries]
        listed = self.listed(chunk)
        message_id = chunk.message_id if chunk.message_id is not None else listed.id if listed else None
        if message_id is None:
            return []
        return [delivery.status for delivery in self._client.get_sms_delivery_list(message_id)]

    def _mark(self, name: str | None) -> str | None:
        found = read_remote_name(name or "")
        return found.fingerprint if found and found.project == self._project else None


def _mailing_status(address: str, entry: Entry, remote: _Remote, now: datetime) -> MailingStatus:
    counts: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for chunk in entry.chunks:
        listed = remote.listed(chunk)
        people = chunk.recipients if chunk.recipients is not None else listed.count_phones if listed else None
        if chunk.state in _NOT_SENT:
            other[_NOT_SENT[chunk.state]] += people or 0
        elif chunk.state is ChunkState.DRAFT:
            counts["pending"] += people or 0
        elif chunk.state is ChunkState.ACCEPTED:
            reported = Counter(remote.statuses(chunk))
            for status, count in reported.items():
                known = _KNOWN.get(status.strip().upper())
                (counts if known else other)[known or status] += count
            counts["pending"] += max(0, (people or 0) - reported.total())
    parts, cost = _bill(entry, remote)
    return MailingStatus(
        address=address,
        state=_state(entry, counts, now),
        schedule_time=entry.schedule_time,
        recipients=counts.total() + other.total(),
        delivered=counts["delivered"],
        undelivered=counts["undelivered"],
        sent=counts["sent"],
        pending=counts["pending"],
        other={name: count for name, count in other.items() if count},
        parts=parts,
        cost=cost,
        requests=tuple(dict.fromkeys(chunk.uuid for chunk in entry.chunks if chunk.uuid is not None)),
    )


def _bill(entry: Entry, remote: _Remote) -> tuple[int | None, Decimal | None]:
    """Parts and cost: as sms.by lists them if it lists every chunk that went out, else as recorded."""
    listed = [remote.listed(chunk) for chunk in entry.chunks if chunk.state is ChunkState.ACCEPTED]
    found_parts = [mailing.parts for mailing in listed if mailing and mailing.parts is not None]
    found_costs = [mailing.cost for mailing in listed if mailing and mailing.cost is not None]
    parts, cost = entry.parts, None if entry.cost is None else Decimal(entry.cost)
    if listed and len(found_parts) == len(listed):
        parts = sum(found_parts)
    if listed and len(found_costs) == len(listed):
        cost = sum(found_costs, Decimal(0))
    return parts, cost


def _state(entry: Entry, counts: Mapping[str, int], now: datetime) -> State:
    states = {chunk.state for chunk in entry.chunks}
    if ChunkState.UNKNOWN in states:
        return State.UNKNOWN
    if not states <= DONE:
        if ChunkState.DRAFT in states:
            return State.DRAFT
        gone_out = ChunkState.ACCEPTED in states
        return State.REJECTED if ChunkState.REJECTED in states and not gone_out else State.PARTIAL
    if counts["pending"] == 0 and counts["sent"] == 0:
        return State.FINAL
    waits = entry.schedule_time is not None and datetime.fromisoformat(entry.schedule_time) > now
    return State.SCHEDULED if waits and not (counts["sent"] or counts["delivered"]) else State.SENDING
