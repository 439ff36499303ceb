"""The status report: what happened to each mailing.

Its counts always add up to its recipients.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum, auto

from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.status.mailing_details import NO_DETAILS, Details
from smsby_deploy.wording import sentence


class OtherKind(StrEnum):
    """The keys of `MailingStatus.other` that are not status words of sms.by."""

    UNKNOWN = "unknown"
    REJECTED = "rejected"
    NOT_SENT = "not sent"
    NOT_TAKEN = "not taken"  # in an accepted chunk, but missing in the count of sms.by
    WITHDRAWN = "withdrawn"
    LATER = "in later waves"
    INDISTINCT = "not told apart"


_NOT_SCHEDULED = (OtherKind.UNKNOWN, OtherKind.REJECTED, OtherKind.NOT_SENT, OtherKind.NOT_TAKEN)


class State(StrEnum):
    """The state of one mailing, as named in reports."""

    WAITING = "waiting"
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    FINAL = "final"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ABANDONED = "abandoned"


class StatusStep(Enum):
    """What the user should do after a status."""

    RESOLVE_UNKNOWN = auto()
    PLAN_THE_REST = auto()
    WATCH = auto()


# The states that sms.by no longer changes; some require a user to act.
SETTLED = frozenset(State) - {State.SCHEDULED, State.SENDING}
_OPEN = frozenset({State.WAITING, State.DRAFT, State.SCHEDULED, State.SENDING, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class MailingStatus:
    """One revision of a mailing: the last one, or an earlier one that is not final.

    `recipients` = delivered + undelivered + sent + pending + the sum of `other`.
    `other` counts undocumented status words verbatim, and recipients without a message by OtherKind. `requests` are uuids.
    `parts` and `cost` are None if unknown.
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
    details: Details = NO_DETAILS
    revision: int = 1
    is_earlier: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether it counts for `--fail-under`: all of its messages have their last status."""
        return self.state is State.FINAL

    @property
    def name(self) -> str:
        """Its name in reports: the address, and the revision if that is an earlier one."""
        return f"{self.address} r{self.revision}" if self.is_earlier else self.address

    @property
    def has_begun(self) -> bool:
        """Whether sms.by has sent at least a part of it."""
        return bool(self.delivered or self.undelivered or self.sent)

    @property
    def was_taken_back(self) -> bool:
        """Whether it was withdrawn, and sms.by sends none of it."""
        return self.state is State.WITHDRAWN and not self.has_begun and not self.waiting

    @property
    def has_failed(self) -> bool:
        """Whether some recipients got nothing, or may have, because requests failed."""
        return self.state in (State.UNKNOWN, State.REJECTED, State.PARTIAL)

    @property
    def is_settled(self) -> bool:
        """Whether only a user can change it.

        Part of an abandoned mailing, or of one that waits after a wave, may still be on its way.
        """
        was_sent_in_part = self.state is State.ABANDONED or (
            self.state is State.WAITING and bool(self.details.waves)
        )
        return self.state in SETTLED and not (was_sent_in_part and self.waiting)

    @property
    def waiting(self) -> int:
        """The recipients who may still get a delivery report."""
        return self.sent + self.pending + self.details.open_other

    @property
    def is_final(self) -> bool:
        """Whether nothing about it can change any more, neither at sms.by nor by another apply."""
        return not self.waiting and self.state not in _OPEN

    @property
    def has_shared_deliveries(self) -> bool:
        """Whether some deliveries may be those of another mailing."""
        return OtherKind.INDISTINCT in self.other

    @property
    def notes(self) -> tuple[str, ...]:
        """What every format says besides the counts; it may quote sms.by."""
        return (*self.decisions, *self.warnings)

    @property
    def decisions(self) -> tuple[str, ...]:
        """What users decided about it."""
        pace = self.details.spread.pace if self.details.spread is not None else ""
        waves = (one.line for one in self.details.waves)
        variants = (one.line for one in self.details.variants)
        return (*filter(None, (self.details.decision, self.details.waits, pace)), *waves, *variants)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with it at sms.by, or with its deliveries."""
        overdue = ""
        if self.details.overdue:
            overdue = sentence(
                "{count:recipient|recipients} without a final status for too long (status.settle_after): "
                "counted as undelivered",
                count=self.details.overdue,
            )
        unread = (sentence("not reported: {why}", why=text) for text in self.details.unread)
        return (*self.details.failures, *filter(None, (self.details.missing, overdue)), *unread)

    @property
    def percent_delivered(self) -> float:
        """The percentage of the recipients who got it; 100 without recipients."""
        return self.delivered * 100 / self.recipients if self.recipients else 100.0

    @property
    def by_kind(self) -> dict[str, int]:
        """The recipients by kind, in the order of reports.

        `later` are the recipients in waiting waves, and `other` the rest of `MailingStatus.other`.
        """
        later = self.other.get(OtherKind.LATER, 0)
        return {
            "delivered": self.delivered,
            "undelivered": self.undelivered,
            "sent": self.sent,
            "pending": self.pending,
            "later": later,
            "other": sum(self.other.values()) - later,
        }


