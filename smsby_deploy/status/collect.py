"""Ask sms.by what became of the mailings in the lock: one question a request, whatever number of mailings it carried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.fingerprint import read_remote_name
from smsby_deploy.smsby.known_errors import NotFound
from smsby_deploy.status.delivery_counts import DeliveryCounts, tally_deliveries
from smsby_deploy.status.report import SETTLED, Details, Difference, MailingStatus, State, StatusReport

if TYPE_CHECKING:
    from smsby_deploy.clock import Clock
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.parsers import BulkMailingStatus, RemoteMailing

Told = Callable[[str], "tuple[BulkMailingStatus, ...]"]  # what callbacks told of the request with a uuid

_NOT_SENT = {
    ChunkState.UNKNOWN: "unknown",
    ChunkState.REJECTED: "rejected",
    ChunkState.PENDING: "not sent",
    ChunkState.DECLARED_UNSENT: "not sent",
}


def collect_status(
    lock: Lock,
    client: ReadClient,
    *,
    select: tuple[str, ...],
    clock: Clock,
    since: datetime | None = None,
    previous: StatusReport | None = None,
    keep_missed: bool = False,
    told: Told = lambda uuid: (),
    begin: Callable[[int], None] = lambda people: None,
    advance: Callable[[int], None] = lambda people: None,
) -> StatusReport:
    """The status of the recorded mailings that `select` names (all, if it is empty), in the order of their addresses.

    With `since` only those that go out or were applied at that time or later. What is settled in `previous` is not
    asked again. With `keep_missed` the people who did not get it are listed one by one. `told` says what callbacks told
    of a request; it is asked where sms.by itself tells nothing. `begin` hears how many people are asked about, `advance` of
    how many more it is known: at so many requests a second a long mailing takes minutes.

    Raises:
        UsageError: one of `select` fits no recorded mailing.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
    """
    now = clock.now()
    made_at = now.isoformat(timespec="seconds")
    chosen = [address for address in _chosen(lock, select) if _is_since(lock.mailings[address], since)]
    settled = {one.address: one for one in previous.mailings if one.state in SETTLED} if previous else {}
    if not set(chosen) - settled.keys():
        return StatusReport(tuple(settled[address] for address in chosen), lock.project, made_at)
    begin(sum(lock.mailings[address].recipients or 0 for address in chosen if address not in settled))
    remote = _Remote(lock, client, told, keep_missed=keep_missed)
    mailings = tuple(
        settled.get(address) or _mailing_status(address, lock.mailings[address], remote, now, advance)
        for address in chosen
    )
    return StatusReport(mailings, lock.project, made_at)


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


def _is_since(entry: Entry, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(entry.schedule_time or entry.applied.at) >= since


class _Remote:
    """What sms.by says, each thing asked once."""

    def __init__(self, lock: Lock, client: ReadClient, told: Told, *, keep_missed: bool) -> None:
        self._project = lock.project
        self._uses = Counter(
            chunk.message_id
            for entry in lock.mailings.values()
            for one in (entry, *entry.earlier)
            for chunk in one.chunks
        )
        self._client = client
        self._told = told
        self._keep_missed = keep_missed
        self._by_uuid: dict[str, tuple[tuple[int | None, str | None, DeliveryCounts], ...]] = {}
        self._by_mark: dict[str, RemoteMailing] = {}
        self._by_id: dict[int, RemoteMailing] = {}
        for mailing in client.get_sms_messages():
            self._by_id[mailing.id] = mailing
            mark = self._mark(mailing.name)
            if mark:
                self._by_mark[mark] = mailing

    def tells_apart(self, chunk: ChunkRecord) -> bool:
        """Whether the deliveries of its message are all its own: a text that was sent before is one message for both."""
        return chunk.phones is None or (chunk.foreign == 0 and self._uses[chunk.message_id] == 1)

    def listed(self, chunk: ChunkRecord) -> RemoteMailing | None:
        """The chunk in sms.by's list of mailings; None proves nothing."""
        if not self.tells_apart(chunk):
            return None
        found = self._by_mark.get(chunk.fingerprint)
        if found is None and chunk.message_id is not None:
            found = self._by_id.get(chunk.message_id)
        return found

    def tally(self, chunk: ChunkRecord) -> DeliveryCounts:
        """The deliveries that sms.by reports of an accepted chunk, counted: by its uuid, else by its message_id."""
        if chunk.uuid is not None:
            for message_id, mark, tally in self._request(chunk.uuid):
                same_id = chunk.message_id is not None and message_id == chunk.message_id
                if same_id or mark == chunk.fingerprint:
                    return tally
        listed = self.listed(chunk)
        message_id = chunk.message_id if chunk.message_id is not None else listed.id if listed else None
        if message_id is None:
            return DeliveryCounts()
        try:
            deliveries = self._client.get_sms_delivery_list(message_id)
            return tally_deliveries(deliveries, keep_missed=self._keep_missed)
        except (
            NotFound
        ):  # one that sms.by does not know (yet) tells nothing, and must not hide what the others tell
            return DeliveryCounts()

    def _request(self, uuid: str) -> tuple[tuple[int | None, str | None, DeliveryCounts], ...]:
        if uuid not in self._by_uuid:
            self._by_uuid[uuid] = tuple(
                (
                    mailing.message_id,
                    self._mark(mailing.name),
                    tally_deliveries(mailing.deliveries, keep_missed=self._keep_missed),
                )
                for mailing in self._ask(uuid) or self._told(uuid)
            )
        return self._by_uuid[uuid]

    def _ask(self, uuid: str) -> tuple[BulkMailingStatus, ...]:
        try:
            return self._client.status_bulk_sms(uuid)
        except NotFound:
            return ()

    def _mark(self, name: str | None) -> str | None:
        found = read_remote_name(name or "")
        return found.fingerprint if found and found.project == self._project else None


