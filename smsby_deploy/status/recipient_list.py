"""Which recipients certainly got a mailing, and which certainly did not.

The lock holds no phones. So the audience is read again from its files, and a chunk counts only if its digest is the
recorded one. The lock has the opt-outs at the time of the send by position, whatever the present ones are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import compress, repeat
from typing import TYPE_CHECKING, NamedTuple

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.project_loader import LoadedProject
from smsby_deploy.config.sources import ContactList, TextsByVariant
from smsby_deploy.errors import FilesInvalid, Refused, SmsbyDeployError, UsageError, unknown_address
from smsby_deploy.lock.archive import find_recorded
from smsby_deploy.lock.keyed_digests import check_digest_key
from smsby_deploy.lock.phone_states import PhoneState
from smsby_deploy.lock.records import ELSEWHERE, ChunkRecord, ChunkState, Entry, EntryState, Lock
from smsby_deploy.lock.stored_mailings import find
from smsby_deploy.plan.chunks import ChunkReport, hash_content, stream_chunks
from smsby_deploy.plan.contact_lists import UploadDigest
from smsby_deploy.plan.remote_list_check import check_list
from smsby_deploy.plan.remote_state import RemoteView, merge_entry
from smsby_deploy.plan.withdrawals import AccountList
from smsby_deploy.problems import has_errors
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.source_reader import place_rows
from smsby_deploy.recipients.suppression import load_suppression, opted_out_places
from smsby_deploy.recipients.waves_and_variants import assign_variants
from smsby_deploy.smsby.response import NotFound
from smsby_deploy.texts.compiler import compile_mailing, compile_texts
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from smsby_deploy.smsby.client import ReadClient


class RecipientOutcome(StrEnum):
    """What happened to one recipient; the values are the words of the list."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_SENT = "not sent"
    OPTED_OUT = "opted out"
    HELD_OUT = "held out"  # in an environment with `only_to`: not one of its test phones
    WITHDRAWN = "withdrawn"
    CONTROL = "control"  # in the control group of a mailing with variants
    UNKNOWN = "unknown"


_O = RecipientOutcome
_MOST_RUNS = 5
SENT = frozenset({_O.ACCEPTED})
NOT_SENT = frozenset({_O.REJECTED, _O.NOT_SENT, _O.OPTED_OUT, _O.HELD_OUT, _O.WITHDRAWN})

_OF_PHONE = {
    PhoneState.ACCEPTED: _O.ACCEPTED,
    PhoneState.REJECTED: _O.REJECTED,
    PhoneState.PENDING: _O.NOT_SENT,
    PhoneState.DECLARED_UNSENT: _O.NOT_SENT,
    PhoneState.SUPPRESSED: _O.OPTED_OUT,
    PhoneState.UNKNOWN: _O.UNKNOWN,
}


class ListedRecipient(NamedTuple):
    """One recipient; `line` is the physical line in the list, or in the campaign file."""

    phone: str
    outcome: RecipientOutcome
    line: int
    variant: str = ""


class _Block(NamedTuple):
    phones: Sequence[str]
    lines: Sequence[int]
    outcomes: list[RecipientOutcome]
    variant: str = ""


