"""Finds the approved mailings that need action now, and when the next one will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from smsby_deploy.apply.context import ApplyRequest
from smsby_deploy.apply.wave_judge import WaveToJudge
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.errors import FilesInvalid
from smsby_deploy.lock.records import Entry, Lock
from smsby_deploy.lock.stored_mailings import find
from smsby_deploy.plan.chunks import hash_content, hash_former_content
from smsby_deploy.plan.gone import read_own_content
from smsby_deploy.plan.selection import removed_from, selector
from smsby_deploy.plan.waves import Gate, has_later_wave, plan_of, recorded_progress, why_stopped
from smsby_deploy.texts.compiler import compile_mailing


def approved_mailings(request: ApplyRequest, lock: Lock) -> dict[str, Entry]:
    """Return the incomplete mailings that are approved for later or have more waves."""
    unfinished = filter(selector(request.select), find(lock.mailings, lambda file: file.unfinished()))
    return {
        address: entry
        for address, entry in ((address, lock.mailings[address]) for address in unfinished)
        if (entry.approval is not None or has_later_wave(entry))
        and entry.ending is None
        and not entry.is_complete
    }


def next_opening(
    request: ApplyRequest, lock: Lock, now: datetime, mailings: Mapping[str, Mailing] | None = None
) -> datetime | None:
    """Return when the next mailing is due or retried; None if none is waiting.

    Without `mailings`, the time of a wave is unknown, so it is retried now.
    """
    times = []
    for address, entry in approved_mailings(request, lock).items():
        if entry.has_unknown:
            continue
        if has_later_wave(entry):
            times += [now] if mailings is None else _next_verdict(entry, mailings.get(address), now)
        elif entry.approval is not None and not entry.approval.window.is_over(now):
            times.append(entry.approval.window.opens)
    return min(times, default=None)


def _next_verdict(entry: Entry, mailing: Mailing | None, now: datetime) -> list[datetime]:
    """Return when a wave may be judged or sent; empty if a user must act first."""
    if mailing is None or mailing.waves is None or mailing.cancelled is not None:
        return []
    progress = recorded_progress(entry, mailing.waves.steps, now, mailing.zone)
    if progress.window is None or progress.gate is Gate.STOPPED:
        return []
    return [progress.window.opens]


@dataclass(frozen=True, slots=True)
class DueMailings:
    """The approved mailings that need action now, grouped by the action.

    due: to hand over, by the plan that approved them; includes unknown mailings after their window
    missed: their window closed before any part was handed over
    removed: no longer in the files, or cancelled there
    unreadable: due, but not valid, or possibly in a file that is not valid
    suspect: not due yet, but apparently changed in the files
    to_judge: sent in waves, and the last wave has no verdict yet
    stopped: why no more is sent, according to the verdict on the last wave
    cut_off: removed or cancelled while unknown, or removed before all waves were sent
    """

    due: dict[str, list[str]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    suspect: list[str] = field(default_factory=list)
    to_judge: list[WaveToJudge] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)
    cut_off: list[str] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        """Those that a run reports whatever it finds out, in the order in which it deals with them."""
        due = (address for addresses in self.due.values() for address in addresses)
        judged = (one.mailing.address for one in self.to_judge)
        return [*self.removed, *self.missed, *self.unreadable, *self.stopped, *self.cut_off, *judged, *due]

    @property
    def is_empty(self) -> bool:
        return not (self.addresses or self.suspect)


def sort_mailings(request: ApplyRequest, loaded: LoadedProject, lock: Lock, now: datetime) -> DueMailings:
    """Group the approved mailings by the action they need at `now`; reads no recipients."""
    in_files = {one.address: one for one in loaded.project.mailings if one.cancelled is None}
    cancelled = {mailing.address for mailing in loaded.project.mailings} - in_files.keys()
    found, is_out_of_files = DueMailings(), removed_from(loaded)
    for address, entry in approved_mailings(request, lock).items():
        mailing = in_files.get(address)
        is_removed = is_out_of_files(address)
        if address in cancelled or is_removed:
            if not entry.may_have_reached:
                found.removed.append(address)
            elif entry.has_unknown or (is_removed and has_later_wave(entry)):
                found.cut_off.append(address)
        elif has_later_wave(entry):
            _sort_wave(found, address, entry, mailing, now)
        else:
            _sort_approved(found, address, entry, mailing, now)
    return found


def _sort_approved(
    found: DueMailings, address: str, entry: Entry, mailing: Mailing | None, now: datetime
) -> None:
    assert entry.approval is not None
    window = entry.approval.window
    is_over = window.is_over(now)
    if is_over and not entry.may_have_reached:
        found.missed.append(address)
    elif window.is_open(now) or (is_over and entry.has_unknown):  # an unknown outcome is due until settled
        if mailing is None:
            found.unreadable.append(address)
        else:
            found.due.setdefault(entry.approval.plan, []).append(address)
    elif mailing is not None and _seems_changed(entry, mailing):
        found.suspect.append(address)


def _sort_wave(
    found: DueMailings, address: str, entry: Entry, mailing: Mailing | None, now: datetime
) -> None:
    """Sort a mailing whose first wave was sent; if it has changed, the plan blocks it."""
    if mailing is None:
        found.unreadable.append(address)
        return
    progress = recorded_progress(entry, mailing.wave_steps, now, mailing.zone)
    if progress.gate is Gate.STOPPED and not entry.has_unknown:
        found.stopped[address] = why_stopped(progress, address)
    elif progress.gate is Gate.JUDGE and not entry.has_unknown and _has_approved_content(entry, mailing):
        found.to_judge.append(WaveToJudge(mailing, entry, progress))
    elif progress.gate is not Gate.EARLY or entry.has_unknown:
        found.due.setdefault(plan_of(entry), []).append(address)


def _seems_changed(entry: Entry, mailing: Mailing) -> bool:
    """Whether the mailing's own content differs from that approved; reads no recipients."""
    if entry.may_have_reached:
        return False
    return entry.revision != mailing.revision or (
        not mailing.unreadable and entry.own_digest != read_own_content(mailing).digest
    )


def _has_approved_content(entry: Entry, mailing: Mailing) -> bool:
    """Whether the text and the waves are the approved ones; reads no recipients.

    A verdict is final, so it must follow only from the approved percentages.
    """
    if mailing.unreadable or entry.revision != mailing.revision:
        return False
    try:
        template = compile_mailing(mailing)
    except FilesInvalid:
        return False
    return entry.content_digest in (hash_content(mailing, template), hash_former_content(mailing, template))