def _mailing_status(
    address: str, entry: Entry, remote: _Remote, now: datetime, advance: Callable[[int], None]
) -> MailingStatus:
    counts: Counter[str] = Counter()
    other: Counter[str] = Counter()
    whole = DeliveryCounts()
    accepted = 0
    is_silent = False
    for chunk in entry.chunks:
        listed = remote.listed(chunk)
        told = listed.count_phones if listed else None
        people = chunk.recipients if chunk.recipients is not None else told
        if chunk.phones is not None:
            accepted += _add_phones(chunk, remote, counts, other, whole)
        elif chunk.state in _NOT_SENT:
            other[_NOT_SENT[chunk.state]] += people or 0
        elif chunk.state is ChunkState.DRAFT:
            counts["pending"] += people or 0
        elif chunk.state is ChunkState.ACCEPTED:
            tally = remote.tally(chunk)
            known, unknown_words = tally.counts()
            counts += known
            other += unknown_words
            whole.add(tally)
            reported = tally.words.total()
            # Whom sms.by does not count can't become delivered: an opt-out between two runs, or a number it dropped.
            taken = max(reported, min(people or 0, told) if told else people or 0)
            counts["pending"] += taken - reported
            other["not taken"] += max(0, (people or 0) - taken)
            accepted += taken
            is_silent |= people is None and not reported
        advance(people or 0)
    parts, cost = _bill(entry, remote)
    return MailingStatus(
        address=address,
        state=_state(entry, counts, now, is_silent=is_silent),
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
        details=Details(
            planned=entry.recipients,
            planned_parts=entry.parts,
            planned_cost=None if entry.cost is None else Decimal(entry.cost),
            accepted=accepted,
            applied_at=entry.applied.at,
            words=dict(sorted(whole.words.items())),
            timeline=dict(sorted(whole.timeline.items())),
            prefixes={
                name: (whole.delivered[name], whole.undelivered[name], seen)
                for name, seen in sorted(whole.seen.items())
            },
            differences=tuple(_differences(entry, remote, parts, cost)),
            missed=tuple(whole.missed),
        ),
    )