@dataclass(slots=True)
class RecipientList:
    """The recipients of a recorded mailing, as a stream.

    `counts` is complete once the stream has ended. Reading it raises:
        FilesInvalid: the opt-outs, the recipients or the text cannot be read.
        SmsbyDeployError: the recipients differ from those it was sent to.
    """

    project: Project
    mailing: Mailing
    entry: Entry
    counts: Counter[RecipientOutcome] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[ListedRecipient]:
        suppressed, problems = load_suppression(self.project.suppress, self.project.only_to)
        if has_errors(problems):
            raise FilesInvalid(problems)
        read = self._read_upload if self.mailing.upload is not None else self._read_chunks
        for phones, lines, outcomes, variant in read(suppressed):
            if suppressed.only is not None:
                outcomes = _held_out(phones, outcomes, suppressed.only)
            self.counts.update(outcomes)
            yield from map(ListedRecipient, phones, outcomes, lines, repeat(variant))

    @property
    def may_be_outdated(self) -> bool:
        """Whether the lock calls a part of it not sent, which another checkout may have sent since."""
        return any(chunk.state is not ChunkState.ACCEPTED for chunk in self.entry.chunks)

    @property
    def has_variants(self) -> bool:
        """Whether its recipients have variants."""
        return isinstance(self.mailing.text, TextsByVariant)

    def _read_chunks(self, suppressed: PhoneSet) -> Iterator[_Block]:
        """Yield the chunks that match the lock; then raise if others do not."""
        audience = AudienceReport(keeps_control=True)
        report, missing = ChunkReport(audience=audience), set(range(len(self.entry.chunks)))
        template = compile_mailing(self.mailing)
        for chunk in stream_chunks(self.project, self.mailing, template, suppressed, report):
            if chunk.index not in missing:
                continue
            record = self.entry.chunks[chunk.index]
            if record.digest != chunk.digest or len(record.phones or chunk.phones) != len(chunk.phones):
                continue
            missing.remove(chunk.index)
            if record.phones is not None and not self.entry.is_withdrawn:
                outcomes = list(map(_outcome_of_phone, record.phones, chunk.not_suppressed))
            elif record.state is ChunkState.ACCEPTED and not self.entry.is_withdrawn:
                outcomes = _of_accepted(record, chunk.not_suppressed)
            else:
                outcomes = _by_opt_out(chunk.not_suppressed, self._unsent(record))
            yield _Block(chunk.phones, chunk.lines, outcomes, chunk.group.variant or "")
        self._check(audience, missing)
        yield from self._control(audience.control_rows, suppressed)

    def _control(self, rows: Sequence[tuple[str, int]], suppressed: PhoneSet) -> Iterator[_Block]:
        """Yield the control group; those who opted out are listed as such."""
        if rows and isinstance(self.mailing.text, TextsByVariant):
            phones = [phone for phone, _ in rows]
            variants = assign_variants(self.mailing.text, phones)
            for (phone, line), variant in zip(rows, variants, strict=True):
                outcome = _O.OPTED_OUT if phone in suppressed else _O.CONTROL
                yield _Block([phone], [line], [outcome], variant)

    def _read_upload(self, suppressed: PhoneSet) -> Iterator[_Block]:
        """Yield the recipients of an uploaded list, which are one chunk.

        All of them are read beforehand, to compare them with the lock.
        """
        (record,), text = self.entry.chunks, self.mailing.text
        assert text is not None  # the loader requires it of an upload
        template, report = compile_texts(text), AudienceReport()
        content = hash_content(self.mailing, template)
        digest, total = UploadDigest(content, template.render_once(), self.project.digest_key), 0
        for batch in read_audience(self.mailing, suppressed, report):
            digest.add(batch.phones, list(compress(batch.phones, batch.not_suppressed)))
            total += len(batch.phones)
        self._check(report, set() if digest.chunk == record.digest else {0})
        outcomes = self._unsent(record)
        if record.state is ChunkState.ACCEPTED and not self.entry.is_withdrawn:
            outcomes = _of_upload(record, digest, total)
        for batch in read_audience(self.mailing, suppressed, AudienceReport()):
            yield _Block(batch.phones, batch.lines, _by_opt_out(batch.not_suppressed, outcomes))

    def _unsent(self, record: ChunkRecord) -> _Outcomes:
        """Return the outcome of a chunk that was not accepted, or whose mailing was withdrawn."""
        if record.state is ChunkState.SUPPRESSED and any(chunk.declared for chunk in self.entry.chunks):
            # It may have been sent with the first chunk of an imported mailing.
            return _Outcomes(_O.UNKNOWN, _O.UNKNOWN)
        return _OF_CHUNK[record.state]

    def _check(self, report: AudienceReport, missing: set[int]) -> None:
        if has_errors(report.problems):
            raise FilesInvalid(place_rows(self.mailing.audience, report.problems))
        if not missing:
            return
        commit = self.entry.applied.commit
        then = f" (commit {commit[:12]})" if commit else ""
        raise SmsbyDeployError(
            f"{_numbers(missing)} of {counted(len(self.entry.chunks), 'chunk')} of {self.mailing.address} cannot be "
            "listed: recipients, text, sender, time or chunk size differ from the recorded ones",
            hint=f"restore its files as they were when it was applied{then}, and run the command again",
        )


