"""This project's mailings as getSMSMessages lists them.

A mailing missing from the list may still have been sent. What the list shows is merged into what the lock knows; what it
lacks changes nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

from smsby_deploy.lock.counts import Billed
from smsby_deploy.lock.records import DONE, SURELY_NOT_SENT, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.stored_mailings import message_ids
from smsby_deploy.plan.desired import Desired
from smsby_deploy.plan.fingerprint import RemoteName, may_be_truncated, read_remote_name
from smsby_deploy.smsby.parsers import MailingList, RemoteMailing
from smsby_deploy.wording import money

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient  # an offline plan does not load it

LOOKED_BACK = 9  # how many earlier revisions may be listed without being recorded
_SHORTEST_TRUNCATED = 20  # a listed name of this length or more may be one of ours, truncated by sms.by
_AFTER_CAMPAIGN = "/"  # a shorter name that contains it, and so a whole campaign, may be one, too


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The remote list as the project and environment of `scope` see it, indexed.

    `by_id` holds the mailings that the filter `wanted` kept of the `count` listed ones; `ids` holds all message ids of a
    fingerprint, because a message that was never sent may have been created twice. `own` are the names with a fingerprint of
    this project, by address and revision; `foreign` are those with one of another project, and their mailings. `unmarked` are
    the names without any fingerprint, by their first word.
    """

    scope: str
    wanted: ListFilter
    count: int
    by_fingerprint: dict[str, RemoteMailing] = field(default_factory=dict)
    by_id: dict[int, RemoteMailing] = field(default_factory=dict)
    ids: dict[str, list[int]] = field(default_factory=dict)
    own: dict[tuple[str, int], list[RemoteName]] = field(default_factory=dict)
    unmarked: dict[str, list[str]] = field(default_factory=dict)
    foreign: dict[tuple[str, int], list[tuple[RemoteName, RemoteMailing]]] = field(default_factory=dict)

    def find_id(self, number: int) -> RemoteMailing | None:
        """Return the listed mailing with this id; None if it is not listed.

        Raises:
            LookupError: it is unknown whether it is listed.
        """
        if not self.wanted.names(number):
            raise LookupError(f"the list was not read for mailing {number}")
        return self.by_id.get(number)

    def has_any(self, fingerprints: Iterable[str]) -> bool:
        """Whether a chunk with one of these fingerprints is listed."""
        return any(mark in self.by_fingerprint for mark in fingerprints)

    def find_sent(self, chunk: ChunkRecord) -> RemoteMailing | None:
        """Return the listed mailing of a chunk that has its own message; None proves nothing."""
        return self.by_fingerprint.get(chunk.fingerprint) or self.by_id.get(chunk.message_id or 0)

    def is_ahead(self, name: RemoteName, now: datetime) -> bool:
        """Whether sms.by has yet to send the listed mailing with this name."""
        return self.by_fingerprint[name.fingerprint].is_ahead(now)

    def shows_chunk(self, address: str, entry: Entry, chunk: ChunkRecord) -> bool:
        """Whether the list shows a chunk, by its fingerprint, its id, or a truncated name."""
        return bool(self.find_sent(chunk) or self.truncated_name(address, entry.revision))

    def shows_mailing(self, address: str, entry: Entry) -> bool:
        """Whether the list shows any part of a revision, whatever its content and recipients."""
        is_own = (address, entry.revision) in self.own
        return is_own or any(self.shows_chunk(address, entry, chunk) for chunk in entry.chunks)

    def other_fingerprints(self, address: str, revision: int, planned: frozenset[str]) -> list[str]:
        """Return the fingerprints of this address and revision that are not `planned`."""
        return [
            name.fingerprint
            for name in self.own.get((address, revision), ())
            if name.fingerprint not in planned
        ]

    def find_in_other_project(self, desired: Desired, now: datetime) -> RemoteMailing | None:
        """Return exactly this mailing of another project in the same environment, or None.

        A lower revision counts only as long as it is not gone.
        """
        own, _, environment = self.scope.partition("~")
        last = desired.revision + LOOKED_BACK
        for revision in range(last, max(0, desired.revision - 1 - LOOKED_BACK), -1):
            for name, listed in self.foreign.get((desired.address, revision), ()):
                other, _, its_environment = name.project.partition("~")
                is_other = other != own and its_environment == environment
                counts = revision >= desired.revision or listed.is_ahead(now)
                marks = desired.fingerprints_as(name.project, desired.address, revision)
                if is_other and counts and name.fingerprint in marks:
                    return listed
        return None

    def names_of(self, address: str, revision: int) -> Iterator[RemoteName]:
        """Yield the listed names of a mailing, up to `revision`."""
        for number in range(max(1, revision - LOOKED_BACK), revision + 1):
            yield from self.own.get((address, number), ())

    def find_later(self, address: str, revision: int) -> tuple[int, list[RemoteMailing]] | None:
        """Return the last higher revision that is listed as sent, and its mailings, or None."""
        for number in range(revision + LOOKED_BACK, revision, -1):
            listed = [self.by_fingerprint[name.fingerprint] for name in self.own.get((address, number), ())]
            if sent := [one for one in listed if not one.is_draft]:
                return number, sent
        return None

    def find_earlier(self, address: str, revision: int) -> tuple[int, int] | None:
        """Return the last lower revision that is listed as sent, and its recipient count, or None."""
        for number in range(revision - 1, max(0, revision - 1 - LOOKED_BACK), -1):
            names = self.own.get((address, number), ())
            listed = (self.by_fingerprint[name.fingerprint] for name in names)
            if count := sum(one.count_phones or 0 for one in listed if not one.is_draft):
                return number, count
        return None

    def truncated_name(self, address: str, revision: int) -> str | None:
        """Return a listed name that may be this mailing's, truncated before its mark, or None."""
        names = self._truncated_names(address, revision)
        return next((name for name in names if len(name) >= _SHORTEST_TRUNCATED), None)

    def short_name(self, address: str, revision: int) -> str | None:
        """Return a listed name that may be a truncated one, but is too short to be sure, or None.

        It contains the whole name of the campaign, or ends inside it and no listed name is longer.
        """
        names = self._truncated_names(address, revision)
        return next((name for name in names if len(name) < _SHORTEST_TRUNCATED), None)

    def _truncated_names(self, address: str, revision: int) -> Iterator[str]:
        for first in _beginnings(address):
            for listed in self.unmarked.get(first, ()):
                is_telling = _is_telling(listed) or len(listed) >= self.wanted.longest
                if is_telling and may_be_truncated(listed, self.scope, address, revision):
                    yield listed

    def may_be_truncated(self, address: str) -> bool:
        """Whether a name without a fingerprint is listed that begins like those of `address`."""
        return any(first in self.unmarked for first in _beginnings(address))


