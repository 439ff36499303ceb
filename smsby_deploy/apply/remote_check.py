"""The checks at sms.by before the first request of a mailing in a run."""

from __future__ import annotations

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.apply.reconcile import Reconciler, not_asked, note_found, record_listed
from smsby_deploy.apply.recorder import record_of
from smsby_deploy.apply.single_reconcile import SingleReconciler
from smsby_deploy.apply.upload_sender import upload_of
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState, Entry, EntryState
from smsby_deploy.plan.budget import cost_with_rest
from smsby_deploy.plan.collision_reasons import find_collision
from smsby_deploy.plan.model import NEW_SENDING, Action, ActionKind, ReasonCode, with_code
from smsby_deploy.plan.remote_list_check import ListCheck, check_list
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.situation import is_recorded_singly
from smsby_deploy.wording import sentence

_LEAST_BETWEEN = 10.0  # seconds between two looks for one mailing, however short `reconcile_seconds` is
_SENT_ELSEWHERE = sentence("sms.by lists a part of it that this run did not send")
_UNKNOWN_ELSEWHERE = with_code(ReasonCode.UNKNOWN, _SENT_ELSEWHERE)


class RemoteCheck:
    """Records what sms.by already has, so that none of it is sent again."""

    def __init__(self, context: ApplyContext, reconciler: Reconciler, singles: SingleReconciler) -> None:
        self._project = context.project
        self._recorder = context.recorder
        self._shutdown = context.shutdown
        self._runs = context.runs
        self._mailings = context.mailings
        self._reconciler = reconciler
        self._singles = singles
        self._clock = context.clock
        self._seen: dict[str, float | None] = {}  # read time of the list each mailing was last looked up in
        self._lock_before = context.recorder.lock  # mailings sent in this run may not be listed yet
        self._verified: tuple[RemoteView, ListCheck] | None = None  # the list compared last

    def record_found(self) -> None:
        """Record the mailings that the plan adopts, and look again for unknown outcomes.

        Raises:
            StopSending: sms.by could not be asked.
        """
        runs = [run for run in self._runs.values() if _is_to_reconcile(run.action) or self._is_in_doubt(run)]
        if not runs:
            return
        remote = self._reconciler.read_before_sending()
        for run in runs:
            entry = self._recorder.lock.mailings.get(run.action.address)
            if run.action.action is ActionKind.ORPHAN:
                note_found(self._recorder, run.action.address, remote)
                self._reconciler.look_at_confirmations(run.action.address)
                run.is_reconciled = True
                continue
            mailing = self._mailings[run.action.address]
            if entry is None or (entry.revision < mailing.revision and not entry.has_unknown):
                if not _is_adoptable(run.action, remote):
                    continue
                self._adopt(mailing, run.action, remote)
            elif entry.revision == mailing.revision and _was_replaced(entry, run.action, remote):
                self._adopt(mailing, run.action, remote)
            else:
                self._note_found(mailing, run.action, remote)
                self._reconciler.look_at_confirmations(mailing.address)
            run.is_reconciled = run.action.action is ActionKind.ADOPT or (
                run.action.reason_code is ReasonCode.UNKNOWN and self._is_news(mailing.address, entry)
            )

    def _is_news(self, address: str, before: Entry | None) -> bool:
        """Whether a mailing was unknown or was found; False if only the list is in doubt."""
        is_found = self._recorder.lock.mailings.get(address) != before
        return is_found or (before is not None and before.has_unknown)

    def _is_in_doubt(self, run: MailingRun) -> bool:
        """Whether a removed mailing, or one blocked for another reason, has an unknown outcome."""
        entry = self._recorder.lock.mailings.get(run.action.address)
        is_not_sent = run.action.action in (ActionKind.BLOCKED, ActionKind.ORPHAN)
        return is_not_sent and entry is not None and entry.has_unknown

    def begin(self, mailing: Mailing) -> bool:
        """Look up the mailing at sms.by and record it, before its first request in this run.

        Returns:
            whether it may be sent.

        Raises:
            StopSending: sms.by could not be asked, or a signal asked to stop.
        """
        run = self._runs[mailing.address]
        if run.is_begun:
            return not run.is_stopped
        run.is_begun = True
        self._shutdown.check()
        remote = self._reconciler.read_recent()
        self._seen[mailing.address] = self._reconciler.recent.asked_at
        self._stop_if_refused(mailing, remote)
        if run.is_stopped or not self.replace_waiting(mailing):
            return False
        try:
            self._record(mailing, run.action, remote)
        except (SmsbyUnavailable, ApiError) as error:
            raise not_asked(error) from error
        chunks = self._recorder.lock.mailings[mailing.address].chunks
        if any(chunk.state is ChunkState.UNKNOWN and chunk.step != "confirm" for chunk in chunks):
            run.stop(_UNKNOWN_ELSEWHERE)
        return not run.is_stopped

    def look_again(self, address: str) -> None:
        """Look for the rest of a mailing that is being sent, if the last look was long ago.

        Another checkout may be sending it, too. Chunks that are listed although this run has not sent them are recorded,
        and the mailing is stopped.

        Raises:
            StopSending: sms.by could not be asked.
        """
        if self._project.environment.is_rehearsal:
            return  # earlier rehearsals are listed
        remote = self._reconciler.read_recent(_LEAST_BETWEEN)
        if self._seen.get(address) == self._reconciler.recent.asked_at:
            return
        self._seen[address] = self._reconciler.recent.asked_at
        self._stop_if_refused(self._mailings[address], remote)
        before = self._recorder.lock.mailings[address]
        note_found(self._recorder, address, remote, skip={ChunkState.UNKNOWN})  # unknown: in flight
        if self._recorder.lock.mailings[address] is not before:
            self._runs[address].stop(_SENT_ELSEWHERE)

    def replace_waiting(self, mailing: Mailing) -> bool:
        """Record what sms.by has of a waiting earlier version before `mailing` replaces it.

        Returns:
            whether `mailing` may be approved or sent.

        Raises:
            StopSending: sms.by could not be asked.
        """
        address, entry = mailing.address, self._recorder.lock.mailings.get(mailing.address)
        action = self._runs[address].action
        if (
            entry is None
            or entry.state is not EntryState.WAITING
            or entry.fingerprints == action.fingerprints
        ):
            return True
        remote = self._reconciler.read_recent()
        if _was_replaced(entry, action, remote) or not record_listed(self._recorder, address, remote):
            return True
        if entry.revision != mailing.revision and not self._recorder.lock.mailings[address].has_unknown:
            return True
        self._runs[address].stop(_UNKNOWN_ELSEWHERE, ExitCode.OUTCOME_UNKNOWN)
        return False

    def _stop_if_refused(self, mailing: Mailing, remote: RemoteView) -> None:
        """Stop the mailing if the list is not credible, or shows another one in its place."""
        run, check = self._runs[mailing.address], self._verify(remote)
        if check.is_disproved:
            run.stop(with_code(ReasonCode.UNKNOWN, check.doubt), ExitCode.REFUSED)
            return
        marks = run.action.fingerprints
        now = self._clock.now().astimezone(mailing.zone)
        collision = find_collision(mailing.address, mailing.revision, marks, remote, now)
        if collision and not self._project.environment.is_rehearsal:
            run.stop(with_code(ReasonCode.COLLISION, collision), ExitCode.REFUSED)

    def _verify(self, remote: RemoteView) -> ListCheck:
        """Check a list against the lock, once for all mailings that are looked up in it."""
        if self._verified is None or self._verified[0] is not remote:
            seconds, now = self._project.api.reconcile_seconds, self._clock.now()
            check = check_list(self._lock_before, remote, now=now, reconcile_seconds=seconds)
            self._verified = remote, check
        return self._verified[1]

    def _record(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        """Record a new mailing, or what sms.by says about a recorded one."""
        entry = self._recorder.lock.mailings.get(mailing.address)
        marks = action.fingerprints
        is_new = action.action in NEW_SENDING or entry is None
        if is_recorded_singly(entry, mailing.revision, marks):
            is_new = False  # its messages may exist already
        if not is_new:
            if entry is not None and entry.state is EntryState.WAITING:  # the lock knows of no request
                record_listed(self._recorder, mailing.address, remote)
            self._note_found(mailing, action, remote)
            self._record_cost(mailing.address, action)
        elif remote.has_any(marks) and not self._is_sent_again(entry):
            self._adopt(mailing, action, remote)
        else:
            upload = upload_of(entry, mailing)
            records = [record_of(chunk, upload=upload) for chunk in action.chunks]
            self._recorder.write_entry(action, mailing.revision, records)

    def _record_cost(self, address: str, action: Action) -> None:
        """Record the cost of a mailing including its rest, if the price rose since its first part."""
        entry = self._recorder.lock.mailings[address]
        cost = cost_with_rest(entry, action) if entry.currency == self._project.currency else None
        if cost is not None:
            self._recorder.learn(address, entry.recipients, entry.parts, cost)

    def _is_sent_again(self, entry: Entry | None) -> bool:
        """Whether another version was rehearsed, whose chunks may be listed."""
        return self._project.environment.is_rehearsal and entry is not None and entry.was_sent_in_part

    def _adopt(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        if mailing.via == "single":
            self._singles.adopt(mailing, action, remote)
        else:
            self._reconciler.adopt(action, mailing.revision, remote)

    def _note_found(self, mailing: Mailing, action: Action, remote: RemoteView) -> None:
        if self._recorder.lock.mailings[mailing.address].transport == "single":
            self._singles.look_again(mailing, action, remote)
        else:
            note_found(self._recorder, mailing.address, remote)


def _was_replaced(entry: Entry, action: Action, remote: RemoteView) -> bool:
    """Whether sms.by has the mailing as planned, and nothing of what the lock records instead.

    Then the lock is outdated: the other content or recipients that it records were not sent.
    """
    is_planned_listed = remote.has_any(action.fingerprints) and not remote.has_any(entry.fingerprints)
    return is_planned_listed and not entry.may_have_reached


def _is_adoptable(action: Action, remote: RemoteView) -> bool:
    """Whether sms.by has at least a part of a mailing.

    It has none of a mailing that is blocked only because the list as a whole is in doubt.
    """
    return action.action is ActionKind.ADOPT or remote.has_any(action.fingerprints)


def _is_to_reconcile(action: Action) -> bool:
    """Whether sms.by is asked about a mailing that this plan does not send."""
    return action.action is ActionKind.ADOPT or action.reason_code is ReasonCode.UNKNOWN