def find_recipients(loaded: LoadedProject, lock: Lock, address: str) -> RecipientList:
    """Return the recipients of the mailing that is recorded under `address`.

    Raises:
        UsageError: it is not recorded, or no longer in the files.
        FilesInvalid: the files that should have it are not valid.
        SmsbyDeployError: only sms.by knows its recipients.
        Refused: the lock has another digest key.
    """
    entry = find_recorded(lock, address)
    if entry is None:
        raise unknown_address(address, lock.mailings)
    mailing = loaded.project.by_address.get(address)
    if mailing is None:
        if not loaded.is_whole:
            raise FilesInvalid(loaded.problems)
        raise UsageError(
            f"{address} is not in the files: the lock has no phones, so its list is needed",
            hint="restore its campaign file and its list, for example from git",
        )
    if isinstance(mailing.audience, ContactList):
        raise SmsbyDeployError(
            f"only sms.by knows the recipients of {address}: it is sent to a contact list kept there",
            hint="look at the list in the account",
        )
    check_digest_key(lock, loaded.project.digest_key)
    return RecipientList(loaded.project, mailing, entry)


def refuse_outdated(found: RecipientList, lock: Lock, account: AccountList, now: datetime) -> None:
    """Check that sms.by has no more of a mailing than the lock calls sent.

    Another checkout, without this lock, may have sent the rest.

    Raises:
        Refused: sms.by has more, or its list cannot belong to the account of the lock.
        SmsbyUnavailable, TokenRefused, ApiError: sms.by could not be asked.
    """
    address, entry = found.mailing.address, found.entry
    remote = account.read_list(lock, address, entry)
    others: list[str] = []
    if not found.project.environment.is_rehearsal:  # else an earlier version of it may be listed
        check = check_list(lock, remote, now=now, reconcile_seconds=account.reconcile_seconds)
        if check.is_disproved:
            raise Refused(check.doubt)
        others = remote.other_fingerprints(address, entry.revision, frozenset(entry.fingerprints))
    empty = [chunk for chunk in entry.chunks if chunk.state is ChunkState.SUPPRESSED]
    if (
        others
        or any(map(remote.find_sent, empty))
        or _has_news_of_what_is_known(entry, remote)
        or (entry.state is EntryState.WAITING and remote.shows_mailing(address, entry))
        or _has_more_deliveries(found, lock, remote, account.connect())
    ):
        raise Refused(
            f"sms.by has more of {address} than the lock: another checkout may have sent it, and it is unknown to whom",
            hint=f"use the lock of that checkout, or run `smsby-deploy plan {address}` to see what an apply would record and "
            "send",
        )


def _has_news_of_what_is_known(entry: Entry, remote: RemoteView) -> bool:
    """Whether the list contradicts the lock; that a lost request arrived does not."""
    states = zip(entry.chunks, merge_entry(entry, remote), strict=True)
    return any(chunk.state not in (state, ChunkState.UNKNOWN) for chunk, state in states)


def _has_more_deliveries(found: RecipientList, lock: Lock, remote: RemoteView, client: ReadClient) -> bool:
    """Whether a message to single phones has more deliveries than the lock explains."""
    entry = found.entry
    if entry.transport != "single":
        return False
    ids = {number for chunk in entry.chunks for number in remote.ids.get(chunk.fingerprint, ())}
    ids |= {chunk.message_id for chunk in entry.chunks if chunk.message_id is not None}
    sharing = {
        address: lock.mailings[address]
        for address in find(lock.mailings, lambda file: file.with_chunk((), ids))
    }
    recorded = (sharing | {found.mailing.address: entry}).values()
    chunks = [chunk for one in recorded for revision in one.revisions for chunk in revision.chunks]
    for number in ids:
        uses = [chunk for chunk in chunks if chunk.message_id == number]
        known = sum(one.accepted_recipients + one.recipients_in(ChunkState.UNKNOWN) for one in uses)
        with suppress(NotFound):
            reported = sum(1 for _ in client.get_sms_delivery_list(number))
            if reported > known + max((one.foreign for one in uses), default=0):
                return True
    return False


