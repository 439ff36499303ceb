"""Checks the list of sms.by against the lock.

A list that shows none of the mailings that sms.by accepted is not trusted. It is not documented whether messages of
createSmsMessage are listed, so a mailing sent phone by phone counts if the list shows it, and its absence proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.decisions import EVERY_MAILING
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.stored_mailings import find
from smsby_deploy.plan.desired import times_of
from smsby_deploy.plan.remote_state import RemoteView
from smsby_deploy.plan.situation import is_past
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.wording import sentence

_EXPECTED_FOR = timedelta(days=30)  # a guess: how long sms.by lists a mailing is not documented


@dataclass(frozen=True, slots=True)
class MissingMailing:
    """A recorded mailing whose last revision the list should show.

    `missing` are the fingerprints of those of its `expected` chunks that are not listed. `begins` is when the first chunk of
    a spread mailing is sent.
    """

    address: str
    missing: frozenset[str]
    expected: int
    schedule_time: datetime | None
    begins: datetime | None

    def is_scheduled(self, now: datetime) -> bool:
        """Whether its send time is yet to come."""
        return self.schedule_time is not None and not is_past(self.schedule_time, now)


@dataclass(frozen=True, slots=True)
class ListCheck:
    """How much of what the lock records the list shows.

    expected: how many recorded chunks the list should show
    shown: how many of them it shows
    listed: how many mailings it has
    unrecorded: how many mailings of this project it has, if the lock is empty
    """

    expected: int
    shown: int
    listed: int
    missing: tuple[MissingMailing, ...]
    unrecorded: int

    @property
    def is_disproved(self) -> bool:
        """Whether the list shows none of the mailings that sms.by accepted.

        It then belongs to another account, or the answer was incomplete.
        """
        return self.expected > 0 and self.shown == 0

    def find_deleted(self, address: str) -> frozenset[str]:
        """Return the fingerprints of chunks that sms.by should list but does not."""
        if self.is_disproved:
            return frozenset()
        return next((one.missing for one in self.missing if one.address == address), frozenset())

    @property
    def doubt(self) -> str:
        """Why the list is not trusted, and what to do."""
        return sentence(
            "the lock has {expected:chunk|chunks} that sms.by accepted in the last 30 days, and its list of "
            "{listed:mailing|mailings} shows 0 of them; check the account and the list, then run "
            "`smsby-deploy lock bind` if the list is right",
            expected=self.expected,
            listed=self.listed,
        )


def check_list(lock: Lock, remote: RemoteView, *, now: datetime, reconcile_seconds: float) -> ListCheck:
    """Compare the remote list with what the lock recorded as accepted."""
    window = _Window(lock, now - _EXPECTED_FOR, now - timedelta(seconds=reconcile_seconds))
    expected = shown = 0
    missing = []
    for address in find(lock.mailings, lambda file: file.accepted_since(window.first_day)):
        entry = lock.mailings[address]
        for one in entry.revisions:
            chunks = window.expected_chunks(address, one)
            absent = [c for c in chunks if not remote.shows_chunk(address, one, c)]
            listed = len(chunks) - len(absent)
            if one.transport == "single":
                chunks = chunks[:listed]
            expected, shown = expected + len(chunks), shown + listed
            if one is entry and listed < len(chunks):
                time = spread.last if (spread := times_of(absent)) is not None else entry.send_time
                marks = frozenset(chunk.fingerprint for chunk in absent)
                begins = None if (times := times_of(entry.chunks)) is None else times.first
                missing.append(MissingMailing(address, marks, len(chunks), time, begins))
    unrecorded = len(remote.own) if lock.lineage is None and lock.is_empty else 0
    return ListCheck(expected, shown, remote.count, tuple(missing), unrecorded)


class _Window:
    """Selects the chunks that the list should show.

    They were accepted within this span of time, as confirmed by sms.by and not by a user.
    """

    def __init__(self, lock: Lock, first: datetime, last: datetime) -> None:
        self._first, self._last = first, last
        # Locks older than `declared` have only the history of manual changes.
        self._settled = {(resolution.address, resolution.at) for resolution in lock.resolutions}
        bound = [datetime.fromisoformat(one.at) for one in lock.resolutions if one.address == EVERY_MAILING]
        if bound:
            self._first = max(first, *bound)

    @property
    def first_day(self) -> str:
        """The first day on which a chunk may have been accepted in this span, in any time zone."""
        return (self._first - timedelta(days=2)).date().isoformat()

    def expected_chunks(self, address: str, entry: Entry) -> list[ChunkRecord]:
        if entry.is_withdrawn:  # it was deleted in the account
            return []
        return [chunk for chunk in entry.chunks if self._is_expected(address, chunk)]

    def _is_expected(self, address: str, chunk: ChunkRecord) -> bool:
        if chunk.state is not ChunkState.ACCEPTED or chunk.accepted_at is None:
            return False
        if chunk.declared or (address, chunk.accepted_at) in self._settled:
            return False
        return self._first < datetime.fromisoformat(chunk.accepted_at) < self._last


def shows_any(lock: Lock, remote: RemoteView) -> bool:
    """Whether the list shows any mailing of the lock, whatever its age and state."""
    return any(
        remote.shows_chunk(address, one, chunk)
        for address in _find_listed(lock, remote)
        for one in (lock.mailings[address], *lock.mailings[address].earlier)
        for chunk in one.chunks
    )


def _find_listed(lock: Lock, remote: RemoteView) -> Iterator[str]:
    """Yield the recorded mailings that the list may show in part, and perhaps others."""
    yield from find(lock.mailings, lambda file: file.with_chunk(remote.by_fingerprint, remote.by_id.keys()))
    if remote.unmarked:
        yield from filter(remote.may_be_truncated, lock.mailings)


def is_forgotten(lock: Lock, remote: RemoteView, here: Binding | None) -> bool:
    """Whether the sandbox was restarted or replaced, so it does not know what its lock records."""
    if here is not None and lock.mailings and lock.service not in (None, here.service):
        return True
    was_sent = any(lock.mailings[address].was_sent_in_part for address in lock.mailings)
    return was_sent and not shows_any(lock, remote)


def find_missing(
    check: ListCheck, addresses: Iterable[str], locations: dict[str, Location], now: datetime
) -> Iterator[Problem]:
    """Yield the warnings about what the lock lacks and what the list lacks.

    Among the latter, mailings whose time is yet to come are first, and a list that is not trusted is last. Only mailings at
    `addresses` are named; with a list that is not trusted, only those whose time is yet to come.
    """
    if check.unrecorded:
        lost = sentence(
            "the lock is empty, and sms.by lists {count:mailing|mailings} of this project; if it was lost, or is kept "
            "elsewhere, restore it before you apply",
            count=check.unrecorded,
        )
        yield Problem(Severity.WARNING, "LOCK_EMPTY", lost)
    chosen = set(addresses)
    missing = sorted(
        (one for one in check.missing if one.address in chosen), key=lambda one: not one.is_scheduled(now)
    )
    for one in missing:
        if check.is_disproved and not one.is_scheduled(now):
            continue
        place = locations.get(one.address)
        yield Problem(Severity.WARNING, "REMOTE_MISSING", not_listed(one, now), one.address, place)
    if check.is_disproved:
        yield Problem(Severity.WARNING, "REMOTE_MISSING", check.doubt)


def not_listed(one: MissingMailing, now: datetime) -> str:
    """Say that the list lacks a mailing, and what to do."""
    why = sentence("although it was accepted; check the account")
    if one.is_scheduled(now) and one.begins is not None and is_past(one.begins, now):
        why = sentence(
            "although it is scheduled for {time}; if it was deleted in the account, its recipients will count as undelivered",
            time=one.schedule_time,
        )
    elif one.is_scheduled(now):
        why = sentence(
            "although it is scheduled for {time}; if it was deleted in the account, "
            "record that with `smsby-deploy lock withdraw {address}`",
            time=one.schedule_time,
            address=one.address,
        )
    if len(one.missing) == one.expected:
        return sentence("sms.by does not list it, {why}", why=why)
    return sentence(
        "sms.by does not list {missing} of its {total:chunk|chunks}, {why}",
        missing=len(one.missing),
        total=one.expected,
        why=why,
    )