def _add_phones(
    chunk: ChunkRecord, remote: _Remote, counts: Counter[str], other: Counter[str], whole: DeliveryCounts
) -> int:
    """Count a chunk that is sent phone by phone; returns how many sms.by took. A lost sendSMS that stands among the
    deliveries after all is counted there."""
    states = Counter(chunk.phones)
    people, unknown = states[PhoneState.ACCEPTED], states[PhoneState.UNKNOWN]
    other["rejected"] += states[PhoneState.REJECTED]
    other["not sent"] += states[PhoneState.PENDING] + states[PhoneState.DECLARED_UNSENT]
    tally = remote.tally(chunk) if people + unknown and remote.tells_apart(chunk) else None
    reported = tally.words.total() if tally else 0
    if tally is None or reported > people + unknown:
        other["not told apart"] += people
        other["unknown"] += unknown
        return people
    known, unknown_words = tally.counts()
    counts += known
    other += unknown_words
    whole.add(tally)
    found = max(0, reported - people)
    counts["pending"] += max(0, people - reported)
    other["unknown"] += unknown - found
    return people + found


def _bill(entry: Entry, remote: _Remote) -> tuple[int | None, Decimal | None]:
    """Parts and cost of what went out: as sms.by lists them if it lists every chunk that did, else as recorded if all
    did; None if nobody knows."""
    listed = [remote.listed(chunk) for chunk in entry.chunks if chunk.state is ChunkState.ACCEPTED]
    found_parts = [mailing.parts for mailing in listed if mailing and mailing.parts is not None]
    found_costs = [mailing.cost for mailing in listed if mailing and mailing.cost is not None]
    parts, cost = None, None
    if entry.is_complete:
        parts, cost = entry.parts, None if entry.cost is None else Decimal(entry.cost)
    if listed and len(found_parts) == len(listed):
        parts = sum(found_parts)
    if listed and len(found_costs) == len(listed):
        cost = sum(found_costs, Decimal(0))
    return parts, cost


def _differences(entry: Entry, remote: _Remote, parts: int | None, cost: Decimal | None) -> list[Difference]:
    """What sms.by reports otherwise than it was recorded, a difference once for the whole mailing."""
    found: dict[Difference, None] = {}
    for chunk in entry.chunks:
        listed = remote.listed(chunk) if chunk.state is ChunkState.ACCEPTED else None
        if listed is None:
            continue
        if entry.schedule_time and listed.d_schedule:
            meant = datetime.fromisoformat(entry.schedule_time)
            reported = datetime.fromtimestamp(listed.d_schedule, meant.tzinfo)
            if meant != reported:
                found[Difference("d_schedule", meant.isoformat(), reported.isoformat())] = None
        if None not in (chunk.recipients, listed.count_phones) and chunk.recipients != listed.count_phones:
            found[Difference("count_phones", str(chunk.recipients), str(listed.count_phones))] = None
        if listed.alphaname and not entry.alphaname.isdigit() and listed.alphaname != entry.alphaname:
            found[Difference("alphaname", entry.alphaname, listed.alphaname)] = None
    if entry.is_complete and None not in (entry.parts, parts) and entry.parts != parts:
        found[Difference("parts", str(entry.parts), str(parts))] = None
    if entry.is_complete and entry.cost is not None and cost is not None and Decimal(entry.cost) != cost:
        found[Difference("cost", entry.cost, format(cost, "f"))] = None
    return list(found)


def _state(entry: Entry, counts: Counter[str], now: datetime, *, is_silent: bool) -> State:
    """`is_silent`: a chunk went out of which nobody knows how many people it has, or what became of them."""
    states = {chunk.state for chunk in entry.chunks}
    if ChunkState.UNKNOWN in states:
        return State.UNKNOWN
    if not states <= DONE:
        if states & {ChunkState.ACCEPTED, ChunkState.PARTIAL}:
            return State.PARTIAL
        # Nothing left, and nothing was refused: the next apply sends it.
        return State.REJECTED if ChunkState.REJECTED in states else State.DRAFT
    if not (counts["pending"] or counts["sent"] or is_silent):
        return State.FINAL
    waits = entry.schedule_time is not None and datetime.fromisoformat(entry.schedule_time) > now
    return State.SCHEDULED if waits and not (counts["sent"] or counts["delivered"]) else State.SENDING
