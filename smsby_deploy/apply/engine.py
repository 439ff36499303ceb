"""The engine: applies a plan, lock held. The only place from which a sending method is reached.

For each request: the intent is on disk, the request leaves, its result is on disk, then the next (exchange.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import uuid4

from smsby_deploy.apply.bulk import FilesChanged, Part, pack_requests, stream_parts
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.exchange import Exchange, Request, StopSending
from smsby_deploy.apply.lists import ListSender
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.rescue import write_rescue
from smsby_deploy.apply.result import ApplyResult, MailingResult
from smsby_deploy.apply.signals import Sender
from smsby_deploy.apply.singles import SingleSender
from smsby_deploy.clock import Clock
from smsby_deploy.errors import (
    ApiError,
    FilesInvalid,
    Refused,
    SmsbyDeployError,
    SmsbyUnavailable,
)
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.model import DONE, ChunkRecord, ChunkState, Lock
from smsby_deploy.lock.store import HeldLock, LockStore
from smsby_deploy.plan.budget import spent_beside
from smsby_deploy.plan.diff import collision_of, is_recorded_singly
from smsby_deploy.plan.differences import find_differences, meant_by_lock
from smsby_deploy.plan.guardrails import check_apply, check_balance
from smsby_deploy.plan.kept import KeptChunks
from smsby_deploy.plan.make import TOOL, make_plan, read_names
from smsby_deploy.plan.model import Action, ActionKind, Plan
from smsby_deploy.plan.planfile import find_staleness, reviewed_addresses, stale_plan
from smsby_deploy.plan.remote import RemoteView
from smsby_deploy.problems import Problem
from smsby_deploy.project.declarations import ContactList, Mailing
from smsby_deploy.project.load import LoadedProject
from smsby_deploy.smsby.client import SendClient
from smsby_deploy.smsby.outcome import Outcome
from smsby_deploy.wording import counted


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What to apply, and with what. `load` reads the project again once the lock is held; `approve` is asked once, with
    the plan; `tell` hears a line per event, `on_event` the event itself."""

    load: Callable[[], LoadedProject]
    store: LockStore
    client: SendClient
    account: str
    clock: Clock
    select: tuple[str, ...] = ()
    plan_file: Plan | None = None
    planned: Callable[[Plan], object] = lambda plan: (
        None
    )  # hears the plan before anything of it is refused or approved
    approve: Callable[[Plan], bool] = lambda plan: True
    tell: Callable[[str], None] = lambda line: None
    on_event: Callable[[Event], None] = lambda event: None
    advance: Callable[[int], None] = lambda people: None  # hears of so many people more that are done
    commit: str | None = None
    by: str | None = None  # who runs it, for the record
    lock_timeout: float = 0.0

    def say(self, event: Event) -> None:
        self.on_event(event)
        self.tell(event.line)


def apply_plan(request: ApplyRequest) -> ApplyResult:
    """Apply what was reviewed, or what is planned now and approved.

    Raises:
        LockHeld, LockDamaged, FilesInvalid, PlanRefused, Refused, SmsbyUnavailable: before anything was sent.
        OutcomeUnknown: a result could not be saved; nothing more was sent.
    """
    with (
        request.store.held(request.lock_timeout) as held,
        closing(KeptChunks(request.store.path.parent)) as kept,
    ):
        loaded = request.load()
        plan = _current_plan(request, loaded, held.lock, kept)
        request.planned(plan)
        _check_whole(request, loaded, plan)
        if not request.approve(plan):
            raise Refused("not approved: nothing was sent", hint="answer yes, or use --auto-approve")
        return _Run(request, loaded, plan, held, kept).run()


def _current_plan(request: ApplyRequest, loaded: LoadedProject, lock: Lock, kept: KeptChunks) -> Plan:
    """The plan as it is now; it bears the reviewed plan's id and addresses if there is one."""
    reviewed = request.plan_file
    select = request.select
    if reviewed is not None:
        select = reviewed_addresses(reviewed, loaded, lock)
    plan = make_plan(
        loaded,
        select=select,
        client=request.client,
        account=request.account,
        lock=lock,
        clock=request.clock,
        new_id=reviewed.id if reviewed else uuid4().hex[:12],
        keep=kept.keep,
    )
    if reviewed is None:
        return plan
    if not reviewed.actions:
        plan = replace(plan, actions=())
    stale = find_staleness(reviewed, plan)
    if stale:
        raise stale_plan(stale)
    before = {a.address: a.audience.suppressed for a in reviewed.actions if a.sends}
    fewer = sum(a.audience.suppressed - before[a.address] for a in plan.actions if a.address in before)
    if fewer:
        line = f"{counted(fewer, 'recipient')} opted out since this plan was made: nothing is sent to them"
        request.say(Event("opt-outs", line, people=fewer))
    shown_blocked = {action.address for action in reviewed.blocked}
    return replace(plan, actions=tuple(_hold_back(a, shown_blocked) for a in plan.actions))


