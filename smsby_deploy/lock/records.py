"""The lock as typed records. It never contains a phone number, a text or a token."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, Resolution, WaveVerdict
from smsby_deploy.lock.phone_states import UNSENT, PhoneState, PhoneStates
from smsby_deploy.lock.places import scope_of

if TYPE_CHECKING:
    from smsby_deploy.lock.counts import Billed, Deliveries, PrefixCount, VariantCount


class ChunkState(StrEnum):
    """The known state of one chunk."""

    PENDING = "pending"
    DECLARED_UNSENT = "declared_unsent"  # pending: the user declared that a lost request was not sent
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    DRAFT = "draft"  # an unconfirmed list mailing at sms.by
    SUPPRESSED = "suppressed"  # all of its recipients opted out: complete without a request
    PARTIAL = "partial"  # sent one SMS at a time: accepted for some phones, certainly not sent to the others


FIRST_WAVE = 1
ELSEWHERE = "elsewhere"  # the step of a chunk that another run may have sent, to unknown recipients
SURELY_NOT_SENT = frozenset({ChunkState.PENDING, ChunkState.DECLARED_UNSENT, ChunkState.REJECTED})
_NOT_TRIED = SURELY_NOT_SENT - {ChunkState.REJECTED}
DONE = frozenset({ChunkState.ACCEPTED, ChunkState.SUPPRESSED})


def chunk_state_of(phones: PhoneStates) -> ChunkState:
    """Return the state of a chunk whose phones are in the states `phones`."""
    if PhoneState.UNKNOWN in phones:
        return ChunkState.UNKNOWN
    is_accepted = PhoneState.ACCEPTED in phones
    if not phones.has_any(UNSENT):
        return ChunkState.ACCEPTED if is_accepted else ChunkState.SUPPRESSED
    if is_accepted:
        return ChunkState.PARTIAL
    if PhoneState.REJECTED in phones:
        return ChunkState.REJECTED
    return ChunkState.PENDING if PhoneState.PENDING in phones else ChunkState.DECLARED_UNSENT


class NamedId(NamedTuple):
    """A name in the account and its id at sms.by; None if unknown."""

    name: str
    id: int | None


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """The contact list of an uploaded mailing, and how far it has been filled.

    digest: identifies the recipients it is for; empty if a draft was found at sms.by, whose recipients are unknown
    list_id: its id at sms.by
    uploaded: how many recipients sms.by accepted, in order
    invalid: how many of these sms.by called invalid
    found: the list already existed under its name, so its other contacts are unknown
    """

    digest: str
    list_id: int | None = None
    uploaded: int = 0
    invalid: int = 0
    found: bool = False


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """The record of one chunk.

    `recipients` is None for a list mailing until sms.by reports it.
    """

    fingerprint: str
    recipients: int | None
    digest: str
    state: ChunkState = ChunkState.PENDING
    uuid: str | None = None
    message_id: int | None = None
    accepted_at: str | None = None
    error: str | None = None
    step: str | None = None  # of an unknown list mailing: "draft" or "confirm", unanswered; of any: ELSEWHERE
    # Only for a chunk that is sent one SMS at a time: the state of each phone, how many deliveries of the message each
    # had before this mailing, and how many earlier deliveries of the message the lock does not explain.
    phones: PhoneStates | None = None
    baseline: tuple[int, ...] | None = None
    foreign: int = 0
    refused_id: int | None = None  # of a message that sms.by created differently from the review; never sent
    upload: UploadRecord | None = None  # of an uploaded mailing
    declared: bool = False  # a user declared that sms.by accepted it (lock resolve, import)
    schedule_time: str | None = None  # the chunk's own, of a spread mailing
    variant: str | None = None  # of a mailing with variants
    wave: int | None = None  # of a mailing with waves, from 1
    opted_out: str | None = None  # who had opted out when it was sent or approved, as `write_positions` says
    left_out: str | None = None  # those and the capped ones, if a later run chooses the capped ones again

    @property
    def was_sent(self) -> bool:
        """Whether sms.by certainly accepted it for at least one recipient."""
        if self.phones is not None and PhoneState.ACCEPTED in self.phones:
            return True
        return self.state in (ChunkState.ACCEPTED, ChunkState.PARTIAL)

    @property
    def accepted_recipients(self) -> int:
        """How many recipients sms.by certainly accepted it for."""
        return self.recipients_in(ChunkState.ACCEPTED)

    def recipients_in(self, state: ChunkState) -> int:
        """Return how many recipients are in `state`, counted by phone if the phones are known."""
        if self.phones is not None:
            return self.phones.count(PhoneState[state.name])
        return (self.recipients or 0) if self.state is state else 0

    def is_unknown(self, position: int | None = None) -> bool:
        """Return whether the outcome of the chunk, or of its phone at `position`, is unknown."""
        if position is None or self.phones is None:
            return self.state is ChunkState.UNKNOWN
        return position < len(self.phones) and self.phones[position] is PhoneState.UNKNOWN

    def with_state(self, state: ChunkState, **changes: Any) -> ChunkRecord:
        """Return this chunk after an event about all of it.

        If it has phone states, the event concerns the unknown phones, if any, otherwise those certainly not sent to.
        """
        if self.phones is None:
            return replace(self, state=state, **changes)
        concerned = {PhoneState.UNKNOWN} if PhoneState.UNKNOWN in self.phones else UNSENT
        if state is ChunkState.UNKNOWN:
            concerned = UNSENT
        return self.with_phones(self.phones.replacing(concerned, PhoneState[state.name]), **changes)

    def with_phone_state(self, position: int, state: ChunkState, **changes: Any) -> ChunkRecord:
        """Return this chunk after an event about its phone at `position`.

        IndexError if there is no such phone.
        """
        if self.phones is None:
            raise IndexError(position)
        return self.with_phones(self.phones.with_state(position, PhoneState[state.name]), **changes)

    def with_phones(self, phones: PhoneStates, **changes: Any) -> ChunkRecord:
        """Return this chunk with the state of every phone replaced.

        An error stays until no phone is rejected or unknown, because the next phone's success must not hide it.
        """
        if changes.get("error", "") is None and phones.has_any({PhoneState.REJECTED, PhoneState.UNKNOWN}):
            del changes["error"]
        return replace(self, **{**changes, "phones": phones, "state": chunk_state_of(phones), "step": None})


@dataclass(frozen=True, slots=True)
class AppliedBy:
    """The run that brought a mailing to its current state."""

    at: str
    plan: str
    commit: str | None
    tool: str


class EntryState(StrEnum):
    """The known state of a whole mailing."""

    WAITING = "waiting"  # approved, but not handed over yet
    WITHDRAWN = "withdrawn"
    ABANDONED = "abandoned"
    COMPLETE = "complete"
    UNKNOWN = "unknown"
    PARTIAL = "partial"
    DRAFT = "draft"
    REJECTED = "rejected"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Entry:
    """The record of one mailing, as it was sent so far or approved for later."""

    revision: int
    content_digest: str
    audience_digest: str
    transport: str
    alphaname: str
    alphaname_id: int | None
    schedule_time: str | None
    recipients: int | None
    parts: int | None
    cost: str | None
    chunks: tuple[ChunkRecord, ...]
    applied: AppliedBy
    earlier: tuple[Entry, ...] = ()  # older revisions, the newest first
    body: str | None = None  # "json" or "form": the body of its requests; None for a list, or if not recorded
    currency: str | None = None  # of `cost`; None without a price, or if not recorded
    # The list that its draft was made for; None for an uploaded list, a draft found at sms.by, or if not recorded.
    contact_list: NamedId | None = None
    # Digests of its text, of its recipients in any order, and of its own entry in the files, without what it shares with
    # others; None in older locks.
    text_digest: str | None = None
    recipients_digest: str | None = None
    own_digest: str | None = None
    approval: Approval | None = None  # kept after it was handed over
    signed_by: tuple[str, ...] = ()  # whose signatures its plan required, named as in the file of signers
    ending: Ending | None = None
    verdicts: tuple[WaveVerdict, ...] = ()  # on its waves; the last one on each wave counts
    # The labels of its campaign; its planned recipients by the first digits of their phones, and by variant; None in older
    # locks, and if unknown.
    labels: Mapping[str, str] | None = None
    prefixes: Mapping[str, PrefixCount] | None = None
    variants: Mapping[str, VariantCount] | None = None
    billed: Billed | None = None  # None until sms.by reports it
    deliveries: Deliveries | None = None  # None until it is archived
    is_archived: bool = field(default=False, repr=False, compare=False)  # the lock itself does not have it

    @property
    def revisions(self) -> tuple[Entry, ...]:
        """This revision and the earlier ones, the newest first."""
        return (self, *self.earlier)

    @property
    def fingerprints(self) -> list[str]:
        """The fingerprints of its chunks, in order."""
        return [chunk.fingerprint for chunk in self.chunks]

    @property
    def send_time(self) -> datetime | None:
        """When sms.by sends it; None for at once."""
        return None if self.schedule_time is None else datetime.fromisoformat(self.schedule_time)

    @property
    def send_times(self) -> tuple[datetime | None, ...]:
        """When sms.by sends each chunk; None for at once."""
        return tuple(map(self.time_of, self.chunks))

    def time_of(self, chunk: ChunkRecord) -> datetime | None:
        """Return when sms.by sends a chunk; None for at once, as in waves after the first."""
        if chunk.schedule_time:
            return datetime.fromisoformat(chunk.schedule_time)
        return self.send_time if chunk.wave in (None, FIRST_WAVE) else None

    @property
    def last_time(self) -> datetime | None:
        """When sms.by sends the last chunk; None for at once."""
        own = [chunk.schedule_time for chunk in self.chunks if chunk.schedule_time]
        return max(map(datetime.fromisoformat, own)) if own else self.send_time

    @property
    def is_complete(self) -> bool:
        """Whether no chunk remains to be sent."""
        return all(chunk.state in DONE for chunk in self.chunks)

    @property
    def is_finished(self) -> bool:
        """Whether no more of it is handed to sms.by: it is complete, or abandoned."""
        return self.state in (EntryState.COMPLETE, EntryState.ABANDONED)

    @property
    def has_unknown(self) -> bool:
        """Whether the outcome of at least one chunk is unknown."""
        return any(chunk.state is ChunkState.UNKNOWN for chunk in self.chunks)

    @property
    def accepted_recipients(self) -> int:
        """How many recipients sms.by certainly accepted it for."""
        return sum(chunk.accepted_recipients for chunk in self.chunks)

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was withdrawn: none of it is sent, whatever sms.by accepted."""
        return self.ending is not None and self.ending.kind is EndingKind.WITHDRAWN

    @property
    def is_abandoned(self) -> bool:
        """Whether a user decided that the rest will never be sent."""
        return self.ending is not None and self.ending.kind is EndingKind.ABANDONED

    @property
    def was_sent_in_part(self) -> bool:
        """Whether at least one recipient certainly got it, perhaps all of them."""
        return any(chunk.was_sent for chunk in self.chunks)

    @property
    def may_have_reached(self) -> bool:
        """Whether a recipient got it, may have got it, or would get it from a draft that exists."""
        unsent = SURELY_NOT_SENT | {ChunkState.SUPPRESSED}
        return self.was_sent_in_part or any(chunk.state not in unsent for chunk in self.chunks)

    @property
    def state(self) -> EntryState:
        """The state of the whole mailing.

        An unknown outcome comes first, then a user's decision. A draft or a rejection counts only if no chunk was accepted.
        """
        states = {chunk.state for chunk in self.chunks}
        if ChunkState.UNKNOWN in states:
            return EntryState.UNKNOWN
        if self.ending is not None:
            return EntryState.ABANDONED if self.is_abandoned else EntryState.WITHDRAWN
        if self.approval is not None and states <= _NOT_TRIED:
            return EntryState.WAITING
        if states <= DONE:
            return EntryState.COMPLETE
        if states & {ChunkState.ACCEPTED, ChunkState.PARTIAL}:
            return EntryState.PARTIAL
        if ChunkState.DRAFT in states:
            return EntryState.DRAFT
        return EntryState.REJECTED if ChunkState.REJECTED in states else EntryState.PENDING

    def put_chunk(self, index: int, chunk: ChunkRecord) -> Entry:
        """Return this entry with another record for the chunk at `index`."""
        chunks = list(self.chunks)
        chunks[index] = chunk
        return replace(self, chunks=tuple(chunks))


