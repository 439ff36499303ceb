"""The outcome of each mailing of an apply, from what was recorded and from nothing else; and the exit code of all."""

from __future__ import annotations

from collections.abc import Mapping

from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.result import MailingOutcome, MailingResult
from smsby_deploy.exit_codes import ExitCode, first_exit_code
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.model import Action, ActionKind, Plan


class Outcomes:
    """What is known so far. A mailing that nothing happens to is skipped."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.results = {
            a.address: MailingResult(a.address, MailingOutcome.SKIPPED, a.recipients) for a in plan.actions
        }
        self.exit_codes: set[ExitCode] = set()

    @property
    def exit_code(self) -> ExitCode:
        return first_exit_code(self.exit_codes)

    def note_blocked(self) -> None:
        """What is blocked is skipped, and says why."""
        for action in self._plan.blocked:
            self.exit_codes.add(ExitCode.REFUSED)
            self.results[action.address].error = action.reason

    def note_found(self, action: Action, entry: Entry) -> None:
        """What was found at sms.by of a mailing that is only recorded, or of which something was unknown."""
        result = self.results[action.address]
        result.name_requests(entry)
        if entry.has_unknown:
            result.outcome, result.error = MailingOutcome.UNKNOWN, _in_part(entry, action.reason)
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
        elif entry.is_complete:
            result.outcome, result.error = MailingOutcome.ADOPTED, None
        else:
            result.error = "what was unknown of it is settled; the next apply sends the rest"

    def close(self, lock: Lock, exchange: Dispatcher, opened: Mapping[str, int], stopped: str) -> None:
        """The outcome of everything that was to be sent. `opened` are the revisions of the mailings that it came to;
        `stopped` says why it came to no others."""
        for action in self._plan.actions:
            if not action.sends:
                continue
            address = action.address
            result, entry = self.results[address], lock.mailings.get(address)
            result.error = exchange.stopped.get(address, stopped or None)
            if entry is None or opened.get(address) != entry.revision:
                continue
            result.name_requests(entry)
            counts = [chunk.recipients for chunk in entry.chunks if chunk.recipients is not None]
            result.recipients = sum(counts) if counts else entry.recipients
            self._judge(action, entry, exchange)

    def _judge(self, action: Action, entry: Entry, exchange: Dispatcher) -> None:
        result = self.results[action.address]
        if entry.has_unknown:
            result.outcome, result.error = MailingOutcome.UNKNOWN, _in_part(entry, result.error)
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
        elif entry.is_complete:
            result.outcome, result.error = _done_as(action, entry, exchange), None
        elif action.address in exchange.rejected:
            result.outcome, result.error = MailingOutcome.REJECTED, _in_part(entry, result.error)
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN if entry.was_sent_in_part else ExitCode.FAILED)
        elif entry.was_sent_in_part:
            result.error = _in_part(entry, result.error or "the next apply sends it")
            self.exit_codes.add(ExitCode.OUTCOME_UNKNOWN)
        elif entry.state == "draft":
            result.error = result.error or "its draft stands at sms.by, not confirmed; the next apply goes on"
            self.exit_codes.add(ExitCode.FAILED)


def _done_as(action: Action, entry: Entry, exchange: Dispatcher) -> MailingOutcome:
    if action.address in exchange.sent:
        return MailingOutcome.CONFIRMED if action.action is ActionKind.CONFIRM else MailingOutcome.SENT
    return MailingOutcome.ADOPTED if entry.was_sent_in_part else MailingOutcome.SENT


def _in_part(entry: Entry, why: str | None) -> str | None:
    """Why not all of it was sent; of one that went out in part also to how many people it did."""
    if not entry.was_sent_in_part:
        return why
    sent = sum(_people(chunk, ChunkState.ACCEPTED, PhoneState.ACCEPTED) for chunk in entry.chunks)
    lost = sum(_people(chunk, ChunkState.UNKNOWN, PhoneState.UNKNOWN) for chunk in entry.chunks)
    total = sum(chunk.recipients or 0 for chunk in entry.chunks)
    doubt = f", and perhaps to {lost:,} more" if lost else ""
    return f"sent to {sent:,} of {total:,} people{doubt}; the rest: {why}"


def _people(chunk: ChunkRecord, state: ChunkState, phone_state: PhoneState) -> int:
    """Return how many recipients of a chunk are in `state`, or in `phone_state` if it is sent one SMS at a time."""
    if chunk.phones is not None:
        return chunk.phones.count(phone_state)
    return (chunk.recipients or 0) if chunk.state is state else 0
