"""Contact pressure: a cap on how many messages a recipient gets within a span."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Mailing, Pressure, Project
from smsby_deploy.config.sources import ContactList
from smsby_deploy.lock.records import DONE, ChunkRecord, EntryState, Lock
from smsby_deploy.plan.contact_ledger import (
    ContactLedger,
    PhoneHasher,
    SentMailing,
    count_messages,
)
from smsby_deploy.plan.desired import ChunkPlan, Desired, MeasuredMailing
from smsby_deploy.plan.measure import measure_mailing
from smsby_deploy.plan.model import GOING_OUT, Action, ActionKind, ReasonCode
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.phone_set import FIRST_NUMBER, PhoneSet
from smsby_deploy.recipients.suppression import count_gone_opt_outs
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from smsby_deploy.plan.mailing_planner import MailingPlanner
    from smsby_deploy.smsby.client import ReadClient

_Period = tuple[datetime, datetime]  # when the first and the last chunk of a mailing are sent


class PlannedMailing(NamedTuple):
    """A mailing of the plan, with its recipients in the files."""

    mailing: Mailing
    desired: Desired
    action: Action


class Excess(NamedTuple):
    """The recipients who would get too many messages: `phones`.

    `possible` also counts those who would if they are among the recipients of other mailings, the `unknown` ones. `lately`
    counts all recipients who got other mailings within the span, too many or not.
    """

    phones: PhoneSet
    possible: int
    lately: int
    unknown: list[str]


class _Neighbor(NamedTuple):
    """Another mailing of the plan, with the recipients it leaves out and its earlier sends."""

    name: str
    revision: int
    phones: PhoneSet
    left_out: PhoneSet
    sent: list[SentMailing]

    def is_for(self, number: int, phone: int) -> bool:
        """Whether it is or was sent to the phone with this `number` and the hash `phone`."""
        if not self.phones.has_number(number):
            return False
        if not self.left_out.has_number(number):
            return True
        by_files = any(one.phones is not None and one.phones.has_number(number) for one in self.sent)
        return by_files or count_messages([one.hashes for one in self.sent], phone) > 0


@dataclass(slots=True)
class PressureCheck:
    """Judges the mailings of one plan: never-capped ones first, then by priority and time."""

    project: Project
    pressure: Pressure
    earlier: Sequence[SentMailing]
    hasher: PhoneHasher
    suppressed: PhoneSet
    now: datetime
    due: Container[str] = ()  # addresses of mailings that the next hand-over begins to send
    problems: list[Problem] = field(default_factory=list)

    def judge(self, planned: Sequence[PlannedMailing]) -> Mapping[str, Action]:
        """Return the judged actions by address; some are now blocked, or leave recipients out.

        A due mailing is judged as a hand-over would judge it now, which sends nothing else.
        """
        before: list[PlannedMailing] = []
        judged: dict[str, Action] = {}
        for one in sorted(planned, key=self._order):
            is_due = one.action.address in self.due
            if (is_due or one.action.commits) and self._is_capped(one):
                beside = [other for other in before if other.action.address in self.due] if is_due else before
                one = one._replace(action=self._judge(one, beside))
                judged[one.action.address] = one.action
            if one.action.action in GOING_OUT:
                before.append(one)
        return judged

    def _is_capped(self, one: PlannedMailing) -> bool:
        return one.mailing.kind not in self.pressure.never_cap

    def _order(self, one: PlannedMailing) -> tuple[bool, int, datetime, str]:
        """Return the sort key, with never-capped mailings that are sent now first.

        A mailing that waits for its hand-over keeps its place, because the hand-over of another mailing does not count it.
        """
        mailing, is_first = one.mailing, one.action.sends and not self._is_capped(one)
        return not is_first, -mailing.priority, _time_of(mailing, self.now), mailing.address

    def _judge(self, one: PlannedMailing, before: Sequence[PlannedMailing]) -> Action:
        if isinstance(one.mailing.audience, ContactList):
            why = sentence(
                "pressure: it is unknown who is in a list kept at sms.by and what they already got"
            )
            return one.action.block(ReasonCode.GUARDRAIL, why)
        if one.desired.phones is None:
            why = sentence(
                "pressure: its recipients could not be read, so it is unknown what they already got"
            )
            return one.action.block(ReasonCode.GUARDRAIL, why)
        if unread := [sent.name for sent in self._near(one) if sent.is_unread]:
            why = sentence(
                "pressure: sms.by gave no usable answer about who got {names}; try again later",
                names=", ".join(unread),
            )
            return one.action.block(ReasonCode.GUARDRAIL, why)
        excess, limit = self._find_excess(one, before), self._limit
        if excess.lately:
            others = sentence(
                "{count:recipient|recipients} got others within {span}",
                count=excess.lately,
                span=_span(self.pressure.within),
            )
            self._note(one, "OVERLAP", others)
        if excess.possible > len(excess.phones):
            why = sentence(
                "pressure: sms.by does not report yet who got or gets {names}; more than {limit} are possible",
                names=", ".join(excess.unknown),
                limit=limit,
            )
            return one.action.block(ReasonCode.GUARDRAIL, why)
        if not len(excess.phones):
            return one.action
        # A draft is bound to its list: with other recipients, it could not be confirmed after a crash.
        if not self.pressure.drops or one.mailing.upload is not None:
            why = sentence(
                "pressure: {count:recipient|recipients} would get more than {limit}",
                count=len(excess.phones),
                limit=limit,
            )
            return one.action.block(ReasonCode.GUARDRAIL, why)
        action = self._leave_out(one, excess.phones)
        if action.recipients == 0:
            why = sentence(
                "all of its recipients ({count:,}) would get more than {limit} and are left out; nothing "
                "is sent",
                count=len(excess.phones),
                limit=limit,
            )
            place = one.mailing.audience.location
            self.problems.append(Problem(Severity.WARNING, "ALL_SUPPRESSED", why, action.address, place))
            return replace(action, reason=why)
        why = sentence(
            "{count:recipient|recipients} would get more than {limit} and {count:|is|are} left out",
            count=len(excess.phones),
            limit=limit,
        )
        self._note(one, "PRESSURE", why)
        return action

    def _leave_out(self, one: PlannedMailing, capped: PhoneSet) -> Action:
        """Return the action without `capped`; a resumed one changes only the chunks of its wave."""
        is_resumed = one.action.action is ActionKind.RESUME
        if is_resumed and one.action.wave is None:
            return replace(one.action, capped=capped)
        desired = measure_mailing(self.project, one.mailing, capped.union(self.suppressed)).desired
        assert desired is not None, "it was measured before"
        opted_out = one.desired.audience.suppressed
        pairs = zip(desired.chunks, one.desired.chunks, strict=True)
        chunks = tuple(
            one._replace(opted_out=whole.opted_out, left_out=one.opted_out) for one, whole in pairs
        )
        if is_resumed:  # the other waves stay as they are
            others = zip(chunks, one.action.chunks, strict=True)
            now = tuple(chunk if chunk.wave == one.action.wave else other for chunk, other in others)
            return replace(one.action, chunks=now, capped=capped)
        audience = desired.audience._replace(
            suppressed=opted_out, capped=desired.audience.suppressed - opted_out
        )
        return replace(
            one.action,
            recipients=desired.audience.final,
            parts=desired.parts,
            prefixes=desired.prefixes,
            cost=desired.cost,
            gsm7=desired.gsm7,
            ucs2=desired.ucs2,
            chunks=chunks,
            audience=audience,
            capped=capped,
            uncapped=(one.desired.parts or 0, one.desired.cost),
        )

    def _find_excess(self, one: PlannedMailing, before: Sequence[PlannedMailing]) -> Excess:
        assert one.desired.phones is not None
        period, limit = self._period_of(one), self.pressure.messages
        beside = [other for other in before if self._is_near(self._period_of(other), period)]
        neighbors = [self._neighbor(other) for other in beside if other.desired.phones is not None]
        # The earlier sends of a resumed mailing count together with its rest.
        resumed = {(other.mailing.address, other.mailing.revision) for other in beside}
        near = [sent for sent in self._near(one) if (sent.name, sent.revision) not in resumed]
        reported = [sent.hashes for sent in near]
        known = [sent.phones for sent in near if sent.phones is not None]
        lists = [other.mailing.address for other in beside if other.desired.phones is None]
        unknown = [*(sent.name for sent in near if sent.unknown), *lists]
        excess: list[int] = []
        possible = lately = 0
        for number in one.desired.phones.numbers():
            if self.suppressed.has_number(number):
                continue
            phone = self.hasher(str(number + FIRST_NUMBER))
            planned = sum(other.is_for(number, phone) for other in neighbors)
            got = sum(phones.has_number(number) for phones in known) + count_messages(reported, phone)
            lately += got > 0
            possible += planned + got + len(unknown) >= limit
            if planned + got >= limit:
                excess.append(number)
        phones = PhoneSet()
        phones.add_all(excess)
        return Excess(phones, possible, lately, unknown)

    def _neighbor(self, other: PlannedMailing) -> _Neighbor:
        key = other.mailing.address, other.mailing.revision
        sent = [one for one in self.earlier if (one.name, one.revision) == key]
        assert other.desired.phones is not None
        return _Neighbor(*key, other.desired.phones, other.action.capped or PhoneSet(), sent)

    def _near(self, one: PlannedMailing) -> list[SentMailing]:
        """Return the mailings within the span around this one.

        The mailing itself does not count, even if a part of it was sent.
        """
        own, period = (one.mailing.address, one.mailing.revision), self._period_of(one)
        return [
            sent
            for sent in self.earlier
            if (sent.name, sent.revision) != own and self._is_near((sent.at, sent.last), period)
        ]

    def _period_of(self, one: PlannedMailing) -> _Period:
        first = _time_of(one.mailing, self.now)
        times = one.desired.send_times if one.mailing.spread is not None else ()
        return first, max((first, *(time for time in times if time is not None)))

    def _is_near(self, one: _Period, other: _Period) -> bool:
        """Whether any recipient could get both within the span."""
        return max(one[0] - other[1], other[0] - one[1]) < self.pressure.within

    @property
    def _limit(self) -> str:
        return sentence(
            "{messages:message|messages} within {span}",
            messages=self.pressure.messages,
            span=_span(self.pressure.within),
        )

    def _note(self, one: PlannedMailing, code: str, message: str) -> None:
        mailing = one.mailing
        self.problems.append(Problem(Severity.NOTE, code, message, mailing.address, mailing.location))


def limit_pressure(
    planner: MailingPlanner,
    client: ReadClient,
    measured: Sequence[MeasuredMailing],
    actions: Sequence[Action],
    suppressed: PhoneSet,
) -> tuple[list[Action], list[Problem]]:
    """Return the `actions` of `planner` with `guardrails.pressure` applied, and notes about it.

    An action whose recipients would get too many messages is blocked, or leaves these recipients out. An approved mailing is
    also blocked if it would reach recipients who were left out at its approval.

    Raises:
        SmsbyUnavailable: sms.by did not list its mailings.
        TokenRefused: it refused the token.
    """
    project, lock, now = planner.project, planner.lock, planner.now
    pressure = project.guardrails.pressure
    if pressure is None or project.environment.is_rehearsal:
        return list(actions), []
    actions = [replace(one, audience=one.audience._replace(capped=0)) for one in actions]
    by_address = {action.address: action for action in actions}
    planned = [
        PlannedMailing(one.mailing, one.desired, by_address[one.mailing.address])
        for one in measured
        if one.desired is not None and one.mailing.address in by_address
    ]
    due = {
        address
        for address, action in by_address.items()
        if action.action is ActionKind.DUE and lock.mailings[address].state is EntryState.WAITING
    }
    judged_ones = (one for one in planned if one.action.commits or one.action.address in due)
    times = [_time_of(one.mailing, now) for one in judged_ones]
    if not times:
        return actions, []
    ledger = ContactLedger(client, project.scope, _recorded_phones(lock, planned), project.lock)
    longest = max((one.mailing.spread or timedelta(0) for one in planned), default=timedelta(0))
    earlier = ledger.read(lock, min(times) - pressure.within, max(times) + longest + pressure.within)
    check = PressureCheck(project, pressure, earlier, ledger.hasher, suppressed, now, due)
    judged = check.judge(planned)
    found = (judged.get(action.address, action) for action in actions)
    return [
        _keep_to_approved(one, lock) if planner.is_handing_over or one.address in due else one
        for one in found
    ], check.problems


def _time_of(mailing: Mailing, now: datetime) -> datetime:
    """Return when a mailing is sent: at its time, or now if that has passed."""
    return max(mailing.schedule_time or now, now)


def _keep_to_approved(action: Action, lock: Lock) -> Action:
    """Return the action, blocked if it would reach recipients who were left out at approval.

    A hand-over sends the first wave of a due mailing. A mailing that is resumed within a wave, or without waves, began with
    the recipients of its first request.
    """
    entry, is_due = lock.mailings.get(action.address), action.action is ActionKind.DUE
    if entry is None or not (is_due or action.sends):
        return action
    if entry.approval is not None and entry.approval.fresh:
        return action
    if action.action is ActionKind.RESUME and action.wave is None:
        return action
    if entry.fingerprints != action.fingerprints:
        return action
    wave = min((one.wave or 0 for one in action.chunks), default=0) if is_due else action.wave
    more = sum(
        _count_let_in(then, now)
        for then, now in zip(entry.chunks, action.chunks, strict=True)
        if then.state not in DONE and (wave or now.wave) == now.wave
    )
    if not more:
        return action
    why = sentence(
        "{count:recipient|recipients} {count:|was|were} left out under contact pressure when it was "
        "approved, and would get it now; make and apply a new plan",
        count=more,
    )
    return action.block(ReasonCode.CHANGED, why)


def _count_let_in(then: ChunkRecord, now: ChunkPlan) -> int:
    """Return how many recipients left out of a chunk at its approval would get it now.

    This is a lower bound, because earlier versions recorded only numbers.
    """
    gone = 0 if then.left_out is None else count_gone_opt_outs(then.left_out, now.gets_nothing)
    more = 0 if then.recipients is None else (now.recipients or 0) - then.recipients
    return max(gone, more, 0)


def _recorded_phones(lock: Lock, planned: Sequence[PlannedMailing]) -> dict[tuple[str, int], PhoneSet]:
    """Return the recipients of recorded mailings, by address and revision.

    The files still have the recipients of a mailing if its audience digest is the recorded one.
    """
    return {
        (one.mailing.address, entry.revision): one.desired.phones
        for one in planned
        if (entry := lock.mailings.get(one.mailing.address)) is not None
        and entry.audience_digest == one.desired.audience_digest
        and one.desired.phones is not None
    }


def _span(span: timedelta) -> str:
    """Return `7d`, `36h` or `90m`, as in smsby.yaml."""
    minutes = int(span.total_seconds() // 60)
    if minutes % 1440 == 0:
        return sentence("{count}d", count=minutes // 1440)
    if minutes % 60 == 0:
        return sentence("{count}h", count=minutes // 60)
    return sentence("{count}m", count=minutes)
