"""One mailing during one apply: whether it was begun, why it was stopped, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from smsby_deploy.apply.result import MailingOutcome, MailingResult
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry
from smsby_deploy.plan.model import Action, ActionKind
from smsby_deploy.wording import counted


@dataclass(slots=True)
class MailingRun:
    """What happens to one mailing of the plan in this run. Nothing more of a stopped mailing is sent.

    The result follows from these facts and from what the lock records, and from nothing else.
    """

    action: Action
    revision: int | None  # in the files; None for an orphan
    is_begun: bool = False  # its entry was written or checked, directly before its first request
    is_reconciled: bool = False  # it is not sent by this plan, but sms.by was asked for it
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
        if self.action.action is ActionKind.BLOCKED:
            self.exit_codes.add(ExitCode.REFUSED)
        if self.is_reconciled and entry is not None:
            return self._reconciled_result(entry)
        error = self.action.reason if self.action.action is ActionKind.BLOCKED else None
        return self._result(MailingOutcome.SKIPPED, error)

    def _reconciled_result(self, entry: Entry) -> MailingResult:
        if entry.has_unknown:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return self._result(MailingOutcome.UNKNOWN, _with_share(entry, self.action.reason), entry)
        if entry.is_complete:
            return self._result(MailingOutcome.ADOPTED, None, entry)
        error = "its unknown outcome is settled; the next apply sends the rest"
        return self._result(MailingOutcome.SKIPPED, error, entry)

    def _sent_result(self, entry: Entry | None, run_stopped: str | None) -> MailingResult:
        reason = run_stopped if self.stop_reason is None else self.stop_reason
        if entry is None or not self.is_begun or self.revision != entry.revision:
            return self._result(MailingOutcome.SKIPPED, reason)
        counts = [chunk.recipients for chunk in entry.chunks if chunk.recipients is not None]
        recipients = sum(counts) if counts else entry.recipients
        outcome, error = self._judge(entry, reason)
        return self._result(outcome, error, entry, recipients)

    def _judge(self, entry: Entry, reason: str | None) -> tuple[MailingOutcome, str | None]:
        """Return the outcome of a mailing that this run began to send, and its error."""
        if entry.has_unknown:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return MailingOutcome.UNKNOWN, _with_share(entry, reason)
        if entry.is_complete:
            return self._complete_outcome(entry), None
        if self.was_rejected:
            code = ExitCode.OUTCOME_UNKNOWN if entry.was_sent_in_part else ExitCode.FAILED
            self.exit_codes.add(code)
            return MailingOutcome.REJECTED, _with_share(entry, reason)
        if entry.was_sent_in_part:
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
            return MailingOutcome.SKIPPED, _with_share(entry, reason or "the next apply sends it")
        if any(chunk.state is ChunkState.DRAFT for chunk in entry.chunks):
            self.exit_codes.add(ExitCode.FAILED)
            reason = reason or "its draft at sms.by is not confirmed; the next apply continues"
        return MailingOutcome.SKIPPED, reason

    def _complete_outcome(self, entry: Entry) -> MailingOutcome:
        if self.was_sent:
            is_confirm = self.action.action is ActionKind.CONFIRM
            return MailingOutcome.CONFIRMED if is_confirm else MailingOutcome.SENT
        return MailingOutcome.ADOPTED if entry.was_sent_in_part else MailingOutcome.SENT

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
    sent = sum(_count(chunk, ChunkState.ACCEPTED, PhoneState.ACCEPTED) for chunk in entry.chunks)
    unknown = sum(_count(chunk, ChunkState.UNKNOWN, PhoneState.UNKNOWN) for chunk in entry.chunks)
    total = sum(chunk.recipients or 0 for chunk in entry.chunks)
    doubt = f", and perhaps to {unknown:,} more" if unknown else ""
    return f"sent to {sent:,} of {counted(total, 'recipient')}{doubt}; the rest: {reason}"


def _count(chunk: ChunkRecord, state: ChunkState, phone_state: PhoneState) -> int:
    """Return how many recipients are in `state`, or in `phone_state` if it is sent one SMS at a time."""
    if chunk.phones is not None:
        return chunk.phones.count(phone_state)
    return (chunk.recipients or 0) if chunk.state is state else 0
