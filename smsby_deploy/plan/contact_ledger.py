"""Who got messages lately: what `guardrails.pressure` is judged by.

sms.by is asked: statusBulkSms for the requests of the lock, getSmsDeliveryList for other mailings of the account. Once all
recipients of a mailing were reported, keyed hashes of their phones are kept in `.smsby/`, and it is not asked about again.
The key is derived from the token, and the file is only believed with it.
"""

from __future__ import annotations

import hmac
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b, sha256
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from smsby_deploy.errors import ApiError
from smsby_deploy.files import write_file
from smsby_deploy.lock.archive import with_newer
from smsby_deploy.lock.environment import PRIVATE_FOLDER
from smsby_deploy.lock.records import ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.store import make_private_folder
from smsby_deploy.plan.fingerprint import RemoteName, read_remote_name
from smsby_deploy.recipients.phone_set import PhoneSet

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient
    from smsby_deploy.smsby.deliveries import Delivery
    from smsby_deploy.smsby.parsers import RemoteMailing

_FORMAT = "smsby-contacts 1"
_PURPOSE = "contacts"
_HASH_BYTES = 8


class Contact(NamedTuple):
    """One mailing that was sent, or that sms.by sends at its time.

    `revision` is None for a mailing of the account that the lock does not record.
    `hashes` are those of the phones that sms.by reports, sorted; or `phones` are the recipients by the files, where it does
    not report all. `unknown` says how many are known from neither.
    """

    name: str
    revision: int | None
    at: datetime
    hashes: array[int]
    phones: PhoneSet | None = None
    unknown: int = 0


class _Reported(NamedTuple):
    """One mailing of a request, as statusBulkSms reports it."""

    message_id: int | None
    name: RemoteName | None
    hashes: array[int]

    def is_about(self, chunk: ChunkRecord) -> bool:
        has_same_id = chunk.message_id is not None and self.message_id == chunk.message_id
        return has_same_id or (self.name is not None and self.name.fingerprint == chunk.fingerprint)


class PhoneHasher:
    """Keyed hashes of phones: without the token, no phone is found by trying all."""

    def __init__(self, secret: bytes) -> None:
        self._hash = partial(blake2b, key=secret, digest_size=_HASH_BYTES)

    def __call__(self, phone: str) -> int:
        """Return the hash of a phone in digits, also with a +."""
        return int.from_bytes(self._hash(phone.lstrip("+").encode()).digest(), "big")


def count_messages(hashes: Iterable[array[int]], phone: int) -> int:
    """Return in how many of the sorted arrays a hash is."""
    return sum(bisect_left(one, phone) < bisect_right(one, phone) for one in hashes)


