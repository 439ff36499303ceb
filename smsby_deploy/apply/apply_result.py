"""The result of an apply: outcomes, the exit code, and the next steps.

A MailingRun collects what happens to one mailing during the run; its result follows from that and from the lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum, auto

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import DONE, ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.model import Action, ActionKind, Plan, total_of
from smsby_deploy.plan.waves import has_later_wave
from smsby_deploy.problems import Problem
from smsby_deploy.wording import sentence


class MailingOutcome(StrEnum):
    SENT = "sent"
    HELD = "held"  # approved, and handed over later
    ADOPTED = "adopted"
    CONFIRMED = "confirmed"
    PARTIAL = "partial"  # some recipients got it, and the rest certainly did not
    SKIPPED = "skipped"  # nothing of it was sent
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def was_sent_now(self) -> bool:
        """Whether this run sent the mailing."""
        return self in (MailingOutcome.SENT, MailingOutcome.CONFIRMED)


class NextStep(Enum):
    """What the user should do after an apply, the most urgent step first."""

    RESOLVE_UNKNOWN = auto()
    COMMIT_LOCK = auto()
    CONTINUE = auto()  # apply the same plan again: it sends the rest
    PLAN_AGAIN = auto()
    HAND_OVER = auto()  # what was approved earlier is due
    WATCH_STATUS = auto()


@dataclass(frozen=True, slots=True)
class MailingResult:
    """One mailing's outcome. `error` says why it was not sent, or not completely."""

    address: str
    outcome: MailingOutcome
    recipients: int | None
    uuids: list[str] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    error: str | None = None
    has_lapsed: bool = False  # it was approved, and is no longer
    waits: str = ""  # what must happen before its next wave is sent
    was_judged: bool = False  # a verdict about a wave was recorded
    was_begun: bool = False  # its entry was written, whatever came of it

    @property
    def is_partial(self) -> bool:
        """Whether some recipients got it, and the rest certainly did not."""
        return self.outcome is MailingOutcome.PARTIAL

    @property
    def has_record(self) -> bool:
        """Whether the lock records something new about it."""
        is_recorded = (
            self.has_lapsed
            or self.was_judged
            or self.was_begun
            or self.outcome.was_sent_now
            or self.outcome
            in (
                MailingOutcome.HELD,
                MailingOutcome.ADOPTED,
                MailingOutcome.UNKNOWN,
            )
        )
        return is_recorded or bool(self.uuids or self.message_ids)


@dataclass(frozen=True, slots=True)
class SentTotals:
    """Sums over the mailings that this run sent.

    `recipients` counts whole mailings; `recipients_now` leaves out those who got a resumed mailing in an earlier run.
    `uncounted_lists` are those whose size sms.by did not report. `cost` is the planned cost of this run, None without a
    price; `unpriced_lists` are not part of it.
    """

    recipients: int
    recipients_now: int
    uncounted_lists: int
    cost: Decimal | None
    unpriced_lists: int


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The result of one apply.

    `mailings` are those of the files; nothing happens to orphans. `differences` are warnings about sent mailings for which
    sms.by reports other values than intended. `ended` is when the run ended, None if it sent nothing. `was_stopped`: a signal
    stopped it. `next_opening` is when the next of the mailings that wait is due, after a hand-over.
    """

    plan: Plan
    mailings: tuple[MailingResult, ...]
    differences: tuple[Problem, ...]
    exit_code: ExitCode
    ended: datetime | None = None
    was_stopped: bool = False
    next_opening: datetime | None = None

    def count(self, outcome: MailingOutcome) -> int:
        """How many mailings have this outcome; orphans are skipped."""
        orphans = len(self.plan.orphans.addresses) if outcome is MailingOutcome.SKIPPED else 0
        return orphans + sum(mailing.outcome == outcome for mailing in self.mailings)

    @property
    def scheduled(self) -> frozenset[str]:
        """The mailings that this run handed over for a later time, by address."""
        sent = {one.address for one in self.mailings if one.outcome.was_sent_now and one.recipients != 0}
        return frozenset(
            action.address
            for action in self.plan.decided
            if action.address in sent and self._is_later(action.schedule_time)
        )

    def _is_later(self, time: str | None) -> bool:
        return time is not None and self.ended is not None and datetime.fromisoformat(time) > self.ended

    @property
    def orphans(self) -> Mapping[str, int | None]:
        """The recorded mailings that are no longer in the files, and how many recipients each has."""
        return self.plan.orphans.recipients

    @property
    def first_unknown(self) -> str | None:
        """The address of the first mailing whose outcome is unknown."""
        return next((m.address for m in self.mailings if m.outcome == MailingOutcome.UNKNOWN), None)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The mailings of which nothing was sent for a reason, such as an expired one."""
        skipped = (one for one in self.mailings if one.outcome is MailingOutcome.SKIPPED)
        return tuple(one.address for one in skipped if one.error)

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        """What the user should do now, in this order."""
        failed = {m.address for m in self.mailings if m.error and m.outcome != MailingOutcome.UNKNOWN}
        unsent = {action.address for action in self.plan.decided if action.commits}
        steps = {
            NextStep.RESOLVE_UNKNOWN: self.first_unknown is not None,
            NextStep.COMMIT_LOCK: any(mailing.has_record for mailing in self.mailings),
            NextStep.CONTINUE: bool(failed & unsent),
            NextStep.PLAN_AGAIN: bool(failed - unsent),
            NextStep.HAND_OVER: any(action.action is ActionKind.DUE for action in self.plan.decided)
            or any(mailing.waits for mailing in self.mailings),
            NextStep.WATCH_STATUS: any(mailing.outcome.was_sent_now for mailing in self.mailings),
        }
        return tuple(step for step, is_due in steps.items() if is_due)

    @property
    def sent(self) -> SentTotals | None:
        """The totals of what this run sent; None if it sent nothing."""
        sent = [mailing for mailing in self.mailings if mailing.outcome.was_sent_now]
        if not sent:
            return None
        planned = {action.address: _of_this_run(action) for action in self.plan.decided}
        recipients = sum(mailing.recipients or 0 for mailing in sent)
        # Late opt-outs make a mailing smaller than planned; an earlier run's share makes it larger.
        now = sum(
            min(mailing.recipients or 0, planned[mailing.address].recipients or recipients)
            for mailing in sent
        )
        totals = total_of(planned[mailing.address] for mailing in sent)
        cost = totals.cost if totals.has_cost and self.plan.currency is not None else None
        uncounted = sum(mailing.recipients is None for mailing in sent)
        return SentTotals(recipients, now, uncounted, cost, unpriced_lists=totals.unpriced)


