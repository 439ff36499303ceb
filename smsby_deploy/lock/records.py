"""The lock in memory. No phone number, no text and no token is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum


class ChunkState(StrEnum):
    """What is known of one chunk. Only PENDING and REJECTED are surely not sent."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    DRAFT = "draft"  # a list mailing at sms.by that is not confirmed
    SUPPRESSED = "suppressed"  # everybody in it opted out: done without a request
    PARTIAL = "partial"  # sent phone by phone: some were sent to, the others surely not


SURELY_NOT_SENT = frozenset({ChunkState.PENDING, ChunkState.REJECTED})
SAID_NOT_SENT = "said not to be sent"  # the `error` of a chunk that is pending by a person's word
DONE = frozenset({ChunkState.ACCEPTED, ChunkState.SUPPRESSED})


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """The contact list of an uploaded mailing: for whom it is made (`digest`), its id at sms.by, how many of them it took
    so far, in order, and how many of these it called invalid. `digest` is empty where a draft was found at sms.by, and whom
    it was made for is not known. `found`: the list was there under its name, so who else is in it is not known either."""

    digest: str
    list_id: int | None = None
    uploaded: int = 0
    invalid: int = 0
    found: bool = False


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """One chunk: `recipients` is None for a list mailing until sms.by has told it."""

    fingerprint: str
    recipients: int | None
    digest: str
    state: ChunkState = ChunkState.PENDING
    uuid: str | None = None
    message_id: int | None = None
    accepted_at: str | None = None
    error: str | None = None
    step: str | None = None  # of a list mailing that is unknown: "draft" or "confirm"
    # Of one that is sent phone by phone, see lock/phone_states.py: a letter a phone; how often each had got the
    # message before, a digit a phone; and how many deliveries the message had before that the lock does not explain.
    rows: str | None = None
    baseline: str | None = None
    foreign: int = 0
    upload: UploadRecord | None = None  # of a mailing that is uploaded

    @property
    def was_sent(self) -> bool:
        """Whether it surely reached somebody, if perhaps not all."""
        return self.state in (ChunkState.ACCEPTED, ChunkState.PARTIAL) or "a" in (self.rows or "")


@dataclass(frozen=True, slots=True)
class AppliedBy:
    """Who brought a mailing to its present state."""

    at: str
    plan: str
    commit: str | None
    tool: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One mailing as it was sent, or as far as it was sent."""

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
    body: str | None = (
        None  # json or form, as its requests are written; None of a list, or where nobody recorded it
    )
    currency: str | None = None  # of `cost`; None where there was no price, or nobody recorded it

    @property
    def is_complete(self) -> bool:
        return all(chunk.state in DONE for chunk in self.chunks)

    @property
    def has_unknown(self) -> bool:
        return any(chunk.state is ChunkState.UNKNOWN for chunk in self.chunks)

    @property
    def was_sent_in_part(self) -> bool:
        return any(chunk.was_sent for chunk in self.chunks)

    @property
    def state(self) -> str:
        """complete, unknown, partial, draft, rejected or pending."""
        states = {chunk.state for chunk in self.chunks}
        if ChunkState.UNKNOWN in states:
            return "unknown"
        if states <= DONE:
            return "complete"
        if states & {ChunkState.ACCEPTED, ChunkState.PARTIAL}:
            return "partial"
        for state in (ChunkState.DRAFT, ChunkState.REJECTED):
            if state in states:
                return state.value
        return "pending"

    def put_chunk(self, index: int, chunk: ChunkRecord) -> Entry:
        chunks = list(self.chunks)
        chunks[index] = chunk
        return replace(self, chunks=tuple(chunks))


@dataclass(frozen=True, slots=True)
class Apply:
    """One run of apply: which plan was used, by whom, and what came of it. `by` is None where it is not recorded."""

    plan: str
    at: str
    commit: str | None
    tool: str
    mailings: int = 0
    recipients: int = 0
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's word on an outcome that was unknown, or another change by hand."""

    address: str
    what: str
    at: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that was recorded. `serial` counts its versions; `lineage` names its life, None before its first write."""

    project: str
    serial: int = 0
    lineage: str | None = None
    mailings: dict[str, Entry] = field(default_factory=dict)
    applies: tuple[Apply, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    folded: str | None = None  # the id of the journal that was folded in last

    def with_entry(self, address: str, entry: Entry) -> Lock:
        return replace(self, mailings={**self.mailings, address: entry})

    def was_used(self, plan: str) -> bool:
        return any(apply.plan == plan for apply in self.applies)
