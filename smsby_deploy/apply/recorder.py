"""What an apply records: each step in the journal first, then in the lock in memory.

A result that cannot be written to the journal is saved where there is space, and `lock rescue` reads it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from smsby_deploy import TOOL
from smsby_deploy.apply.rescue import not_recorded
from smsby_deploy.clock import Clock
from smsby_deploy.config.declarations import Project
from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.lock.counts import Billed
from smsby_deploy.lock.decisions import Approval, Ending, EndingKind, WaveVerdict
from smsby_deploy.lock.entry_json import ending_document, entry_document, stored_state, verdict_document
from smsby_deploy.lock.events import EventKind, begin_fields, fold, fold_event
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.keyed_digests import digests_of, key_fields
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates, format_runs
from smsby_deploy.lock.records import (
    ELSEWHERE,
    SURELY_NOT_SENT,
    AppliedBy,
    ChunkRecord,
    ChunkState,
    Entry,
    EntryState,
    UploadRecord,
)
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.audience_source import AudienceSource
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.model import Action, Plan
from smsby_deploy.wording import money_or_none

ChunkRef = tuple[str, int]  # address, index of the chunk


def record_of(
    chunk: ChunkPlan, state: ChunkState = ChunkState.PENDING, upload: UploadRecord | None = None
) -> ChunkRecord:
    """Return the record of a planned chunk."""
    return ChunkRecord(
        chunk.fingerprint,
        chunk.recipients,
        chunk.digest,
        state,
        upload=upload,
        schedule_time=chunk.schedule_time,
        variant=chunk.variant,
        wave=chunk.wave,
        opted_out=chunk.opted_out,
        left_out=None if chunk.wave is None else chunk.left_out,
    )


def planned_entry(
    action: Action,
    revision: int,
    chunks: Sequence[ChunkRecord],
    applied: AppliedBy,
    currency: str | None,
) -> Entry:
    """Return the lock entry of a mailing as planned now."""
    return Entry(
        revision=revision,
        content_digest=action.content_digest,
        audience_digest=action.audience_digest,
        text_digest=action.text_digest,
        recipients_digest=action.recipients_digest,
        own_digest=action.own_digest,
        labels=action.labels,
        prefixes=action.prefixes,
        variants=action.variant_counts,
        transport=action.via,
        alphaname=action.alphaname,
        alphaname_id=action.alphaname_id,
        schedule_time=action.schedule_time,
        recipients=action.recipients,
        parts=action.parts,
        cost=money_or_none(action.cost),
        currency=currency,
        chunks=tuple(chunks),
        applied=applied,
    )


class Recorder:
    """The journal of one apply, and the lock after each of its lines.

    Every method that writes raises ResultNotSaved if the line cannot be written; the lock in memory then stays unchanged.
    """

    def __init__(
        self,
        held: HeldLock,
        plan: Plan,
        project: Project,
        *,
        clock: Clock,
        commit: str | None = None,
        by: str | None = None,
        is_handing_over: bool = False,
    ) -> None:
        self.lock = held.lock
        self._held = held
        self._journal = held.open_journal()
        self._plan = plan
        self._project = project
        self._applied = AppliedBy("", plan.id, commit, TOOL)  # no time yet
        self._by = by
        self._is_handing_over = is_handing_over
        self._clock = clock
        self._begun = False

    def now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")

    def chunk(self, ref: ChunkRef) -> ChunkRecord:
        address, index = ref
        return self.lock.mailings[address].chunks[index]

    def begin(self) -> None:
        """Start the journal and record the run; every other write does this first."""
        if self._begun:
            return
        # A hand-over has several journals, all of which record when it began.
        at = self._plan.created_at if self._is_handing_over else self.now()
        begin = begin_fields(self.lock, at=at, plan=self._plan.id, commit=self._applied.commit)
        self.lock = fold(self.lock, [self._journal.append(EventKind.BEGIN, **begin, by=self._by)])
        self._begun = True
        if self._plan.binding is not None:
            self._write(EventKind.BIND, **asdict(self._plan.binding))

    def note_account(self) -> bool:
        """Record the account of a replaced token, and return whether it was replaced.

        It is recorded even if nothing else is, because the list may later show none of the mailings that identify it.
        """
        binding = self._plan.binding
        if binding is None or not self.lock.mailings:
            return False
        is_replaced = self.lock.account not in (None, binding.account)
        if is_replaced:
            self.begin()
        return is_replaced

    def hold(
        self, action: Action, revision: int, upload: UploadRecord | None, source: AudienceSource | None
    ) -> None:
        """Record that a mailing is approved for hand-over in its window.

        `upload` is its list at sms.by, if it has one. `source` is where its recipients come from, if its audience may change
        until then.
        """
        assert action.window is not None
        opens, closes = (time.isoformat(timespec="seconds") for time in action.window)
        where = () if source is None else (True, source.digest, source.suppress)
        approval = Approval(self.now(), self._applied.plan, self._by, opens, closes, *where)
        chunks = [
            replace(record_of(chunk, upload=upload), left_out=chunk.left_out) for chunk in action.chunks
        ]
        self.write_entry(replace(action, approval=approval), revision, chunks)

    def lapse(self, address: str, reason: str) -> None:
        """Record that a mailing is no longer approved, because its files changed or were removed."""
        self._write(EventKind.ENDING, address=address, ending=ending_document(self._lapsed(reason)))

    def _lapsed(self, reason: str) -> Ending:
        return Ending(EndingKind.LAPSED, self.now(), self._by or "unknown", reason)

    def judge(self, address: str, verdict: WaveVerdict) -> None:
        """Record the verdict on a wave."""
        self._write(EventKind.VERDICT, address=address, verdict=verdict_document(verdict))

    def write_entry(self, action: Action, revision: int, chunks: Sequence[ChunkRecord]) -> None:
        """Record a mailing before its first request, or one that was found at sms.by.

        For the latter, it is unknown which contact list it was made for.
        """
        is_new = all(chunk.state in SURELY_NOT_SENT for chunk in chunks)
        entry = replace(
            planned_entry(action, revision, chunks, self._applied_now(), self._plan.currency),
            body=None if action.via == "list" else self._project.api.body,
            contact_list=action.contact_list if is_new else None,
            earlier=self._earlier(action.address, revision),
            approval=action.approval,
            signed_by=action.signed_by,
        )
        self._seal(digests_of(entry))
        self._write(EventKind.MAILING, address=action.address, entry=entry_document(entry))

    def _earlier(self, address: str, revision: int) -> tuple[Entry, ...]:
        """Return the older revisions of a mailing; the approval of a waiting one lapses."""
        before = self.lock.mailings.get(address)
        if before is None:
            return ()
        if before.revision == revision:
            return before.earlier
        if before.state is EntryState.WAITING:
            before = replace(before, ending=self._lapsed(f"revision {revision} replaced it"))
        return (replace(before, earlier=()), *before.earlier)

    def intent(self, chunks: Sequence[ChunkRef], step: str | None, row: int | None = None) -> None:
        """Record that a request with `chunks` is about to be sent.

        The chunks are unknown until a result is recorded.
        With `row`, only that phone of the single chunk is concerned, as in result and note.
        """
        self._claim(address for address, _ in chunks)
        place = {"chunks": [list(ref) for ref in chunks], **_place(row)}
        self._write(EventKind.INTENT, **place, step=step)

    def result(
        self, chunks: Sequence[ChunkRef], state: ChunkState, row: int | None = None, **changes: Any
    ) -> None:
        """Record the result of a request; `step` is kept only if it is unknown."""
        self.write_result(chunks, state, row, **changes)
        self.sync()

    def write_result(
        self, chunks: Sequence[ChunkRef], state: ChunkState, row: int | None = None, **changes: Any
    ) -> None:
        """Record a result like `result`, without waiting for the disk.

        The next intent or sync waits for this line, too.
        """
        self.begin()
        changes = {"state": stored_state(state), "step": None, **changes}
        refs = [list(ref) for ref in chunks]
        event = self._journal.write(EventKind.RESULT, chunks=refs, **_place(row), changes=changes)
        self.lock = fold_event(self.lock, event)

    def sync(self) -> None:
        """Wait until everything recorded is on disk."""
        self._journal.sync()

    def note(self, ref: ChunkRef, state: ChunkState, row: int | None = None, **changes: Any) -> None:
        """Record what is known without a request, e.g. found at sms.by, or all opted out."""
        self._claim([ref[0]])
        changes = {"state": stored_state(state), "step": None, **changes}
        self._write(EventKind.CHUNK, chunks=[list(ref)], **_place(row), changes=changes)

    def doubt(self, refs: Sequence[ChunkRef], error: str) -> None:
        """Record that it is unknown whether these chunks were sent, all of them or none."""
        self._claim(address for address, _ in refs)
        changes = {"state": stored_state(ChunkState.UNKNOWN), "step": ELSEWHERE, "error": error}
        self._write(EventKind.CHUNK, chunks=[list(ref) for ref in refs], changes=changes)

    def note_phones(
        self, ref: ChunkRef, phones: PhoneStates, baseline: tuple[int, ...], **changes: Any
    ) -> None:
        """Record the state of every phone of a chunk.

        `baseline` is how often each phone had already received the message.
        """
        self._claim([ref[0]])
        counts = format_runs(map(str, baseline))
        self._write(EventKind.PHONES, chunks=[list(ref)], rows=str(phones), baseline=counts, changes=changes)

    def note_upload(self, ref: ChunkRef, upload: UploadRecord, **changes: Any) -> None:
        """Record the progress of a chunk's contact list."""
        self._claim([ref[0]])
        self._seal(filter(None, [upload.digest]))
        self._write(EventKind.UPLOAD, chunks=[list(ref)], upload=asdict(upload), changes=changes)

    def _claim(self, addresses: Iterable[str]) -> None:
        """Record that this run changes mailings that another run recorded.

        So even after a crash it is known which plan led to their state. A hand-over of a later wave has no reviewed plan, so
        the plan that approved all waves stays.
        """
        for address in addresses:
            entry = self.lock.mailings[address]
            is_wave = self._is_handing_over and entry.approval is None
            if entry.applied.plan != self._applied.plan and not is_wave:
                mine = replace(entry, applied=self._applied_now())
                self._write(EventKind.MAILING, address=address, entry=entry_document(mine))

    def _applied_now(self) -> AppliedBy:
        return replace(self._applied, at=self.now())

    def _seal(self, digests: Iterable[str]) -> None:
        """Record what a later rotation of the key needs, before `digests` are recorded."""
        if (fields := key_fields(self.lock, self._project.digest_key, digests)) is not None:
            self._write(EventKind.KEY, **fields)

    def was_accepted(self, ref: ChunkRef, row: int) -> bool:
        phones = self.chunk(ref).phones
        return phones is not None and phones[row] is PhoneState.ACCEPTED

    def learn(self, address: str, recipients: int | None, parts: int | None, cost: Decimal | None) -> None:
        """Record figures of a list mailing that only sms.by knows, or that a new price changes."""
        self._claim([address])
        changes = {"recipients": recipients, "parts": parts, "cost": money_or_none(cost)}
        self._write(EventKind.FACTS, address=address, changes=changes)

    def learn_billed(self, address: str, billed: Billed) -> None:
        """Record what sms.by billed for a mailing, which still belongs to the run that sent it."""
        if self.lock.mailings[address].billed != billed:
            self._write(EventKind.FACTS, address=address, changes={"billed": billed._asdict()})

    def end(self, mailings: int, recipients: int) -> None:
        """Record the end of the run and what it sent; nothing is written if nothing happened."""
        if self._begun:
            self._journal.append(EventKind.END, mailings=mailings, recipients=recipients)

    def close(self) -> None:
        """Close the journal and fold it into the lock file."""
        self._journal.close()
        self._held.fold_in()

    def abandon(self, error: ResultNotSaved) -> SmsbyDeployError:
        """Close the journal, which the next command folds in; return `error` as one for users."""
        self._journal.close()
        return not_recorded(error, self.lock, self._held.store.path)

    def _write(self, kind: EventKind, **fields: Any) -> None:
        self.begin()
        self.lock = fold_event(self.lock, self._journal.append(kind, **fields))


def _place(row: int | None) -> dict[str, int]:
    return {} if row is None else {"row": row}
