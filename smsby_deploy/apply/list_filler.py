"""Creates and fills the contact list of an uploaded mailing.

createSubscriberList creates it, then importContacts fills it batch by batch. Neither call reaches a recipient, and
repeating one changes nothing: the list is looked up by name before it is created, and sms.by identifies a contact by its
phone. So, unlike a send, both are retried, and up to `concurrency` calls are in flight.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

from smsby_deploy.apply.contact_reader import ContactBatch, ContactReader, Contacts
from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import UploadRecord
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import AccountName, ImportReport
from smsby_deploy.smsby.send_client import PreparedSend, SendClient
from smsby_deploy.wording import counted, sentence

_MAX_LINES = 20  # invalid contacts reported per mailing


class UploadRejected(Exception):
    """sms.by rejected the list or its contacts; nothing was sent."""


def subscriber_lists(client: SendClient) -> tuple[AccountName, ...]:
    """Return the account's lists; StopSending if they cannot be read."""
    try:
        return client.get_subscriber_lists()
    except (SmsbyUnavailable, ApiError) as error:
        what = sentence("not sent: the lists at sms.by could not be read: {why}", why=error.message)
        raise StopSending(what, ExitCode.UNREACHABLE) from error


class ListFiller:
    """Creates and fills lists, and records the progress after every call."""

    def __init__(self, context: ApplyContext, dispatcher: Dispatcher, reader: ContactReader) -> None:
        self._context = context
        self._client = context.client
        self._dispatcher = dispatcher
        self._reader = reader

    def fill(self, mailing: Mailing, contacts: Contacts, upload: UploadRecord) -> UploadRecord:
        """Create the list unless it exists, and upload the contacts that it lacks.

        Return its record. The list stays incomplete if a contact to be uploaded opts out meanwhile.

        Args:
            upload: what the lock records about the list of these contacts.

        Raises:
            FilesChanged: the contacts differ from `contacts`.
            UploadRejected: sms.by rejected the list or a batch.
            StopSending: sms.by did not answer, or a signal asked to stop.
        """
        progress = _Progress(self._context, mailing, contacts.count, upload)
        if upload.list_id is None or not self._exists(upload.list_id, contacts):
            self._dispatcher.send(ListRequest(self._client, progress, contacts.list_name))
        self._context.advance(progress.upload.uploaded)
        batches = self._reader.batches(mailing, contacts, progress.upload.uploaded)
        self._dispatcher.send_all(
            ContactsRequest(self._client, self._reader, progress, batch) for batch in batches
        )
        return progress.upload

    def _exists(self, list_id: int, contacts: Contacts) -> bool:
        """Whether the recorded list still exists and belongs to us.

        It may have been deleted, or its id may belong to a list of another account.
        """
        lists = subscriber_lists(self._client)
        return any(one.id == list_id and one.name.strip() == contacts.list_name for one in lists)


def _event(mailing: Mailing, line: str, recipients: int | None = None, *, is_warning: bool = False) -> Event:
    address = mailing.address
    return Event("upload", f"{address}: {line}", (address,), recipients, is_warning=is_warning)


class _UploadRequest(SendRequest):
    """A call that makes or fills a list, repeated until sms.by accepts or rejects it."""

    is_repeatable = True

    def __init__(self, client: SendClient, progress: _Progress, step: str) -> None:
        super().__init__([progress.ref], step=step)
        self._client = client
        self._progress = progress

    @abstractmethod
    def accept(self, result: Any) -> None:
        """Record what the call has done, as sms.by reports it."""

    def record(self, outcome: Outcome) -> bool:
        """Record the outcome.

        Raises:
            UploadRejected: sms.by rejected the list or the contacts.
            StopSending: no try got an answer.
        """
        if outcome.kind is OutcomeKind.ACCEPTED:
            self.accept(outcome.raw)
            return True
        error = outcome.error or "no reason given"
        self._progress.note(error)
        if outcome.kind is OutcomeKind.REJECTED:
            raise UploadRejected(error)
        raise StopSending(f"not sent: {error}", ExitCode.UNREACHABLE)

    def record_retry(self, outcome: Outcome, pause: float) -> bool:
        self._progress.note(outcome.error)
        self._progress.warn(f"{outcome.error}; trying again in {pause:.3g} s")
        return True


