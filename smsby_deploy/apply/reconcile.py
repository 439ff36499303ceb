"""Finds what sms.by already has under our fingerprints. Absence proves nothing."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.recorder import ChunkRef, Recorder, record_of
from smsby_deploy.apply.remote_list import RecentList
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.errors import ApiError, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.decisions import Approval
from smsby_deploy.lock.records import ELSEWHERE, SURELY_NOT_SENT, ChunkRecord, ChunkState
from smsby_deploy.plan.model import Action
from smsby_deploy.plan.remote_state import RemoteView, listed_state, merge_entry
from smsby_deploy.smsby.parsers import RemoteMailing, is_draft
from smsby_deploy.smsby.retry import poll
from smsby_deploy.wording import sentence


class Reconciler:
    """Compares the lock with what sms.by lists, and records what it finds.

    `recent` is the list read last.
    """

    def __init__(self, context: ApplyContext) -> None:
        self._recorder = context.recorder
        self._client = context.client
        self._shutdown = context.shutdown
        self._clock = context.clock
        self._project = context.project
        self._say = context.say
        self.recent = RecentList(context.project, context.clock)

    def read(self, *ids: int) -> RemoteView:
        """Return the remote list.

        It can be searched for the mailings of the lock and the files, and for these `ids`.

        Raises:
            SmsbyUnavailable, TokenRefused, ApiError: it cannot be read.
        """
        return self.recent.ask(self._client, self._recorder.lock, ids)

    def read_recent(self, least: float = 0.0) -> RemoteView:
        """Return a remote list less than half of `reconcile_seconds`, or `least` seconds, old.

        So the number of reads grows with the duration of a run, not with its mailings.

        Raises:
            StopSending: it cannot be read.
        """
        return self.recent.kept(least) or self.read_before_sending()

    def read_before_sending(self, *ids: int) -> RemoteView:
        """Return the remote list like `read`; nothing may be sent without it.

        Raises:
            StopSending: it cannot be read, possibly because a signal cut the attempt short.
        """
        try:
            return self.read(*ids)
        except (SmsbyUnavailable, ApiError) as error:
            self._shutdown.check()
            raise not_asked(error) from error

    def adopt(self, action: Action, revision: int, remote: RemoteView) -> None:
        """Record a mailing that sms.by lists and the lock lacks.

        Chunks that are not listed are unknown.
        """
        records = []
        for chunk in action.chunks:
            listed = remote.by_fingerprint.get(chunk.fingerprint)
            state = ChunkState.UNKNOWN if listed is None else listed_state(listed, action.via)
            record = record_of(chunk, state)
            if listed is None:
                opted_out = _opted_out_in_doubt(record, action.approval)
                record = replace(record, opted_out=opted_out, step=ELSEWHERE)
            if listed is not None and state is ChunkState.ACCEPTED:
                changes = _as_listed(record, listed, is_own=False)
                record = replace(record, **changes, accepted_at=self._recorder.now())
            records.append(replace(record, message_id=listed.id if listed else None))
        self._recorder.write_entry(action, revision, records)

    def look_for(self, chunks: Sequence[ChunkRef]) -> None:
        """Look for unknown chunks for `reconcile_seconds`; if not found, they stay unknown.

        A chunk is found in the remote list; a lost confirmation also in what confirm=0 reports about the draft. A
        lost confirmation counts as not confirmed only if the draft is still a DRAFT at the end.
        """
        drafts: list[ChunkRef] = []
        pause = self._shutdown.pause_until_urgent
        for _ in poll(self._project.api.reconcile_seconds, clock=self._clock, pause=pause):
            remote: RemoteView | None = None
            try:
                remote = self.read()
                for address in dict.fromkeys(address for address, _ in chunks):
                    note_found(self._recorder, address, remote)
            except (SmsbyUnavailable, ApiError) as error:
                self._warn(f"looking for the lost request: {error}")
            drafts = self._unconfirmed_drafts(chunks, remote)
            is_settled = all(self._recorder.chunk(ref).state is not ChunkState.UNKNOWN for ref in chunks)
            if is_settled or self._shutdown.is_urgent:
                return
        for ref in drafts:
            self._recorder.note(ref, ChunkState.DRAFT, error=self._recorder.chunk(ref).error)

    def look_at_confirmations(self, address: str) -> None:
        """Settle lost confirmations of `address` by what confirm=0 reports.

        The remote list says nothing about them.
        """
        chunks = self._recorder.lock.mailings[address].chunks
        lost = [(address, index) for index, chunk in enumerate(chunks) if _is_confirm_lost(chunk)]
        if self._unconfirmed_drafts(lost, None):
            self.look_for(lost)

    def _unconfirmed_drafts(self, chunks: Sequence[ChunkRef], remote: RemoteView | None) -> list[ChunkRef]:
        """Return the chunks with a lost confirmation that the list or confirm=0 calls drafts.

        If confirm=0 reports another status, the chunk is recorded as confirmed. Without any status it is neither.
        """
        drafts = []
        for ref in chunks:
            chunk = self._recorder.chunk(ref)
            if not _is_confirm_lost(chunk) or chunk.message_id is None:
                continue
            status = self._reported_status(chunk.message_id)
            listed = remote.by_fingerprint.get(chunk.fingerprint) if remote else None
            if status is not None and not is_draft(status):
                self._recorder.note(ref, ChunkState.ACCEPTED, accepted_at=self._recorder.now(), error=None)
            elif status is not None or (listed is not None and listed.is_draft):
                drafts.append(ref)
        return drafts

    def _reported_status(self, message_id: int) -> str | None:
        """Return the status that confirm=0 reports for a draft; None if it reports none."""
        try:
            return self._client.confirm_info(message_id).status
        except (SmsbyUnavailable, ApiError) as error:
            self._warn(f"looking at the draft: {error}")
            return None

    def _warn(self, line: str) -> None:
        self._say(Event("looking", line, is_warning=True))


def note_found(
    recorder: Recorder,
    address: str,
    remote: RemoteView,
    skip: Container[ChunkState] = frozenset(),
) -> None:
    """Record what `remote` proves about the recorded chunks of `address`.

    Chunks in a state of `skip` stay as they are. Doubtful chunks are recorded first, so that after a crash in between, the
    list still shows why.
    """
    entry = recorder.lock.mailings[address]
    found = enumerate(zip(entry.chunks, merge_entry(entry, remote), strict=True))
    for index, (chunk, state) in sorted(found, key=lambda one: one[1][1] is not ChunkState.UNKNOWN):
        if (
            state is chunk.state
            or chunk.state in skip
            or (state is ChunkState.DRAFT and _is_confirm_lost(chunk))
        ):
            continue  # a confirmed draft can still be listed as a draft for a while: see look_for
        listed = remote.by_fingerprint.get(chunk.fingerprint)
        if listed is None:
            error = "the lock is older than what sms.by lists for this mailing"
            opted_out = _opted_out_in_doubt(chunk, entry.approval)
            recorder.note((address, index), state, opted_out=opted_out, error=error, step=ELSEWHERE)
        else:
            is_own = chunk.state is ChunkState.UNKNOWN and chunk.step != ELSEWHERE
            if chunk.upload is not None and not (is_own and state is ChunkState.ACCEPTED):
                # Only the answer of sendSmsList proves for which recipients a draft was made: the lock may be
                # older than this draft, or the draft may be an earlier one that was declared not sent.
                recorder.note_upload((address, index), replace(chunk.upload, digest=""))
            changes: dict[str, Any] = {"accepted_at": None}
            if state is ChunkState.ACCEPTED:
                changes = {"accepted_at": recorder.now(), **_as_listed(chunk, listed, is_own=is_own)}
            recorder.note((address, index), state, message_id=listed.id, **changes, error=None)


def _opted_out_in_doubt(chunk: ChunkRecord, approval: Approval | None) -> str | None:
    """Return who had opted out of a chunk that another run may have sent; None if unknown.

    It is unknown because that run may have left out others. Only a hand-over must remember whom its approval left out.
    """
    return None if approval is None and chunk.wave is None else chunk.opted_out


def _as_listed(chunk: ChunkRecord, listed: RemoteMailing, *, is_own: bool) -> dict[str, Any]:
    """Return what the list says about the recipients of a chunk that sms.by has accepted.

    Which of them got it is known only for a request of this lock that is listed with its number of recipients.
    """
    count, planned = listed.count_phones, chunk.recipients
    if is_own and (planned is None or count in (None, planned)):
        return {}
    if count is None or planned is None or (is_own and count < planned):
        # `status` reports how many sms.by did not accept; which ones is unknown even if no recipient opted out.
        return {"opted_out": None, "step": ELSEWHERE}
    return {"recipients": count, "opted_out": None}


def record_listed(recorder: Recorder, address: str, remote: RemoteView) -> bool:
    """Record what sms.by has of a waiting mailing; return whether it has anything.

    All chunks are recorded as unknown first, then those that the list proves as sent. So a crash in between leaves them
    unknown, as does a list with only a part, another fingerprint, or a name that may belong to another mailing.
    """
    entry = recorder.lock.mailings[address]
    if not remote.shows_mailing(address, entry):
        return False
    unsent = [index for index, chunk in enumerate(entry.chunks) if chunk.state in SURELY_NOT_SENT]
    error = "sms.by lists the mailing, but the lock recorded it as waiting"
    if unsent:
        recorder.doubt([(address, index) for index in unsent], error)
    note_found(recorder, address, remote)
    return True


def not_asked(error: SmsbyDeployError) -> StopSending:
    """Return the StopSending to raise if sms.by could not be asked before sending."""
    why = sentence("sms.by could not be asked before sending: {why}", why=error.message)
    return StopSending(why, ExitCode.UNREACHABLE)


def _is_confirm_lost(chunk: ChunkRecord) -> bool:
    return chunk.state is ChunkState.UNKNOWN and chunk.step == "confirm"
