"""What this run writes down: every step goes to the journal first, then into the lock in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from threading import RLock
from typing import Any
from uuid import uuid4

from smsby_deploy.clock import Clock
from smsby_deploy.lock.journal import fold, fold_event
from smsby_deploy.lock.phone_states import PhoneState, PhoneStates, format_runs
from smsby_deploy.lock.records import AppliedBy, ChunkRecord, ChunkState, Entry, UploadRecord
from smsby_deploy.lock.serialization import entry_document, stored_state
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.model import Action
from smsby_deploy.texts.price import money

ChunkRef = tuple[str, int]  # address, index of the chunk


class Recorder:
    """The journal of one apply, and the lock as it stands after every line of it.

    Every method that writes raises ResultNotSaved if the disk does not take the line; the lock in memory then stays
    as it was.
    """

    def __init__(
        self,
        held: HeldLock,
        *,
        plan_id: str,
        commit: str | None,
        tool: str,
        clock: Clock,
        body: str,
        currency: str | None = None,
        by: str | None = None,
    ) -> None:
        self.lock = held.lock
        self._held = held
        self._journal = held.open_journal()
        self._applied = (plan_id, commit, tool)
        self._body = body
        self._currency = currency
        self._by = by
        self._clock = clock
        self._begun = False
        self._one_at_a_time = RLock()  # requests write their intents in threads of their own

    def now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds")

    def chunk(self, ref: ChunkRef) -> ChunkRecord:
        address, index = ref
        return self.lock.mailings[address].chunks[index]

    def begin(self) -> None:
        """Open the journal; the plan counts as used from here on. Other writes do it when it was not done."""
        if self._begun:
            return
        plan_id, commit, tool = self._applied
        begin = {
            "id": uuid4().hex,
            "lineage": self.lock.lineage or uuid4().hex,
            "plan": plan_id,
            "at": self.now(),
            "commit": commit,
            "tool": tool,
            "by": self._by,
        }
        self.lock = fold(self.lock, [self._journal.append("begin", **begin)])
        self._begun = True

    def write_entry(self, address: str, revision: int, action: Action, chunks: Sequence[ChunkRecord]) -> None:
        """Record a mailing before its first request, or one that sms.by was found to have."""
        before = self.lock.mailings.get(address)
        earlier: tuple[Entry, ...] = ()
        if before is not None:
            earlier = before.earlier
            if before.revision != revision:
                earlier = (replace(before, earlier=()), *before.earlier)
        plan_id, commit, tool = self._applied
        entry = Entry(
            revision=revision,
            content_digest=action.content_digest,
            audience_digest=action.audience_digest,
            transport=action.via,
            body=None if action.via == "list" else self._body,
            alphaname=action.alphaname,
            alphaname_id=action.alphaname_id,
            schedule_time=action.schedule_time,
            recipients=action.recipients,
            parts=action.parts,
            cost=None if action.cost is None else money(action.cost),
            currency=self._currency,
            chunks=tuple(chunks),
            applied=AppliedBy(self.now(), plan_id, commit, tool),
            earlier=earlier,
        )
        self._write("mailing", address=address, entry=entry_document(entry))

    def intent(self, chunks: Sequence[ChunkRef], step: str | None, row: int | None = None) -> None:
        """A request with `chunks` is about to leave: from here on they are unknown until a result says more. With `row`
        it is only that phone of the one chunk, here and below."""
        place = {"chunks": [list(ref) for ref in chunks], **_place(row)}
        self._write("intent", **place, step=step)

    def result(
        self, chunks: Sequence[ChunkRef], state: ChunkState, row: int | None = None, **changes: Any
    ) -> None:
        """What became of a request; `step` is only kept of an unknown one."""
        changes = {"state": stored_state(state), "step": None, **changes}
        self._write("result", chunks=[list(ref) for ref in chunks], **_place(row), changes=changes)

    def note(self, ref: ChunkRef, state: ChunkState, row: int | None = None, **changes: Any) -> None:
        """What is known of a chunk without a request: found at sms.by, or everybody in it opted out."""
        changes = {"state": stored_state(state), "step": None, **changes}
        self._write("chunk", chunks=[list(ref)], **_place(row), changes=changes)

    def note_phones(
        self, ref: ChunkRef, phones: PhoneStates, baseline: tuple[int, ...], **changes: Any
    ) -> None:
        """Record the state of every phone of a chunk, and how often each had received its message before."""
        counts = format_runs(map(str, baseline))
        self._write("rows", chunks=[list(ref)], rows=str(phones), baseline=counts, changes=changes)

    def note_upload(self, ref: ChunkRef, upload: UploadRecord, **changes: Any) -> None:
        """How far the contact list of a chunk is."""
        self._write("upload", chunks=[list(ref)], upload=asdict(upload), changes=changes)

    def was_accepted(self, ref: ChunkRef, row: int) -> bool:
        phones = self.chunk(ref).phones
        return phones is not None and phones[row] is PhoneState.ACCEPTED

    def is_unknown(self, ref: ChunkRef, row: int | None = None) -> bool:
        chunk = self.chunk(ref)
        if row is None or chunk.phones is None:
            return chunk.state is ChunkState.UNKNOWN
        return chunk.phones[row] is PhoneState.UNKNOWN

    def learn(self, address: str, recipients: int | None, parts: int | None, cost: Decimal | None) -> None:
        """What only sms.by knows of a list mailing."""
        price = None if cost is None else money(cost)
        changes = {"recipients": recipients, "parts": parts, "cost": price}
        self._write("facts", address=address, changes=changes)

    def end(self, mailings: int, recipients: int) -> None:
        """The run is over, with this many mailings and people; nothing is written if nothing happened."""
        if self._begun:
            self._journal.append("end", mailings=mailings, recipients=recipients)

    def close(self) -> None:
        """Close the journal and fold it into the lock file."""
        self._journal.close()
        self._held.fold_in()

    def abandon(self) -> None:
        """Close the journal as it stands: the disk does not take more. The next command folds it in."""
        self._journal.close()

    def _write(self, event: str, **fields: Any) -> None:
        with self._one_at_a_time:
            self.begin()
            self.lock = fold_event(self.lock, self._journal.append(event, **fields))


def _place(row: int | None) -> dict[str, int]:
    return {} if row is None else {"row": row}