def _hold_back(action: Action, shown_blocked: set[str]) -> Action:
    """What the reviewed plan showed as blocked is not sent by it, even if nothing is in its way any more."""
    if not action.sends or action.address not in shown_blocked:
        return action
    reason = f"changed: blocked in the reviewed plan; now {action.action}: make a new plan"
    return replace(action, action=ActionKind.BLOCKED, reason=reason)


def _check_whole(request: ApplyRequest, loaded: LoadedProject, plan: Plan) -> None:
    """What refuses everything: invalid files, a guardrail on the whole apply, the balance."""
    if plan.has_errors:
        raise FilesInvalid(plan.problems)
    breach = check_apply(loaded.project.guardrails, plan.actions)
    if breach:
        raise Refused(breach.message, hint=f"guardrails.{breach.key} in smsby.yaml, changed in review")
    cost = _planned_cost(plan)
    if cost:
        balance = request.client.get_balance()
        low = check_balance(cost, plan.currency, balance.amount, balance.currency)
        if low:
            top_up = "top up the account at sms.by, then apply again"
            mend = "price.currency in smsby.yaml is to be that of the account"
            raise Refused(low.message, hint=top_up if low.key == "balance" else mend)


def _planned_cost(plan: Plan) -> Decimal:
    return sum((action.cost or Decimal(0) for action in plan.actions if action.sends), Decimal(0))


