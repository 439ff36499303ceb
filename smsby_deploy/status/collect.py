"""Collect a status report: once, or repeatedly until nothing changes any more.

The mailings to report are selected by address, glob and time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from smsby_deploy.clock import Clock, read_duration
from smsby_deploy.errors import UsageError
from smsby_deploy.lock.binding import Binding, check_service, find_binding
from smsby_deploy.lock.records import ChunkState, Entry, EntryState, Lock
from smsby_deploy.lock.store import RunningApply
from smsby_deploy.plan.drift import intended_by_lock
from smsby_deploy.plan.remote_list_check import (
    MissingMailing,
    check_list,
    is_forgotten,
    not_listed,
    shows_any,
)
from smsby_deploy.plan.selection import find_unmatched, selector, similar_pattern
from smsby_deploy.status.final_chunks import FinalChunks
from smsby_deploy.status.mailing_details import WavesInFiles
from smsby_deploy.status.mailing_summary import Moment, summarize_mailing, summarize_waiting
from smsby_deploy.status.remote_reports import ReadCallbacks, RemoteReports
from smsby_deploy.status.status_report import MailingStatus, State, StatusReport

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import Mailing
    from smsby_deploy.plan.remote_state import RemoteView
    from smsby_deploy.smsby.client import ReadClient

_FIRST_PAUSE = 3.0  # seconds
_LONGEST_PAUSE = 60.0
_PAUSE_GROWTH = 1.5


def select_addresses(lock: Lock, patterns: tuple[str, ...], since: datetime | None) -> list[str]:
    """Return the recorded addresses that match any of `patterns`, sorted.

    Without patterns all match.
    With `since`, mailings scheduled before it, or applied before it if they have no schedule, are left out.

    Raises:
        UsageError: a pattern matches no recorded mailing.
    """
    if (pattern := find_unmatched(patterns, lock.mailings)) is not None:
        raise UsageError(
            f"no recorded mailing matches {pattern}",
            hint=similar_pattern(pattern, lock.mailings)
            or "`smsby-deploy lock list` lists them, and those that are archived with `--archived`",
        )
    chosen = sorted(filter(selector(patterns), lock.mailings))
    return [address for address in chosen if _is_since(lock.mailings[address], since)]


def _is_since(entry: Entry, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(entry.schedule_time or entry.applied.at) >= since


def read_since(text: str, *, now: datetime, zone: str) -> datetime:
    """Return the moment that `--since` means.

    `text` is a date (2026-12-01), a time (2026-12-01T10:00, in `zone` unless it has an offset) or a duration before
    `now` (90m, 12h, 7d).

    Raises:
        UsageError: it is none of these.
    """
    with contextlib.suppress(ValueError):
        return now - read_duration(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"--since: expected a date, a time or a duration, got {text!r}",
            hint="use a date (2026-12-01), a time (2026-12-01T10:00) or a duration (90m, 12h, 7d)",
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


class CollectProgress(NamedTuple):
    """`begin` gets the number of recipients to ask about, `advance` how many more are done.

    A long mailing takes minutes at a few requests per second.
    """

    begin: Callable[[int], None] = lambda recipients: None
    advance: Callable[[int], None] = lambda recipients: None


NO_PROGRESS = CollectProgress()


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """What a report covers, and in which detail.

    `since` leaves out mailings scheduled or applied before it. `mailings` are the declared ones by address: their
    `max_late` excuses a later send time. `list_missed` lists the recipients without a delivery. A mailing accepted in the
    last `reconcile_seconds` need not be listed yet. With `here`, the lock must belong there. A message without a final status
    `settle_after` its time counts as undelivered. `running` is another run that holds the lock. `final` keeps, from one
    report to the next, the chunks that need no further query. With `may_start_anew`, a lock counts as empty if sms.by shows
    none of it, or if it belongs to another service. `is_removed` returns whether no file has the mailing of an address.
    The times of waves and decisions are shown in `zone`.
    """

    since: datetime | None = None
    mailings: Mapping[str, Mailing] = field(default_factory=dict)
    list_missed: bool = False
    reconcile_seconds: float = 30.0
    here: Binding | None = None
    settle_after: timedelta = timedelta(hours=72)
    running: RunningApply | None = None
    final: FinalChunks | None = None
    may_start_anew: bool = False
    is_removed: Callable[[str], bool] = lambda address: False
    zone: tzinfo = UTC


_DEFAULT_OPTIONS = StatusOptions()


def collect_status(
    lock: Lock,
    client: ReadClient,
    *,
    select: tuple[str, ...],
    clock: Clock,
    options: StatusOptions = _DEFAULT_OPTIONS,
    previous: StatusReport | None = None,
    read_callbacks: ReadCallbacks = lambda uuid: (),
    progress: CollectProgress = NO_PROGRESS,
) -> StatusReport:
    """Return the status of the recorded mailings that `select` matches, by address.

    An empty selection matches all. The last revision of a mailing comes after the earlier ones that are not final, or that
    `previous` has. Mailings that are settled in `previous` are not queried again. `read_callbacks` is used for requests
    about which sms.by itself reports nothing.

    Raises:
        UsageError: a pattern of `select` matches no recorded mailing.
        Refused: the lock belongs to another service or account.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
    """
    if options.here is not None and not options.may_start_anew:
        check_service(lock, options.here.service)
    made_at = (now := clock.now()).isoformat(timespec="seconds")
    shown = {(one.address, one.revision): one for one in previous.mailings} if previous else {}
    running, begun = (options.running.holder, options.running.begun) if options.running else ("", frozenset())
    moment = Moment(now, options.settle_after, zone=options.zone)
    revisions = list(_list_revisions(lock, select, options.since, moment, shown))
    settled = _find_settled(revisions, shown, begun, now)
    if all(one.key in settled for one in revisions):
        return StatusReport(tuple(settled[one.key] for one in revisions), lock.project, made_at, running)
    progress.begin(sum(one.size for one in revisions if one.key not in settled and not one.waits))
    reports = RemoteReports(
        lock, client, read_callbacks, list_missed=options.list_missed, final=options.final
    )
    if options.may_start_anew and is_forgotten(lock, reports.remote, options.here):
        return StatusReport((), lock.project, made_at, running)
    if options.here is not None:
        find_binding(lock, options.here, is_shown=shows_any(lock, reports.remote))

    def summarize(one: _Revision) -> MailingStatus:
        if one.waits and one.address not in begun:
            return _look_for(one, reports.remote, now)
        mailing, is_running = options.mailings.get(one.address), one.address in begun and not one.is_earlier
        # Counts of recipients can be compared, because `find_listed` leaves out messages shared with others.
        intended = replace(intended_by_lock(one.address, one.entry, mailing), counts_recipients=True)
        at, waves = moment._replace(is_running=is_running), _waves_of(one, mailing, options)
        return summarize_mailing(intended, one.entry, reports, at, progress.advance, waves)

    statuses = [settled.get(one.key) or summarize(one) for one in revisions]
    check = check_list(lock, reports.remote, now=now, reconcile_seconds=options.reconcile_seconds)
    missing = {one.address: one for one in check.missing}
    listed = (
        status if revision.key in settled else _finish(revision, status, missing.get(revision.address), now)
        for revision, status in zip(revisions, statuses, strict=True)
        if not revision.is_earlier or revision.key in shown or _is_open(status)
    )
    reports.require_answers()
    return StatusReport(tuple(listed), lock.project, made_at, running)


class _Revision(NamedTuple):
    """A revision of a mailing to report: the last one, or an earlier one."""

    address: str
    entry: Entry
    is_earlier: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.address, self.entry.revision

    @property
    def size(self) -> int:
        """Its number of recipients in the lock; 0 if unknown."""
        return self.entry.recipients or 0

    @property
    def waits(self) -> bool:
        """Whether it was approved but, according to the lock, not handed over."""
        return self.entry.state is EntryState.WAITING


def _waves_of(one: _Revision, mailing: Mailing | None, options: StatusOptions) -> WavesInFiles:
    """Return the waves of a revision that may still be sent."""
    if one.is_earlier or mailing is None or mailing.cancelled is not None:
        return WavesInFiles(is_removed=not one.is_earlier and options.is_removed(one.address))
    return WavesInFiles(mailing.wave_steps)


def _list_revisions(
    lock: Lock,
    select: tuple[str, ...],
    since: datetime | None,
    moment: Moment,
    shown: Collection[tuple[str, int]],
) -> Iterator[_Revision]:
    """Yield the last revision of each mailing, after the earlier ones that may not be final.

    A revision whose messages are all overdue is final; revisions in `shown` are yielded anyway.
    """
    for address in select_addresses(lock, select, since):
        entry = lock.mailings[address]
        for one in reversed(entry.earlier):
            is_unsettled = one.state is not EntryState.WITHDRAWN and any(
                chunk.state is ChunkState.UNKNOWN or (chunk.was_sent and not moment.is_overdue(one, chunk))
                for chunk in one.chunks
            )
            if (address, one.revision) in shown or (is_unsettled and _is_since(one, since)):
                yield _Revision(address, one, is_earlier=True)
        yield _Revision(address, entry, is_earlier=False)


def _finish(
    revision: _Revision, status: MailingStatus, missing: MissingMailing | None, now: datetime
) -> MailingStatus:
    """Return the status of a revision, with a warning if the list does not show the mailing."""
    if revision.is_earlier:
        return replace(status, is_earlier=True)
    if missing is None:
        return status
    return replace(status, details=replace(status.details, missing=not_listed(missing, now)))


def _is_open(status: MailingStatus) -> bool:
    """Whether an earlier revision is not final; its unsent part will never be sent."""
    if status.state in (State.UNKNOWN, State.PARTIAL):
        return status.state is State.UNKNOWN or status.waiting > 0
    return not status.is_settled


def _find_settled(
    revisions: Iterable[_Revision],
    shown: Mapping[tuple[str, int], MailingStatus],
    begun: Container[str],
    now: datetime,
) -> dict[tuple[str, int], MailingStatus]:
    """Return the status of the revisions that need no query to sms.by.

    They were settled in the previous report, or their window is not open yet.
    """
    known = {
        key: one
        for key, one in shown.items()
        if one.is_settled and one.state is not State.WAITING and one.address not in begun
    }
    waiting = ((one, one.entry.approval) for one in revisions if one.waits and one.address not in begun)
    return known | {
        one.key: summarize_waiting(one.address, one.entry, now)
        for one, approval in waiting
        if approval is not None and now < approval.window.opens
    }


def _look_for(one: _Revision, remote: RemoteView, now: datetime) -> MailingStatus:
    """Return the status of a waiting mailing, with a note if sms.by lists it."""
    is_listed = remote.shows_mailing(one.address, one.entry)
    return summarize_waiting(one.address, one.entry, now, is_listed=is_listed)


def watch_status(
    collect: Callable[[StatusReport | None], StatusReport],
    show: Callable[[StatusReport], None],
    clock: Clock,
) -> StatusReport:
    """Collect and show reports until one is settled, and return it.

    `collect` gets the previous report. The pause between two reports grows by half from 3 s to 60 s, and starts again at
    3 s after a change.

    Raises:
        SmsbyUnavailable, TokenRefused, ApiError: sms.by did not answer.
    """
    report = collect(None)
    pause = _FIRST_PAUSE
    while True:
        show(report)
        if report.is_settled:
            return report
        clock.sleep(pause)
        before, report = report, collect(report)
        has_changed = before.mailings != report.mailings
        pause = _FIRST_PAUSE if has_changed else min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE)
