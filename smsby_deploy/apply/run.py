"""The engine: applies a plan, lock held. The only place from which a sending method is reached.

For each request: the intent is on disk, the request leaves, its result is on disk. How several
do so at once: exchange.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from smsby_deploy.apply.bulk import ChunkMessage, FilesChanged, pack_requests, stream_parts
from smsby_deploy.apply.contact_batches import ContactReader
from smsby_deploy.apply.dispatcher import Dispatcher, Request, StopSending
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.list_sender import ListSender
from smsby_deploy.apply.outcomes import Outcomes
from smsby_deploy.apply.preflight import check_whole, current_plan
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.request import ApplyRequest
from smsby_deploy.apply.rescue import write_rescue
from smsby_deploy.apply.result import ApplyResult
from smsby_deploy.apply.single_sender import SingleSender
from smsby_deploy.apply.upload_sender import UploadSender, upload_of
from smsby_deploy.apply.worker_pool import Sender
from smsby_deploy.config.declarations import ContactList, Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import (
    ApiError,
    Refused,
    SmsbyDeployError,
    SmsbyUnavailable,
)
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.account_names import read_names
from smsby_deploy.plan.budget import spent_beside
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.drift import find_drift, intended_by_lock
from smsby_deploy.plan.model import STARTING, Action, ActionKind, Plan, ReasonCode
from smsby_deploy.plan.planner import TOOL
from smsby_deploy.plan.reasons import find_collision, with_code
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.situation import is_recorded_singly
from smsby_deploy.problems import Problem
from smsby_deploy.recipients.suppression import hash_opt_outs
from smsby_deploy.smsby.outcome import Outcome

__all__ = ["ApplyRequest", "apply_plan"]


def apply_plan(request: ApplyRequest) -> ApplyResult:
    """Apply what was reviewed, or what is planned now and approved.

    Raises:
        LockHeld, LockDamaged, FilesInvalid, PlanRefused, Refused, SmsbyUnavailable: before anything was sent.
        OutcomeUnknown: a result could not be saved; nothing more was sent.
    """
    with request.store.held(request.lock_timeout) as held:
        loaded = request.load()
        with closing(ChunkCache(request.store.path.parent, hash_opt_outs(loaded.project.suppress))) as kept:
            plan = current_plan(request, loaded, held.lock, kept.keep)
            request.planned(plan)
            check_whole(request, loaded, plan)
            if not request.approve(plan):
                raise Refused("not approved: nothing was sent", hint="answer yes, or use --auto-approve")
            return _Run(request, loaded, plan, held, kept).run()


class _Run:
    """One run of apply, lock held."""

    def __init__(
        self, request: ApplyRequest, loaded: LoadedProject, plan: Plan, held: HeldLock, kept: ChunkCache
    ) -> None:
        self.plan = plan
        self.kept = kept
        self.project = loaded.project
        self.client = request.client
        self.say = request.say
        self.advance = request.advance
        self.actions = {action.address: action for action in plan.actions}
        self.mailings = {m.address: m for m in self.project.mailings if m.address in self.actions}
        self.outcomes = Outcomes(plan)
        self.opened: dict[str, int] = {}  # address: revision
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
        self.sender = Sender(self._tell_waiting)
        self.reconciler = Reconciler(
            self.recorder,
            self.client,
            self.sender,
            request.clock,
            project=self.project.name,
            seconds=self.project.api.reconcile_seconds,
            say=self.say,
        )
        self.exchange = Dispatcher(
            self.recorder,
            self.sender,
            request.clock,
            self.say,
            self.reconciler.look_for,
            self.client.take_turn,
            self.project.api.concurrency,
        )
        self.lists = ListSender(
            self.project,
            self.client,
            self.exchange,
            planned_cost=plan.totals.cost,
            spent=spent_beside(self.project, plan.actions, held.lock, request.clock.now()),
            refuse=lambda address: self.outcomes.exit_codes.add(ExitCode.REFUSED),
        )
        self.uploads = UploadSender(
            self.project,
            self.client,
            self.exchange,
            self.lists,
            ContactReader(self.project, plan.inputs),
            read=self.reconciler.read,
            advance=self.advance,
            fail=self.outcomes.exit_codes.add,
        )
        self.singles = SingleSender(
            self.project,
            self.client,
            self.exchange,
            inputs=plan.inputs,
            read=self.reconciler.read,
            advance=self.advance,
            fail=self.outcomes.exit_codes.add,
        )

    def run(self) -> ApplyResult:
        self.outcomes.note_blocked()
        stopped = ""
        try:
            with self.sender:
                if self.must_begin:
                    self.recorder.begin()
                try:
                    self._record_found()
                    self._send_all()
                except StopSending as stop:
                    self.outcomes.exit_codes.add(stop.exit_code)
                    stopped = stop.error
                self.outcomes.close(self.recorder.lock, self.exchange, self.opened, stopped)
                differences = tuple(self._differences())
                done = [r for r in self.outcomes.results.values() if r.outcome.was_sent_now]
                self.recorder.end(len(done), sum(result.recipients or 0 for result in done))
                self.recorder.close()
        except ResultNotSaved as error:
            self.recorder.abandon()
            raise self._not_saved(error) from error
        return ApplyResult(
            self.plan, tuple(self.outcomes.results.values()), differences, self.outcomes.exit_code
        )

    def _tell_waiting(self) -> None:
        """Who sees nothing happen presses Ctrl-C again, and that makes an outcome unknown."""
        line = "stopping once what is on its way is answered; a second Ctrl-C stops waiting, and its outcome is unknown"
        self.say(Event("stopping", line, is_warning=True))

    # --- what sms.by has already -----------------------------------------------------------------------------------

    def _record_found(self) -> None:
        """Adopt what sms.by lists under our fingerprints, and look once more for what is unknown."""
        wanted = [
            action
            for action in self.plan.actions
            if action.action is ActionKind.ADOPT or action.reason_code is ReasonCode.UNKNOWN
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
            self.outcomes.note_found(action, self.recorder.lock.mailings[action.address])

    def _ask_before_sending(self) -> RemoteView:
        """The remote list; without it nothing goes out."""
        try:
            return self.reconciler.read()
        except (SmsbyUnavailable, ApiError) as error:
            raise StopSending(
                f"sms.by could not be asked before sending: {error}", ExitCode.UNREACHABLE
            ) from error

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
        if address in self.opened:
            return address not in self.exchange.stopped
        self.opened[address] = mailing.revision
        self.exchange.check_stop()
        remote = self._ask_before_sending()
        marks = [chunk.fingerprint for chunk in action.chunks]
        collision = find_collision(self.project.name, address, mailing.revision, marks, remote)
        if collision:
            self.outcomes.exit_codes.add(ExitCode.REFUSED)
            self.exchange.stopped[address] = with_code(ReasonCode.COLLISION, collision)
            return False
        entry = self.recorder.lock.mailings.get(address)
        is_new = action.action in STARTING or entry is None
        if is_recorded_singly(entry, mailing.revision, marks):
            is_new = False  # its messages may have been made
        try:
            if is_new and any(mark in remote.by_fingerprint for mark in marks):
                self._adopt(mailing, action, remote)
            elif is_new:
                kept = upload_of(entry, mailing)
                records = [
                    ChunkRecord(c.fingerprint, c.recipients, c.digest, upload=kept) for c in action.chunks
                ]
                self.recorder.write_entry(address, mailing.revision, action, records)
            else:
                self._look_again(mailing, action, remote)
        except (SmsbyUnavailable, ApiError) as error:
            raise StopSending(
                f"sms.by could not be asked before sending: {error}", ExitCode.UNREACHABLE
            ) from error
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
                    self._send_from_files(mailing, self.uploads if mailing.upload else self.singles)

    def _send_from_files(self, mailing: Mailing, sender: UploadSender | SingleSender) -> None:
        try:
            sender.send(mailing, self.actions[mailing.address])
        except FilesChanged as error:
            self.outcomes.exit_codes.add(ExitCode.PLAN_REFUSED)
            self.exchange.stopped[mailing.address] = f"{error}; what was sent of it is recorded"

    def _bulk_parts(self, mailings: Sequence[Mailing]) -> Iterator[ChunkMessage]:
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
                self.outcomes.exit_codes.add(ExitCode.PLAN_REFUSED)
                self.exchange.stopped[mailing.address] = f"{error}; what was sent of it is recorded"

    def _bulk_request(self, parts: Sequence[ChunkMessage]) -> Request:
        messages = {part.ref: part for part in parts}

        def call(chunks: Sequence[ChunkRef]) -> Callable[[], Outcome]:
            callback = self.project.api.callback_url
            return self.client.prepare_bulk_sms([messages[ref].message for ref in chunks], callback)

        def done() -> None:
            self.advance(sum(messages[ref].recipients for ref in request.chunks))

        request = Request([part.ref for part in parts], call, done=done)
        return request

    # --- the end -----------------------------------------------------------------------------------------------------

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
            meant = intended_by_lock(address, entry, self.mailings[address])
            yield from find_drift(meant, entry.chunks, remote)

    def _not_saved(self, error: ResultNotSaved) -> SmsbyDeployError:
        """The disk did not take a line. Nothing more was sent; a result that would be lost goes to a rescue file."""
        if all(event["event"] != "result" for event in error.events):
            return SmsbyDeployError(
                f"the journal beside the lock can't be written ({error}): stopped sending; nothing is lost",
                hint="make room on the disk, or mend its permissions, then `smsby-deploy apply`",
            )
        return write_rescue(error, self.recorder.lock, self.rescue_path)
