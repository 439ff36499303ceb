"""Which approved mailings need something now, and when the next one does."""

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
from smsby_deploy.texts.template import is_personal


def approved_mailings(request: ApplyRequest, lock: Lock) -> dict[str, Entry]:
    """Return the mailings approved for later or with more waves, if they are not complete."""
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
    """Return when a mailing is due or is tried again; None if none is waiting.

    Without `mailings` that is not known of waves: they are tried again.
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
    """Return when a wave may be judged or sent; nothing if that needs a user."""
    if mailing is None or mailing.waves is None or mailing.cancelled is not None:
        return []
    progress = recorded_progress(entry, mailing.waves.steps, now, mailing.zone)
    if progress.window is None or progress.gate is Gate.STOPPED:
        return []
    return [progress.window.opens]


@dataclass(frozen=True, slots=True)
class DueMailings:
    """The approved mailings that need something now, by what that is.

    due: by the plan that approved them; also what is unknown after its window
    missed: their windows are over, and nothing of them was handed over
    removed: they are no longer in the files, or cancelled there
    unreadable: they are due, and are not valid, or may be in a file that is not
    suspect: they are not due yet, and seem to have changed in the files
    to_judge: they are sent in waves, and the last one has no verdict yet
    stopped: why no more of them is sent, by the verdict about their last wave
    cut_off: they are removed or cancelled, and unknown, or removed before some of their waves were sent
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
    def is_empty(self) -> bool:
        lists = (self.missed, self.removed, self.unreadable, self.suspect, self.to_judge, self.cut_off)
        return not (self.due or self.stopped or any(lists))


def sort_mailings(request: ApplyRequest, loaded: LoadedProject, lock: Lock, now: datetime) -> DueMailings:
    """Sort the approved mailings by what they need at `now`; no recipients are read."""
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
    elif window.is_open(now) or (is_over and entry.has_unknown):  # which is looked for until it is settled
        if mailing is None:
            found.unreadable.append(address)
        else:
            found.due.setdefault(entry.approval.plan, []).append(address)
    elif mailing is not None and _seems_changed(entry, mailing):
        found.suspect.append(address)


def _sort_wave(
    found: DueMailings, address: str, entry: Entry, mailing: Mailing | None, now: datetime
) -> None:
    """Sort a mailing whose first wave was sent; the plan blocks one that has changed."""
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
    """Whether what is the mailing's own differs from what was approved; no recipients are read."""
    if entry.may_have_reached:
        return False
    return entry.revision != mailing.revision or (
        not mailing.unreadable and entry.own_digest != read_own_content(mailing).digest
    )


def _has_approved_content(entry: Entry, mailing: Mailing) -> bool:
    """Whether its text and its waves are the approved ones; no recipients are read.

    A verdict stays, so it must follow from the approved percentages only.
    """
    if mailing.unreadable or entry.revision != mailing.revision:
        return False
    try:
        template = compile_mailing(mailing)
    except FilesInvalid:
        return False
    personal = is_personal(mailing, template)
    now = hash_content(mailing, template, personal=personal)
    return entry.content_digest in (now, hash_former_content(mailing, template, personal=personal))
