"""Makes and fills the contact list of an uploaded mailing.

createSubscriberList makes it, then importContacts fills it batch by batch.
Neither call reaches a recipient, and repeating them changes nothing: the list is looked for by its name before it is made,
and sms.by identifies a contact by its phone. So they are retried, which a send never is.

The contacts are read from the files without opt-outs, and checked against the plan. A list's name contains the digest of its
contacts, so two audiences never share a list.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import compress
from typing import TypeVar

from smsby_deploy.apply.context import ApplyContext, Event, FilesChanged, read_opt_outs
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.worker_pool import StopSending
from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
from smsby_deploy.errors import ApiError, SmsbyDeployError, SmsbyUnavailable, TokenRefused
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import UploadRecord
from smsby_deploy.plan.chunks import hash_content
from smsby_deploy.plan.contact_lists import UploadDigest, select_fields
from smsby_deploy.plan.fingerprint import fingerprint, remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.recipients.audience import AudienceReport, Batch, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.smsby.methods import CONTACTS_PER_IMPORT, contacts_per_form
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.parsers import ImportReport, SubscriberList
from smsby_deploy.smsby.retry import SEND_RETRIES
from smsby_deploy.smsby.transport import AnswerLost
from smsby_deploy.texts.template import compile_text
from smsby_deploy.wording import counted

_MAX_LINES = 20  # of invalid contacts that are reported for a mailing
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Contacts:
    """The contacts that a mailing's list must have.

    Attributes:
        count: how many there are.
        digest: their digest.
        batch_digests: the digest so far after each batch of the files.
        suppressed: the opt-outs that were subtracted.
    """

    count: int
    digest: str
    batch_digests: tuple[str, ...]
    suppressed: PhoneSet


@dataclass(frozen=True, slots=True)
class ContactBatch:
    """The contacts of one importContacts call.

    `first` is the number of the first of them in the list, from 0; `lines` are their physical lines.
    """

    first: int
    field_names: list[str]
    rows: list[list[str]]
    lines: list[int]

    @property
    def end(self) -> int:
        """How many contacts the list has once this batch is uploaded."""
        return self.first + len(self.rows)


class ContactReader:
    """Reads the contacts of the mailings of one apply.

    `inputs` are the hashes of the plan's input files.
    """

    def __init__(self, project: Project, inputs: Mapping[str, str]) -> None:
        self._project = project
        self._inputs = inputs

    def measure(self, mailing: Mailing, action: Action) -> Contacts:
        """Return the contacts as of now: the planned audience without the present opt-outs.

        Raises:
            FilesChanged: the audience is not the planned one, or the opt-outs cannot be read.
        """
        suppressed = read_opt_outs(self._project)
        digest, batch_digests = self._empty_digest(mailing), []
        for batch in read_audience(mailing.pinned(self._inputs), suppressed, AudienceReport()):
            _add(digest, batch)
            batch_digests.append(digest.contacts)
        if [digest.chunk] != [chunk.digest for chunk in action.chunks]:
            raise FilesChanged("its files changed while it was being sent")
        return Contacts(digest.count, digest.contacts, tuple(batch_digests), suppressed)

    def batches(self, mailing: Mailing, contacts: Contacts, done: int) -> Iterator[ContactBatch]:
        """Yield the contacts in order, without the first `done` of them.

        Raises:
            FilesChanged: they are not those that were measured. Nothing of the changed batch was yielded.
        """
        digest = self._empty_digest(mailing)
        stream = read_audience(mailing.pinned(self._inputs), contacts.suppressed, AudienceReport())
        for number, batch in enumerate(stream):
            first = digest.count
            kept = _add(digest, batch)
            if contacts.batch_digests[number : number + 1] != (digest.contacts,):
                raise FilesChanged("its files changed while its list was uploaded")
            fields = select_fields(mailing, batch.names)
            columns = [batch.variable(name) or [] for name in fields]
            size = batch_size(self._project.api, len(fields))
            for start in range(max(0, done - first), len(kept), size):
                places = kept[start : start + size]
                rows = [[batch.phones[i], *(column[i] for column in columns)] for i in places]
                lines = [batch.lines[i] for i in places]
                yield ContactBatch(first + start, ["phone", *fields], rows, lines)
        if digest.contacts != contacts.digest:
            raise FilesChanged("its files changed while its list was uploaded")

    def _empty_digest(self, mailing: Mailing) -> UploadDigest:
        assert mailing.text is not None  # the loader requires it of an upload
        template = compile_text(mailing.text)
        content = hash_content(mailing, template, personal=False)
        return UploadDigest(content, template.render_once(), self._project.digest_key)

    def list_name(self, mailing: Mailing, contacts: Contacts) -> str:
        """Return the name of the list at sms.by."""
        mark = self.list_fingerprint(mailing, contacts)
        return remote_name(self._project.scope, mailing.address, mailing.revision, 0, 1, mark)

    def list_fingerprint(self, mailing: Mailing, contacts: Contacts) -> str:
        """Return the fingerprint in the list's name."""
        return fingerprint(self._project.scope, mailing.address, mailing.revision, 0, contacts.digest)