class _Outcomes(NamedTuple):
    """The outcome of the recipients who have not opted out by now, and of those who have."""

    kept: RecipientOutcome
    opted_out: RecipientOutcome


_OF_CHUNK = {
    ChunkState.REJECTED: _Outcomes(_O.REJECTED, _O.OPTED_OUT),
    ChunkState.PENDING: _Outcomes(_O.NOT_SENT, _O.OPTED_OUT),
    ChunkState.DECLARED_UNSENT: _Outcomes(_O.NOT_SENT, _O.OPTED_OUT),
    ChunkState.DRAFT: _Outcomes(_O.NOT_SENT, _O.OPTED_OUT),
    ChunkState.SUPPRESSED: _Outcomes(_O.NOT_SENT, _O.OPTED_OUT),
    ChunkState.UNKNOWN: _Outcomes(_O.UNKNOWN, _O.UNKNOWN),
    ChunkState.PARTIAL: _Outcomes(_O.UNKNOWN, _O.UNKNOWN),  # its phones have outcomes, if it is not withdrawn
    ChunkState.ACCEPTED: _Outcomes(_O.WITHDRAWN, _O.WITHDRAWN),
}


def _of_accepted(record: ChunkRecord, not_suppressed: bytearray) -> list[RecipientOutcome]:
    """Return the outcomes of a chunk that sms.by accepted.

    They are unknown if another run may have sent it, or if the number of recipients does not fit the recorded opt-outs. A
    recipient who was left out and has no opt-out now was left out under contact pressure, or has revoked the opt-out.
    """
    left_out = frozenset(opted_out_places(record.opted_out))
    if record.step == ELSEWHERE or record.recipients != len(not_suppressed) - len(left_out):
        return [_O.UNKNOWN] * len(not_suppressed)
    return [
        (_O.NOT_SENT if is_kept else _O.OPTED_OUT) if place in left_out else _O.ACCEPTED
        for place, is_kept in enumerate(not_suppressed)
    ]


def _of_upload(record: ChunkRecord, digest: UploadDigest, total: int) -> _Outcomes:
    """Return the outcome of a list that sms.by accepted.

    It is certain if all recipients are in it, or exactly those without an opt-out now. Which contacts sms.by rejected as
    invalid is not recorded.
    """
    if record.upload is None or record.upload.invalid or record.step == ELSEWHERE:
        return _Outcomes(_O.UNKNOWN, _O.UNKNOWN)
    if record.recipients == total:
        return _Outcomes(_O.ACCEPTED, _O.ACCEPTED)
    if record.upload.digest == digest.contacts and record.recipients == digest.count:
        return _Outcomes(_O.ACCEPTED, _O.OPTED_OUT)
    return _Outcomes(_O.UNKNOWN, _O.UNKNOWN)


def _outcome_of_phone(state: PhoneState, is_kept: int) -> RecipientOutcome:
    """Return the outcome of a phone sent individually; opt-outs count as in `_of_accepted`."""
    return _O.NOT_SENT if state is PhoneState.SUPPRESSED and is_kept else _OF_PHONE[state]


def _by_opt_out(not_suppressed: bytearray, outcomes: _Outcomes) -> list[RecipientOutcome]:
    return [outcomes.kept if is_kept else outcomes.opted_out for is_kept in not_suppressed]


def _held_out(
    phones: Sequence[str], outcomes: list[RecipientOutcome], only: PhoneSet
) -> list[RecipientOutcome]:
    """Return `outcomes` with recipients outside `only` as held out."""
    return [
        _O.HELD_OUT if outcome is _O.OPTED_OUT and phone not in only else outcome
        for phone, outcome in zip(phones, outcomes, strict=True)
    ]


def _numbers(indices: set[int]) -> str:
    """Return numbers from 1 with neighbors joined: `2, 4-6`; at most five."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    named = [f"{run[0] + 1}-{run[-1] + 1}" if run[1:] else f"{run[0] + 1}" for run in runs]
    more = f" and {len(named) - _MOST_RUNS} more" if len(named) > _MOST_RUNS else ""
    return ", ".join(named[:_MOST_RUNS]) + more
