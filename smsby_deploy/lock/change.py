"""Changes by a person's hand: resolve, move, remove. Each goes through the journal and is recorded; none sends."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from smsby_deploy.errors import UsageError
from smsby_deploy.lock.model import ChunkState, Entry
from smsby_deploy.lock.store import HeldLock


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

    def move(self, address: str, to: str) -> None:
        """A mailing was renamed in the files: its record takes the new address."""
        self._entry(address)
        if to in self._held.lock.mailings:
            raise UsageError(f"{to} is recorded already", hint="`smsby-deploy lock show` tells what it is")
        self._write(address, f"moved to {to}", [("move", {"address": address, "to": to})])

    def remove(self, address: str) -> None:
        """Forget a mailing. What sms.by lists of it is still found, and never sent again."""
        self._entry(address)
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
        finally:
            journal.close()
        self._held.fold_in()


def _settled(entry: Entry, index: int, sent: bool, message_id: int | None, at: str) -> dict[str, Any]:
    chunk = entry.chunks[index]
    if chunk.step == "draft":
        # What was lost is the answer of sendSmsList: a draft reaches nobody before it is confirmed.
        if sent and message_id is not None:
            return {"state": ChunkState.DRAFT.value, "message_id": message_id, "error": None}
        return {"state": (ChunkState.ACCEPTED if sent else ChunkState.PENDING).value, "error": None}
    if chunk.step == "confirm" and not sent:
        return {"state": ChunkState.DRAFT.value, "error": None}
    if sent:
        found = {} if message_id is None else {"message_id": message_id}
        return {"state": ChunkState.ACCEPTED.value, "accepted_at": at, "error": None, **found}
    return {"state": ChunkState.PENDING.value, "error": None}
