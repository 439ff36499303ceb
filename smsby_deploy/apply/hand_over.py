"""Hands over mailings that were approved earlier, once their window is open.

The lock records which mailings these are. Neither the plan file nor the files of other mailings are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

from smsby_deploy.apply.apply_result import ApplyResult, MailingOutcome, MailingResult
from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.apply.due_mailings import DueMailings, next_opening, sort_mailings
from smsby_deploy.apply.mailing_run import count_concerned
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.apply.preflight import empty_plan, make_due_plan
from smsby_deploy.apply.reconcile import note_found, record_listed
from smsby_deploy.apply.recorder import Recorder
from smsby_deploy.apply.remote_list import HandOverList
from smsby_deploy.apply.run import open_recorder, run_plan
from smsby_deploy.apply.wave_judge import WaveJudge
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import (
    ApiError,
    FilesInvalid,
    Refused,
    SmsbyDeployError,
    SmsbyUnavailable,
    StoreUnavailable,
)
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.lock.decisions import VerdictKind
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.guardrails import find_closed_hours
from smsby_deploy.plan.model import Plan, ReasonCode, with_code
from smsby_deploy.plan.planner import measure_files
from smsby_deploy.plan.reasons import CHANGED_SINCE_APPROVAL, not_handed_over
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.removed import REMOVED, has_news
from smsby_deploy.plan.scheduled import listed_and_taken_back
from smsby_deploy.plan.selection import problems_in, select_mailings
from smsby_deploy.plan.waves import (
    count_unsent,
    has_later_wave,
    plan_of,
    why_no_verdict,
    why_removed,
    why_stopped,
    would_go_on,
)
from smsby_deploy.problems import has_errors
from smsby_deploy.wording import sentence

_CHANGED = sentence("it has changed since it was approved")
_OVER = sentence("its window is over")
_STOPPED_BY = (Refused, SmsbyUnavailable, ApiError)


def hand_over(request: ApplyRequest) -> ApplyResult:
    """Hand over the mailings that are due; record those no longer in the files as withdrawn.

    A failure of one approved plan is part of the result and does not stop the others.

    Raises:
        UsageError: a pattern of `select` matches nothing.
        FilesInvalid: smsby.yaml is not valid.
        LockHeld, LockDamaged: before anything was sent.
        OutcomeUnknown: a result could not be saved; nothing more was sent.
    """
    loaded = request.load()
    lock = request.store.read()
    select_mailings(loaded, lock, request.select)
    now = request.clock.now()
    if not sort_mailings(request, loaded, lock, now).is_empty or request.store.has_leftover():
        with request.hold_lock() as held:
            return _HandOver(request, loaded, held).run()
    opening = next_opening(request, lock, now, loaded.project.by_address)
    return ApplyResult(empty_plan(request, loaded, lock), (), (), ExitCode.DONE, next_opening=opening)


@dataclass(slots=True)
class _HandOver:
    """One run of `apply --due` while it holds the lock."""

    request: ApplyRequest
    loaded: LoadedProject
    held: HeldLock
    in_files: Mapping[str, Mailing] = field(init=False)  # by address
    plan: Plan = field(init=False)  # without actions
    recent: HandOverList = field(init=False)
    mailings: list[MailingResult] = field(default_factory=list)
    parts: list[ApplyResult] = field(default_factory=list)
    codes: set[ExitCode] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.in_files = self.loaded.project.by_address
        self.plan = empty_plan(self.request, self.loaded, self.held.lock)
        self.recent = HandOverList(self.request, self.loaded.project)

    def run(self) -> ApplyResult:
        """Process the due mailings; report what was done even if the store fails midway."""
        found = sort_mailings(self.request, self.loaded, self.held.lock, self.request.clock.now())
        expected = found.addresses  # below, mailings move from one group to another
        try:
            self._do(found)
        except StoreUnavailable as error:
            done = {mailing.address for mailing in self.mailings}
            if error.has_sent or not done:
                raise
            self._fail([one for one in expected if one not in done], error)
            self.codes.add(error.exit_code)
        return self._result()

    def _do(self, found: DueMailings) -> None:
        lock = self.held.lock
        why = with_code(ReasonCode.WITHDRAWN, sentence("{why}, so it is not sent", why=REMOVED))
        self._take_back(found.removed, REMOVED, why, None)
        for address in self._adopt(found.missed):
            approval = lock.mailings[address].approval
            assert approval is not None
            why = with_code(ReasonCode.EXPIRED, not_handed_over(approval.window))
            self._skip(address, why, ExitCode.REFUSED)
        why = with_code(ReasonCode.CHANGED, CHANGED_SINCE_APPROVAL)
        self._take_back([*filter(self._has_changed, found.suspect)], _CHANGED, why, ExitCode.REFUSED)
        for address in found.unreadable:
            self._fail([address], FilesInvalid(problems_in(self.loaded, (address,))))
        self._catch_up(found)
        for address, why in found.stopped.items():
            self._skip(address, with_code(ReasonCode.WAVE, why), ExitCode.REFUSED)
        self._report_cut_off(found.cut_off)
        self._judge_waves(found)
        self._postpone_in_quiet_hours(found)
        for addresses in found.due.values():
            if not any(part.was_stopped for part in self.parts):
                self._hand_over(addresses)

    def _adopt(self, addresses: Sequence[str]) -> list[str]:
        """Record waiting mailings that sms.by already lists; return the rest.

        A plan made from the files finds out which parts sms.by has. What it cannot prove is unknown: a listed message does
        not show which phones it was sent to.
        """
        lock = self.held.lock
        if not addresses or (remote := self._read_list()) is None:  # as far as is known, they were missed
            return [*addresses]
        listed = [one for one in addresses if remote.shows_mailing(one, lock.mailings[one])]
        removed = [one for one in listed if one not in self.in_files]
        doubted = [one for one in listed if one in removed or lock.mailings[one].transport == "single"]
        if doubted:
            with self._recording() as recorder:
                for address in doubted:
                    record_listed(recorder, address, remote)
        if planned := [one for one in listed if one not in removed]:
            self._hand_over(planned)
        for address in removed:
            self._report_listed(address, _OVER)
        return [one for one in addresses if one not in listed]

    def _catch_up(self, found: DueMailings) -> None:
        """Record, through a plan, the waves that an outdated lock lacks.

        A verdict on an earlier wave is then ignored.
        """
        addresses = {one.mailing.address for one in found.to_judge} | found.stopped.keys()
        if not addresses or (remote := self._read_list()) is None:
            return
        mailings = self.held.lock.mailings
        outdated = {one for one in addresses if has_news(mailings[one], remote)}
        found.to_judge[:] = [one for one in found.to_judge if one.mailing.address not in outdated]
        for address in sorted(outdated):
            found.stopped.pop(address, None)
            self._hand_over([address])

    def _report_cut_off(self, addresses: Sequence[str]) -> None:
        """Report which waves of removed mailings are not sent; record what an outdated lock lacks."""
        if not addresses:
            return
        with self._failing(addresses):
            remote = self.recent.read(self.held.lock)
            with self._recording() as recorder:
                for address in addresses:
                    note_found(recorder, address, remote)
            for address in addresses:
                entry = self.held.lock.mailings[address]
                if would_go_on(entry):
                    why = with_code(ReasonCode.WAVE, why_removed(entry, address))
                    self._skip(address, why, ExitCode.REFUSED)
                else:
                    self._report_listed(address, REMOVED)

    def _judge_waves(self, found: DueMailings) -> None:
        """Judge the last waves; after the verdict "go", the mailing's next wave is due."""
        if not found.to_judge:
            return
        with self._failing([one.mailing.address for one in found.to_judge]):
            judge = WaveJudge(self.held.lock, self.request.connect(), self.recent.read(self.held.lock))
            judged = [(one, *judge.judge(one, self.request.clock.now())) for one in found.to_judge]
            verdicts = {one.mailing.address: verdict for one, _, verdict in judged if verdict is not None}
            if verdicts:
                with self._recording() as recorder:
                    for address, found_verdict in verdicts.items():
                        recorder.judge(address, found_verdict)
            for one, figures, verdict in judged:
                address = one.mailing.address
                if verdict is None:
                    self._wait(address, why_no_verdict(one.progress, figures))
                elif verdict.kind is VerdictKind.GO:
                    found.due.setdefault(plan_of(one.entry), []).append(address)
                else:
                    why = why_stopped(one.progress._replace(verdict=verdict), address)
                    self._skip(address, with_code(ReasonCode.WAVE, why), ExitCode.REFUSED, was_judged=True)

    def _postpone_in_quiet_hours(self, found: DueMailings) -> None:
        """Postpone waves that would be sent in quiet hours, as the files set no time for them."""
        rails, now = self.loaded.project.guardrails, self.request.clock.now()
        for addresses in found.due.values():
            for address in list(addresses):
                is_wave = has_later_wave(self.held.lock.mailings[address])
                if is_wave and (breach := find_closed_hours(rails, self.in_files[address], now)) is not None:
                    addresses.remove(address)
                    self._wait(address, breach.message)
        for plan in [plan for plan, addresses in found.due.items() if not addresses]:
            del found.due[plan]

    def _has_changed(self, address: str) -> bool:
        """Whether a mailing that is not due yet certainly differs from the approved one."""
        entry = self.held.lock.mailings[address]
        files = measure_files(self.loaded, select=(address,), lock=self.held.lock)
        (one,) = files.measured
        if entry.revision != one.mailing.revision:
            return True
        if one.desired is None or has_errors(files.problems):
            return False
        return not one.desired.has_content(entry.content_digest)

    def _hand_over(self, addresses: list[str]) -> None:
        """Hand over the mailings of one approved plan.

        If the files of one are not valid, hand over each mailing separately.
        """
        with self._failing(addresses):
            try:
                self._apply(addresses)
            except FilesInvalid as error:
                if len(addresses) == 1:
                    self._fail(addresses, error)
                    return
                for address in addresses:
                    self._hand_over([address])

    def _apply(self, addresses: list[str]) -> None:
        request, loaded = self.request, self.loaded
        opt_outs = OptOutWatch(loaded.project, request.clock)
        with closing(ChunkCache(request.store.path.parent)) as cache:
            ready = make_due_plan(
                request, loaded, self.held.lock, tuple(addresses), cache.keep, self.plan, self.recent
            )
            changed = [
                action.address
                for action in ready.plan.actions
                if action.reason_code is ReasonCode.CHANGED
                and not self.held.lock.mailings[action.address].may_have_reached
            ]
            lapsed = self._lapse(changed, _CHANGED)
            listed = set(changed) - lapsed
            part = run_plan(request, loaded, ready, self.held, cache, opt_outs)
        self.recent.forget()
        self.parts.append(part)
        for one in part.mailings:
            if one.address in listed:
                self._report_listed(one.address, _CHANGED)
            else:
                is_recorded = one.is_recorded or one.address in lapsed
                self.mailings.append(replace(one, is_recorded=is_recorded))
        self.codes.add(part.exit_code)

    def _take_back(self, addresses: Sequence[str], reason: str, why: str, code: ExitCode | None) -> None:
        """Let the approvals lapse, or record what sms.by has of these mailings; report which."""
        with self._failing(addresses):
            lapsed = self._lapse(addresses, reason)
            for address in addresses:
                if address in lapsed:
                    self._skip(address, why, code, is_recorded=True)
                else:
                    self._report_listed(address, reason)

    def _lapse(self, addresses: Sequence[str], reason: str) -> frozenset[str]:
        """Record that these mailings are no longer approved; return those actually recorded so.

        The lock may be outdated and show a mailing as waiting that was handed over; then what sms.by lists of it is recorded
        instead.

        Raises:
            Refused, SmsbyUnavailable, TokenRefused, ApiError: it is unknown what sms.by has of them.
        """
        if not addresses:
            return frozenset()
        remote = self.recent.read_proven(self.held.lock)
        with self._recording() as recorder:
            lapsed = {one for one in addresses if not record_listed(recorder, one, remote)}
            for address in addresses:
                if address in lapsed:
                    recorder.lapse(address, reason)
        return frozenset(lapsed)

    def _report_listed(self, address: str, reason: str) -> None:
        """Report what was recorded about a mailing that sms.by lists."""
        lock, entry, now = self.held.lock, self.held.lock.mailings[address], self.request.clock.now()
        why = listed_and_taken_back(lock.scope, address, entry, reason, now)
        if entry.has_unknown:
            self._add_unknown(address, why)
        else:
            found = MailingResult(address, MailingOutcome.ADOPTED, entry.recipients, error=why)
            self.mailings.append(replace(found, revision=entry.revision))

    def _read_list(self) -> RemoteView | None:
        """Return what sms.by lists; None if it cannot be read, so that only the lock counts."""
        try:
            return self.recent.read(self.held.lock)
        except _STOPPED_BY:
            return None

    @contextmanager
    def _recording(self) -> Iterator[Recorder]:
        """Open a journal in which individual mailings are recorded."""
        recorder = open_recorder(self.request, self.loaded, self.plan, self.held, is_handing_over=True)
        try:
            yield recorder
        except ResultNotSaved as error:
            raise recorder.abandon(error) from error
        recorder.close()

    def _skip(
        self,
        address: str,
        why: str,
        code: ExitCode | None,
        *,
        is_recorded: bool = False,
        was_judged: bool = False,
    ) -> None:
        skipped = replace(self._skipped(address), error=why, is_recorded=is_recorded, was_judged=was_judged)
        self.mailings.append(skipped)
        if code is not None:
            self.codes.add(code)

    def _wait(self, address: str, why: str) -> None:
        self.mailings.append(replace(self._skipped(address), waits=why))

    def _skipped(self, address: str) -> MailingResult:
        entry = self.held.lock.mailings[address]
        return MailingResult(address, MailingOutcome.SKIPPED, count_unsent(entry), revision=entry.revision)

    @contextmanager
    def _failing(self, addresses: Iterable[str]) -> Iterator[None]:
        """Report an error that stops these mailings; the others continue."""
        try:
            yield
        except _STOPPED_BY as error:
            self._fail(addresses, error)

    def _fail(self, addresses: Iterable[str], error: SmsbyDeployError) -> None:
        """Report the error that stopped these mailings; an earlier outcome stays unknown."""
        for address in addresses:
            if self.held.lock.mailings[address].has_unknown:
                self._add_unknown(address, error.summary)
                self.codes.add(error.exit_code)
            else:
                self._skip(address, error.summary, error.exit_code)

    def _add_unknown(self, address: str, why: str) -> None:
        entry = self.held.lock.mailings[address]
        unknown = MailingResult(address, MailingOutcome.UNKNOWN, entry.recipients, error=why)
        concerned = count_concerned(entry, unknown.outcome)
        self.mailings.append(replace(unknown, concerned=concerned, revision=entry.revision))
        self.codes.add(ExitCode.OUTCOME_UNKNOWN)

    def _result(self) -> ApplyResult:
        request, lock, now = self.request, self.held.lock, self.request.clock.now()
        return ApplyResult(
            replace(
                self.plan.with_actions(action for part in self.parts for action in part.plan.actions),
                problems=tuple(
                    dict.fromkeys(problem for part in self.parts for problem in part.plan.problems)
                ),
            ),
            tuple(self.mailings),
            tuple(problem for part in self.parts for problem in part.differences),
            first_exit_code(self.codes),
            now,
            any(part.was_stopped for part in self.parts),
            next_opening(request, lock, now, self.in_files),
        )
