"""Contact history: who got which mailings of the account; `guardrails.pressure` needs it.

It is read from sms.by: statusBulkSms for the requests in the lock, getSmsDeliveryList for other mailings of the account.
Once sms.by has reported all recipients of a mailing, keyed hashes of their phones are cached in `.smsby/`, and sms.by is not
asked about it again. The key is derived from the token; a cache made with another token is ignored.
"""

from __future__ import annotations

import hmac
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b, sha256
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from smsby_deploy.errors import ApiError, SmsbyUnavailable, TokenRefused
from smsby_deploy.lock.archive import with_newer
from smsby_deploy.lock.places import private_file
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.plan.fingerprint import RemoteName, read_remote_name
from smsby_deploy.plan.sealed_cache import SealedCache
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.smsby.response import NotFound

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.deliveries import Delivery
    from smsby_deploy.smsby.parsers import RemoteMailing

_FORMAT = "smsby-contacts 1"
_PURPOSE = "contacts"
_HASH_BYTES = 8
_Answer = TypeVar("_Answer")


class SentMailing(NamedTuple):
    """One mailing that was sent, or that sms.by will send at its time.

    `revision` is None for a mailing of another project. `hashes` are the sorted hashes of the phones that sms.by reports. If
    it does not report all, `phones` are the recipients in the files instead, or `unknown` is the number of recipients known
    from neither. `until` is when its last chunk is sent, if it is spread. `is_unread`: sms.by gave no usable answer about it.
    """

    name: str
    revision: int | None
    at: datetime
    hashes: array[int]
    phones: PhoneSet | None = None
    unknown: int = 0
    until: datetime | None = None
    is_unread: bool = False

    @property
    def last(self) -> datetime:
        return self.until or self.at


class _Reported(NamedTuple):
    """One mailing of a request, as statusBulkSms reports it."""

    message_id: int | None
    name: RemoteName | None
    hashes: array[int]

    def is_about(self, chunk: ChunkRecord) -> bool:
        has_same_id = chunk.message_id is not None and self.message_id == chunk.message_id
        return has_same_id or (self.name is not None and self.name.fingerprint == chunk.fingerprint)


class PhoneHasher:
    """Hashes phones with a key; without it, trying all phones reveals nothing."""

    def __init__(self, secret: bytes) -> None:
        self._hash = partial(blake2b, key=secret, digest_size=_HASH_BYTES)

    def __call__(self, phone: str) -> int:
        """Return the hash of a phone, given in digits with or without a +."""
        return int.from_bytes(self._hash(phone.lstrip("+").encode()).digest(), "big")


def count_messages(hashes: Iterable[array[int]], phone: int) -> int:
    """Return how many of the sorted arrays contain the hash `phone`."""
    return sum(bisect_left(one, phone) < bisect_right(one, phone) for one in hashes)


