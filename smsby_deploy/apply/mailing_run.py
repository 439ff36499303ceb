"""What happens to one mailing during an apply, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from smsby_deploy.apply.apply_result import MailingOutcome, MailingResult
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import ChunkState, Entry
from smsby_deploy.plan.model import Action, ActionKind
from smsby_deploy.plan.waves import count_unsent, has_later_wave, would_go_on
from smsby_deploy.wording import join_sentences, sentence


@dataclass(slots=True)
class MailingRun:
    """The progress of one mailing of the plan in this run.

    Nothing more of a stopped mailing is sent.
    The result follows only from these facts and from what the lock records.
    """

    action: Action
    revision: int | None  # in the files; None if the files no longer have it
    fails_when_blocked: bool = True  # False for an overdue mailing next to others
    is_begun: bool = False  # its entry was written or checked, just before its first request, if any
    is_reconciled: bool = False  # this plan does not send it, but sms.by was asked about it
    stop_reason: str | None = None
    was_sent: bool = False  # a request was sent and not rejected
    was_rejected: bool = False
    exit_codes: set[ExitCode] = field(default_factory=set)

    @property
    def is_stopped(self) -> bool:
        return self.stop_reason is not None

    @property
    def is_reported(self) -> bool:
        """Whether it is in the files, or something new was found about it."""
        return self.is_reconciled or self.action.action is not ActionKind.ORPHAN

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        """Send no more of it; only the first reason is reported."""
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
            reason, rest = self.action.reason if is_blocked else None, None
            if entry is not None and entry.revision == self.revision and would_go_on(entry):
                rest = count_unsent(entry)  # the earlier waves were sent
            result = self._result(MailingOutcome.SKIPPED, reason, recipients=rest)
        # A mailing found at sms.by after all is no longer blocked.
        if is_blocked and self.fails_when_blocked and result.outcome is not MailingOutcome.ADOPTED:
            self.exit_codes.add(ExitCode.REFUSED)
        return result

    def _reconciled_result(self, entry: Entry) -> MailingResult:
        if entry.has_unknown:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            result = self._result(MailingOutcome.UNKNOWN, _with_share(entry, self.action.reason), entry)
            return replace(result, concerned=count_concerned(entry, MailingOutcome.UNKNOWN))
        if entry.is_complete or has_later_wave(entry):
            return self._result(MailingOutcome.ADOPTED, None, entry)
        if self.action.action is ActionKind.ORPHAN:
            reason = sentence("its unknown outcome is resolved; it is no longer in the files")
        else:
            reason = sentence("its unknown outcome is resolved; the next apply sends it")
        if entry.was_sent_in_part:
            return self._partial_result(entry, reason)
        return self._result(MailingOutcome.SKIPPED, reason, entry)

    def _partial_result(self, entry: Entry, reason: str | None) -> MailingResult:
        self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
        error = _with_share(entry, reason or sentence("the next apply sends it"))
        return self._result(MailingOutcome.PARTIAL, error, entry, _recipients_of(entry))

    def _sent_result(self, entry: Entry | None, run_stopped: str | None) -> MailingResult:
        reason = run_stopped if self.stop_reason is None else self.stop_reason
        if entry is None or self.revision != entry.revision:
            return self._result(MailingOutcome.SKIPPED, reason)
        wave = _wave_of(entry, self.action.wave)
        if not self.is_begun:
            # An earlier run may have sent a part; its recipients got it, whatever stopped this run.
            if wave.was_sent_in_part and not entry.is_complete and not entry.has_unknown:
                return self._partial_result(entry, reason)
            return self._result(MailingOutcome.SKIPPED, reason)
        outcome, error = self._judge(entry, wave, reason)
        result = self._result(outcome, error, entry, _recipients_of(wave))
        return replace(result, is_recorded=True, concerned=count_concerned(wave, outcome))

    def _judge(self, entry: Entry, wave: Entry, reason: str | None) -> tuple[MailingOutcome, str | None]:
        """Return the outcome and the error of a mailing of which this run began to send a `wave`."""
        if entry.has_unknown:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return MailingOutcome.UNKNOWN, _with_share(entry, reason)
        if wave.is_complete:
            return self._complete_outcome(wave), None
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

    def _complete_outcome(self, wave: Entry) -> MailingOutcome:
        if self.was_sent:
            is_confirm = self.action.action is ActionKind.CONFIRM
            return MailingOutcome.CONFIRMED if is_confirm else MailingOutcome.SENT
        return MailingOutcome.ADOPTED if wave.was_sent_in_part else MailingOutcome.SENT

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
            revision=self.revision if entry is None else entry.revision,
        )


class FilesChanged(Exception):
    """A mailing's files differ from the plan, so no more of it may be sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def stop(self, run: MailingRun) -> None:
        """Stop the mailing of `run`."""
        said = join_sentences([self.message, sentence("any part already sent is recorded")])
        run.stop(said, ExitCode.PLAN_REFUSED)


def _with_share(entry: Entry, reason: str | None) -> str | None:
    """Prefix `reason` with how many recipients got, or perhaps got, a mailing."""
    sent, total = entry.accepted_recipients, sum(chunk.recipients or 0 for chunk in entry.chunks)
    unknown = sum(chunk.recipients_in(ChunkState.UNKNOWN) for chunk in entry.chunks)
    if not entry.was_sent_in_part and unknown in (0, total):
        return reason
    fields = {"sent": sent, "unknown": unknown, "total": total, "reason": reason}
    if not unknown:
        return sentence("sent to {sent:,} of {total:recipient|recipients}; the rest: {reason}", **fields)
    if not entry.was_sent_in_part:
        return sentence("perhaps sent to {unknown:,} of {total:recipient|recipients}; {reason}", **fields)
    return sentence(
        "sent to {sent:,} of {total:recipient|recipients}, and perhaps to {unknown:,} more; {reason}",
        **fields,
    )


def count_concerned(entry: Entry, outcome: MailingOutcome) -> int | None:
    """Return how many recipients the outcome applies to; None if to all of them."""
    total = sum(chunk.recipients or 0 for chunk in entry.chunks)
    match outcome:
        case MailingOutcome.UNKNOWN:
            concerned = sum(chunk.recipients_in(ChunkState.UNKNOWN) for chunk in entry.chunks)
        case MailingOutcome.REJECTED:
            concerned = total - entry.accepted_recipients
        case _:
            return None
    return concerned if concerned not in (0, total) else None


def _recipients_of(entry: Entry) -> int | None:
    counts = [chunk.recipients for chunk in entry.chunks if chunk.recipients is not None]
    return sum(counts) if counts else entry.recipients


def _wave_of(entry: Entry, wave: int | None) -> Entry:
    """Return `entry` with the chunks of this wave only; with all of them if there are no waves."""
    if wave is None:
        return entry
    return replace(entry, chunks=tuple(chunk for chunk in entry.chunks if chunk.wave == wave))
