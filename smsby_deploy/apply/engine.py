"""The engine: the only place that reaches a sending method.

For each request: the intent is on disk, the request leaves, its result is on disk, then the next. What an answer
means is decided in smsby/outcome.py; only what was surely not sent is tried again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from smsby_deploy.apply.signals import Sender
from smsby_deploy.audience.suppression import load_suppression
from smsby_deploy.clock import Clock
from smsby_deploy.errors import (
    ApiError,
    FilesInvalid,
    OutcomeUnknown,
    PlanRefused,
    Refused,
    SmsbyUnavailable,
    TokenRefused,
)
from smsby_deploy.faults import fault_point
from smsby_deploy.lock.document import entry_document
from smsby_deploy.lock.journal import Journal, ResultNotSaved
from smsby_deploy.lock.model import DONE, Applied, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.store import HeldLock, LockStore
from smsby_deploy.message.price import money
from smsby_deploy.message.template import compile_text
from smsby_deploy.plan.diff import merge_found
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.guardrails import check_apply
from smsby_deploy.plan.make import TOOL, make_plan, read_names
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.pack import Chunk, Tally, stream_chunks
from smsby_deploy.plan.planfile import find_staleness
from smsby_deploy.plan.remote import RemoteView, view_remote
from smsby_deploy.project.declarations import ContactList, Mailing
from smsby_deploy.project.load import LoadedProject
from smsby_deploy.smsby.client import SendClient
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind

_TRIES = 5  # of a request that was surely not sent


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What to apply, and with what. `approve` is asked once, with the plan; `tell` hears a line per event."""

    loaded: LoadedProject
    store: LockStore
    client: SendClient
    account: str
    clock: Clock
    select: tuple[str, ...] = ()
    plan_file: Plan | None = None
    approve: Callable[[Plan], bool] = lambda plan: True
    tell: Callable[[str], None] = lambda line: None
    commit: str | None = None
    lock_timeout: float = 0.0


@dataclass(slots=True)
class MailingResult:
    """What became of one mailing: sent, adopted, confirmed, skipped, rejected or unknown."""

    address: str
    outcome: str
    recipients: int | None
    uuids: list[str] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ApplyResult:
    plan: Plan
    mailings: tuple[MailingResult, ...]
    exit_code: int

    def count(self, outcome: str) -> int:
        return sum(mailing.outcome == outcome for mailing in self.mailings)


def run_apply(request: ApplyRequest) -> ApplyResult:
    """Apply what was reviewed, or what is planned now and approved.

    Raises:
        LockHeld, LockDamaged, FilesInvalid, PlanRefused, Refused, SmsbyUnavailable: before anything was sent.
        OutcomeUnknown: a result could not be saved; nothing more was sent.
    """
    with request.store.held(request.lock_timeout) as held:
        plan = _current_plan(request, held.lock)
        _check_whole(request, plan)
        if not request.approve(plan):
            raise Refused("not approved: nothing was sent", hint="answer yes, or use --auto-approve")
        return _Run(request, plan, held).run()


def _current_plan(request: ApplyRequest, lock: Lock) -> Plan:
    """The plan as it is now; it bears the reviewed plan's id and addresses if there is one."""
    reviewed = request.plan_file
    if reviewed is not None and lock.was_used(reviewed.id):
        raise PlanRefused("this plan was applied before; a plan is used once", hint="make a new plan")
    if reviewed is not None and reviewed.has_errors:
        raise PlanRefused("this plan holds errors", hint="mend the files and make a new plan")
    select = request.select
    if reviewed is not None:
        present = {m.address for m in request.loaded.project.mailings} | lock.mailings.keys()
        for action in reviewed.actions:
            if action.address not in present:
                raise PlanRefused(f"this plan is stale: {action.address} is gone", hint="make a new plan")
        select = tuple(action.address for action in reviewed.actions)
    plan = make_plan(
        request.loaded,
        select=select,
        client=request.client,
        account=request.account,
        lock=lock,
        clock=request.clock,
        new_id=reviewed.id if reviewed else uuid4().hex[:12],
    )
    if reviewed is None:
        return plan
    if not reviewed.actions:
        plan = replace(plan, actions=())
    stale = find_staleness(reviewed, plan)
    if stale:
        raise PlanRefused(f"this plan is stale: {stale}", hint="make a new plan and have it reviewed")
    shown_blocked = {action.address for action in reviewed.blocked}
    actions = tuple(
        replace(
            action,
            action=ActionKind.BLOCKED,
            reason=f"changed: blocked in the reviewed plan; now {action.action}",
        )
        if action.address in shown_blocked and action.sends
        else action
        for action in plan.actions
    )
    return replace(plan, actions=actions)


