"""What became of each mailing: the counts always add up to its recipients."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class State(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    FINAL = "final"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class MailingStatus:
    """One mailing. recipients = delivered + undelivered + sent + pending + all of `other`.

    `other` keeps statuses unknown to us as sms.by writes them, and people whom nothing was sent to:
    `unknown`, `rejected`, `not sent`. `requests` are the uuids. `parts` and `cost` are None if nobody knows them.
    """

    address: str
    state: State
    schedule_time: str | None
    recipients: int
    delivered: int
    undelivered: int
    sent: int
    pending: int
    other: dict[str, int]
    parts: int | None
    cost: Decimal | None
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusReport:
    mailings: tuple[MailingStatus, ...]

    def exit_code(self, fail_under: float | None = None) -> int:
        """6 if an outcome is unknown or a mailing went out in part; 1 if one was rejected, or if less than
        `fail_under` percent of the people in mailings that are final were delivered; else 0."""
        states = {mailing.state for mailing in self.mailings}
        if states & {State.UNKNOWN, State.PARTIAL}:
            return 6
        if State.REJECTED in states:
            return 1
        final = [mailing for mailing in self.mailings if mailing.state is State.FINAL]
        people = sum(mailing.recipients for mailing in final)
        delivered = sum(mailing.delivered for mailing in final)
        return 1 if fail_under is not None and delivered * 100 < fail_under * people else 0