@dataclass(frozen=True, slots=True)
class Apply:
    """One run of apply: the plan it used, and how many mailings and recipients it sent.

    `by` is None if not recorded.
    """

    plan: str
    at: str
    commit: str | None
    tool: str
    mailings: int = 0
    recipients: int = 0
    by: str | None = None


class RecordedMailings(Mapping[str, Entry]):
    """The mailings of a lock by address; `|` returns a copy with others added or changed."""

    @abstractmethod
    def __or__(self, new: Mapping[str, Entry]) -> RecordedMailings: ...


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that is recorded.

    `serial` counts its versions; `lineage` identifies it, and is None until it is written. `environment`, `service` and
    `account` say where it belongs; None if not recorded. `archive` is the file of the archived mailings, or its lines.
    """

    project: str
    serial: int = 0
    lineage: str | None = None
    mailings: dict[str, Entry] | RecordedMailings = field(default_factory=dict)
    applies: tuple[Apply, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    folded: str | None = None  # the id of the journal that was folded in last
    environment: str | None = None
    service: str | None = None
    account: str | None = None
    # The id of the key of its digests over recipients; None without a key. `sealed` has the unkeyed digests,
    # sealed with that key. After a rotation, chunks keep the fingerprints that sms.by knows.
    digest_key: str | None = None
    sealed: dict[str, str] = field(default_factory=dict)
    archived: int = 0  # how many mailings were moved to the archive
    archive: Path | bytes | None = field(default=None, repr=False, compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether it records nothing and has no archived mailings."""
        return not self.mailings and not self.archived

    @property
    def scope(self) -> str:
        """The project as it appears in fingerprints and remote names."""
        return scope_of(self.project, self.environment)

    def with_entry(self, address: str, entry: Entry) -> Lock:
        """Return this lock with `entry` recorded for `address`."""
        return replace(self, mailings=self.mailings | {address: entry})

    def revisions(self) -> Iterator[tuple[str, Entry]]:
        """Yield every revision of every mailing with its address."""
        return ((address, one) for address, entry in self.mailings.items() for one in entry.revisions)

    def runs_of(self, plan: str) -> tuple[Apply, ...]:
        """Return the runs that applied the plan with the id `plan` and recorded something."""
        return tuple(run for run in self.applies if run.plan == plan)