class ListRequest(_UploadRequest):
    """createSubscriberList: makes the list, unless one is found by its name before a try."""

    def __init__(self, client: SendClient, progress: _Progress, name: str) -> None:
        super().__init__(client, progress, "list")
        self._name = name

    def prepare(self) -> PreparedSend | None:
        for one in subscriber_lists(self._client):
            if one.name.strip() == self._name:
                self._progress.use_list(one.id, was_found=True)
                return None
        return self._client.prepare_create_subscriber_list(self._name)

    def accept(self, result: int) -> None:
        self._progress.use_list(result, was_found=False)


class ContactsRequest(_UploadRequest):
    """importContacts: uploads one batch of contacts."""

    def __init__(
        self, client: SendClient, reader: ContactReader, progress: _Progress, batch: ContactBatch
    ) -> None:
        super().__init__(client, progress, "contacts")
        self._reader = reader
        self._batch = batch

    def prepare(self) -> PreparedSend | None:
        list_id, batch, progress = self._progress.upload.list_id, self._batch, self._progress
        assert list_id is not None  # ListRequest found or made it
        progress.is_outdated = progress.is_outdated or self._reader.has_late_opt_out(batch)
        if progress.is_outdated:
            return None
        return self._client.prepare_import_contacts(list_id, batch.field_names, batch.rows)

    def accept(self, result: ImportReport) -> None:
        self._progress.accept(self._batch, result)


class _Progress:
    """How far a list has been filled.

    Calls can be answered in any order but are recorded in the order of the contacts. So after a crash, only unrecorded
    calls are repeated, which changes nothing.
    """

    def __init__(self, context: ApplyContext, mailing: Mailing, count: int, upload: UploadRecord) -> None:
        self.ref = (mailing.address, 0)
        self.upload = upload
        self.is_outdated = False  # a contact has opted out meanwhile, so no more are uploaded
        self._context = context
        self._mailing = mailing
        self._count = count
        # By the position of the batch's first contact.
        self._answered: dict[int, tuple[ContactBatch, ImportReport]] = {}
        self._invalid_named = 0  # contacts that sms.by called invalid, and named

    def use_list(self, list_id: int, *, was_found: bool) -> None:
        """Record the list, which has no contact of this upload yet."""
        self.upload = replace(self.upload, list_id=list_id, uploaded=0, invalid=0, found=was_found)
        self.note(None)
        self._context.say(_event(self._mailing, f"its list at sms.by is {list_id}"))

    def accept(self, batch: ContactBatch, report: ImportReport) -> None:
        """Record an answered call, and later ones that were answered before it."""
        self._answered[batch.first] = (batch, report)
        done = []
        while (answered := self._answered.pop(self.upload.uploaded, None)) is not None:
            batch, report = answered
            invalid = len(report.log) if report.invalid is None else report.invalid
            self.upload = replace(self.upload, uploaded=batch.end, invalid=self.upload.invalid + invalid)
            done.append((batch, report, invalid))
        self.note(None)
        for batch, report, invalid in done:
            self._context.advance(len(batch.rows))
            self._report_invalid(batch, report, invalid)
            line = f"{batch.end:,} of {counted(self._count, 'contact')} uploaded"
            self._context.say(_event(self._mailing, line, len(batch.rows)))

    def note(self, error: str | None) -> None:
        """Record how far the list has been filled, and the error that stopped it, if any."""
        self._context.recorder.note_upload(self.ref, self.upload, error=error)

    def warn(self, line: str) -> None:
        self._context.say(_event(self._mailing, line, is_warning=True))

    def _report_invalid(self, batch: ContactBatch, report: ImportReport, invalid: int) -> None:
        """Report the lines of `invalid` contacts, up to a limit; sms.by may not say which they are."""
        for index, error in report.log:
            self._invalid_named += 1
            if self._invalid_named == _MAX_LINES + 1:
                self.warn("more contacts are invalid; their lines are not shown")
            if self._invalid_named <= _MAX_LINES:
                is_known = index is not None and index < len(batch.lines)
                where = f"line {batch.lines[index]}" if index is not None and is_known else "unknown line"
                self.warn(f"{where}: sms.by calls the contact invalid: {error}")
        unnamed = invalid - len(report.log)
        if unnamed > 0:
            lines = f"lines {batch.lines[0]} to {batch.lines[-1]}"
            self.warn(f"{lines}: sms.by calls {counted(unnamed, 'contact')} invalid and does not say which")
