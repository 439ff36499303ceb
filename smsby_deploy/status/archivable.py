"""Finds the mailings that are final and may be moved to the archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.clock import Clock
from smsby_deploy.lock.archive import sent_at
from smsby_deploy.lock.counts import Deliveries, Reported
from smsby_deploy.lock.records import EntryState, Lock
from smsby_deploy.status.collect import (
    NO_PROGRESS,
    CollectProgress,
    StatusOptions,
    collect_status,
    select_addresses,
)
from smsby_deploy.status.status_report import SETTLED, MailingStatus, State

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient

# States that may be final; an abandoned mailing may have been sent in part.
_FINISHED = frozenset({EntryState.COMPLETE, EntryState.WITHDRAWN, EntryState.ABANDONED})


class Archivable(NamedTuple):
    """Which mailings may be moved to the archive.

    addresses: the final ones: each of their messages has its last status
    reported: what sms.by reported about them
    left: the mailings that are not final, each with its state
    recent: the number of mailings that are too recent
    """

    addresses: tuple[str, ...]
    left: tuple[tuple[str, str], ...]
    recent: int
    reported: Mapping[str, Reported] = MappingProxyType({})


def find_archivable(
    lock: Lock,
    connect: Callable[[], ReadClient],
    *,
    select: tuple[str, ...],
    sent_before: datetime | None,
    clock: Clock,
    options: StatusOptions,
    progress: CollectProgress = NO_PROGRESS,
) -> Archivable:
    """Return the selected mailings that are final, in each of their revisions.

    sms.by is queried about chunks that are not in `options.final`. With `sent_before`, later mailings are too recent.

    Raises like `collect_status`.
    """
    chosen = {address: lock.mailings[address] for address in select_addresses(lock, select, None)}
    old = {a: e for a, e in chosen.items() if sent_before is None or sent_at(e) < sent_before}
    left = {address: str(entry.state) for address, entry in old.items() if entry.state not in _FINISHED}
    finished = {address: entry for address, entry in old.items() if address not in left}
    reported: dict[str, Reported] = {}
    if finished:
        report = collect_status(
            replace(lock, mailings=finished),
            connect(),
            select=(),
            clock=clock,
            options=options,
            progress=progress,
        )
        last = [one for one in report.mailings if one.revision == finished[one.address].revision]
        reported = {one.address: _reported(one) for one in last}
        left |= {one.address: _open_state(one) for one in report.mailings if not one.is_final}
    final = tuple(sorted(finished.keys() - left.keys()))
    return Archivable(final, tuple(sorted(left.items())), len(chosen) - len(old), reported)


def _reported(status: MailingStatus) -> Reported:
    """Return what the archive records of a final mailing.

    Deliveries are left out if it was withdrawn, or if they may be those of another mailing.
    """
    billed = status.details.billed
    if status.state is State.WITHDRAWN or status.has_shared_deliveries or status.details.unread:
        return Reported(billed)
    return Reported(
        billed,
        Deliveries(status.delivered, status.undelivered),
        {
            one.name: Deliveries(one.counts.delivered, one.counts.undelivered)
            for one in status.details.variants
        },
    )


def _open_state(status: MailingStatus) -> str:
    """Return the state of a mailing that is not final.

    sms.by may still be sending a mailing that a user has ended.
    """
    return str(State.SENDING if status.waiting and status.state in SETTLED else status.state)