def _beginnings(address: str) -> Iterator[str]:
    """Yield the possible first words of a truncated name of `address`."""
    yield from (address[:length] for length in range(1, len(address) + 1))


def _is_telling(name: str) -> bool:
    """Whether a name is long enough to say which mailing it may be."""
    return len(name) >= _SHORTEST_TRUNCATED or _AFTER_CAMPAIGN in name


class ListFilter:
    """Selects the mailings of the remote list that are needed, of perhaps a million.

    They are the project's, those with one of `ids`, and those whose name may be a truncated name of one of `addresses`.
    `longest` is the length of the longest listed name.
    """

    def __init__(self, scope: str, addresses: Iterable[str], ids: Iterable[int]) -> None:
        self._mark = f" {scope}#"
        self._addresses = sorted(addresses)
        self.longest = 0
        self._ids = sorted(ids)  # for ten thousand mailings, a set would take three times the memory

    def __call__(self, number: int, name: str) -> bool:
        """Return whether the mailing with this id and name is needed."""
        self.longest = max(self.longest, len(name))
        return self._mark in name or self.names(number) or self._begins_like_ours(name)

    def names(self, number: int) -> bool:
        """Return whether `number` is one of the ids."""
        place = bisect_left(self._ids, number)
        return place < len(self._ids) and self._ids[place] == number

    def _begins_like_ours(self, name: str) -> bool:
        first = name.partition(" ")[0]
        place = bisect_left(self._addresses, first)
        nearest = self._addresses[place] if place < len(self._addresses) else ""
        return first != "" and nearest.startswith(first)


FindListed = Callable[[ChunkRecord], RemoteMailing | None]  # the listed mailing of a chunk


