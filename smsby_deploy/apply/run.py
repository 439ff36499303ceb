"""Applies a plan while the lock is held.

Nothing outside this folder reaches a sending method. For each request, the intent is on disk before it is sent, and the
result after it; dispatcher.py keeps that order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace

from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome, MailingResult
from smsby_deploy.apply.bulk_sender import BulkSender
from smsby_deploy.apply.context import ApplyContext, ApplyRequest, Event
from smsby_deploy.apply.delivery_ledger import DeliveryLedger
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.list_guardrails import ListGuardrails
from smsby_deploy.apply.list_sender import ListSender
from smsby_deploy.apply.mailing_run import FilesChanged, MailingRun
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.apply.preflight import ReadyPlan, check_files, check_record, make_ready_plan
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.apply.remote_check import RemoteCheck
from smsby_deploy.apply.send_request import AnswerHandler
from smsby_deploy.apply.shutdown import FreezeWatch, ShutdownSignal, StopSending
from smsby_deploy.apply.single_chunks import SingleChunks
from smsby_deploy.apply.single_reconcile import SingleReconciler
from smsby_deploy.apply.single_sender import SingleSender
from smsby_deploy.apply.upload_sender import UploadSender, upload_of
from smsby_deploy.apply.worker_pool import WorkerPool
from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import ContactList
from smsby_deploy.errors import (
    ApiError,
    LockHeld,
    Refused,
    SmsbyDeployError,
    SmsbyUnavailable,
    StoreUnavailable,
)
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.records import Entry
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.audience_source import fresh_source
from smsby_deploy.plan.budget import spent_beside
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.drift import find_drift, intended_by_lock
from smsby_deploy.plan.model import ActionKind, Plan
from smsby_deploy.plan.remote_list_check import is_forgotten
from smsby_deploy.plan.remote_state import read_billed, read_remote
from smsby_deploy.plan.removed import find_unknown
from smsby_deploy.plan.waves import recorded_progress, why_waiting
from smsby_deploy.problems import Problem
from smsby_deploy.smsby.send_client import SendClient
from smsby_deploy.texts.pattern_search import begin_run

__all__ = ["ApplyRequest", "apply_plan"]


def apply_plan(request: ApplyRequest) -> ApplyResult:
    """Apply the reviewed plan, or make a plan now and apply it once approved.

    Raises:
        LockHeld, LockDamaged, FilesInvalid, PlanRefused, Refused, SmsbyUnavailable: before anything
            was sent.
        OutcomeUnknown: a result could not be saved; nothing more was sent.
    """
    begin_run()
    try:
        with request.hold_lock() as held:
            return _apply_held(request, held)
    except LockHeld:
        check_files(request)
        raise


def _apply_held(request: ApplyRequest, held: HeldLock) -> ApplyResult:
    loaded = request.load()
    if loaded.project.environment.is_sandbox and held.lock.mailings:
        _start_anew(request, loaded.project.scope, held)
    opt_outs = OptOutWatch(loaded.project, request.clock)
    with closing(ChunkCache(request.store.path.parent)) as cache:
        ready = make_ready_plan(request, loaded, held.lock, cache.keep)
        return run_plan(request, loaded, ready, held, cache, opt_outs)


def run_plan(
    request: ApplyRequest,
    loaded: LoadedProject,
    ready: ReadyPlan,
    held: HeldLock,
    cache: ChunkCache,
    opt_outs: OptOutWatch,
) -> ApplyResult:
    """Apply a ready plan; raises as apply_plan, or Refused if the user declines.

    `cache` and `opt_outs` were made before the plan.
    """
    if request.approve is None:
        if request.reviewed is None and not ready.is_handing_over:
            raise Refused(
                "no reviewed plan; nothing was sent", hint="pass `reviewed`, or `approve`, to ApplyRequest"
            )
    elif not request.approve(ready.plan):
        raise Refused("not approved; nothing was sent", hint='type "yes" when asked, or use --auto-approve')
    return _ApplyRun(request, loaded, ready, held, cache, opt_outs).run()


def _start_anew(request: ApplyRequest, scope: str, held: HeldLock) -> None:
    """Empty the lock if its sandbox does not know the recorded mailings.

    A sandbox that cannot be asked is reported later, by the usual checks.
    """
    with suppress(SmsbyUnavailable, ApiError):
        remote = read_remote(request.connect(), scope, held.lock)
        if is_forgotten(held.lock, remote, request.here):
            held.start_anew()


class _ApplyRun:
    """One apply of an approved plan."""

    def __init__(
        self,
        request: ApplyRequest,
        loaded: LoadedProject,
        ready: ReadyPlan,
        held: HeldLock,
        cache: ChunkCache,
        opt_outs: OptOutWatch,
    ) -> None:
        self._plan = plan = ready.plan
        self._project = project = _project_to_send(loaded.project, plan, ready.client)
        freeze = FreezeWatch(project.root / PROJECT_FILE, project.environment.name, request.clock)
        self._mailings = project.by_address
        self._recorder = open_recorder(request, loaded, plan, held, is_handing_over=ready.is_handing_over)
        self._context = ApplyContext(
            project=project,
            mailings=self._mailings,
            client=ready.client,
            clock=request.clock,
            recorder=self._recorder,
            shutdown=ShutdownSignal(request.clock, freeze.why),
            runs=self._make_runs(),
            names=plan.names,
            opt_outs=opt_outs,
            say=request.say,
            advance=request.advance,
        )
        ready.client.pause = self._context.shutdown.pause  # a signal does not wait for a long Retry-After
        self._workers = WorkerPool(self._context.shutdown, self._announce_shutdown)
        self._make_senders(held, cache)

    def _make_senders(self, held: HeldLock, cache: ChunkCache) -> None:
        context = self._context
        self._reconciler = Reconciler(context)
        dispatcher = Dispatcher(context, self._workers, AnswerHandler(context, self._reconciler))
        spent = spent_beside(self._project, self._plan.decided, held.lock, context.clock.now())
        ledger, chunks = DeliveryLedger(context.client, context.recorder), SingleChunks(context)
        self._singles = SingleSender(context, dispatcher, self._reconciler, chunks, ledger)
        guardrails = ListGuardrails(self._project, planned_cost=self._plan.committed.cost, spent=spent)
        self._lists = ListSender(context, dispatcher, self._reconciler, guardrails)
        self._uploads = UploadSender(context, dispatcher, self._reconciler, self._lists)
        self._check = RemoteCheck(context, self._reconciler, SingleReconciler(context, chunks, ledger))
        self._bulk = BulkSender(context, dispatcher, self._check, cache)

    def _make_runs(self) -> dict[str, MailingRun]:
        revisions = {address: mailing.revision for address, mailing in self._mailings.items()}
        obstacles = {action.address for action in self._plan.obstacles}
        orphans = frozenset(self._plan.orphans.addresses)
        return {
            a.address: MailingRun(a, revisions.get(a.address), fails_when_blocked=a.address in obstacles)
            for a in (*self._plan.decided, *find_unknown(self._recorder.lock, orphans))
        }

    def run(self) -> ApplyResult:
        """Send everything, and return the result."""
        try:
            with self._context.shutdown, closing(self._workers), closing(self._context.client.connections):
                self._note_account()
                stop = self._send()
                results, code = self._judge(None if stop is None else stop.error)
                differences = tuple(self._differences())
                self._record_end(results)
        except ResultNotSaved as error:
            failure = self._recorder.abandon(error)
            self._add_code(failure)
            raise failure from error
        except SmsbyDeployError as error:  # such as a lock that cannot be written
            self._add_code(error)
            raise
        if stop is not None:
            code = first_exit_code([code, stop.exit_code])
        ended, was_stopped = self._context.clock.now(), self._context.shutdown.is_requested
        return ApplyResult(self._plan, results, differences, code, ended, was_stopped)

    def _judge(self, reason: str | None) -> tuple[tuple[MailingResult, ...], ExitCode]:
        """Return the results of all mailings, and their exit code.

        `reason` is why the run was stopped, None if it was not.
        """
        runs = [run for run in self._context.runs.values() if run.is_reported]
        results = tuple(self._result(run, reason) for run in runs)
        return results, first_exit_code({code for run in runs for code in run.exit_codes})

    def _add_code(self, error: SmsbyDeployError) -> None:
        """Give the error that ended the run the most severe exit code, mailings included.

        So it does not hide a partial mailing, for example. A StoreUnavailable also records whether anything was sent.
        """
        error.exit_code = first_exit_code([error.exit_code, self._judge(error.message)[1]])
        if isinstance(error, StoreUnavailable):
            error.has_sent = any(run.was_sent or run.was_rejected for run in self._context.runs.values())

    def _note_account(self) -> None:
        if self._recorder.note_account():
            line = "the token was replaced by another one of the same account; the lock now records it"
            self._context.say(Event("account", line))

    def _result(self, run: MailingRun, reason: str | None) -> MailingResult:
        """Return the result of one mailing, including what its next wave waits for."""
        entry = self._entry(run)
        result = run.result(entry, reason)
        mailing = self._mailings.get(run.action.address)
        if entry is None or mailing is None or mailing.waves is None:
            return result
        if mailing.cancelled is not None or entry.ending is not None:
            return result
        progress = recorded_progress(entry, mailing.waves.steps, self._context.clock.now(), mailing.zone)
        if not progress.is_next or result.error is not None:
            return result
        is_over = run.was_sent or result.outcome is MailingOutcome.SENT  # even if all of its wave opted out
        return replace(result, waits=why_waiting(progress) if is_over else run.action.reason)

    def _entry(self, run: MailingRun) -> Entry | None:
        return self._recorder.lock.mailings.get(run.action.address)

    def _send(self) -> StopSending | None:
        """Send everything; return why the whole run stopped, if a signal or sms.by stopped it."""
        try:
            self._hold()
            self._check.record_found()
            for campaign in self._project.campaigns:
                self._send_campaign([m for m in campaign.mailings if self._is_to_send(m)])
        except StopSending as stop:
            return stop
        return None

    def _hold(self) -> None:
        """Record the mailings that this plan approves for later, without any request."""
        for address, run in self._context.runs.items():
            if run.action.action is ActionKind.HOLD and self._check.replace_waiting(self._mailings[address]):
                mailing, entry = self._mailings[address], self._entry(run)
                upload = upload_of(entry, mailing)
                source = fresh_source(mailing, self._project)
                self._recorder.hold(run.action, mailing.revision, upload, source)
                run.is_begun = True

    def _is_to_send(self, mailing: Mailing) -> bool:
        run = self._context.runs.get(mailing.address)
        return run is not None and run.action.sends

    def _send_campaign(self, mailings: list[Mailing]) -> None:
        """Send the mailings of a campaign: bulk ones first, in shared requests, then the others."""
        self._bulk.send([mailing for mailing in mailings if mailing.via == "bulk"])
        for mailing in mailings:
            if mailing.via != "bulk" and self._check.begin(mailing):
                self._send_mailing(mailing)

    def _send_mailing(self, mailing: Mailing) -> None:
        run = self._context.runs[mailing.address]
        try:
            if isinstance(mailing.audience, ContactList):
                self._lists.send(mailing)
            elif mailing.upload:
                self._uploads.send(mailing)
            else:
                self._singles.send(mailing)
        except FilesChanged as error:
            error.stop(run)

    def _announce_shutdown(self) -> None:
        line = "stopping after the requests in flight; another Ctrl-C abandons them and leaves their outcome unknown"
        self._context.say(Event("stopping", line, is_warning=True))

    def _record_end(self, results: tuple[MailingResult, ...]) -> None:
        sent = [result for result in results if result.outcome.was_sent_now]
        self._recorder.end(len(sent), sum(result.recipients or 0 for result in sent))
        self._recorder.close()

    def _differences(self) -> Iterator[Problem]:
        """Yield how the mailings sent now, as sms.by reports them, differ from what was intended."""
        sent = sorted(address for address, run in self._context.runs.items() if run.was_sent)
        if not sent:
            return
        try:
            remote = self._reconciler.read()
        except SmsbyDeployError as error:
            line = f"could not compare the sent mailings with what sms.by reports: {error.message}"
            self._context.say(Event("not-compared", line, is_warning=True))
            return
        for address in sent:
            entry = self._recorder.lock.mailings[address]
            billed = read_billed(entry, remote.find_sent)
            # Phone-by-phone mailings may share a message.
            if billed is not None and entry.transport != "single":
                self._recorder.learn_billed(address, billed)
            intended = intended_by_lock(address, entry, self._mailings[address]).by(self._context.names)
            yield from find_drift(intended, entry.chunks, remote)


def _project_to_send(project: Project, plan: Plan, client: SendClient) -> Project:
    """Return `project` with its queries limited to the results that were planned.

    `reconcile_seconds` is raised to what this account needed before.
    """
    inputs = {name: project.digest_key.bare(digest) for name, digest in plan.inputs.items()}
    seconds = client.facts.reconcile_seconds(project.api.reconcile_seconds)
    return project.pinned(inputs)._replace(api=project.api._replace(reconcile_seconds=seconds))


def open_recorder(
    request: ApplyRequest,
    loaded: LoadedProject,
    plan: Plan,
    held: HeldLock,
    *,
    is_handing_over: bool = False,
) -> Recorder:
    """Open the journal of a run that applies `plan`.

    Raises:
        UsageError: the lock would not be readable after the run.
    """
    check_record(request, loaded.project, plan, held)
    return Recorder(
        held,
        plan,
        loaded.project,
        clock=request.clock,
        commit=request.commit,
        by=request.by,
        is_handing_over=is_handing_over,
    )