@dataclass(frozen=True, slots=True)
class StatusTotals:
    """The sums over the mailings of a report.

    `waiting` recipients may still get a delivery report. `ahead` counts the recipients of mailings whose time has not come
    and that have not begun, `later` those in waiting waves, `withdrawn` those of withdrawn mailings: the share of delivered
    recipients leaves out all of these. `scheduled` counts those `ahead` to whom it will be sent. `cost` leaves out mailings
    of unknown cost, and is None if that is all of them. `settled` counts mailings, `settled_recipients` the recipients for
    whom nothing changes any more.
    """

    mailings: int
    recipients: int
    delivered: int
    undelivered: int
    sent: int
    pending: int
    other: int
    parts: int
    cost: Decimal | None
    settled: int
    settled_recipients: int
    waiting: int
    ahead: int
    scheduled: int
    later: int
    withdrawn: int

    @property
    def due(self) -> int:
        """The recipients who may have got it by now."""
        return self.recipients - self.ahead - self.later - self.withdrawn


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The mailings asked about, by address.

    `made_at` is ISO with an offset, or "" if unknown. `running` names another run that is sending now, otherwise "".
    """

    mailings: tuple[MailingStatus, ...]
    project: str = ""
    made_at: str = ""
    running: str = ""

    @property
    def totals(self) -> StatusTotals:
        """The sums over all mailings."""
        mailings = self.mailings
        costs = [mailing.cost for mailing in mailings if mailing.cost is not None]
        open_mailings = [mailing for mailing in mailings if not mailing.is_settled]
        recipients = sum(mailing.recipients for mailing in mailings)
        ahead = [mailing for mailing in mailings if self._is_ahead(mailing)]
        return StatusTotals(
            mailings=len(mailings),
            recipients=recipients,
            delivered=sum(mailing.delivered for mailing in mailings),
            undelivered=sum(mailing.undelivered for mailing in mailings),
            sent=sum(mailing.sent for mailing in mailings),
            pending=sum(mailing.pending for mailing in mailings),
            other=sum(sum(mailing.other.values()) for mailing in mailings),
            parts=sum(mailing.parts or 0 for mailing in mailings),
            cost=sum(costs, Decimal(0)) if costs else None,
            settled=len(mailings) - len(open_mailings),
            settled_recipients=recipients - sum(m.waiting for m in open_mailings),
            waiting=sum(mailing.waiting for mailing in mailings),
            ahead=sum(mailing.recipients for mailing in ahead),
            scheduled=sum(self._count_scheduled(mailing) for mailing in ahead),
            later=sum(one.other.get(OtherKind.LATER, 0) for one in mailings if not self._is_ahead(one)),
            withdrawn=sum(mailing.recipients for mailing in mailings if mailing.was_taken_back),
        )

    def _is_ahead(self, mailing: MailingStatus) -> bool:
        if mailing.state is State.SCHEDULED:
            return True
        if mailing.was_taken_back:
            return False
        if mailing.state is State.WITHDRAWN and not mailing.has_begun:
            return True  # sms.by still lists it
        if mailing.has_begun or not (mailing.schedule_time and self.made_at):
            return False
        now, window = datetime.fromisoformat(self.made_at), mailing.details.window
        if window is not None and window.is_over(now):
            return False  # it was not handed over in time, and is not sent
        return datetime.fromisoformat(mailing.schedule_time) > now

    @staticmethod
    def _count_scheduled(mailing: MailingStatus) -> int:
        return mailing.recipients - sum(mailing.other.get(kind, 0) for kind in _NOT_SCHEDULED)

    @property
    def is_settled(self) -> bool:
        """Whether no mailing can change without a user."""
        return all(mailing.is_settled for mailing in self.mailings)

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
        """Return the exit code of `status`.

        `fail_under` is the minimum percentage of delivered recipients over all final mailings.
        """
        states = {mailing.state for mailing in self.mailings}
        if states & {State.UNKNOWN, State.PARTIAL}:
            return ExitCode.OUTCOME_UNKNOWN
        if State.REJECTED in states:
            return ExitCode.FAILED
        is_under = fail_under is not None and self.is_under(fail_under)
        return ExitCode.FAILED if is_under else ExitCode.DONE

    def is_under(self, least: float) -> bool:
        """Whether less than `least` percent of the recipients of final mailings got the SMS."""
        final = [mailing for mailing in self.mailings if mailing.is_counted]
        recipients = sum(mailing.recipients for mailing in final)
        return sum(mailing.delivered for mailing in final) * 100 < least * recipients