@dataclass(slots=True)
class ContactLedger:
    """The mailings of an account in a span of time, read once a plan.

    `files` are the recipients of recorded mailings whose audience in the files is the recorded one, by address and revision.
    """

    client: ReadClient
    scope: str
    files: Mapping[tuple[str, int], PhoneSet]
    path: Path
    hasher: PhoneHasher = field(init=False)
    _secret: bytes = field(init=False)
    _known: dict[str, array[int]] = field(init=False)
    _has_changed: bool = False
    _reported: dict[str, list[_Reported]] = field(default_factory=dict)  # by uuid

    def __post_init__(self) -> None:
        self._secret = self.client.derive_secret(_PURPOSE)
        self.hasher = PhoneHasher(self._secret)
        self._known = _read_cache(self.path, self._secret)

    def read(self, lock: Lock, since: datetime, until: datetime) -> list[Contact]:
        """Return the mailings from `since` to `until`, those of the lock first.

        Raises:
            SmsbyUnavailable, TokenRefused: sms.by did not answer.
        """
        found = [*self._recorded(with_newer(lock, since), since, until)]
        found += self._others(lock, since, until)
        if self._has_changed:
            _write_cache(self.path, self._known, self._secret)
        return found

    def _recorded(self, lock: Lock, since: datetime, until: datetime) -> Iterator[Contact]:
        for address, entry in lock.mailings.items():
            for one in (entry, *entry.earlier):
                at = _time_of(one)
                if at is not None and since <= at <= until:
                    yield self._contact_of(address, one, at)

    def _contact_of(self, address: str, entry: Entry, at: datetime) -> Contact:
        chunks = [chunk for chunk in entry.chunks if _may_have_reached(chunk)]
        reported = [(chunk, self._hashes_of(chunk)) for chunk in chunks]
        hashes = array("Q", merge(*(some for _, some in reported)))
        missing = sum(max(0, (chunk.recipients or 1) - len(some)) for chunk, some in reported)
        phones = self.files.get((address, entry.revision)) if missing else None
        if phones is not None:
            return Contact(address, entry.revision, at, array("Q"), phones)
        return Contact(address, entry.revision, at, hashes, unknown=missing)

    def _hashes_of(self, chunk: ChunkRecord) -> array[int]:
        key = _key_of(chunk.fingerprint, chunk.uuid, chunk.message_id)
        if key in self._known:
            return self._known[key]
        hashes = self._ask_about(chunk)
        if chunk.recipients is not None and len(hashes) >= chunk.recipients:
            self._keep(key, hashes)
        return hashes

    def _ask_about(self, chunk: ChunkRecord) -> array[int]:
        """Return what sms.by reports about a chunk; nothing where it answers with an error."""
        if chunk.uuid is not None:
            if chunk.uuid not in self._reported:
                self._reported[chunk.uuid] = self._ask_request(chunk.uuid)
            found = (one.hashes for one in self._reported[chunk.uuid] if one.is_about(chunk))
            return next(found, array("Q"))
        return array("Q") if chunk.message_id is None else self._ask_message(chunk.message_id)

    def _ask_request(self, uuid: str) -> list[_Reported]:
        with suppress(ApiError):
            return [
                _Reported(one.message_id, read_remote_name(one.name), self._hash_all(one.deliveries))
                for one in self.client.status_bulk_sms(uuid)
            ]
        return []

    def _ask_message(self, number: int) -> array[int]:
        with suppress(ApiError):
            return self._hash_all(self.client.get_sms_delivery_list(number))
        return array("Q")

    def _others(self, lock: Lock, since: datetime, until: datetime) -> Iterator[Contact]:
        """Yield the mailings of the account that the lock does not record."""
        recorded = {
            chunk.message_id
            for entry in lock.mailings.values()
            for one in (entry, *entry.earlier)
            for chunk in one.chunks
        }

        def is_other(number: int, name: str) -> bool:
            found = read_remote_name(name)
            return number not in recorded and (found is None or found.project != self.scope)

        for mailing in self.client.get_sms_messages(keep=is_other):
            at = _listed_time(mailing)
            if at is not None and since <= at <= until and not mailing.is_draft:
                yield self._other_contact(mailing, at)

    def _other_contact(self, mailing: RemoteMailing, at: datetime) -> Contact:
        key = _key_of("", None, mailing.id)
        hashes = self._known.get(key)
        if hashes is None:
            hashes = self._ask_message(mailing.id)
            if mailing.count_phones is not None and len(hashes) >= mailing.count_phones:
                self._keep(key, hashes)
        missing = max(0, (mailing.count_phones or 0) - len(hashes))
        return Contact(f"mailing {mailing.id} of the account", None, at, hashes, unknown=missing)

    def _hash_all(self, deliveries: Iterable[Delivery]) -> array[int]:
        return array("Q", sorted({self.hasher(delivery.phone) for delivery in deliveries}))

    def _keep(self, key: str, hashes: array[int]) -> None:
        self._known[key] = hashes
        self._has_changed = True


def _time_of(entry: Entry) -> datetime | None:
    """Return when a recorded mailing reached its recipients, or will; None if it reaches none."""
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


# --- Cache -----------------------------------------------------------------------------------------------------------


def ledger_path(lock: Path) -> Path:
    """Return the file that belongs to `lock`."""
    folder = lock.parent if lock.parent.name == PRIVATE_FOLDER else lock.parent / PRIVATE_FOLDER
    return folder / f"{lock.name}.contacts"


def _read_cache(path: Path, secret: bytes) -> dict[str, array[int]]:
    """Return what the file has.

    That is nothing if it is missing, damaged, or was written with another token.
    """
    known: dict[str, array[int]] = {}
    with suppress(OSError, ValueError):
        if path.is_symlink() or path.parent.is_symlink():
            return {}
        with path.open(encoding="ascii") as file:
            head = file.readline().strip()
            seal = _sealer(secret)
            for line in file:
                seal.update(line.encode())
                key, _, text = line.strip().partition(" ")
                known[key] = array("Q", b64decode(text, validate=True))
        if hmac.compare_digest(head, f"{_FORMAT} {seal.hexdigest()}"):
            return known
    return {}


def _write_cache(path: Path, known: Mapping[str, array[int]], secret: bytes) -> None:
    """Write the file.

    A folder that cannot be written costs the next plan its requests, nothing else.
    """
    if path.parent.is_symlink():
        return

    def lines() -> Iterator[str]:
        for key, hashes in known.items():
            yield f"{key} {b64encode(hashes.tobytes()).decode('ascii')}\n"

    seal = _sealer(secret)
    for line in lines():
        seal.update(line.encode())

    def write(file: TextIO) -> None:
        file.write(f"{_FORMAT} {seal.hexdigest()}\n")
        file.writelines(lines())

    make_private_folder(path.parent)
    with suppress(OSError):
        write_file(path, write, is_private=True)


def _sealer(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, _FORMAT.encode(), sha256)