def _of_this_run(action: Action) -> Action:
    """Return the action with the counts of the wave that this run sends, if it sends one."""
    one = next((one for one in action.waves if one.key == action.wave), None)
    return (
        action if one is None else replace(action, recipients=one.recipients, parts=one.parts, cost=one.cost)
    )


def refused_result(plan: Plan, error: SmsbyDeployError) -> ApplyResult:
    """The result of a plan that was refused as a whole: every mailing is skipped."""

    def why(action: Action) -> str | None:
        if action.action is ActionKind.BLOCKED:
            return action.reason
        return error.message if action.commits else None

    mailings = (
        MailingResult(a.address, MailingOutcome.SKIPPED, a.recipients, error=why(a)) for a in plan.decided
    )
    return ApplyResult(plan, tuple(mailings), (), error.exit_code)


@dataclass(slots=True)
class MailingRun:
    """What happens to one mailing of the plan in this run.

    Nothing more of a stopped mailing is sent.
    The result follows from these facts and from what the lock records, and from nothing else.
    """

    action: Action
    revision: int | None  # in the files; None if they have it no longer
    fails_when_blocked: bool = True  # not so for an overdue mailing beside others
    is_begun: bool = False  # its entry was written or checked, directly before its first request if any
    is_reconciled: bool = False  # this plan does not send it, but sms.by was asked about it
    stop_reason: str | None = None
    was_sent: bool = False  # a request was sent and not rejected
    was_rejected: bool = False
    exit_codes: set[ExitCode] = field(default_factory=set)

    @property
    def is_stopped(self) -> bool:
        return self.stop_reason is not None

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        """Send nothing more of it. The first reason is the one that is reported."""
        if self.stop_reason is None:
            self.stop_reason = reason
        if exit_code is not None:
            self.exit_codes.add(exit_code)

    def reject(self, error: str) -> None:
        """Stop it because sms.by rejected it."""
        self.was_rejected = True
        self.stop(error)

    def result(self, entry: Entry | None, run_stopped: str | None) -> MailingResult:
        """Return the result, and add the exit codes that follow from it.

        Args:
            entry: what the lock records about it now.
            run_stopped: why the whole run was stopped, if it was.
        """
        if self.action.sends:
            return self._sent_result(entry, run_stopped)
        if self.action.action is ActionKind.HOLD:
            held = MailingOutcome.HELD if self.is_begun else MailingOutcome.SKIPPED
            return self._result(held, None if self.is_begun else self.stop_reason or run_stopped)
        is_blocked = self.action.action is ActionKind.BLOCKED
        if self.is_reconciled and entry is not None:
            result = self._reconciled_result(entry)
        else:
            result = self._result(MailingOutcome.SKIPPED, self.action.reason if is_blocked else None)
        # What is found at sms.by after all is not blocked any more.
        if is_blocked and self.fails_when_blocked and result.outcome is not MailingOutcome.ADOPTED:
            self.exit_codes.add(ExitCode.REFUSED)
        return result

    def _reconciled_result(self, entry: Entry) -> MailingResult:
        if entry.has_unknown:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return self._result(MailingOutcome.UNKNOWN, _with_share(entry, self.action.reason), entry)
        if entry.is_complete or has_later_wave(entry):
            return self._result(MailingOutcome.ADOPTED, None, entry)
        if entry.was_sent_in_part:
            reason = sentence("its unknown outcome is settled; the next apply sends it")
            return self._partial_result(entry, reason)
        error = sentence("its unknown outcome is settled; the next apply sends the rest")
        return self._result(MailingOutcome.SKIPPED, error, entry)

    def _partial_result(self, entry: Entry, reason: str | None) -> MailingResult:
        self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
        error = _with_share(entry, reason or sentence("the next apply sends it"))
        return self._result(MailingOutcome.PARTIAL, error, entry, _recipients_of(entry))

    def _sent_result(self, entry: Entry | None, run_stopped: str | None) -> MailingResult:
        reason = run_stopped if self.stop_reason is None else self.stop_reason
        if entry is None or self.revision != entry.revision:
            return self._result(MailingOutcome.SKIPPED, reason)
        if not self.is_begun:
            # An earlier run may have sent a part: then its recipients got it, whatever stopped this run.
            if _is_wave_begun(entry, self.action.wave) and not entry.is_complete and not entry.has_unknown:
                return self._partial_result(entry, reason)
            return self._result(MailingOutcome.SKIPPED, reason)
        outcome, error = self._judge(entry, reason)
        result = self._result(outcome, error, entry, _recipients_of(entry, self.action.wave))
        return replace(result, was_begun=True)

    def _judge(self, entry: Entry, reason: str | None) -> tuple[MailingOutcome, str | None]:
        """Return the outcome of a mailing that this run began to send, and its error."""
        if entry.has_unknown:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return MailingOutcome.UNKNOWN, _with_share(entry, reason)
        if entry.is_complete or _is_wave_complete(entry, self.action.wave):
            return self._complete_outcome(entry), None
        if self.was_rejected:
            code = ExitCode.OUTCOME_UNKNOWN if entry.was_sent_in_part else ExitCode.FAILED
            self.exit_codes.add(code)
            return MailingOutcome.REJECTED, _with_share(entry, reason)
        if entry.was_sent_in_part:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return MailingOutcome.PARTIAL, _with_share(entry, reason or sentence("the next apply sends it"))
        if any(chunk.state is ChunkState.DRAFT for chunk in entry.chunks):
            self.exit_codes.add(ExitCode.FAILED)
            reason = reason or sentence("its draft at sms.by is not confirmed; the next apply continues")
        return MailingOutcome.SKIPPED, reason

    def _complete_outcome(self, entry: Entry) -> MailingOutcome:
        if self.was_sent:
            is_confirm = self.action.action is ActionKind.CONFIRM
            return MailingOutcome.CONFIRMED if is_confirm else MailingOutcome.SENT
        was_found = _is_wave_begun(entry, self.action.wave)
        return MailingOutcome.ADOPTED if was_found else MailingOutcome.SENT

    def _result(
        self,
        outcome: MailingOutcome,
        error: str | None,
        entry: Entry | None = None,
        recipients: int | None = None,
    ) -> MailingResult:
        chunks = () if entry is None else entry.chunks
        return MailingResult(
            self.action.address,
            outcome,
            self.action.recipients if recipients is None else recipients,
            uuids=list(dict.fromkeys(chunk.uuid for chunk in chunks if chunk.uuid)),
            message_ids=list(dict.fromkeys(chunk.message_id for chunk in chunks if chunk.message_id)),
            error=error,
        )


