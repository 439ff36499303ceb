"""Manual changes to the lock: resolve, rescue, import, move, withdraw, archive and others.

Each is journaled and recorded; none sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from smsby_deploy.digest_key import NO_KEY, DigestKey
from smsby_deploy.errors import Refused, SmsbyDeployError, UsageError, unknown_address
from smsby_deploy.lock.archive import find_recorded, read_archive
from smsby_deploy.lock.binding import Binding
from smsby_deploy.lock.counts import Reported
from smsby_deploy.lock.decisions import (
    EVERY_DIGEST,
    EVERY_FINAL,
    EVERY_MAILING,
    Ending,
    EndingKind,
    Resolution,
    VerdictKind,
)
from smsby_deploy.lock.document_checks import is_address
from smsby_deploy.lock.entry_json import (
    DECLARED_UNSENT_ERROR,
    ending_document,
    entry_document,
    stored_state,
    verdict_document,
)
from smsby_deploy.lock.events import EventKind, begin_fields
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.keyed_digests import digests_of, key_fields, rekey_fields
from smsby_deploy.lock.records import ELSEWHERE, SURELY_NOT_SENT, ChunkRecord, ChunkState, Entry, Lock
from smsby_deploy.lock.store import HeldLock
from smsby_deploy.wording import counted

_Event = tuple[EventKind, dict[str, Any]]


class LockEdit:
    """One manual change to a lock that this run holds.

    `by`, `at` and `reason` are recorded with it.
    """

    def __init__(self, held: HeldLock, *, by: str, at: str, reason: str) -> None:
        self._held = held
        self.zone = held.store.zone  # in which errors show times
        self._by = by
        self._at = at
        self._reason = reason

    @property
    def lock(self) -> Lock:
        """The lock as it is before the change."""
        return self._held.lock

    def resolve(self, address: str, *, sent: bool, message_id: int | None = None) -> int:
        """Declare the unknown chunks of `address` sent or not sent; return how many there were.

        Raises:
            UsageError: the mailing is not recorded, no chunk of it is unknown, or it can have no draft.
        """
        entry = self.entry(address)
        if message_id is not None and entry.transport != "list":
            raise UsageError(
                f"{address} has no draft", hint="leave out --message-id: it is for list mailings"
            )
        unknown = [i for i, chunk in enumerate(entry.chunks) if chunk.state is ChunkState.UNKNOWN]
        if not unknown:
            raise UsageError(
                f"{address} has no unknown chunk to resolve", hint="`smsby-deploy lock list` shows the states"
            )
        events: list[_Event] = []
        for index in unknown:
            changes = _settling_changes(entry.chunks[index], sent, message_id, self._at)
            events.append((EventKind.CHUNK, {"chunks": [[address, index]], "changes": changes}))
        self._write(address, "resolved as sent" if sent else "resolved as not sent", events)
        return len(unknown)

    def go(self, address: str) -> int:
        """Record that a user decided to send the next wave; return the number of the last one.

        Raises:
            UsageError: the mailing is not recorded, or its last wave has no verdict that a user must overrule.
            Refused: it was ended.
        """
        entry = self.entry(address)
        if entry.ending is not None:
            raise Refused(
                f"{address} is already {entry.ending.in_zone(self.zone)}",
                hint=f"see `smsby-deploy lock show {address}`",
            )
        last = entry.verdicts[-1] if entry.verdicts else None
        if last is None or last.is_users_go or entry.is_complete:
            hint = "`smsby-deploy plan` says what it waits for"
            raise UsageError(f"{address} was not stopped after a wave", hint=hint)
        own = replace(last, kind=VerdictKind.GO, at=self._at, by=self._by, reason=self._reason)
        fields = {"address": address, "verdict": verdict_document(own)}
        self._write(address, f"wave {own.wave}: go", [(EventKind.VERDICT, fields)])
        return own.wave

    def rescue(self, document: dict[str, Any]) -> int:
        """Record the results of a rescue file; return how many chunks they settled.

        Chunks that are no longer unknown keep their state.

        Raises:
            UsageError: the file was written for another lock, or names a chunk that is not recorded.
        """
        lock = self._held.lock
        if (document["project"], document["lineage"]) != (lock.project, lock.lineage):
            raise UsageError(
                "this rescue file was written for another lock",
                hint="run the command in the project it belongs to",
            )
        events = [
            (address, (EventKind.CHUNK, _rescue_event(result, address, index)))
            for result in document["results"]
            for address, index, fingerprint in result["chunks"]
            if self._chunk(address, index, fingerprint).is_unknown(result.get("row"))
        ]
        if events:
            addresses = sorted({address for address, _ in events})
            self._write(", ".join(addresses), "rescued after a full disk", [event for _, event in events])
        return len(events)

    def check_adoptable(self, address: str, entry: Entry) -> None:
        """Check that `entry` may be recorded as a mailing that was sent by other means.

        Raises:
            Refused: the mailing is recorded as sent or unknown, or one of the messages belongs to another mailing.
        """
        lock = self._held.lock
        recorded = find_recorded(lock, address)
        if recorded is not None:
            _check_replaceable(address, recorded, entry.revision)
        owners = _message_owners(lock) | _archived_owners(lock, entry)
        for chunk in entry.chunks:
            if chunk.message_id in owners:
                owner = owners[chunk.message_id]
                raise Refused(
                    f"message {chunk.message_id} is already recorded for {owner}",
                    hint=f"`smsby-deploy lock show {owner}` shows the record",
                )

    def adopt(
        self, address: str, entry: Entry, what: str, binding: Binding | None = None, key: DigestKey = NO_KEY
    ) -> None:
        """Record a mailing that was sent by other means; `what` names its id at sms.by.

        `binding` is where the lock belongs, if that is to be recorded too; `key` made the digests of `entry`.

        Raises as check_adoptable.
        """
        self.check_adoptable(address, entry)
        before = self._held.lock.mailings.get(address)
        if before is not None:
            older = () if before.revision == entry.revision else (replace(before, earlier=()),)
            entry = replace(entry, earlier=(*older, *before.earlier))
        events: list[_Event] = [(EventKind.MAILING, {"address": address, "entry": entry_document(entry)})]
        if binding is not None:
            events.append((EventKind.BIND, asdict(binding)))
        if (fields := key_fields(self._held.lock, key, digests_of(entry))) is not None:
            events.insert(0, (EventKind.KEY, fields))
        self._write(address, f"imported: {what}", events)

    def move(self, address: str, to: str) -> None:
        """Give the record of a renamed mailing its new address.

        Raises:
            UsageError: `address` is not recorded, or `to` is already recorded or not an address.
        """
        self.entry(address)
        if not is_address(to):
            raise UsageError("the new name is not an address", hint="write it as campaign/mailing")
        if find_recorded(self._held.lock, to) is not None:
            raise UsageError(
                f"{to} is already recorded", hint=f"`smsby-deploy lock show {to}` shows the record"
            )
        self._write(address, f"moved to {to}", [(EventKind.MOVE, {"address": address, "to": to})])

    def remove(self, address: str) -> None:
        """Forget a mailing; chunks that sms.by lists are still found there and not sent again.

        Raises:
            UsageError: the mailing is not recorded, or a chunk of it is unknown.
        """
        if self.entry(address).has_unknown:
            raise UsageError(
                f"cannot remove {address}: it has an unknown chunk, and without the record it could be sent twice",
                hint=f"resolve it first: `smsby-deploy lock resolve {address} --sent` or `--not-sent`",
            )
        self._write(address, "removed", [(EventKind.REMOVE, {"address": address})])

    def archive(
        self, entries: Mapping[str, Entry], reported: Mapping[str, Reported] = MappingProxyType({})
    ) -> list[str]:
        """Move final mailings to the archive, and return their addresses.

        What sms.by has `reported` about them is recorded there. Mailings whose record no longer matches `entries` stay.

        They are on disk in the archive before they leave the lock; a crash in between leaves them in both, which is harmless.

        Raises:
            LockDamaged: the archive is damaged.
            SmsbyDeployError: it cannot be written.
        """
        lock = self._held.lock
        addresses = sorted(
            address for address, entry in entries.items() if lock.mailings.get(address) == entry
        )
        if addresses:
            known = (address for address in addresses if address in reported)
            final = {one: _with_reported(lock.mailings[one], reported[one]) for one in known}
            complete = replace(lock, mailings=lock.mailings | final)
            lines = self._held.store.append_to_archive(complete, addresses, self._at)
            moved: dict[str, Any] = {"addresses": addresses, "archived": lines}
            what = f"archived {counted(len(addresses), 'mailing')}"
            self._write(EVERY_FINAL, what, [(EventKind.ARCHIVE, moved)])
        return addresses

    def end(self, address: str, revision: int, kind: EndingKind) -> None:
        """Record that no more of a recorded revision is sent."""
        ending = Ending(kind, self._at, self._by, self._reason)
        fields = {"address": address, "revision": revision, "ending": ending_document(ending)}
        self._write(address, f"revision {revision} {kind}", [(EventKind.ENDING, fields)])

    def bind(self, here: Binding) -> None:
        """Record that the lock belongs to `here`, and that the list there is right.

        Mailings sent before are no longer expected in the list.
        """
        self._write(EVERY_MAILING, f"bound to {here.service}", [(EventKind.BIND, asdict(here))])

    def rekey(self, old: DigestKey, new: DigestKey) -> bool:
        """Replace the digests over recipients by those made with `new`.

        Return whether they had another key. Fingerprints stay, because they are part of names at sms.by.

        Raises:
            Refused: `old` is not the key of the lock.
        """
        lock = self._held.lock
        if lock.is_empty:
            return False
        self._held.store.rekey_archive(lock, old, new)
        if lock.digest_key == new.id:
            return False
        fields = rekey_fields(lock, old, new)
        self._write(EVERY_DIGEST, f"keyed with {new.id or 'no key'}", [(EventKind.REKEY, fields)])
        return True

    def entry(self, address: str) -> Entry:
        """Return the record of a mailing.

        Raises:
            Refused: it is archived.
            UsageError: there is none.
        """
        entry = self._held.lock.mailings.get(address)
        if entry is not None:
            return entry
        if any(line.address == address for line in read_archive(self._held.lock)):
            raise Refused(
                f"{address} is archived, and its record stays as it is",
                hint=f"`smsby-deploy lock show {address}` shows it; to send it again on purpose, raise its `revision`",
            )
        raise unknown_address(address, self._held.lock.mailings)

    def _chunk(self, address: str, index: int, fingerprint: str) -> ChunkRecord:
        chunks = self.entry(address).chunks
        if index >= len(chunks) or chunks[index].fingerprint != fingerprint:
            raise UsageError(
                f"no chunk {fingerprint} of {address} in the lock",
                hint=f"`smsby-deploy lock show {address}` shows the record",
            )
        return chunks[index]

    def _write(self, address: str, what: str, events: list[_Event]) -> None:
        journal = self._held.open_journal()
        resolution = Resolution(address, what, self._at, self._by, self._reason)
        try:
            journal.append(EventKind.BEGIN, **begin_fields(self._held.lock, at=self._at))
            for kind, fields in events:
                journal.append(kind, **fields)
            journal.append(EventKind.RESOLVE, resolution=asdict(resolution))
        except ResultNotSaved as error:
            raise SmsbyDeployError(
                f"cannot write the journal next to the lock: {error}",
                hint=f"{error.remedy}, then run the command again",
            ) from error
        finally:
            journal.close()
        self._held.fold_in()


def _with_reported(entry: Entry, reported: Reported) -> Entry:
    """Return `entry` with what sms.by has reported; everything else stays as recorded."""
    variants = entry.variants
    if variants is not None:
        deliveries = reported.by_variant
        variants = {name: one._replace(deliveries=deliveries.get(name)) for name, one in variants.items()}
    return replace(
        entry,
        variants=variants,
        billed=reported.billed or entry.billed,
        deliveries=reported.deliveries or entry.deliveries,
    )


def _rescue_event(result: dict[str, Any], address: str, index: int) -> dict[str, Any]:
    position = {"row": result["row"]} if result.get("row") is not None else {}
    return {"chunks": [[address, index]], **position, "changes": result["changes"]}


def _message_owners(lock: Lock) -> dict[int | None, str]:
    """Return the address that each message_id is recorded for, including older revisions."""
    return {
        chunk.message_id: address
        for address, entry in lock.revisions()
        for chunk in entry.chunks
        if chunk.message_id is not None
    }


def _archived_owners(lock: Lock, entry: Entry) -> dict[int | None, str]:
    """Return the archived mailing that each message_id of `entry` is recorded for."""
    marks = {
        one: b'"message_id":%d,' % one for chunk in entry.chunks if (one := chunk.message_id) is not None
    }
    return {
        number: line.address
        for line in (read_archive(lock) if marks else ())
        for number, mark in marks.items()
        if mark in line.text
    }


def _check_replaceable(address: str, entry: Entry, revision: int) -> None:
    """Raise Refused unless no chunk is unknown and no chunk of this revision was sent."""
    if entry.has_unknown:
        raise Refused(
            f"cannot import {address}: it has an unknown chunk",
            hint=f"resolve it instead: `smsby-deploy lock resolve {address} --sent` or `--not-sent`",
        )
    if entry.revision > revision:
        raise Refused(
            f"{address} is recorded with revision {entry.revision}, but the file has {revision}",
            hint="restore the revision in the file",
        )
    is_sent = any(chunk.state not in SURELY_NOT_SENT for chunk in entry.chunks)
    if entry.revision == revision and is_sent:
        raise Refused(
            f"{address} is already recorded ({entry.state})",
            hint=f"`smsby-deploy lock show {address}` shows the record",
        )


def _settling_changes(chunk: ChunkRecord, sent: bool, message_id: int | None, at: str) -> dict[str, Any]:
    """Return the stored changes to an unknown chunk that the user declared sent or not sent."""
    changes: dict[str, Any] = {"step": None, "error": None}
    if message_id is not None:
        changes["message_id"] = message_id
    if sent and chunk.step == "draft" and message_id is not None:
        # The answer of sendSmsList was lost. A draft reaches no recipient before it is confirmed.
        return changes | {"state": ChunkState.DRAFT.value}
    if sent and chunk.step == ELSEWHERE:
        changes |= {"opted_out": None, "step": ELSEWHERE}  # only the other run knew
    if sent:
        return changes | {"state": ChunkState.ACCEPTED.value, "accepted_at": at, "declared": True}
    if chunk.step == "confirm":
        return changes | {"state": ChunkState.DRAFT.value}
    return changes | {"state": stored_state(ChunkState.DECLARED_UNSENT), "error": DECLARED_UNSENT_ERROR}
