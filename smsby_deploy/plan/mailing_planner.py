"""Decides the action of each mailing, one after the other, and collects its problems."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.sources import ContactList
from smsby_deploy.lock.archive import with_archived
from smsby_deploy.lock.opening import open_lock_at
from smsby_deploy.lock.records import ChunkState, Entry, Lock, NamedId
from smsby_deploy.lock.stored_mailings import find, read_some
from smsby_deploy.plan import collision_reasons, reasons
from smsby_deploy.plan.account_names import AccountNames
from smsby_deploy.plan.audience_source import fresh_source
from smsby_deploy.plan.contradictions import FactCheck
from smsby_deploy.plan.desired import ChunkPlan, Desired, MeasuredMailing, keep_fingerprints
from smsby_deploy.plan.diff import Decision, block, diff_mailing, make_action, make_recorded
from smsby_deploy.plan.drift import find_drift, intended_by_files, intended_by_lock
from smsby_deploy.plan.guardrails import CLOSED_HOURS, Breach, check_mailing
from smsby_deploy.plan.model import COMMITTING, NEW_COMMITTING, SENDING, Action, ActionKind, ReasonCode
from smsby_deploy.plan.remote_list_check import ListCheck
from smsby_deploy.plan.remote_state import RemoteView, merge_entry
from smsby_deploy.plan.removed import find_removed, warn_of_scheduled
from smsby_deploy.plan.scheduled import (
    count_opted_in,
    find_late_opt_outs,
    find_still_listed,
    opted_in,
    report_cancelled,
)
from smsby_deploy.plan.selection import campaign_of
from smsby_deploy.plan.similar import Planned, SentMailings
from smsby_deploy.plan.situation import Situation, is_past, standing_entry
from smsby_deploy.plan.waves import plan_of
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.wording import join_sentences, read_money, sentence

if TYPE_CHECKING:  # most projects need none
    from smsby_deploy.plan.approvals import ApprovalCheck, Size

_SENT_SOON = COMMITTING | {ActionKind.DUE}  # by this plan, or by the next hand-over


@dataclass(slots=True)
class MailingPlanner:
    """Plans mailings one by one; collects their problems."""

    project: Project
    lock: Lock
    sent: SentMailings
    names: AccountNames
    remote: RemoteView | None
    check: ListCheck | None
    facts: FactCheck
    now: datetime
    problems: list[Problem]
    is_handing_over: bool = False  # only what was approved earlier may be sent
    _renamed: set[str] = field(default_factory=set)  # their collisions say what to delete
    sizes: dict[str, Size] = field(default_factory=dict)  # that approval rules count together, by address
    rehearsed: frozenset[tuple[str, str]] = field(init=False)
    approvals: ApprovalCheck | None = field(init=False)  # None: no mailing needs a signature

    def __post_init__(self) -> None:
        self.rehearsed = _find_rehearsed(self.project)
        policy = None if self.project.environment.is_rehearsal else self.project.approvals
        self.approvals = None
        if policy is not None:
            from smsby_deploy.plan.approvals import ApprovalCheck

            self.approvals = ApprovalCheck(self.project, policy, self.now, self.problems)

    def count_together(self, measured: Sequence[MeasuredMailing]) -> None:
        """Note which mailings approval rules count together: those neither over nor expired."""
        if self.approvals is None:
            return
        from smsby_deploy.plan.approvals import Size

        for mailing, desired, *_ in measured:
            if desired is None or self._is_over(mailing, self.lock.mailings.get(mailing.address)):
                continue
            self.sizes[mailing.address] = Size(desired.recipients, desired.cost)

    def _sizes_as_approved(self, address: str, entry: Entry) -> dict[str, Size]:
        """Return the sizes of a campaign's mailings that the same plan approved."""
        from smsby_deploy.plan.approvals import Size

        campaign, plan = f"{campaign_of(address)}/", plan_of(entry)
        found = {}
        for one in (one for one in self.lock.mailings if one.startswith(campaign)):
            recorded = self.lock.mailings[one]
            if plan_of(recorded) == plan:
                as_recorded = Size(recorded.recipients, read_money(recorded.cost))
                found[one] = self.sizes.get(one, as_recorded)
        return found

    def _is_over(self, mailing: Mailing, entry: Entry | None) -> bool:
        """Whether no more of it is sent: it is finished or withdrawn, or its time passed."""
        if entry is not None and entry.revision == mailing.revision:
            if entry.is_finished or entry.is_withdrawn:
                return True
            if entry.may_have_reached:
                return False
        return is_past(mailing.schedule_time, self.now - (mailing.max_late or timedelta(0)))

    def plan_mailing(self, measured: MeasuredMailing) -> Action | None:
        """Return the action of a mailing, or None if its files cannot be read."""
        mailing, desired, found, _, is_excused = measured
        entry = self.lock.mailings.get(mailing.address)
        if not self.is_handing_over:
            entry = standing_entry(entry, mailing.revision)
        self.problems.extend(found)
        if is_excused and entry is not None:
            return make_recorded(
                mailing.address, entry, Decision(ActionKind.NOOP, reasons.UNREADABLE_AND_GONE)
            )
        if desired is None:
            return None
        desired = keep_fingerprints(desired, entry)
        here = self._situation(mailing, desired, entry)
        decision = self._judge(mailing, here)
        self._note(mailing, decision, here)
        if entry is not None and decision.code is not ReasonCode.WITHDRAWN:  # its reason says the same
            self._find_still_listed(mailing.address, entry)
        self._compare_with_reported(mailing, desired, entry)
        return make_action(mailing, desired, decision, self.names, entry)

    def plan_cancelled(self, mailing: Mailing) -> Action | None:
        """Return the action of a cancelled mailing; None unless a part may have been sent."""
        address, entry = mailing.address, self.lock.mailings.get(mailing.address)
        unrecorded = []
        if self.remote is not None:
            names = self.remote.names_of(address, mailing.revision)
            lost = [one for one in names if not self.sent.is_recorded(one, address)]
            unrecorded = [self.remote.by_fingerprint[one.fingerprint] for one in lost]
        scope, remote, now = self.project.scope, self.remote, self.now
        self.problems.append(report_cancelled(scope, mailing, entry, remote, now, unrecorded))
        if entry is not None:
            self._find_still_listed(address, entry)
        if entry is None or not entry.may_have_reached:
            return None
        if ChunkState.UNKNOWN in merge_entry(entry, self.remote):
            return make_recorded(
                address, entry, block(ReasonCode.UNKNOWN, reasons.unknown_and_cancelled(address))
            )
        return make_recorded(address, entry, Decision(ActionKind.NOOP, reasons.cancelled(mailing)))

    def check_orphans(self, addresses: Container[str]) -> None:
        """Warn about orphans that are not finished, and about values that differ at sms.by."""
        self.problems.extend(find_removed(self.lock, addresses, self.remote, self.now))
        if self.remote is None:
            return
        marks, mailings = self.remote.by_fingerprint, self.lock.mailings
        listed = set(find(mailings, lambda file: file.with_chunk(marks, frozenset())))
        for address, entry in read_some(mailings, {one for one in listed if one in addresses}):
            if address not in self._renamed:
                self.problems.extend(warn_of_scheduled(address, entry, self.remote, self.now))
            self._find_still_listed(address, entry)
            intended = intended_by_lock(address, entry, None)
            self.problems.extend(find_drift(intended, entry.chunks, self.remote))

    def _find_still_listed(self, address: str, entry: Entry) -> None:
        zone = self.project.zone
        self.problems.extend(
            find_still_listed(self.project.scope, address, entry, self.remote, self.now, zone)
        )

    def _judge(self, mailing: Mailing, here: Situation) -> Decision:
        """Apply the decision table, then the checks that can block a mailing to be sent."""
        desired, decision = here.desired, diff_mailing(here)
        self.problems.extend(find_late_opt_outs(mailing, here, self.check))
        if decision.action in _SENT_SOON and self.project.freeze:
            return block(ReasonCode.FROZEN, reasons.frozen(self.project.freeze))
        if decision.action in _SENT_SOON and self.check is not None and self.check.is_disproved:
            return block(ReasonCode.UNKNOWN, self.check.doubt)
        if decision.action in COMMITTING and (why := self.facts.obstacle(mailing, desired, decision.action)):
            return block(ReasonCode.FACTS, why)
        if decision.action in NEW_COMMITTING and not here.is_rehearsal:
            sender = NamedId(mailing.alphaname, here.sender_id)
            planned = Planned(desired, sender, here.contact_list)
            if sent_as := self.sent.find_renamed(planned):
                if sent_as.is_scheduled(self.now) and not sent_as.has_unknown:
                    self._renamed.add(sent_as.address)
                return block(*collision_reasons.renamed(here, sent_as, self.sent.entry_of(sent_as)))
            if self.remote is not None:
                # After `lock move` it is listed under its old address, with the fingerprints that were kept.
                if not here.is_listed and (listed := self.sent.find_listed(desired, self.remote)):
                    return block(*collision_reasons.listed_as(here, listed))
                if other := self.remote.find_in_other_project(desired, self.now):
                    return block(*collision_reasons.listed_in_project(here, other))
        if self.project.only_to is not None and here.contact_list is not None and decision.action in SENDING:
            return block(ReasonCode.GUARDRAIL, reasons.WHOLE_LIST)
        # A mailing to hand over was rehearsed before its approval, possibly on another machine.
        rehearsal = None if here.is_rehearsal or self.is_handing_over else self.project.rehearsed_in
        is_rehearsed = (mailing.address, desired.content_digest) in self.rehearsed
        if rehearsal is not None and decision.action in COMMITTING and not is_rehearsed:
            return block(ReasonCode.APPROVAL, reasons.not_rehearsed(rehearsal.environment))
        if decision.action in _SENT_SOON:
            breaches = self._check_guardrails(mailing, here, decision)
            if breaches:
                return block(ReasonCode.GUARDRAIL, join_sentences([breach.message for breach in breaches]))
            decision = self._require_signatures(mailing, here, decision)
        was_approved = self.is_handing_over or decision.action in (ActionKind.DUE, ActionKind.WAITING)
        if here.opted_in and was_approved and decision.action in _SENT_SOON | {ActionKind.WAITING}:
            return block(ReasonCode.CHANGED, opted_in(here))
        return decision

    def _check_guardrails(self, mailing: Mailing, here: Situation, decision: Decision) -> tuple[Breach, ...]:
        """Return the guardrails that a mailing violates; a later wave waits for open hours."""
        rails, times = self.project.guardrails, here.unsent_times
        found = check_mailing(rails, mailing, here.desired, self.now, times=times)
        if decision.action is not ActionKind.DUE or here.wave.judged is None:
            return found
        return tuple(one for one in found if one.key not in CLOSED_HOURS)

    def _require_signatures(self, mailing: Mailing, here: Situation, decision: Decision) -> Decision:
        """Return the decision with the signers' names, or blocked where a signature is missing."""
        if self.approvals is None:
            return decision
        from smsby_deploy.plan.approvals import SignedMailing, Size

        signed = SignedMailing.of(mailing, here.desired, self.project.guardrails)
        approved = here.entry if self.is_handing_over or decision.action is ActionKind.DUE else None
        if approved is not None and mailing.is_fresh:
            # The signature covers the audience at the time of the approval.
            audience = approved.audience_digest
            signed = signed._replace(audience_digest=audience, recipients=None, opted_out=None)
        sizes = self.sizes if approved is None else self._sizes_as_approved(mailing.address, approved)
        size = Size(here.desired.recipients, here.desired.cost)
        names, lack = self.approvals.judge(mailing, signed, size, sizes)
        return replace(decision, signed_by=names) if lack is None else block(ReasonCode.APPROVAL, lack)

    def _situation(self, mailing: Mailing, desired: Desired, entry: Entry | None) -> Situation:
        audience = mailing.audience
        contact_list = self.names.contact_list(audience.ref) if isinstance(audience, ContactList) else None
        is_rehearsal = self.project.environment.is_rehearsal
        sender_id = self.names.alphaname_id(mailing.alphaname)
        here = Situation(
            self.project.scope,
            desired,
            entry,
            self.remote,
            self.now,
            contact_list,
            sender_id,
            is_rehearsal=is_rehearsal,
            max_late=mailing.max_late or timedelta(0),
            window=None if is_rehearsal else mailing.window,
            source=fresh_source(mailing, self.project),
            is_handing_over=self.is_handing_over,
            steps=mailing.wave_steps,
            zone=mailing.zone,
        )
        if here.is_other_rehearsal:
            return replace(here, entry=None, remote=None)  # some of its chunks may be listed
        was_approved = here.is_handing_over or here.approval is not None or here.wave.is_next
        if here.is_recorded and was_approved and not here.may_have_others:
            # Under `pressure`, the hand-over chooses again whom else to leave out.
            may_be_capped = self.project.guardrails.pressure is not None
            here = replace(here, opted_in=count_opted_in(here, may_be_capped=may_be_capped))
        return here

    def _note(self, mailing: Mailing, decision: Decision, here: Situation) -> None:
        if decision.action in SENDING:
            self.problems.extend(_find_lateness(mailing, here.unsent_times, self.now))
        is_new = decision.action in NEW_COMMITTING and here.entry is None
        if is_new and (why := collision_reasons.listed_under_a_short_name(here)):
            self.problems.append(
                Problem(Severity.WARNING, "REMOTE_NAME", why, mailing.address, mailing.location)
            )
        if decision.action in NEW_COMMITTING and here.steps:
            self.problems.extend(_find_lone_wave(mailing, here.desired.chunks))
        if decision.is_overdue:
            why, place = reasons.overdue(mailing), mailing.time_location
            self.problems.append(Problem(Severity.WARNING, "EXPIRED", why, mailing.address, place))
        for code, message in decision.notes:
            self.problems.append(Problem(Severity.NOTE, code, message, mailing.address, mailing.location))

    def _compare_with_reported(self, mailing: Mailing, desired: Desired, entry: Entry | None) -> None:
        if self.remote is None:
            return
        if entry is not None:
            intended = intended_by_lock(mailing.address, entry, mailing)
            self.problems.extend(find_drift(intended, entry.chunks, self.remote))
        if entry is None or entry.revision != mailing.revision:
            intended = intended_by_files(mailing).by(self.names)
            self.problems.extend(find_drift(intended, desired.chunks, self.remote))