def sum_listed(entry: Entry, find: FindListed) -> tuple[int | None, Decimal | None]:
    """Return parts and cost of a mailing; None unless sms.by lists it for all accepted chunks."""
    accepted = [chunk for chunk in entry.chunks if chunk.state is ChunkState.ACCEPTED]
    listed = [one for one in map(find, accepted) if one is not None]
    parts = [one.parts for one in listed if one.parts is not None]
    costs = [one.cost for one in listed if one.cost is not None]
    return (
        sum(parts) if 0 < len(parts) == len(accepted) else None,
        sum(costs, Decimal(0)) if 0 < len(costs) == len(accepted) else None,
    )


def read_billed(entry: Entry, find: FindListed) -> Billed | None:
    """Return what sms.by billed for a mailing.

    None unless the mailing is complete and sms.by lists every chunk with its cost.
    """
    parts, cost = sum_listed(entry, find)
    return None if cost is None or not entry.is_complete else Billed(parts, money(cost))


def read_remote(
    client: ReadClient, scope: str, lock: Lock, addresses: Iterable[str] = (), ids: Iterable[int | None] = ()
) -> RemoteView:
    """Read the remote list as far as it is needed: for `lock`, `addresses` and `ids`.

    Raises:
        SmsbyUnavailable, TokenRefused, ApiError: it cannot be read.
    """
    known = chain(message_ids(lock.mailings), (number for number in ids if number is not None))
    wanted = ListFilter(scope, chain(lock.mailings, addresses), known)
    return view_remote(scope, client.get_sms_messages(keep=wanted), wanted)


def view_remote(scope: str, listed: MailingList, wanted: ListFilter) -> RemoteView:
    """Index the remote list for `scope`; it was read with the filter `wanted`."""
    view = RemoteView(scope, wanted, listed.count)
    for mailing in listed:
        view.by_id[mailing.id] = mailing
        name = read_remote_name(mailing.name)
        if name is None:
            view.unmarked.setdefault(mailing.name.partition(" ")[0], []).append(mailing.name)
        elif name.project == scope:
            # If two mailings have the same fingerprint, the sent one counts, not the draft.
            known = view.by_fingerprint.get(name.fingerprint)
            if known is None or known.is_draft:
                view.by_fingerprint[name.fingerprint] = mailing
            view.own.setdefault((name.address, name.revision), []).append(name)
            view.ids.setdefault(name.fingerprint, []).append(mailing.id)
        else:
            view.foreign.setdefault((name.address, name.revision), []).append((name, mailing))
    return view


def merge_entry(entry: Entry, remote: RemoteView | None) -> tuple[ChunkState, ...]:
    """Return the state of each chunk of `entry`, combining lock and remote list.

    A listed chunk was accepted, whatever the lock says. If the lock calls a listed chunk certainly not sent, the lock is
    outdated, and its other certainly unsent chunks are unknown. A manual resolution is the exception: it casts no doubt on
    other chunks. Mailings sent phone by phone keep their recorded states: a listed message proves nothing about a single
    phone, so apply asks for its deliveries.
    """
    if entry.transport == "single":
        return tuple(chunk.state for chunk in entry.chunks)
    states = [_merge_chunk(chunk, entry.transport, remote) for chunk in entry.chunks]
    chunks = list(zip(entry.chunks, states, strict=True))
    if any(_is_certainly_unsent(chunk) and state is not chunk.state for chunk, state in chunks):
        states = [
            ChunkState.UNKNOWN if _is_certainly_unsent(chunk) and state is chunk.state else state
            for chunk, state in chunks
        ]
    return tuple(states)


def _merge_chunk(chunk: ChunkRecord, transport: str, remote: RemoteView | None) -> ChunkState:
    listed = remote.by_fingerprint.get(chunk.fingerprint) if remote else None
    if listed is None or chunk.state in DONE:
        return chunk.state
    state = listed_state(listed, transport)
    is_silent = state is ChunkState.UNKNOWN and chunk.state is ChunkState.DRAFT
    return chunk.state if is_silent else state


def listed_state(listed: RemoteMailing, transport: str) -> ChunkState:
    """Return what a listed chunk is; a list mailing without a status may be confirmed or not."""
    if listed.is_draft:
        return ChunkState.DRAFT
    return ChunkState.ACCEPTED if listed.status or transport != "list" else ChunkState.UNKNOWN


def _is_certainly_unsent(chunk: ChunkRecord) -> bool:
    """Whether the program itself recorded that this chunk was not sent."""
    return chunk.state in SURELY_NOT_SENT and chunk.state is not ChunkState.DECLARED_UNSENT
