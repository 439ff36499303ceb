"""Mailings whose recipients are uploaded: createSubscriberList, importContacts batch by batch, then as to any list.

Both calls reach nobody, and repeated they change nothing: the list is looked for by its name before it is made, and a
contact is known by its phone. So they may be tried again, which no send ever is. What must hold is that the list is ours
and has exactly the reviewed people in it: its name bears the digest of them, and no other list is ever written to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from smsby_deploy.apply.contact_batches import ContactBatch, ContactReader, Contacts
from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.list_sender import ListSender, Reviewed
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyDeployError, SmsbyUnavailable, TokenRefused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState, Entry, UploadRecord
from smsby_deploy.plan.fingerprint import read_remote_name
from smsby_deploy.plan.model import Action, ReasonCode
from smsby_deploy.plan.reasons import (
    expired_since,
    find_collision,
    opted_out_since_draft,
    with_code,
)
from smsby_deploy.plan.situation import is_past
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import ImportReport, SubscriberList
from smsby_deploy.smsby.retry import SEND_RETRIES
from smsby_deploy.smsby.transport import AnswerLost

_ROUNDS = 3  # lists that are made because somebody opted out while the one before was filled
_LINES_TOLD = 20  # of contacts that sms.by calls invalid, a mailing

_Told = TypeVar("_Told")


class _Rejected(Exception):
    """sms.by refuses the list or its contacts; nothing was sent."""


def upload_of(entry: Entry | None, mailing: Mailing) -> UploadRecord | None:
    """How far the list of this revision is: that outlives a change of the text, while nothing was sent."""
    if (
        mailing.upload is None
        or entry is None
        or entry.revision != mailing.revision
        or len(entry.chunks) != 1
    ):
        return None
    return entry.chunks[0].upload


class UploadSender:
    """Makes and fills the list of a mailing, from wherever the lock says it stands, and sends to it."""

    def __init__(
        self, context: ApplyContext, dispatcher: Dispatcher, reconciler: Reconciler, lists: ListSender
    ) -> None:
        self._project = context.project
        self._client = context.client
        self._recorder = context.recorder
        self._clock = context.clock
        self._shutdown = context.shutdown
        self._runs = context.runs
        self._advance = context.advance
        self._tell = context.say
        self._dispatcher = dispatcher
        self._reconciler = reconciler
        self._lists = lists
        self._reader = ContactReader(context.project, context.inputs)

    def send(self, mailing: Mailing, action: Action) -> None:
        """Fill its list if there is no draft, then draft and confirm it.

        Raises:
            FilesChanged: nothing more of it may leave.
            StopSending, ResultNotSaved: as Dispatcher.send.
        """
        ref = (mailing.address, 0)
        list_id = 0  # where a draft stands none is needed
        try:
            if self._recorder.chunk(ref).state in SURELY_NOT_SENT:
                filled = self._fill(mailing, action)
                if filled is None or not self._may_draft(mailing, action):
                    return
                list_id = filled
        except _Rejected as rejected:
            # What is known of the list may be what is wrong: the next apply looks for it, or makes it anew.
            self._recorder.note_upload(
                ref, replace(self._upload(mailing), list_id=None, uploaded=0, invalid=0)
            )
            self._recorder.result([ref], ChunkState.REJECTED, error=str(rejected))
            self._runs[mailing.address].reject(str(rejected))
            return
        self._lists.send(mailing, action, list_id, lambda: self._review(mailing, action))
        if self._recorder.chunk(ref).state is ChunkState.REJECTED:
            self._recorder.note_upload(ref, UploadRecord(self._upload(mailing).digest))

    def _upload(self, mailing: Mailing) -> UploadRecord:
        return self._recorder.chunk((mailing.address, 0)).upload or UploadRecord("")

    # --- the list --------------------------------------------------------------------------------------------------

    def _fill(self, mailing: Mailing, action: Action) -> int | None:
        """Make the list and put the contacts into it: its id; None if nothing is to be sent to it in this run."""
        ref = (mailing.address, 0)
        for _ in range(_ROUNDS):
            contacts = self._reader.measure(mailing, action)
            if not contacts.count:
                self._recorder.note(ref, ChunkState.SUPPRESSED, recipients=0)
                return None
            upload = self._upload(mailing)
            if upload.digest != contacts.digest:
                upload = UploadRecord(contacts.digest)
            if upload.invalid and mailing.on_invalid == "fail":
                upload = replace(upload, uploaded=0, invalid=0)  # told anew, line by line
            if upload.list_id is None or not self._is_there(upload.list_id, mailing, contacts):
                upload = self._make_list(mailing, contacts, upload)
            upload = self._put_contacts(mailing, contacts, upload)
            people = contacts.count - upload.invalid
            if upload.invalid and (mailing.on_invalid == "fail" or not people):
                raise _Rejected(
                    f"sms.by calls {upload.invalid} of its {contacts.count} contacts invalid: mend or drop their rows, "
                    "or say `on_invalid: drop`"
                )
            if self._reader.measure(mailing, action).digest == contacts.digest:
                self._recorder.note(ref, ChunkState.PENDING, recipients=people)
                return upload.list_id
            self._say(mailing, "opt-outs changed meanwhile: another list is made", is_warning=True)
        why = "opt-outs went on changing while its list was uploaded; the next apply goes on"
        self._runs[mailing.address].stop(why, ExitCode.FAILED)
        return None

    def _may_draft(self, mailing: Mailing, action: Action) -> bool:
        """Whether it may still be drafted: filling its list may have taken long."""
        address = mailing.address
        marks = [chunk.fingerprint for chunk in action.chunks]
        remote = self._ask(self._reconciler.read, "the mailings")
        why = find_collision(self._project.name, address, mailing.revision, marks, remote)
        why = with_code(ReasonCode.COLLISION, why) if why else ""
        if any(mark in remote.by_fingerprint for mark in marks):
            why = "meanwhile sms.by lists it, and this run did not send it; the next apply looks what became of it"
        # Too late is what is past schedule_time by more than max_late.
        judged_at = self._clock.now() - (mailing.max_late or timedelta(0))
        if not why and mailing.schedule_time is not None and is_past(mailing.schedule_time, judged_at):
            why = with_code(ReasonCode.EXPIRED, expired_since(mailing.schedule_time))
        if why:
            self._runs[address].stop(why, ExitCode.REFUSED)
        return not why

    def _review(self, mailing: Mailing, action: Action) -> Reviewed:
        """Who is to get the draft that stands, and what speaks against its confirmation.

        Raises:
            FilesChanged: as ContactReader.measure.
        """
        contacts = self._reader.measure(mailing, action)
        upload, why = self._upload(mailing), ""
        if not upload.digest:
            list_id = self._only_list(mailing, contacts)
            if list_id is None:
                why = (
                    "unknown: for whom its draft was made the lock does not say, and neither do the lists at sms.by: "
                    f"raise `revision` to {mailing.revision + 1} (nobody got anything yet), and delete the draft there"
                )
            else:
                found = upload.found or upload.list_id != list_id
                upload = replace(
                    upload, digest=contacts.digest, list_id=list_id, uploaded=contacts.count, found=found
                )
                self._recorder.note_upload((mailing.address, 0), upload)
        elif upload.digest != contacts.digest:
            why = with_code(ReasonCode.CHANGED, opted_out_since_draft(mailing.revision))
        people = contacts.count - upload.invalid
        return Reviewed(people, action.cost or Decimal(0), why, must_be_counted=upload.found)

    def _only_list(self, mailing: Mailing, contacts: Contacts) -> int | None:
        """The list for these contacts, if sms.by has no other one of this mailing and revision."""
        mine: dict[str, int] = {}
        for one in self._subscriber_lists():
            name = read_remote_name(one.name)
            if name and (name.project, name.address, name.revision) == (
                self._project.name,
                mailing.address,
                mailing.revision,
            ):
                mine.setdefault(name.fingerprint, one.id)
        return mine.get(self._reader.list_fingerprint(mailing, contacts)) if len(mine) == 1 else None

    def _make_list(self, mailing: Mailing, contacts: Contacts, upload: UploadRecord) -> UploadRecord:
        """The list of this name: the one that sms.by has, else a new one."""
        name = self._reader.list_name(mailing, contacts)

        def find() -> tuple[int, bool] | None:
            return next(
                ((one.id, True) for one in self._subscriber_lists() if one.name.strip() == name), None
            )

        def call() -> tuple[int, bool]:
            return self._client.create_subscriber_list(name), False

        made, found = self._repeat(mailing, "list", upload, call, find)
        upload = replace(upload, list_id=made, uploaded=0, invalid=0, found=found)
        self._recorder.note_upload((mailing.address, 0), upload, error=None)
        self._say(mailing, f"its list at sms.by is {made}")
        return upload

    def _is_there(self, list_id: int, mailing: Mailing, contacts: Contacts) -> bool:
        """Whether the recorded list is still ours: it may have been deleted, or this may be another account, where the
        same id is somebody else's list."""
        name = self._reader.list_name(mailing, contacts)
        return any(one.id == list_id and one.name.strip() == name for one in self._subscriber_lists())

    def _put_contacts(self, mailing: Mailing, contacts: Contacts, upload: UploadRecord) -> UploadRecord:
        """Upload who is not in the list yet, and tell whom sms.by calls invalid."""
        told = 0
        self._advance(upload.uploaded)
        for batch in self._reader.batches(mailing, contacts, upload.uploaded):
            report = self._put_batch(mailing, batch, upload)
            invalid = len(report.log) if report.invalid is None else report.invalid
            upload = replace(upload, uploaded=batch.end, invalid=upload.invalid + invalid)
            self._recorder.note_upload((mailing.address, 0), upload, error=None)
            self._advance(len(batch.rows))
            told = self._tell_invalid(mailing, batch, report, invalid, told)
            self._say(mailing, f"{batch.end:,} of {contacts.count:,} contacts uploaded", len(batch.rows))
        return upload

    def _put_batch(self, mailing: Mailing, batch: ContactBatch, upload: UploadRecord) -> ImportReport:
        list_id = upload.list_id
        assert list_id is not None  # it was made

        def call() -> ImportReport:
            return self._client.import_contacts(list_id, batch.field_names, batch.rows)

        return self._repeat(mailing, "contacts", upload, call)

    def _tell_invalid(
        self, mailing: Mailing, batch: ContactBatch, report: ImportReport, invalid: int, told: int
    ) -> int:
        """Name the lines of the contacts that were not taken; returns how many of the mailing were named so far."""
        for index, error in report.log:
            if told == _LINES_TOLD:
                self._say(mailing, "more contacts are invalid; their lines are not told", is_warning=True)
            told += 1
            if told > _LINES_TOLD:
                continue
            where = (
                f"line {batch.lines[index]}" if index is not None and index < len(batch.lines) else "a line"
            )
            self._say(mailing, f"{where}: sms.by calls the contact invalid: {error}", is_warning=True)
        if invalid > len(report.log):
            first, last = batch.lines[0], batch.lines[-1]
            unnamed = invalid - len(report.log)
            line = f"lines {first} to {last}: sms.by calls {unnamed} of the contacts invalid, and does not say which"
            self._say(mailing, line, is_warning=True)
        return told

    # --- calls that reach nobody -----------------------------------------------------------------------------------

    def _repeat(
        self,
        mailing: Mailing,
        step: str,
        upload: UploadRecord,
        call: Callable[[], _Told],
        find: Callable[[], _Told | None] = lambda: None,
    ) -> _Told:
        """What `call` answers, or `find` finds before it is tried (again). Each try has its intent and its result in the
        journal.

        Raises:
            _Rejected: sms.by refuses it.
            StopSending: it does not answer, or refuses the token; or a signal asked to stop.
        """
        ref = (mailing.address, 0)
        for tries in itertools.count(1):
            self._shutdown.check()
            found = find()
            if found is not None:
                return found
            self._recorder.intent([ref], step)
            told = self._call(call)
            if not isinstance(told, SmsbyDeployError):
                return told
            self._recorder.note_upload(ref, upload, error=told.message)
            if isinstance(told, ApiError):
                raise _Rejected(told.message) from told
            retry_after = told.retry_after if isinstance(told, SmsbyUnavailable) else None
            pause = SEND_RETRIES.pause_after(tries, retry_after)
            if isinstance(told, TokenRefused) or pause is None:
                raise StopSending(f"not sent: {told.message}", ExitCode.UNREACHABLE) from told
            self._say(mailing, f"{told.message}; again in {pause:.3g} s", is_warning=True)
            self._shutdown.pause(pause)
        raise AssertionError("the policy ends the retries")

    def _call(self, call: Callable[[], _Told]) -> _Told | SmsbyDeployError:
        """What `call` answers or raises; signals are heard meanwhile."""
        box: list[_Told | SmsbyDeployError] = []

        def run() -> Outcome:
            try:
                box.append(call())
            except SmsbyDeployError as error:
                box.append(error)
            return Outcome(OutcomeKind.ACCEPTED)

        outcome = self._dispatcher.run(run)
        return box[0] if box else AnswerLost(outcome.error or "its answer was lost")

    def _subscriber_lists(self) -> tuple[SubscriberList, ...]:
        return self._ask(self._client.get_subscriber_lists, "the lists")

    def _ask(self, question: Callable[[], _Told], what: str) -> _Told:
        try:
            return question()
        except (SmsbyUnavailable, ApiError) as error:
            raise StopSending(
                f"not sent: {what} at sms.by could not be read: {error.message}", ExitCode.UNREACHABLE
            ) from error

    def _say(
        self, mailing: Mailing, line: str, people: int | None = None, *, is_warning: bool = False
    ) -> None:
        event = Event(
            "upload", f"{mailing.address}: {line}", (mailing.address,), people, is_warning=is_warning
        )
        self._tell(event)
