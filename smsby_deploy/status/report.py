"""What became of each mailing: the counts always add up to its recipients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum, auto

from smsby_deploy.exit_codes import ExitCode


class State(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    FINAL = "final"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    REJECTED = "rejected"


class StatusStep(Enum):
    """What the user should do after a status."""

    RESOLVE_UNKNOWN = auto()
    PLAN_THE_REST = auto()
    WATCH = auto()


# Nothing that sms.by may still report changes these; a draft or a half-sent mailing waits for a person.
SETTLED = frozenset({State.FINAL, State.REJECTED, State.UNKNOWN, State.PARTIAL, State.DRAFT})


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that sms.by reports otherwise than it was meant; `field` is sms.by's own word for it."""

    field: str
    meant: str
    reported: str


@dataclass(frozen=True, slots=True)
class Missed:
    """One person who did not get it (yet): `status` verbatim, `at` as sms.by writes it."""

    phone: str
    status: str
    at: str | None


@dataclass(frozen=True, slots=True)
class Details:
    """What is known beyond the counts.

    `planned…` are as recorded when it was applied; `accepted` is the people in chunks that sms.by took. `words` counts
    sms.by's status words verbatim. `timeline` counts the delivered by minute, `YYYY-MM-DD HH:MM` in the account's
    clock. `prefixes` tells (delivered, undelivered, all reported) by the
    number's first digits. `missed` is empty unless asked for.
    """

    planned: int | None = None
    planned_parts: int | None = None
    planned_cost: Decimal | None = None
    accepted: int = 0
    applied_at: str = ""
    words: Mapping[str, int] = field(default_factory=dict)
    timeline: Mapping[str, int] = field(default_factory=dict)
    prefixes: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    missed: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True)
class MailingStatus:
    """One mailing. recipients = delivered + undelivered + sent + pending + all of `other`.

    `other` keeps statuses unknown to us as sms.by writes them, and people whom nothing was sent to: `unknown`,
    `rejected`, `not sent`, `not taken` (in an accepted chunk, but not in sms.by's count). `requests` are the uuids.
    `parts` and `cost` are None if nobody knows them.
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
    details: Details = Details()


@dataclass(frozen=True, slots=True)
class StatusReport:
    """`made_at` is ISO with offset, or "" if nobody said."""

    mailings: tuple[MailingStatus, ...]
    project: str = ""
    made_at: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether waiting longer changes nothing."""
        return all(mailing.state in SETTLED for mailing in self.mailings)

    @property
    def next_step(self) -> StatusStep | None:
        """What the user should do now; None if every mailing is final."""
        states = {mailing.state for mailing in self.mailings}
        if State.UNKNOWN in states:
            return StatusStep.RESOLVE_UNKNOWN
        if states & {State.PARTIAL, State.REJECTED, State.DRAFT}:
            return StatusStep.PLAN_THE_REST
        return None if self.is_settled else StatusStep.WATCH

    @property
    def first_unknown(self) -> str | None:
        """The address of the first mailing whose outcome is unknown."""
        return next((m.address for m in self.mailings if m.state is State.UNKNOWN), None)

    def exit_code(self, fail_under: float | None = None) -> ExitCode:
        """OUTCOME_UNKNOWN also if a mailing was sent in part; FAILED if one was rejected, or if less than `fail_under`
        percent of the recipients of final mailings got theirs."""
        states = {mailing.state for mailing in self.mailings}
        if states & {State.UNKNOWN, State.PARTIAL}:
            return ExitCode.OUTCOME_UNKNOWN
        final = [mailing for mailing in self.mailings if mailing.state is State.FINAL]
        recipients = sum(mailing.recipients for mailing in final)
        delivered = sum(mailing.delivered for mailing in final)
        too_few = fail_under is not None and delivered * 100 < fail_under * recipients
        return ExitCode.FAILED if State.REJECTED in states or too_few else ExitCode.DONE