def _with_share(entry: Entry, reason: str | None) -> str | None:
    """Return `reason`, preceded by how many recipients got a mailing that was sent in part."""
    if not entry.was_sent_in_part:
        return reason
    sent = entry.accepted_recipients
    unknown = sum(_count_unknown(chunk) for chunk in entry.chunks)
    total = sum(chunk.recipients or 0 for chunk in entry.chunks)
    if unknown:
        return sentence(
            "sent to {sent:,} of {total:recipient|recipients}, and perhaps to {unknown:,} more; the rest: {reason}",
            sent=sent,
            total=total,
            unknown=unknown,
            reason=reason,
        )
    return sentence(
        "sent to {sent:,} of {total:recipient|recipients}; the rest: {reason}",
        sent=sent,
        total=total,
        reason=reason,
    )


def _is_wave_complete(entry: Entry, wave: int | None) -> bool:
    """Whether all of the wave that this run sends was sent; not so without waves."""
    return wave is not None and all(chunk.state in DONE for chunk in entry.chunks if chunk.wave == wave)


def _is_wave_begun(entry: Entry, wave: int | None) -> bool:
    """Whether a part of the wave that this run sends was sent; without waves, of the mailing."""
    return any(chunk.was_sent for chunk in entry.chunks if wave is None or chunk.wave == wave)


def _recipients_of(entry: Entry, wave: int | None = None) -> int | None:
    chunks = [chunk for chunk in entry.chunks if wave is None or chunk.wave == wave]
    counts = [chunk.recipients for chunk in chunks if chunk.recipients is not None]
    return sum(counts) if counts else entry.recipients


def _count_unknown(chunk: ChunkRecord) -> int:
    if chunk.phones is not None:
        return chunk.phones.count(PhoneState.UNKNOWN)
    return (chunk.recipients or 0) if chunk.state is ChunkState.UNKNOWN else 0