class _Run:
    """One run of apply, lock held."""

    def __init__(
        self, request: ApplyRequest, loaded: LoadedProject, plan: Plan, held: HeldLock, kept: KeptChunks
    ) -> None:
        self.plan = plan
        self.kept = kept
        self.project = loaded.project
        self.client = request.client
        self.say = request.say
        self.advance = request.advance
        self.actions = {action.address: action for action in plan.actions}
        self.mailings = {m.address: m for m in self.project.mailings if m.address in self.actions}
        self.results = {a.address: MailingResult(a.address, "skipped", a.recipients) for a in plan.actions}
        self.exit_codes: set[int] = set()
        self.checked: set[str] = set()
        self.names = read_names(self.client, self.mailings.values())
        self.must_begin = request.plan_file is not None
        self.rescue_path = held.store.path
        self.recorder = Recorder(
            held,
            plan_id=plan.id,
            commit=request.commit,
            tool=TOOL,
            clock=request.clock,
            body=self.project.api.body,
            currency=plan.currency,
            by=request.by,
        )
        self.sender = Sender()
        self.reconciler = Reconciler(
            self.recorder,
            self.client,
            self.sender,
            request.clock,
            project=self.project.name,
            seconds=self.project.api.reconcile_seconds,
            say=self.say,
        )
        self.exchange = Exchange(
            self.recorder,
            self.sender,
            request.clock,
            self.say,
            self.reconciler.look_for,
            self.project.api.concurrency,
        )
        self.lists = ListSender(
            self.project,
            self.client,
            self.exchange,
            planned_cost=_planned_cost(plan),
            spent=spent_beside(self.project, plan.actions, held.lock, request.clock.now()),
            refuse=lambda address: self.exit_codes.add(4),
        )
        self.singles = SingleSender(
            self.project,
            self.client,
            self.exchange,
            inputs=plan.inputs,
            read=self.reconciler.read,
            advance=self.advance,
            fail=self.exit_codes.add,
        )

    def run(self) -> ApplyResult:
        for action in self.plan.blocked:
            self.exit_codes.add(4)
            self.results[action.address].error = action.reason
        stopped = ""
        try:
            with self.sender:
                if self.must_begin:
                    self.recorder.begin()
                try:
                    self._record_found()
                    self._send_all()
                except StopSending as stop:
                    self.exit_codes.add(stop.exit_code)
                    stopped = stop.error
                self._close_results(stopped)
                differences = tuple(self._differences())
                done = [r for r in self.results.values() if r.outcome in ("sent", "confirmed")]
                self.recorder.end(len(done), sum(result.recipients or 0 for result in done))
                self.recorder.close()
        except ResultNotSaved as error:
            self.recorder.abandon()
            raise self._not_saved(error) from error
        return ApplyResult(self.plan, tuple(self.results.values()), differences, self._exit_code())

    # --- what sms.by has already -----------------------------------------------------------------------------------

    def _record_found(self) -> None:
        """Adopt what sms.by lists under our fingerprints, and look once more for what is unknown."""
        wanted = [
            action
            for action in self.plan.actions
            if action.action is ActionKind.ADOPT
            or (action.action is ActionKind.BLOCKED and action.reason.startswith("unknown"))
        ]
        if not wanted:
            return
        remote = self._ask_before_sending()
        for action in wanted:
            revision = self.mailings[action.address].revision
            entry = self.recorder.lock.mailings.get(action.address)
            if entry is None or (entry.revision < revision and not entry.has_unknown):
                self._adopt(self.mailings[action.address], action, remote)
            else:
                self._look_again(self.mailings[action.address], action, remote)
                self.reconciler.look_at_confirmations(action.address)
            result, after = self.results[action.address], self.recorder.lock.mailings[action.address]
            result.name_requests(after)
            if after.has_unknown:
                result.outcome, result.error = "unknown", action.reason
                self.exit_codes.add(6)
            elif after.is_complete:
                result.outcome, result.error = "adopted", None
            else:
                result.error = "what was unknown of it is settled; the next apply sends the rest"

    def _ask_before_sending(self) -> RemoteView:
        """The remote list; without it nothing goes out."""
        try:
            return self.reconciler.read()
        except (SmsbyUnavailable, ApiError) as error:
            raise StopSending(f"sms.by could not be asked before sending: {error}", 7) from error

    def _adopt(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        if mailing.via == "single":
            self.singles.adopt(mailing, action, remote)
        else:
            self.reconciler.adopt(mailing.address, mailing.revision, action, remote)

    def _look_again(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        if self.recorder.lock.mailings[mailing.address].transport == "single":
            self.singles.look_again(mailing, action, remote)
        else:
            self.reconciler.note_found(mailing.address, remote)

    def _open_mailing(self, mailing: Mailing) -> bool:
        """Look once more whether sms.by has it, and record it before its first request; whether it may be sent."""
        address, action = mailing.address, self.actions[mailing.address]
        if address in self.checked:
            return address not in self.exchange.stopped
        self.checked.add(address)
        self.exchange.check_stop()
        remote = self._ask_before_sending()
        marks = [chunk.fingerprint for chunk in action.chunks]
        collision = collision_of(self.project.name, address, mailing.revision, marks, remote)
        if collision:
            self.exit_codes.add(4)
            self.exchange.stopped[address] = collision
            return False
        entry = self.recorder.lock.mailings.get(address)
        is_new = action.action is ActionKind.CREATE or entry is None
        if is_recorded_singly(entry, mailing.revision, marks):
            is_new = False  # its messages may have been made
        try:
            if is_new and any(mark in remote.by_fingerprint for mark in marks):
                self._adopt(mailing, action, remote)
            elif is_new:
                records = [ChunkRecord(c.fingerprint, c.recipients, c.digest) for c in action.chunks]
                self.recorder.write_entry(address, mailing.revision, action, records)
            else:
                self._look_again(mailing, action, remote)
        except (SmsbyUnavailable, ApiError) as error:
            raise StopSending(f"sms.by could not be asked before sending: {error}", 7) from error
        chunks = self.recorder.lock.mailings[address].chunks
        if any(chunk.state is ChunkState.UNKNOWN and chunk.step != "confirm" for chunk in chunks):
            self.exchange.stopped[address] = (
                "unknown: meanwhile sms.by lists a part of it that this run did not send"
            )
            return False
        return True

    # --- sending -----------------------------------------------------------------------------------------------------

    def _send_all(self) -> None:
        for campaign in self.project.campaigns:
            todo = [
                m for m in campaign.mailings if m.address in self.actions and self.actions[m.address].sends
            ]
            bulk = self._bulk_parts([m for m in todo if m.via == "bulk"])
            self.exchange.send_all(map(self._bulk_request, pack_requests(self.project.api, bulk)))
            for mailing in todo:
                if mailing.via == "bulk" or not self._open_mailing(mailing):
                    continue
                if isinstance(mailing.audience, ContactList):
                    list_id = self.names.list_id(mailing.audience.ref) or 0
                    self.lists.send(mailing, self.actions[mailing.address], list_id)
                else:
                    self._send_singly(mailing)

    def _send_singly(self, mailing: Mailing) -> None:
        try:
            self.singles.send(mailing, self.actions[mailing.address])
        except FilesChanged as error:
            self.exit_codes.add(5)
            self.exchange.stopped[mailing.address] = f"{error}; what was sent of it is recorded"

    def _bulk_parts(self, mailings: Sequence[Mailing]) -> Iterator[Part]:
        """What is to be sent of `mailings`: the chunks that were surely not sent, late opt-outs subtracted."""
        for mailing in mailings:
            if not self._open_mailing(mailing):
                continue
            try:
                for part in stream_parts(
                    self.project,
                    mailing.pinned(self.plan.inputs),
                    self.actions[mailing.address],
                    self.exchange.clock.now(),
                    self.kept,
                ):
                    if mailing.address in self.exchange.stopped:
                        break
                    record = self.recorder.chunk(part.ref)
                    if record.state in DONE:
                        continue
                    if part.recipients == 0:
                        self.recorder.note(part.ref, ChunkState.SUPPRESSED, recipients=0)
                        continue
                    if part.recipients != record.recipients:
                        self.recorder.note(
                            part.ref, record.state, recipients=part.recipients, error=record.error
                        )
                    yield part
            except FilesChanged as error:
                self.exit_codes.add(5)
                self.exchange.stopped[mailing.address] = f"{error}; what was sent of it is recorded"

    def _bulk_request(self, parts: Sequence[Part]) -> Request:
        messages = {part.ref: part for part in parts}

        def call(chunks: Sequence[ChunkRef]) -> Outcome:
            callback = self.project.api.callback_url
            return self.client.send_bulk_sms([messages[ref].message for ref in chunks], callback)

        def done() -> None:
            self.advance(sum(messages[ref].recipients for ref in request.chunks))

        request = Request([part.ref for part in parts], call, done=done)
        return request

    # --- the end -----------------------------------------------------------------------------------------------------

    def _close_results(self, stopped: str) -> None:
        """The outcome of each mailing, from what was recorded and from nothing else."""
        for action in self.plan.actions:
            if not action.sends:
                continue
            result, address = self.results[action.address], action.address
            entry = self.recorder.lock.mailings.get(address)
            result.error = self.exchange.stopped.get(address, stopped or None)
            if (
                entry is None
                or address not in self.checked
                or entry.revision != self.mailings[address].revision
            ):
                continue
            result.name_requests(entry)
            counts = [chunk.recipients for chunk in entry.chunks if chunk.recipients is not None]
            result.recipients = sum(counts) if counts else entry.recipients
            if entry.has_unknown:
                result.outcome = "unknown"
                self.exit_codes.add(6)
            elif entry.is_complete:
                result.outcome, result.error = self._done_as(action), None
            elif address in self.exchange.rejected:
                result.outcome = "rejected"
                self.exit_codes.add(6 if entry.was_sent_in_part else 1)
            elif entry.was_sent_in_part:
                result.error = result.error or "sent in part; the next apply goes on"
                self.exit_codes.add(6)
            elif entry.state == "draft":
                result.error = (
                    result.error or "its draft stands at sms.by, not confirmed; the next apply goes on"
                )
                self.exit_codes.add(1)

    def _done_as(self, action: Action) -> str:
        if action.address in self.exchange.sent:
            return "confirmed" if action.action is ActionKind.CONFIRM else "sent"
        entry = self.recorder.lock.mailings[action.address]
        return "adopted" if entry.was_sent_in_part else "sent"

    def _differences(self) -> Iterator[Problem]:
        """What sms.by reports of what was sent just now, otherwise than meant."""
        if not self.exchange.sent:
            return
        try:
            remote = self.reconciler.read()
        except SmsbyDeployError as error:
            line = f"what sms.by reports of it could not be compared: {error.message}"
            self.say(Event("not-compared", line, is_warning=True))
            return
        for address in sorted(self.exchange.sent):
            entry = self.recorder.lock.mailings[address]
            meant = meant_by_lock(address, entry, self.mailings[address])
            yield from find_differences(meant, entry.chunks, remote)

    def _exit_code(self) -> int:
        """The first that fits, in the documented order."""
        return next((code for code in (5, 6, 7, 4, 1) if code in self.exit_codes), 0)

    def _not_saved(self, error: ResultNotSaved) -> SmsbyDeployError:
        """The disk did not take a line. Nothing more was sent; a result that would be lost goes to a rescue file."""
        if all(event["event"] != "result" for event in error.events):
            return SmsbyDeployError(
                f"the journal beside the lock can't be written ({error}): stopped sending; nothing is lost",
                hint="make room on the disk, or mend its permissions, then `smsby-deploy apply`",
            )
        return write_rescue(error, self.recorder.lock, self.rescue_path)