def _check_whole(request: ApplyRequest, plan: Plan) -> None:
    """What refuses everything: invalid files, a guardrail on the whole apply, the balance."""
    if plan.has_errors:
        raise FilesInvalid(plan.problems)
    breach = check_apply(request.loaded.project.guardrails, plan.actions)
    if breach:
        raise Refused(breach.message, hint=f"guardrails.{breach.key} in smsby.yaml, changed in review")
    cost = sum((action.cost or Decimal(0) for action in plan.actions if action.sends), Decimal(0))
    if cost:
        balance = request.client.get_balance()
        if balance.amount < cost:
            raise Refused(
                f"balance: this apply costs {money(cost)}, the account holds {money(balance.amount)}",
                hint="top up the account at sms.by, then apply again",
            )


class _StopSending(Exception):
    """Nothing more goes out in this run; `error` says why."""

    def __init__(self, error: str, exit_code: int) -> None:
        super().__init__(error)
        self.error = error
        self.exit_code = exit_code


@dataclass(slots=True)
class _Part:
    """A chunk on its way, with the message that sends it (None: everybody in it opted out)."""

    mailing: Mailing
    chunk: Chunk
    message: dict[str, Any]
    recipients: int


class _Run:
    """One run of apply, lock held."""

    def __init__(self, request: ApplyRequest, plan: Plan, held: HeldLock) -> None:
        self.request = request
        self.plan = plan
        self.held = held
        self.project = request.loaded.project
        self.client = request.client
        self.lock = held.lock
        self.journal: Journal = held.open_journal()
        self.results: dict[str, MailingResult] = {}
        self.stopped: dict[str, str] = {}  # addresses of which nothing more goes out, and why
        self.checked: set[str] = set()
        self.exit_codes: set[int] = set()
        self.sender = Sender()
        self.mailings = {mailing.address: mailing for mailing in self.project.mailings}
        self.actions = {action.address: action for action in plan.actions}
        names = read_names(self.client, [m for m in self.project.mailings if m.address in self.actions])
        self.list_ids = {
            m.address: names.list_id(m.audience.ref)
            for m in self.project.mailings
            if isinstance(m.audience, ContactList) and m.address in self.actions
        }

    def run(self) -> ApplyResult:
        for action in self.plan.actions:
            self.results[action.address] = MailingResult(action.address, "skipped", action.recipients)
            if action.action is ActionKind.BLOCKED:
                self.exit_codes.add(4)
                self.results[action.address].error = action.reason
        try:
            with self.sender:
                self._begin()
                self._record_found()
                self._send_all()
                self._end()
        except ResultNotSaved as error:
            self._rescue(error)
        finally:
            self.journal.close()
        self.held.fold_in()
        return ApplyResult(self.plan, tuple(self.results.values()), self._exit_code())

    # --- the journal -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        changes = self.plan.to_do or any(a.reason.startswith("unknown") for a in self.plan.blocked)
        if not changes and self.request.plan_file is None:
            return
        self.journal.append(
            "begin",
            id=uuid4().hex,
            lineage=self.lock.lineage or uuid4().hex,
            plan=self.plan.id,
            at=self._now(),
            commit=self.request.commit,
            tool=TOOL,
        )

    def _end(self) -> None:
        if self.journal.path.exists():
            sent = [r for r in self.results.values() if r.outcome in ("sent", "confirmed")]
            people = sum(result.recipients or 0 for result in sent)
            self.journal.append("end", mailings=len(sent), recipients=people)

    def _now(self) -> str:
        return self.request.clock.now().isoformat(timespec="seconds")

    def _rescue(self, error: ResultNotSaved) -> None:
        """The disk did not take a line: nothing more is sent, what is known goes to stderr and to a rescue file."""
        known = [
            {"address": r.address, "outcome": r.outcome, "uuids": r.uuids, "message_ids": r.message_ids}
            for r in self.results.values()
        ]
        text = json.dumps({"plan": self.plan.id, "mailings": known}, ensure_ascii=False)
        print(text, file=sys.stderr)  # noqa: T201  # the last place that can take it
        with tempfile.NamedTemporaryFile(
            "w",
            prefix=self.request.store.path.name + ".rescue-",
            suffix=".json",
            delete=False,
            encoding="utf-8",
        ) as file:
            file.write(text + "\n")
        raise OutcomeUnknown(
            f"the journal can't be written ({error}): stopped sending; what is known is in {file.name}",
            hint="make room on the disk; then `smsby-deploy apply` looks at sms.by for what went out, and "
            "`smsby-deploy lock resolve ADDRESS --sent` settles the rest",
        ) from error

    def _write_entry(self, mailing: Mailing, action: Action, chunks: Sequence[ChunkRecord]) -> None:
        before = self.lock.mailings.get(mailing.address)
        earlier: tuple[Entry, ...] = ()
        if before is not None:
            earlier = (
                before.earlier
                if before.revision == mailing.revision
                else (replace(before, earlier=()), *before.earlier)
            )
        entry = Entry(
            revision=mailing.revision,
            content_digest=action.content_digest,
            audience_digest=action.audience_digest,
            transport=action.via,
            alphaname=action.alphaname,
            alphaname_id=action.alphaname_id,
            schedule_time=action.schedule_time,
            recipients=action.recipients,
            parts=action.parts,
            cost=None if action.cost is None else money(action.cost),
            chunks=tuple(chunks),
            applied=Applied(self._now(), self.plan.id, self.request.commit, TOOL),
            earlier=earlier,
        )
        self.lock = self.lock.with_entry(mailing.address, entry)
        self.journal.append("mailing", address=mailing.address, entry=entry_document(entry))

    def _change(self, event: str, chunks: Sequence[tuple[str, int]], **changes: Any) -> None:
        """Record a state of `chunks`, on disk and in memory."""
        self.journal.append(event, chunks=[list(chunk) for chunk in chunks], changes=changes)
        typed = changes | {"state": ChunkState(changes["state"])}
        for address, index in chunks:
            self.lock = self.lock.with_entry(address, self.lock.mailings[address].with_chunk(index, **typed))

    # --- what sms.by has already ---------------------------------------------------------------------------------

    def _remote(self) -> RemoteView:
        return view_remote(self.project.name, self.client.get_sms_messages())

    def _record_found(self) -> None:
        """Adopt what sms.by lists under our fingerprints; of a mailing that is there in part, the rest is unknown."""
        wanted = [
            action
            for action in self.plan.actions
            if action.action is ActionKind.ADOPT
            or (action.action is ActionKind.BLOCKED and action.reason.startswith("unknown"))
        ]
        if not wanted:
            return
        remote = self._remote()
        for action in wanted:
            mailing = self.mailings[action.address]
            entry = self.lock.mailings.get(action.address)
            if entry is None or (entry.revision < mailing.revision and not entry.has_unknown):
                self._adopt_new(mailing, action, remote)
            else:
                self._note_found(action.address, remote)
            result, after = self.results[action.address], self.lock.mailings[action.address]
            result.message_ids = [c.message_id for c in after.chunks if c.message_id is not None]
            if after.has_unknown:
                result.outcome, result.error = "unknown", action.reason
                self.exit_codes.add(6)
            else:
                result.outcome = "adopted"

    def _adopt_new(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        records = []
        for chunk in action.chunks:
            listed = remote.by_fingerprint.get(chunk.fingerprint)
            records.append(
                ChunkRecord(
                    chunk.fingerprint,
                    chunk.recipients,
                    chunk.digest,
                    ChunkState.UNKNOWN if listed is None else ChunkState.ACCEPTED,
                    message_id=listed.id if listed else None,
                    accepted_at=self._now() if listed else None,
                )
            )
        self._write_entry(mailing, action, records)

    def _note_found(self, address: str, remote: RemoteView) -> None:
        """Record every chunk of `address` that is listed although the lock does not say it was accepted."""
        entry = self.lock.mailings.get(address)
        if entry is None:
            return
        for index, chunk in enumerate(entry.chunks):
            state = merge_found(chunk, remote)
            if state is not chunk.state:
                found = remote.by_fingerprint[chunk.fingerprint]
                self._change(
                    "chunk",
                    [(address, index)],
                    state=state.value,
                    message_id=found.id,
                    accepted_at=self._now() if state is ChunkState.ACCEPTED else None,
                    error=None,
                )

    def _reconcile(self, chunks: Sequence[tuple[str, int]]) -> None:
        """Look for unknown chunks in the remote list for `reconcile_seconds`. Not found stays unknown."""
        clock = self.request.clock
        deadline = clock.monotonic() + self.project.api.reconcile_seconds
        wait = 0.25
        while True:
            try:
                remote = self._remote()
                for address in {address for address, _ in chunks}:
                    self._note_found(address, remote)
            except (SmsbyUnavailable, ApiError) as error:
                self.request.tell(f"looking for the lost request: {error}")
            left = [c for c in chunks if self.lock.mailings[c[0]].chunks[c[1]].state is ChunkState.UNKNOWN]
            if not left or clock.monotonic() + wait > deadline or self.sender.stops > 1:
                return
            clock.sleep(wait)
            wait = min(wait * 2, 5.0)

    # --- sending -------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        try:
            for campaign in self.project.campaigns:
                todo = [
                    m
                    for m in campaign.mailings
                    if m.address in self.actions and self.actions[m.address].sends
                ]
                for parts in self._requests([m for m in todo if m.via != "list"]):
                    self._send_bulk(parts)
                for mailing in todo:
                    if mailing.via == "list":
                        self._check_stop()
                        self._send_list(mailing)
        except _StopSending as stop:
            self.exit_codes.add(stop.exit_code)
            for action in self.plan.actions:
                result = self.results[action.address]
                if action.sends and result.outcome == "skipped" and result.error is None:
                    result.error = stop.error
        self._close_results()

    def _requests(self, mailings: Sequence[Mailing]) -> Iterator[list[_Part]]:
        """The chunks of one campaign that are to be sent, packed into requests."""
        limit = self.project.api.recipients_per_request
        form = self.project.api.body == "form"
        batch: list[_Part] = []
        used = 0
        for mailing in mailings:
            for part in self._parts(mailing):
                weight = part.recipients
                if form:
                    limit = 970
                    weight = 7 + part.recipients * (2 if part.chunk.texts is not None else 1)
                if batch and used + weight > limit:
                    yield batch
                    batch, used = [], 0
                batch.append(part)
                used += weight
        if batch:
            yield batch

    def _parts(self, mailing: Mailing) -> Iterator[_Part]:
        """The chunks of one mailing that were surely not sent, checked against the plan, opt-outs subtracted."""
        action = self.actions[mailing.address]
        suppressed, _ = load_suppression(self.project.suppress)
        template = compile_text(mailing.text) if mailing.text else None
        self._open_entry(mailing, action)
        count = len(action.chunks)
        for chunk in stream_chunks(self.project, mailing, template, suppressed, Tally()):
            if chunk.index >= count or chunk.digest != action.chunks[chunk.index].digest:
                raise PlanRefused(
                    f"{mailing.address}: its files changed while it was being sent; what was sent is recorded",
                    hint="put the files back, or see `smsby-deploy plan`",
                )
            if self.lock.mailings[mailing.address].chunks[chunk.index].state in DONE:
                continue
            message, people = self._message(mailing, action, chunk, suppressed, count)
            if people == 0:
                self._change("chunk", [(mailing.address, chunk.index)], state=ChunkState.SUPPRESSED.value)
                continue
            yield _Part(mailing, chunk, message, people)

    def _open_entry(self, mailing: Mailing, action: Action) -> None:
        """Record the mailing before its first request; what is listed meanwhile is recorded and never sent."""
        if mailing.address in self.checked:
            return
        self.checked.add(mailing.address)
        if action.action is ActionKind.CREATE:
            records = [ChunkRecord(c.fingerprint, c.recipients, c.digest) for c in action.chunks]
            self._write_entry(mailing, action, records)
        try:
            remote = self._remote()
        except (SmsbyUnavailable, ApiError) as error:
            raise _StopSending(f"sms.by could not be asked before sending: {error}", 7) from error
        known = frozenset(chunk.fingerprint for chunk in action.chunks)
        foreign = remote.foreign(mailing.address, mailing.revision, known)
        if foreign:
            self.stopped[mailing.address] = (
                f"collision: sms.by has it under another fingerprint ({foreign[0]})"
            )
        self._note_found(mailing.address, remote)

    def _message(
        self, mailing: Mailing, action: Action, chunk: Chunk, suppressed: Any, count: int
    ) -> tuple[dict[str, Any], int]:
        rows: list[Any]
        if chunk.texts is None:
            rows = [phone for phone in chunk.phones if phone not in suppressed]
        else:
            rows = [
                {"phone": phone, "text": text}
                for phone, text in zip(chunk.phones, chunk.texts, strict=True)
                if phone not in suppressed
            ]
        message: dict[str, Any] = {
            "alphaname_id": str(action.alphaname_id or 0),
            "name": remote_name(
                self.project.name, mailing.address, mailing.revision, chunk.index, count, chunk.fingerprint
            ),
            "message_type": "bulk" if chunk.texts is None else "personal",
        }
        if chunk.texts is None:
            message["text"] = chunk.text
        if mailing.schedule_time is not None:
            zone = ZoneInfo(self.project.api.account_timezone)
            message["schedule_time"] = mailing.schedule_time.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
        message["delivery_list"] = rows
        return message, len(rows)

    def _check_stop(self) -> None:
        if self.sender.is_stopping:
            raise _StopSending("stopped by a signal before it was sent", 1)

    def _send_bulk(self, parts: Sequence[_Part]) -> None:
        self._check_stop()
        parts = [part for part in parts if part.mailing.address not in self.stopped]
        parts = [
            p for p in parts if self.lock.mailings[p.mailing.address].chunks[p.chunk.index].state not in DONE
        ]
        if not parts:
            return
        chunks = [(part.mailing.address, part.chunk.index) for part in parts]
        messages = [part.message for part in parts]
        outcome = self._attempt(chunks, None, lambda: self.client.send_bulk_sms(messages))
        people = sum(part.recipients for part in parts)
        self.request.tell(
            f"{', '.join(sorted({a for a, _ in chunks}))}: {people} recipients: {outcome.kind.value}"
        )
        self._settle(chunks, outcome)

    def _attempt(
        self, chunks: Sequence[tuple[str, int]], step: str | None, call: Callable[[], Outcome]
    ) -> Outcome:
        """Intent, request; again only while it was surely not sent. The result is the caller's to record."""
        delay = 0.5
        for attempt in range(1, _TRIES + 1):
            self.journal.append("intent", chunks=[list(chunk) for chunk in chunks], step=step)
            fault_point("send.before")
            outcome = self.sender.send(call)
            fault_point("send.after")
            if outcome.kind is not OutcomeKind.NOT_SENT or attempt == _TRIES or self.sender.is_stopping:
                return outcome
            self._change("result", chunks, state=self._state_before(chunks, step), error=outcome.error)
            pause = min(outcome.retry_after if outcome.retry_after is not None else delay, 60.0)
            self.request.tell(f"not sent ({outcome.error}); again in {pause:g} s")
            self.request.clock.sleep(pause)
            delay *= 2
        return outcome

    def _state_before(self, chunks: Sequence[tuple[str, int]], step: str | None) -> str:
        return ChunkState.DRAFT.value if step == "confirm" else ChunkState.PENDING.value

    def _settle(self, chunks: Sequence[tuple[str, int]], outcome: Outcome, step: str | None = None) -> None:
        """Record what the answer means, and stop what has to stop."""
        now = self._now()
        match outcome.kind:
            case OutcomeKind.ACCEPTED:
                changes: dict[str, Any] = {
                    "state": ChunkState.ACCEPTED.value,
                    "accepted_at": now,
                    "error": None,
                }
                if outcome.uuid:
                    changes["uuid"] = outcome.uuid
                if outcome.message_id and step is None:
                    changes["message_id"] = outcome.message_id
                self._change("result", chunks, **changes)
            case OutcomeKind.REJECTED:
                state = ChunkState.DRAFT if step == "confirm" else ChunkState.REJECTED
                self._change("result", chunks, state=state.value, error=outcome.error)
                self._stop_mailings(chunks, outcome.error or "rejected")
            case OutcomeKind.NOT_SENT | OutcomeKind.TOKEN_REFUSED:
                self._change("result", chunks, state=self._state_before(chunks, step), error=outcome.error)
                raise _StopSending(f"not sent: {outcome.error}", 7)
            case OutcomeKind.UNKNOWN:
                self._change("result", chunks, state=ChunkState.UNKNOWN.value, error=outcome.error, step=step)
                self.request.tell("its outcome is unknown; looking for it at sms.by")
                self._reconcile(chunks)
                lost = [
                    c for c in chunks if self.lock.mailings[c[0]].chunks[c[1]].state is ChunkState.UNKNOWN
                ]
                if lost:
                    self._stop_mailings(lost, f"unknown: {outcome.error}")

    def _stop_mailings(self, chunks: Sequence[tuple[str, int]], why: str) -> None:
        for address, _ in chunks:
            self.stopped.setdefault(address, why)

    # --- lists kept at sms.by ------------------------------------------------------------------------------------

    def _send_list(self, mailing: Mailing) -> None:
        """sendSmsList → confirm 0 → guardrails on what it tells → confirm 1; never a second draft."""
        action = self.actions[mailing.address]
        chunks = [(mailing.address, 0)]
        if self.lock.mailings.get(mailing.address) is None and action.action is ActionKind.CONFIRM:
            self._adopt_draft(mailing, action)
        self._open_entry(mailing, action)
        state = self.lock.mailings[mailing.address].chunks[0].state
        if mailing.address in self.stopped or state in DONE:
            return
        if state is not ChunkState.DRAFT:
            outcome = self._attempt(chunks, "draft", lambda: self._make_draft(mailing, action))
            if outcome.kind is OutcomeKind.ACCEPTED:
                self._change(
                    "result", chunks, state=ChunkState.DRAFT.value, message_id=outcome.message_id, error=None
                )
            else:
                self._settle(chunks, outcome, "draft")
            if self.lock.mailings[mailing.address].chunks[0].state is not ChunkState.DRAFT:
                return
        self._check_stop()
        self._confirm(mailing)

    def _adopt_draft(self, mailing: Mailing, action: Action) -> None:
        chunk = action.chunks[0]
        listed = self._remote().by_fingerprint[chunk.fingerprint]
        record = ChunkRecord(chunk.fingerprint, None, chunk.digest, ChunkState.DRAFT, message_id=listed.id)
        self._write_entry(mailing, action, [record])

    def _make_draft(self, mailing: Mailing, action: Action) -> Outcome:
        assert mailing.text is not None
        zone = ZoneInfo(self.project.api.account_timezone)
        when = (mailing.schedule_time or self.request.clock.now()).astimezone(zone)
        mark = action.chunks[0].fingerprint
        return self.client.send_sms_list(
            name=remote_name(self.project.name, mailing.address, mailing.revision, 0, 1, mark),
            message=compile_text(mailing.text).render_once(),
            d_schedule=when.strftime("%Y-%m-%d %H:%M"),
            list_id=self.list_ids[mailing.address] or 0,
            alphaname_id=action.alphaname_id or 0,
        )

    def _confirm(self, mailing: Mailing) -> None:
        address = mailing.address
        chunks = [(address, 0)]
        message_id = self.lock.mailings[address].chunks[0].message_id
        assert message_id is not None
        try:
            info = self.client.confirm_info(message_id)
        except TokenRefused as error:
            raise _StopSending(error.message, 7) from error
        except (ApiError, SmsbyUnavailable) as error:
            self._stop_mailings(chunks, f"its draft {message_id} stands, not confirmed: {error.message}")
            return
        if info.status and info.status.upper() not in ("DRAFT",):
            self._change(
                "chunk", chunks, state=ChunkState.ACCEPTED.value, accepted_at=self._now(), error=None
            )
            return
        limit = self.project.guardrails.max_recipients
        cost_limit = self.project.guardrails.max_cost
        if limit is not None and info.recipients is not None and info.recipients > limit:
            self._stop_mailings(
                chunks, f"guardrail: max_recipients: {info.recipients} recipients, the limit is {limit}"
            )
            self.exit_codes.add(4)
            return
        if cost_limit is not None and info.cost is not None and info.cost > cost_limit:
            self._stop_mailings(
                chunks, f"guardrail: max_cost: it costs {info.cost}, the limit is {cost_limit}"
            )
            self.exit_codes.add(4)
            return
        self._learn(address, info.recipients, info.parts, info.cost)
        outcome = self._attempt(chunks, "confirm", lambda: self.client.confirm(message_id))
        self.request.tell(f"{address}: list of {info.recipients}: {outcome.kind.value}")
        self._settle(chunks, outcome, "confirm")

    def _learn(self, address: str, recipients: int | None, parts: int | None, cost: Decimal | None) -> None:
        """Record what only sms.by knows of a list mailing."""
        price = None if cost is None else money(cost)
        changes = {"recipients": recipients, "parts": parts, "cost": price}
        self.journal.append("facts", address=address, changes=changes)
        entry = self.lock.mailings[address]
        known = replace(entry, recipients=recipients, parts=parts, cost=price)
        self.lock = self.lock.with_entry(address, known)
        self.results[address].recipients = recipients

    # --- the end ---------------------------------------------------------------------------------------------------

    def _close_results(self) -> None:
        """The outcome of each mailing, from what was recorded and from nothing else."""
        for action in self.plan.actions:
            entry = self.lock.mailings.get(action.address)
            result = self.results[action.address]
            if not action.sends or entry is None or action.address not in self.checked:
                continue
            result.uuids = list(dict.fromkeys(c.uuid for c in entry.chunks if c.uuid))
            result.message_ids = list(dict.fromkeys(c.message_id for c in entry.chunks if c.message_id))
            result.error = self.stopped.get(action.address, result.error)
            if entry.has_unknown:
                result.outcome = "unknown"
                self.exit_codes.add(6)
            elif entry.is_complete:
                result.outcome = "confirmed" if action.action is ActionKind.CONFIRM else "sent"
                result.error = None
            elif any(chunk.state is ChunkState.REJECTED for chunk in entry.chunks) or entry.state == "draft":
                result.outcome = "rejected"
                self.exit_codes.add(6 if entry.was_sent_in_part else 1)
            elif entry.was_sent_in_part:
                result.error = result.error or "sent in part; the next apply goes on"
                self.exit_codes.add(6)

    def _exit_code(self) -> int:
        """The first that fits, in the documented order."""
        return next((code for code in (6, 7, 4, 1) if code in self.exit_codes), 0)