def _find_lateness(mailing: Mailing, times: Sequence[datetime | None], now: datetime) -> Iterable[Problem]:
    """Warn that chunks with these times are sent late, as `max_late` allows."""
    late = [time for time in times if time is not None and time <= now]
    if mailing.max_late is not None and late:
        passed, allowed = (int(one.total_seconds() // 60) for one in (now - min(late), mailing.max_late))
        message = sentence(
            "its time passed {passed} min ago; it is sent at once (max_late allows {allowed} min)",
            passed=passed,
            allowed=allowed,
        )
        if mailing.spread is not None:
            message = sentence(
                "the time of {count:chunk|chunks} passed {passed} min ago; {count:|it is|they are} sent at "
                "once (max_late allows {allowed} min)",
                count=len(late),
                passed=passed,
                allowed=allowed,
            )
        yield Problem(Severity.WARNING, "LATE", message, mailing.address, mailing.time_location)


def _find_lone_wave(mailing: Mailing, chunks: Sequence[ChunkPlan]) -> Iterable[Problem]:
    """Note that all recipients are in one wave, so a verdict has nothing to stop."""
    waves = {chunk.wave for chunk in chunks if chunk.recipients}
    if len(waves) == 1 and None not in waves:
        message = sentence(
            "all of its recipients are in wave {wave}, so none of them waits for a verdict", wave=waves.pop()
        )
        yield Problem(Severity.NOTE, "ONE_WAVE", message, mailing.address, mailing.location)


def _find_rehearsed(project: Project) -> frozenset[tuple[str, str]]:
    """Return (address, content digest) of each rehearsed mailing, including archived ones.

    The content digest is the same in every environment.
    """
    rehearsal = project.rehearsed_in
    if rehearsal is None:
        return frozenset()
    lock = open_lock_at(rehearsal, project.name, project.root).read()
    lock = with_archived(lock, {mailing.address for mailing in project.mailings}).lock
    return frozenset(
        (address, one.content_digest)
        for address, one in lock.revisions()
        if one.is_complete and one.was_sent_in_part
    )
