"""The facts that decide the action of one mailing at one moment.

They come from its files, its lock entry and the list of sms.by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property

from smsby_deploy.clock import Window
from smsby_deploy.config.declarations import Wave
from smsby_deploy.lock.decisions import Approval
from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkState, Entry, EntryState, NamedId
from smsby_deploy.plan.audience_source import AudienceSource
from smsby_deploy.plan.desired import ChunkPlan, Desired
from smsby_deploy.plan.gone import OwnContent
from smsby_deploy.plan.remote_state import RemoteView, listed_state, merge_entry
from smsby_deploy.plan.waves import WaveProgress, find_progress
from smsby_deploy.smsby.parsers import RemoteMailing

ACCEPTED = frozenset({ChunkState.ACCEPTED, ChunkState.PARTIAL})


@dataclass(frozen=True)
class Situation:
    """Facts about one mailing.

    `entry` is None if it is not recorded, `remote` is None offline; `contact_list` and `sender_id` are what list and sender
    in the files mean now. A mailing expires `max_late` after its time. `window` is when the files allow a hand-over; None if
    the apply that approves it sends it. `is_handing_over`: only mailings approved earlier may be sent. `opted_in` counts
    recipients who had opted out at its approval and would, or might, get it now.
    """

    scope: str  # of the project, as used in fingerprints and remote names
    desired: Desired
    entry: Entry | None
    remote: RemoteView | None
    now: datetime
    contact_list: NamedId | None = None
    sender_id: int | None = None
    is_rehearsal: bool = False  # a sent mailing may be sent again
    max_late: timedelta = timedelta(0)
    window: Window | None = None
    source: AudienceSource | None = None  # only if its audience may change while it waits
    is_handing_over: bool = False
    steps: tuple[Wave, ...] = ()  # its waves; () if it has none
    zone: tzinfo = UTC  # in which times are shown
    opted_in: int = 0

    @cached_property
    def recorded(self) -> tuple[ChunkState, ...]:
        """The state of each recorded chunk, combining lock and remote list."""
        return () if self.entry is None else merge_entry(self.entry, self.remote)

    @property
    def has_unknown(self) -> bool:
        """Whether the outcome of a recorded chunk is unknown, in any revision."""
        return ChunkState.UNKNOWN in self.recorded

    @property
    def recorded_entry(self) -> Entry:
        """The record of a mailing that is known to be recorded."""
        assert self.entry is not None
        return self.entry

    @property
    def is_lowered(self) -> bool:
        """Whether a higher revision than the one in the files was sent."""
        return self.entry is not None and self.entry.revision > self.desired.revision

    @property
    def is_raised(self) -> bool:
        """Whether the files ask for a higher revision than the recorded one."""
        return self.entry is not None and self.entry.revision < self.desired.revision

    @property
    def is_other_rehearsal(self) -> bool:
        """Whether the recorded mailing is a rehearsal of another version of this one."""
        if not self.is_rehearsal or self.entry is None or self.has_unknown:
            return False
        is_other = self.has_new_content or self.has_new_chunks or self.has_outdated_draft
        return self.is_lowered or (self.is_begun and is_other)

    @property
    def is_recorded(self) -> bool:
        """Whether this revision is the last one in the lock."""
        return self.entry is not None and self.entry.revision == self.desired.revision

    @property
    def was_approved(self) -> bool:
        """Whether an apply has ever handled this revision, whatever became of it."""
        return self.is_recorded or bool(self.listed)

    @property
    def is_begun(self) -> bool:
        """Whether any part of this revision was sent, or created at sms.by."""
        return self.is_recorded and not all(state in SURELY_NOT_SENT for state in self.recorded)

    @property
    def is_taken_back(self) -> bool:
        """Whether a user withdrew this revision."""
        return self.entry is not None and not self.is_raised and self.entry.is_withdrawn

    @property
    def is_abandoned(self) -> bool:
        """Whether a user decided that the rest of this revision is never sent."""
        return self.entry is not None and not self.is_raised and self.entry.is_abandoned

    @property
    def is_finished(self) -> bool:
        """Whether all of this revision was sent, or the rest was abandoned."""
        return self.is_abandoned or (self.is_begun and all(state in DONE for state in self.recorded))

    @property
    def is_scheduled(self) -> bool:
        """Whether sms.by accepted a part of the recorded revision and has yet to send it."""
        return self.entry is not None and is_scheduled(self.entry, self.recorded, self.now)

    @cached_property
    def scheduled_before(self) -> tuple[Entry, ...]:
        """The recorded revisions below that of the files that sms.by has yet to send."""
        if self.entry is None or self.is_rehearsal:
            return ()
        older = (one for one in self.entry.revisions if one.revision < self.desired.revision)
        return tuple(one for one in older if is_scheduled(one, merge_entry(one, self.remote), self.now))

    @cached_property
    def listed_before(self) -> RemoteMailing | None:
        """A listed but unrecorded message of an earlier revision that has yet to be sent."""
        if self.remote is None or self.is_rehearsal:
            return None
        entries = () if self.entry is None else self.entry.revisions
        recorded = {chunk.fingerprint for one in entries for chunk in one.chunks}
        for name in self.remote.names_of(self.desired.address, self.desired.revision - 1):
            if name.fingerprint not in recorded and self.remote.is_ahead(name, self.now):
                return self.remote.by_fingerprint[name.fingerprint]
        return None

    @property
    def is_newly_found(self) -> bool:
        """Whether sms.by knows more about the recorded chunks than the lock does."""
        old = () if self.entry is None else self.entry.chunks
        return self.recorded != tuple(chunk.state for chunk in old)

    @property
    def has_new_content(self) -> bool:
        """Whether its text, sender or time differs from what is recorded."""
        return self.entry is not None and not self.desired.has_content(self.entry.content_digest)

    @property
    def is_gone(self) -> bool:
        """Whether all of the recorded revision was sent, and not only scheduled."""
        return self.is_finished and not self.is_scheduled

    @property
    def has_new_own_content(self) -> bool | None:
        """Whether the mailing's own content differs from what is recorded.

        None if unknown, because older locks do not record it.
        """
        entry, own = self.entry, self.desired.own
        if entry is None or not self.has_new_content or own is None:
            return entry is not None and self.has_new_content
        if entry.own_digest is not None:
            return entry.own_digest != own.digest
        return self._has_new_own_values(entry, own)

    def _has_new_own_values(self, entry: Entry, own: OwnContent) -> bool | None:
        """Compare with an older lock, which has sender, time, and perhaps a digest of the text."""
        has_new_sender = entry.alphaname != own.alphaname
        has_new_time = entry.send_time != self.desired.schedule_time
        if (has_new_sender and own.has_sender) or (has_new_time and own.has_time):
            return True
        has_new_values = has_new_sender or has_new_time
        if entry.text_digest is None or self.desired.text_digest is None:
            return None if has_new_values or own.has_includes else True
        if entry.text_digest == self.desired.text_digest:
            return not has_new_values
        return None if own.has_includes else True

    @property
    def has_new_audience(self) -> bool:
        """Whether its recipients differ from those recorded, regardless of order and values.

        With an older lock: whether they may differ.
        """
        entry, desired = self.entry, self.desired
        if entry is None or entry.audience_digest == desired.audience_digest:
            return False
        if entry.recipients_digest is not None and desired.recipients_digest is not None:
            return entry.recipients_digest != desired.recipients_digest
        # The audience digest covers personal texts, which an earlier version may have hashed uncomposed.
        return entry.content_digest != desired.former_content

    @property
    def has_new_chunks(self) -> bool:
        """Whether its chunks, or the way they are sent, differ from what is recorded."""
        entry, desired = self.entry, self.desired
        if entry is None:
            return False
        is_sent_alike = entry.transport == desired.via and entry.body in (None, desired.body)
        return entry.fingerprints != desired.fingerprints or not is_sent_alike

    @cached_property
    def listed(self) -> tuple[ChunkState, ...]:
        """The state of each planned chunk in the list of sms.by; UNKNOWN if it is missing.

        Empty if no chunk is listed, or if the lock knows more than the list.
        """
        desired = self.desired
        if (
            self.remote is None
            or self.is_begun
            or is_recorded_singly(self.entry, desired.revision, desired.fingerprints)
        ):
            return ()
        found = [self.remote.by_fingerprint.get(mark) for mark in desired.fingerprints]
        if not any(found):
            return ()
        pairs = zip(found, desired.chunks, strict=True)
        return tuple(_listed_state(mailing, chunk, desired.via) for mailing, chunk in pairs)

    @property
    def is_listed(self) -> bool:
        """Whether sms.by lists a planned chunk by its fingerprint, whatever is recorded."""
        return self.remote is not None and self.remote.has_any(self.desired.fingerprints)

    @property
    def has_draft(self) -> bool:
        return ChunkState.DRAFT in (self.recorded if self.is_begun else self.listed)

    @property
    def has_outdated_draft(self) -> bool:
        """Whether its draft was made for contacts other than those that would be uploaded now."""
        if self.entry is None or not (self.is_begun and self.has_draft):
            return False
        upload = self.entry.chunks[0].upload
        return upload is not None and upload.digest not in ("", self.desired.contacts)

    @property
    def has_draft_for_other_list(self) -> bool:
        """Whether its draft was made for a list other than the one the files mean now."""
        return self.is_begun and self.has_draft and self._has_other_list

    @property
    def _has_other_list(self) -> bool:
        """Whether the files mean a list other than the recorded one; False if an id is unknown."""
        then, now = None if self.entry is None else self.entry.contact_list, self.contact_list
        return then is not None and now is not None and None not in (then.id, now.id) and then.id != now.id

    @cached_property
    def approval(self) -> Approval | None:
        """The earlier approval of exactly what the files say now.

        None if there is none, or if the files say something else.
        """
        entry, desired = self.entry, self.desired
        if entry is None or entry.approval is None or entry.ending or entry.revision != desired.revision:
            return None
        if self.opted_in and not (self.is_begun or self.is_handing_over):
            return None
        is_same_audience = self.may_have_others or entry.audience_digest == desired.audience_digest
        is_sent_alike = entry.transport == desired.via and not self.goes_elsewhere
        return entry.approval if is_same_audience and is_sent_alike and not self.has_new_content else None

    @property
    def may_have_others(self) -> bool:
        """Whether its recipients, and so the opt-outs, may differ from those at its approval."""
        return self.source is not None and self.source.is_approved_in(self.entry)

    @property
    def goes_elsewhere(self) -> bool:
        """Whether the name of its sender or list now means another one in the account."""
        then, now = None if self.entry is None else self.entry.alphaname_id, self.sender_id
        return self._has_other_list or (None not in (then, now) and then != now)

    @property
    def has_old_approval(self) -> bool:
        """Whether other content was approved under this revision and is waiting."""
        return self.entry is not None and self.entry.state is EntryState.WAITING and self.approval is None

    @property
    def is_approved(self) -> bool:
        """Whether its approval lets it be handed over; a new window in the files needs a new one."""
        if self.approval is None:
            return False
        return self.is_handing_over or self.approval.window == self.window

    @property
    def next_window(self) -> Window | None:
        """When it may be handed over; None if at any time."""
        return self.approval.window if self.approval is not None and self.is_approved else self.window

    @property
    def is_early(self) -> bool:
        """Whether its window is not open yet."""
        return self.next_window is not None and self.now < self.next_window.opens

    @property
    def has_missed_window(self) -> bool:
        """Whether it should have been handed over earlier.

        A mailing that was begun may be resumed until its time, but only by a new plan.
        """
        is_bound = (self.is_handing_over and self.wave.judged is None) or not self.is_begun
        return is_bound and self.next_window is not None and self.next_window.is_over(self.now)

    @cached_property
    def wave(self) -> WaveProgress:
        """The wave that is sent next."""
        entry = self.entry if self.is_begun and not self.has_new_chunks else None
        waves = [chunk.wave for chunk in self.desired.chunks]
        return find_progress(waves, entry, self.recorded, self.steps, self.now, self.zone)

    @property
    def unsent_times(self) -> tuple[datetime | None, ...]:
        """The times of the chunks that were not sent yet; None means on apply."""
        times = self.desired.send_times or (self.desired.schedule_time,)
        if self.wave.judged is not None:
            return (None,)
        if not self.is_begun:
            return times
        # Chunks that differ from the recorded ones block the mailing for another reason.
        states = (*self.recorded[: len(times)], *[ChunkState.PENDING] * (len(times) - len(self.recorded)))
        return tuple(time for time, state in zip(times, states, strict=True) if state not in DONE)

    @property
    def is_expired(self) -> bool:
        """Whether a send time has passed; `max_late` allows that, but not if the mailing waited."""
        late = self.max_late if self.window is None or self.is_begun else timedelta(0)
        return any(is_past(time, self.now - late) for time in self.unsent_times)

    @property
    def sent_earlier(self) -> tuple[Entry, int] | None:
        """The last lower revision in the lock that was sent, and its recipient count, or None."""
        for entry in () if self.entry is None else self.entry.revisions:
            states = self.recorded if entry is self.entry else [chunk.state for chunk in entry.chunks]
            count = sum(
                chunk.recipients or 0
                for chunk, state in zip(entry.chunks, states, strict=True)
                if chunk.was_sent or state is ChunkState.ACCEPTED
            )
            if count and entry.revision < self.desired.revision and not entry.is_withdrawn:
                return entry, count
        return None


def standing_entry(entry: Entry | None, revision: int) -> Entry | None:
    """Return the entry by which a mailing of `revision` is judged.

    If the files went back from a revision that was approved but not handed over, it is the complete one before that.
    """
    if entry is None or entry.revision <= revision or entry.approval is None or entry.may_have_reached:
        return entry
    return next((old for old in entry.earlier if old.revision == revision and old.is_complete), entry)


def is_recorded_singly(entry: Entry | None, revision: int, fingerprints: Sequence[str]) -> bool:
    """Whether the lock records this mailing as sent phone by phone; it knows more than a list."""
    return (
        entry is not None
        and entry.transport == "single"
        and entry.revision == revision
        and entry.fingerprints == list(fingerprints)
    )


def is_past(schedule_time: datetime | None, now: datetime) -> bool:
    """Whether a send time has come; never for a mailing that is sent on apply."""
    return schedule_time is not None and schedule_time <= now


def is_scheduled(entry: Entry, states: Sequence[ChunkState], now: datetime) -> bool:
    """Whether sms.by accepted chunks of `entry`, in these `states`, and has yet to send them."""
    if entry.send_time is None or entry.is_withdrawn or is_past(entry.last_time, now):
        return False
    return any(
        state in ACCEPTED and not is_past(time, now)
        for time, state in zip(entry.send_times, states, strict=False)
    )


def _listed_state(listed: RemoteMailing | None, chunk: ChunkPlan, via: str) -> ChunkState:
    """Return the state of a chunk that only the list of sms.by knows.

    A mailing sent phone by phone is listed before all phones have been sent to, so its count decides.
    """
    if listed is None:
        return ChunkState.UNKNOWN
    if via == "single" and (listed.count_phones or 0) < (chunk.recipients or 0):
        return ChunkState.UNKNOWN
    return listed_state(listed, via)