@dataclass(slots=True)
class ContactLedger:
    """The mailings of an account within a span of time; each plan reads it once.

    `files` has the recipients in the files, by address and revision, for mailings whose audience has not changed since they
    were recorded. The cache is next to `lock`.
    """

    client: ReadClient
    scope: str
    files: Mapping[tuple[str, int], PhoneSet]
    lock: Path
    hasher: PhoneHasher = field(init=False)
    _cache: SealedCache = field(init=False)
    _known: dict[str, array[int]] = field(init=False)
    _has_changed: bool = False
    _reported: dict[str, list[_Reported] | None] = field(default_factory=dict)  # by uuid
    _is_silent: bool = False  # sms.by did not answer a question, so it is not asked again

    def __post_init__(self) -> None:
        secret = self.client.derive_secret(_PURPOSE)
        self.hasher = PhoneHasher(secret)
        seal = hmac.new(secret, _FORMAT.encode(), sha256)
        self._cache = SealedCache(private_file(self.lock, "contacts"), _FORMAT, seal)
        self._known = self._cache.read(_decode)

    def read(self, lock: Lock, since: datetime, until: datetime) -> list[SentMailing]:
        """Return the mailings from `since` to `until`, the recorded ones first.

        Raises:
            SmsbyUnavailable: sms.by did not list its mailings.
            TokenRefused: it refused the token.
        """
        lock = with_newer(lock, since)
        found = [*self._recorded(lock, since, until)]
        found += self._others(lock, since, until)
        if self._has_changed:
            self._cache.write(self._known, _encode)
        return found

    def _recorded(self, lock: Lock, since: datetime, until: datetime) -> Iterator[SentMailing]:
        for address, one in lock.revisions():
            if (at := _time_of(one)) is None:
                continue
            last = max(at, one.last_time or at)
            if since <= last and at <= until:
                yield self._recorded_mailing(address, one, at)._replace(until=last)

    def _recorded_mailing(self, address: str, entry: Entry, at: datetime) -> SentMailing:
        chunks = [chunk for chunk in entry.chunks if _may_have_reached(chunk)]
        answers = [self._hashes_of(chunk) for chunk in chunks]
        reported = [some for some in answers if some is not None]
        if len(reported) < len(answers):
            return SentMailing(address, entry.revision, at, array("Q"), is_unread=True)
        hashes = array("Q", merge(*reported))
        missing = sum(
            max(0, (chunk.recipients or 1) - len(some)) for chunk, some in zip(chunks, reported, strict=True)
        )
        phones = self.files.get((address, entry.revision)) if missing else None
        if phones is not None:
            return SentMailing(address, entry.revision, at, array("Q"), phones)
        return SentMailing(address, entry.revision, at, hashes, unknown=missing)

    def _hashes_of(self, chunk: ChunkRecord) -> array[int] | None:
        """Return the hashes of a chunk's reported phones; None if they cannot be read."""
        key = _key_of(chunk.fingerprint, chunk.uuid, chunk.message_id)
        if key in self._known:
            return self._known[key]
        hashes = self._ask_about(chunk)
        if hashes is not None and chunk.recipients is not None and len(hashes) >= chunk.recipients:
            self._keep(key, hashes)
        return hashes

    def _ask_about(self, chunk: ChunkRecord) -> array[int] | None:
        if chunk.uuid is None:
            return array("Q") if chunk.message_id is None else self._ask_message(chunk.message_id)
        if chunk.uuid not in self._reported:
            self._reported[chunk.uuid] = self._ask_request(chunk.uuid)
        report = self._reported[chunk.uuid]
        if report is None:
            return None
        return next((one.hashes for one in report if one.is_about(chunk)), array("Q"))

    def _ask_request(self, uuid: str) -> list[_Reported] | None:
        def ask() -> list[_Reported]:
            return [
                _Reported(one.message_id, read_remote_name(one.name), self._hash_all(one.deliveries))
                for one in self.client.status_bulk_sms(uuid)
            ]

        nothing: list[_Reported] = []
        return self._ask(ask, nothing)

    def _ask_message(self, number: int) -> array[int] | None:
        return self._ask(
            lambda: self._hash_all(self.client.get_sms_delivery_list(number)), nothing=array("Q")
        )

    def _ask(self, question: Callable[[], _Answer], nothing: _Answer) -> _Answer | None:
        """Return the answer, `nothing` if sms.by does not know (yet) what it is asked about.

        None if the answer is another error, or if this or an earlier one was lost.
        """
        if self._is_silent:
            return None
        try:
            return question()
        except TokenRefused:
            raise
        except NotFound:
            return nothing
        except ApiError:
            return None
        except SmsbyUnavailable:
            self._is_silent = True
            return None

    def _others(self, lock: Lock, since: datetime, until: datetime) -> Iterator[SentMailing]:
        """Yield the account's mailings that the lock does not record, including this project's."""
        entries = [entry for _, entry in lock.revisions()]
        recorded = {chunk.message_id for one in entries for chunk in one.chunks}
        marks = {chunk.fingerprint for one in entries for chunk in one.chunks if _may_have_reached(chunk)}

        def is_other(number: int, name: str) -> bool:
            found = read_remote_name(name)
            if number in recorded:
                return False
            return found is None or found.project != self.scope or found.fingerprint not in marks

        for mailing in self.client.get_sms_messages(keep=is_other):
            at = _listed_time(mailing)
            if at is not None and since <= at <= until and not mailing.is_draft:
                yield self._other_mailing(mailing, at)

    def _other_mailing(self, mailing: RemoteMailing, at: datetime) -> SentMailing:
        key = _key_of("", None, mailing.id)
        hashes, count = self._known.get(key), mailing.count_phones
        if hashes is None:
            hashes = self._ask_message(mailing.id) or array("Q")
            if count is not None and len(hashes) >= count:
                self._keep(key, hashes)
        missing = max(0, (1 if count is None else count) - len(hashes))
        found = SentMailing(f"mailing {mailing.id} of the account", None, at, hashes, unknown=missing)
        name = read_remote_name(mailing.name)
        if name is not None and name.project == self.scope:  # the lock was lost, or is outdated
            return found._replace(name=name.address, revision=name.revision)
        return found

    def _hash_all(self, deliveries: Iterable[Delivery]) -> array[int]:
        return array("Q", sorted({self.hasher(delivery.phone) for delivery in deliveries}))

    def _keep(self, key: str, hashes: array[int]) -> None:
        self._known[key] = hashes
        self._has_changed = True


def _time_of(entry: Entry) -> datetime | None:
    """Return when a recorded mailing reached, or will reach, its recipients; None if never."""
    chunks = [chunk for chunk in entry.chunks if _may_have_reached(chunk)]
    if not chunks or entry.is_withdrawn:
        return None
    accepted = [datetime.fromisoformat(chunk.accepted_at) for chunk in chunks if chunk.accepted_at]
    return entry.send_time or min(accepted, default=datetime.fromisoformat(entry.applied.at))


def _may_have_reached(chunk: ChunkRecord) -> bool:
    return chunk.was_sent or chunk.state is ChunkState.UNKNOWN


def _listed_time(mailing: RemoteMailing) -> datetime | None:
    seconds = mailing.d_schedule or mailing.d_create
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _key_of(fingerprint: str, uuid: str | None, message_id: int | None) -> str:
    return sha256(f"{fingerprint} {uuid} {message_id}".encode()).hexdigest()[:32]


def _decode(text: str) -> array[int]:
    return array("Q", b64decode(text, validate=True))


def _encode(hashes: array[int]) -> str:
    return b64encode(hashes.tobytes()).decode("ascii")
