"""What sms.by has already: mailings that are listed under our fingerprints. Absence proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from smsby_deploy.apply.events import Event
from smsby_deploy.apply.recorder import ChunkRef, Recorder
from smsby_deploy.apply.worker_pool import Sender
from smsby_deploy.clock import Clock
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.lock.records import ChunkRecord, ChunkState
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.reconcile_lock import merge_entry
from smsby_deploy.plan.remote_state import RemoteView, view_remote
from smsby_deploy.smsby.client import SendClient
from smsby_deploy.smsby.parsers import is_draft
from smsby_deploy.smsby.retry import poll


class Reconciler:
    """Compares what is recorded with what sms.by lists, and records what it finds."""

    def __init__(
        self,
        recorder: Recorder,
        client: SendClient,
        sender: Sender,
        clock: Clock,
        *,
        project: str,
        seconds: float,
        say: Callable[[Event], None],
    ) -> None:
        self._recorder = recorder
        self._client = client
        self._sender = sender
        self._clock = clock
        self._project = project
        self._seconds = seconds
        self._say = say

    def read(self) -> RemoteView:
        """The remote list.

        Raises:
            SmsbyUnavailable, TokenRefused, ApiError: it can't be read.
        """
        return view_remote(self._project, self._client.get_sms_messages())

    def adopt(self, address: str, revision: int, action: Action, remote: RemoteView) -> None:
        """Record a mailing that sms.by lists and the lock does not have; of one listed in part, the rest is unknown."""
        records = []
        for chunk in action.chunks:
            listed = remote.by_fingerprint.get(chunk.fingerprint)
            state = ChunkState.UNKNOWN
            if listed is not None:
                state = ChunkState.DRAFT if listed.is_draft else ChunkState.ACCEPTED
            records.append(
                ChunkRecord(
                    chunk.fingerprint,
                    chunk.recipients,
                    chunk.digest,
                    state,
                    message_id=listed.id if listed else None,
                    accepted_at=self._recorder.now() if state is ChunkState.ACCEPTED else None,
                )
            )
        self._recorder.write_entry(address, revision, action, records)

    def note_found(self, address: str, remote: RemoteView) -> int:
        """Record what `remote` proves of the recorded chunks of `address`; returns how many changed."""
        entry = self._recorder.lock.mailings.get(address)
        if entry is None:
            return 0
        changed = 0
        for index, (chunk, state) in enumerate(zip(entry.chunks, merge_entry(entry, remote), strict=True)):
            if state is chunk.state or (state is ChunkState.DRAFT and _is_confirm_lost(chunk)):
                continue  # a draft may be listed as one for a while although it is confirmed: see look_for
            changed += 1
            listed = remote.by_fingerprint.get(chunk.fingerprint)
            if listed is None:
                error = "the lock is older than what sms.by lists of this mailing"
                self._recorder.note((address, index), state, error=error)
            else:
                if state is ChunkState.DRAFT and chunk.upload is not None:
                    # The lock may be older than it, or it may be an earlier one that was called not sent: whom a draft was
                    # made for only the answer of sendSmsList proves.
                    self._recorder.note_upload((address, index), replace(chunk.upload, digest=""))
                when = self._recorder.now() if state is ChunkState.ACCEPTED else None
                self._recorder.note(
                    (address, index), state, message_id=listed.id, accepted_at=when, error=None
                )
        return changed

    def look_for(self, chunks: Sequence[ChunkRef]) -> None:
        """Look for unknown chunks for `reconcile_seconds`: in the remote list, and of a lost confirmation also by what
        confirm=0 tells of the draft. What is not found stays unknown.

        A draft whose confirmation was lost counts as not confirmed only if it still stands as DRAFT at the end.
        """
        drafts: list[ChunkRef] = []
        for _ in poll(self._seconds, clock=self._clock, pause=self._pause):
            remote: RemoteView | None = None
            try:
                remote = self.read()
                for address in dict.fromkeys(address for address, _ in chunks):
                    self.note_found(address, remote)
            except (SmsbyUnavailable, ApiError) as error:
                self._say(Event("looking", f"looking for the lost request: {error}", is_warning=True))
            drafts = self._drafts_of(chunks, remote)
            left = [ref for ref in chunks if self._recorder.chunk(ref).state is ChunkState.UNKNOWN]
            if not left or self._sender.stops > 1:
                return
        for ref in drafts:
            self._recorder.note(ref, ChunkState.DRAFT, error=self._recorder.chunk(ref).error)

    def _pause(self, seconds: float) -> None:
        self._sender.pause(seconds, self._clock, until=2)

    def look_at_confirmations(self, address: str) -> None:
        """Settle the lost confirmations of `address` that the list tells nothing of, if confirm=0 tells something."""
        chunks = self._recorder.lock.mailings[address].chunks
        lost = [(address, index) for index, chunk in enumerate(chunks) if _is_confirm_lost(chunk)]
        if self._drafts_of(lost, None):
            self.look_for(lost)

    def _drafts_of(self, chunks: Sequence[ChunkRef], remote: RemoteView | None) -> list[ChunkRef]:
        """Those of `chunks` with a lost confirmation that are called a draft now, by the list or by confirm=0. What
        confirm=0 calls anything else is recorded as confirmed; what nobody tells of is neither."""
        drafts = []
        for ref in chunks:
            chunk = self._recorder.chunk(ref)
            if not _is_confirm_lost(chunk) or chunk.message_id is None:
                continue
            status = self._told_status(chunk.message_id)
            listed = remote.by_fingerprint.get(chunk.fingerprint) if remote else None
            if status is not None and not is_draft(status):
                self._recorder.note(ref, ChunkState.ACCEPTED, accepted_at=self._recorder.now(), error=None)
            elif status is not None or (listed is not None and listed.is_draft):
                drafts.append(ref)
        return drafts

    def _told_status(self, message_id: int) -> str | None:
        """What confirm=0 calls a draft now; None if it does not say."""
        try:
            return self._client.confirm_info(message_id).status
        except (SmsbyUnavailable, ApiError) as error:
            self._say(Event("looking", f"looking at the draft: {error}", is_warning=True))
            return None


def _is_confirm_lost(chunk: ChunkRecord) -> bool:
    return chunk.state is ChunkState.UNKNOWN and chunk.step == "confirm"
