"""Changes by a person's hand: resolve, adopt, move, remove. Each goes through the journal and is recorded; none sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from smsby_deploy.errors import Refused, SmsbyDeployError, UsageError
from smsby_deploy.lock.journal import ResultNotSaved
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState, Entry, Lock
from smsby_deploy.lock.serialization import DECLARED_UNSENT_ERROR, entry_document, stored_state
from smsby_deploy.lock.store import HeldLock

_LOOK = "`smsby-deploy lock show ADDRESS` tells what is recorded"


class LockChange:
    """One change of the lock by hand: who, when and why."""

    def __init__(self, held: HeldLock, *, by: str, at: str, tool: str, reason: str) -> None:
        self._held = held
        self._by = by
        self._at = at
        self._tool = tool
        self._reason = reason

    def resolve(self, address: str, *, sent: bool, message_id: int | None = None) -> int:
        """Settle the unknown chunks of `address`; returns how many there were.

        Raises:
            UsageError: it is not recorded, or nothing of it is unknown.
        """
        entry = self._entry(address)
        unknown = [i for i, chunk in enumerate(entry.chunks) if chunk.state is ChunkState.UNKNOWN]
        if not unknown:
            raise UsageError(
                f"nothing of {address} is unknown", hint="`smsby-deploy lock list` shows the states"
            )
        events: list[tuple[str, dict[str, Any]]] = []
        for index in unknown:
            changes = _settled(entry, index, sent, message_id, self._at)
            events.append(("chunk", {"chunks": [[address, index]], "changes": changes}))
        self._write(address, "resolved as sent" if sent else "resolved as not sent", events)
        return len(unknown)

    def rescue(self, document: dict[str, Any]) -> int:
        """Take in a result that could not be saved when it came; returns how many chunks it settled.

        Raises:
            UsageError: it is of another lock, or of chunks that are not recorded or known otherwise.
        """
        lock = self._held.lock
        if (document["project"], document["lineage"]) != (lock.project, lock.lineage):
            raise UsageError(
                "this rescue file was written for another lock", hint="put it beside the lock it belongs to"
            )
        events: list[tuple[str, dict[str, Any]]] = []
        addresses: set[str] = set()
        for result in document["results"]:
            for address, index, fingerprint in result["chunks"]:
                chunks = self._entry(address).chunks
                if index >= len(chunks) or chunks[index].fingerprint != fingerprint:
                    raise UsageError(f"the lock knows no chunk {fingerprint} of {address}", hint=_LOOK)
                row, phones = result.get("row"), chunks[index].phones
                is_unknown = chunks[index].state is ChunkState.UNKNOWN
                if is_unknown and (row is None or phones is None or phones[row] is PhoneState.UNKNOWN):
                    addresses.add(address)
                    place = {"chunks": [[address, index]], **({} if row is None else {"row": row})}
                    events.append(("chunk", {**place, "changes": result["changes"]}))
        if events:
            self._write(", ".join(sorted(addresses)), "rescued after a full disk", events)
        return len(events)

    def check_adoptable(self, address: str, entry: Entry) -> None:
        """Whether `entry` may be recorded as a mailing that was made elsewhere.

        Raises:
            Refused: something of it is recorded as sent or unknown, or one of its messages belongs to another mailing.
        """
        lock = self._held.lock
        if address in lock.mailings:
            _check_replaceable(address, lock.mailings[address], entry.revision)
        owners = _message_owners(lock)
        for chunk in entry.chunks:
            if chunk.message_id in owners:
                owner = owners[chunk.message_id]
                raise Refused(
                    f"the message {chunk.message_id} is recorded for {owner} already",
                    hint=f"`smsby-deploy lock show {owner}` tells what it is",
                )

    def adopt(self, address: str, entry: Entry, what: str) -> None:
        """Record a mailing that was made elsewhere as sent; `what` tells how sms.by knows it. Raises as check_adoptable."""
        self.check_adoptable(address, entry)
        before = self._held.lock.mailings.get(address)
        if before is not None:
            older = () if before.revision == entry.revision else (replace(before, earlier=()),)
            entry = replace(entry, earlier=(*older, *before.earlier))
        event = {"address": address, "entry": entry_document(entry)}
        self._write(address, f"imported: {what}", [("mailing", event)])

    def move(self, address: str, to: str) -> None:
        """A mailing was renamed in the files: its record takes the new address."""
        self._entry(address)
        if to in self._held.lock.mailings:
            raise UsageError(f"{to} is recorded already", hint="`smsby-deploy lock show` tells what it is")
        self._write(address, f"moved to {to}", [("move", {"address": address, "to": to})])

    def remove(self, address: str) -> None:
        """Forget a mailing. What sms.by lists of it is still found, and never sent again.

        Raises:
            UsageError: it is not recorded, or something of it is unknown.
        """
        if self._entry(address).has_unknown:
            raise UsageError(
                f"whether all of {address} was sent is unknown: forgotten, it could go out twice",
                hint=f"settle it first: `smsby-deploy lock resolve {address} --sent` or `--not-sent`",
            )
        self._write(address, "removed", [("remove", {"address": address})])

    def _entry(self, address: str) -> Entry:
        entry = self._held.lock.mailings.get(address)
        if entry is None:
            raise UsageError(
                f"the lock has no mailing {address}", hint="`smsby-deploy lock list` names them all"
            )
        return entry

    def _write(self, address: str, what: str, events: list[tuple[str, dict[str, Any]]]) -> None:
        journal = self._held.open_journal()
        lineage = self._held.lock.lineage or uuid4().hex
        try:
            journal.append(
                "begin", id=uuid4().hex, lineage=lineage, plan=None, at=self._at, commit=None, tool=self._tool
            )
            for event, fields in events:
                journal.append(event, **fields)
            resolution = {
                "address": address,
                "what": what,
                "at": self._at,
                "by": self._by,
                "reason": self._reason,
            }
            journal.append("resolve", resolution=resolution)
        except ResultNotSaved as error:
            raise SmsbyDeployError(
                f"the journal beside the lock can't be written: {error}",
                hint="make room on the disk, or mend its permissions, then say it again",
            ) from error
        finally:
            journal.close()
        self._held.fold_in()


def _message_owners(lock: Lock) -> dict[int | None, str]:
    """message_id → the address it is recorded for, older revisions too."""
    return {
        chunk.message_id: address
        for address, entry in lock.mailings.items()
        for one in (entry, *entry.earlier)
        for chunk in one.chunks
        if chunk.message_id is not None
    }


def _check_replaceable(address: str, entry: Entry, revision: int) -> None:
    """Raise Refused unless nothing of this revision was sent, and nothing at all is unknown."""
    if entry.has_unknown:
        raise Refused(
            f"whether all of {address} was sent is unknown: it is settled, not imported",
            hint=f"`smsby-deploy lock resolve {address} --sent` or `--not-sent`",
        )
    if entry.revision > revision:
        raise Refused(
            f"{address} is recorded with revision {entry.revision}, the file says {revision}",
            hint="put the file's revision back",
        )
    is_sent = any(chunk.state not in SURELY_NOT_SENT for chunk in entry.chunks)
    if entry.revision == revision and is_sent:
        raise Refused(
            f"{address} is recorded already ({entry.state})",
            hint=f"`smsby-deploy lock show {address}` tells what it is",
        )


def _settled(entry: Entry, index: int, sent: bool, message_id: int | None, at: str) -> dict[str, Any]:
    """Return the changes that settle one unknown chunk."""
    chunk = entry.chunks[index]
    settled: dict[str, Any] = {"step": None, "error": None}
    if message_id is not None:
        settled["message_id"] = message_id
    if sent and chunk.step == "draft" and message_id is not None:
        # What was lost is the answer of sendSmsList: a draft reaches nobody before it is confirmed.
        return settled | {"state": ChunkState.DRAFT.value}
    if sent:
        return settled | {"state": ChunkState.ACCEPTED.value, "accepted_at": at}
    if chunk.step == "confirm":
        return settled | {"state": ChunkState.DRAFT.value}
    return settled | {"state": stored_state(ChunkState.DECLARED_UNSENT), "error": DECLARED_UNSENT_ERROR}