def batch_size(api: ApiSettings, fields: int) -> int:
    """Return how many contacts with this many custom fields one importContacts call may have.

    That is 500, or fewer if `recipients_per_request` is lower or a form cannot hold them.
    """
    most = min(CONTACTS_PER_IMPORT, api.recipients_per_request)
    return most if api.body == "json" else min(most, contacts_per_form(fields))


def _add(digest: UploadDigest, batch: Batch) -> list[int]:
    """Add a batch to the digest, and return the positions in it of those who did not opt out."""
    kept = list(compress(range(len(batch.phones)), batch.not_suppressed))
    digest.add(batch.phones, [batch.phones[place] for place in kept])
    return kept


class UploadRejected(Exception):
    """sms.by rejected the list or its contacts; nothing was sent."""


class ListFiller:
    """Makes and fills lists, and records after every call how far a list is."""

    def __init__(self, context: ApplyContext, dispatcher: Dispatcher, reader: ContactReader) -> None:
        self._context = context
        self._client = context.client
        self._recorder = context.recorder
        self._dispatcher = dispatcher
        self._reader = reader

    def fill(self, mailing: Mailing, contacts: Contacts, upload: UploadRecord) -> UploadRecord:
        """Make the list unless it exists, and upload the contacts that it lacks.

        Return the record of the list afterwards.

        Args:
            upload: what the lock records about the list of these contacts.

        Raises:
            FilesChanged: the contacts are not those that were measured.
            UploadRejected: sms.by rejected the list or a batch.
            StopSending: sms.by did not answer, or a signal asked to stop.
        """
        if upload.list_id is None or not self._exists(upload.list_id, mailing, contacts):
            upload = self._make_list(mailing, contacts, upload)
        return self._upload_contacts(mailing, contacts, upload)

    def subscriber_lists(self) -> tuple[SubscriberList, ...]:
        """Return the account's lists; StopSending if they cannot be read."""
        try:
            return self._client.get_subscriber_lists()
        except (SmsbyUnavailable, ApiError) as error:
            what = f"not sent: the lists at sms.by could not be read: {error.message}"
            raise StopSending(what, ExitCode.UNREACHABLE) from error

    def _exists(self, list_id: int, mailing: Mailing, contacts: Contacts) -> bool:
        """Whether the recorded list still exists and is ours.

        It may have been deleted, or its id may belong to a list of another account.
        """
        name = self._reader.list_name(mailing, contacts)
        return any(one.id == list_id and one.name.strip() == name for one in self.subscriber_lists())

    def _make_list(self, mailing: Mailing, contacts: Contacts, upload: UploadRecord) -> UploadRecord:
        """Use the list with the right name if sms.by has it, else make one."""
        name = self._reader.list_name(mailing, contacts)

        def find() -> tuple[int, bool] | None:
            ids = (one.id for one in self.subscriber_lists() if one.name.strip() == name)
            return next(((list_id, True) for list_id in ids), None)

        def create() -> tuple[int, bool]:
            return self._client.create_subscriber_list(name), False

        list_id, was_found = self._repeat(mailing, "list", upload, create, find)
        upload = replace(upload, list_id=list_id, uploaded=0, invalid=0, found=was_found)
        self._recorder.note_upload((mailing.address, 0), upload, error=None)
        self._say(mailing, f"its list at sms.by is {list_id}")
        return upload

    def _upload_contacts(self, mailing: Mailing, contacts: Contacts, upload: UploadRecord) -> UploadRecord:
        list_id = upload.list_id
        assert list_id is not None  # _make_list made it
        report_lines = _InvalidContacts(lambda line: self._say(mailing, line, is_warning=True))
        self._context.advance(upload.uploaded)
        for batch in self._reader.batches(mailing, contacts, upload.uploaded):

            def call(batch: ContactBatch = batch) -> ImportReport:
                return self._client.import_contacts(list_id, batch.field_names, batch.rows)

            report = self._repeat(mailing, "contacts", upload, call)
            invalid = len(report.log) if report.invalid is None else report.invalid
            upload = replace(upload, uploaded=batch.end, invalid=upload.invalid + invalid)
            self._recorder.note_upload((mailing.address, 0), upload, error=None)
            self._context.advance(len(batch.rows))
            report_lines.report(batch, report, invalid)
            line = f"{batch.end:,} of {counted(contacts.count, 'contact')} uploaded"
            self._say(mailing, line, len(batch.rows))
        return upload

    def _repeat(
        self,
        mailing: Mailing,
        step: str,
        upload: UploadRecord,
        call: Callable[[], _Answer],
        find: Callable[[], _Answer | None] = lambda: None,
    ) -> _Answer:
        """Return what `find` finds, looked for before every try, or what `call` answers.

        Each try has its intent and its result in the journal.
        """
        ref = (mailing.address, 0)
        for tries in itertools.count(1):
            self._context.shutdown.check()
            found = find()
            if found is not None:
                return found
            self._recorder.intent([ref], step)
            answer = self._call(call)
            if not isinstance(answer, SmsbyDeployError):
                return answer
            self._recorder.note_upload(ref, upload, error=answer.message)
            if isinstance(answer, ApiError):
                raise UploadRejected(answer.message) from answer
            retry_after = answer.retry_after if isinstance(answer, SmsbyUnavailable) else None
            pause = SEND_RETRIES.pause_after(tries, retry_after)
            if isinstance(answer, TokenRefused) or pause is None:
                raise StopSending(f"not sent: {answer.message}", ExitCode.UNREACHABLE) from answer
            self._say(mailing, f"{answer.message}; trying again in {pause:.3g} s", is_warning=True)
            self._context.shutdown.pause(pause)
        raise AssertionError("the policy ends the retries")

    def _call(self, call: Callable[[], _Answer]) -> _Answer | SmsbyDeployError:
        """Return the answer of `call`, or the error it raised; signals are noticed meanwhile."""
        box: list[_Answer | SmsbyDeployError] = []

        def run() -> Outcome:
            try:
                box.append(call())
            except SmsbyDeployError as error:
                box.append(error)
            return Outcome(OutcomeKind.ACCEPTED)

        outcome = self._dispatcher.run(run)
        return box[0] if box else AnswerLost(outcome.error or "the answer was lost")

    def _say(
        self, mailing: Mailing, line: str, recipients: int | None = None, *, is_warning: bool = False
    ) -> None:
        address = mailing.address
        event = Event("upload", f"{address}: {line}", (address,), recipients, is_warning=is_warning)
        self._context.say(event)


class _InvalidContacts:
    """Reports which lines of a mailing sms.by calls invalid, up to a limit."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._count = 0

    def report(self, batch: ContactBatch, report: ImportReport, invalid: int) -> None:
        """Report the `invalid` contacts of one batch; sms.by may not say which ones they are."""
        for index, error in report.log:
            self._count += 1
            if self._count == _MAX_LINES + 1:
                self._warn("more contacts are invalid; their lines are not shown")
            if self._count <= _MAX_LINES:
                is_known = index is not None and index < len(batch.lines)
                where = f"line {batch.lines[index]}" if index is not None and is_known else "unknown line"
                self._warn(f"{where}: sms.by calls the contact invalid: {error}")
        unnamed = invalid - len(report.log)
        if unnamed > 0:
            lines = f"lines {batch.lines[0]} to {batch.lines[-1]}"
            self._warn(f"{lines}: sms.by calls {counted(unnamed, 'contact')} invalid and does not say which")
