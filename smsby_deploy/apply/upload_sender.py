"""Sends mailings with `upload: true`: uploads the recipients as a list, then sends to it.

The list must be ours and have exactly the reviewed recipients, so its name contains their digest, and no other list is
written to.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from smsby_deploy.apply.contact_reader import ContactReader, Contacts
from smsby_deploy.apply.context import ApplyContext, Event
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.list_filler import ListFiller, UploadRejected, subscriber_lists
from smsby_deploy.apply.list_guardrails import ExpectedList
from smsby_deploy.apply.list_sender import ListSender
from smsby_deploy.apply.reconcile import Reconciler
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.lock.records import SURELY_NOT_SENT, ChunkState, Entry, UploadRecord
from smsby_deploy.plan.collision_reasons import find_collision
from smsby_deploy.plan.fingerprint import read_remote_name
from smsby_deploy.plan.model import ReasonCode, with_code
from smsby_deploy.plan.reasons import opted_out_since_draft
from smsby_deploy.wording import sentence

_MAX_LISTS = 3  # created in one run if recipients opt out while a list is filled


def upload_of(entry: Entry | None, mailing: Mailing) -> UploadRecord | None:
    """Return what is recorded about the list of this revision.

    The record survives a change of the text as long as nothing was sent.
    """
    if entry is None or mailing.upload is None:
        return None
    is_same = entry.revision == mailing.revision and len(entry.chunks) == 1
    return entry.chunks[0].upload if is_same else None


class UploadSender:
    """Creates and fills the list of a mailing, and sends to it.

    Continues from whatever state the lock records.
    """

    def __init__(
        self,
        context: ApplyContext,
        dispatcher: Dispatcher,
        reconciler: Reconciler,
        lists: ListSender,
    ) -> None:
        self._context = context
        self._recorder = context.recorder
        self._runs = context.runs
        self._reconciler = reconciler
        self._lists = lists
        self._reader = ContactReader(context)
        self._filler = ListFiller(context, dispatcher, self._reader)

    def send(self, mailing: Mailing) -> None:
        """Fill the list and create a draft unless there is one, then confirm the draft.

        Raises:
            FilesChanged: the files differ from the plan.
            StopSending, ResultNotSaved: as Dispatcher.send.
        """
        list_id = None  # not needed if there is a draft
        if self._recorder.chunk(_ref(mailing)).state in SURELY_NOT_SENT:
            list_id = self._fill(mailing)
            if list_id is None or not self._may_draft(mailing):
                return
        self._lists.send(mailing, list_id, lambda: self._review(mailing))
        if self._recorder.chunk(_ref(mailing)).state is ChunkState.REJECTED:
            self._recorder.note_upload(_ref(mailing), UploadRecord(self._upload(mailing).digest))

    def _upload(self, mailing: Mailing) -> UploadRecord:
        return self._recorder.chunk(_ref(mailing)).upload or UploadRecord("")

    # --- the list --------------------------------------------------------------------------------------------------

    def _fill(self, mailing: Mailing) -> int | None:
        """Return the id of the filled list; None if nothing is to be sent to it in this run."""
        try:
            return self._fill_until_current(mailing)
        except UploadRejected as rejected:
            # The recorded list may be the cause, so the next apply looks for the list again or creates another.
            upload = replace(self._upload(mailing), list_id=None, uploaded=0, invalid=0)
            self._recorder.note_upload(_ref(mailing), upload)
            self._recorder.result([_ref(mailing)], ChunkState.REJECTED, error=str(rejected))
            self._runs[mailing.address].reject(str(rejected))
            return None

    def _fill_until_current(self, mailing: Mailing) -> int | None:
        """Fill lists until no recipient opts out during the upload.

        Contacts cannot be removed from a list.
        """
        for _ in range(_MAX_LISTS):
            contacts = self._reader.measure(mailing)
            if not contacts.count:
                self._recorder.note(_ref(mailing), ChunkState.SUPPRESSED, recipients=0)
                return None
            upload = self._filler.fill(mailing, contacts, self._upload_so_far(mailing, contacts))
            recipients = contacts.count - upload.invalid
            if upload.invalid and (mailing.on_invalid == "fail" or not recipients):
                raise UploadRejected(
                    sentence(
                        "sms.by calls {count:,} of its {total:,} contacts invalid: correct or remove their rows, or set "
                        "`on_invalid: drop`",
                        count=upload.invalid,
                        total=contacts.count,
                    )
                )
            if self._reader.measure(mailing).digest == contacts.digest:
                self._recorder.note(_ref(mailing), ChunkState.PENDING, recipients=recipients)
                return upload.list_id
            line = f"{mailing.address}: opt-outs have changed: creating another list"
            self._context.say(Event("upload", line, (mailing.address,), is_warning=True))
        why = sentence("opt-outs kept changing while its list was uploaded; the next apply continues")
        self._runs[mailing.address].stop(why, ExitCode.FAILED)
        return None

    def _upload_so_far(self, mailing: Mailing, contacts: Contacts) -> UploadRecord:
        """Return what is recorded about the list of exactly these contacts."""
        upload = self._upload(mailing)
        if upload.digest != contacts.digest:
            return UploadRecord(contacts.digest)
        if upload.invalid and mailing.on_invalid == "fail":
            return replace(upload, uploaded=0, invalid=0)  # so that the lines are reported again
        return upload

    def _may_draft(self, mailing: Mailing) -> bool:
        """Whether the mailing may still be drafted, because filling the list may have taken long.

        Whether it is too late by now is checked for every request (`why_not_now`).
        """
        marks = self._context.action_of(mailing).fingerprints
        remote = self._reconciler.read_before_sending()
        run = self._runs[mailing.address]
        now = self._context.clock.now().astimezone(mailing.zone)
        collision = find_collision(mailing.address, mailing.revision, marks, remote, now)
        if self._context.project.environment.is_rehearsal:
            collision, marks = "", []  # an earlier version of it may be listed
        if remote.has_any(marks):
            why = sentence(
                "sms.by now lists it, although this run did not send it; the next apply records what it finds"
            )
            run.stop(why, ExitCode.REFUSED)
        elif collision:
            run.stop(with_code(ReasonCode.COLLISION, collision), ExitCode.REFUSED)
        return not run.is_stopped

    # --- the draft -------------------------------------------------------------------------------------------------

    def _review(self, mailing: Mailing) -> ExpectedList:
        """Return the recipients that the draft must have, and any reason not to confirm it.

        Raises:
            FilesChanged: as ContactReader.measure.
        """
        contacts = self._reader.measure(mailing)
        upload, objection = self._upload(mailing), ""
        if not upload.digest:
            list_id = self._find_only_list(contacts)
            if list_id is None:
                objection = with_code(ReasonCode.UNKNOWN, _foreign_draft(mailing.revision))
            else:
                was_found = upload.found or upload.list_id != list_id
                upload = UploadRecord(contacts.digest, list_id, contacts.count, upload.invalid, was_found)
                self._recorder.note_upload(_ref(mailing), upload)
        elif upload.digest != contacts.digest:
            objection = with_code(ReasonCode.CHANGED, opted_out_since_draft(mailing.revision))
        recipients = contacts.count - upload.invalid
        cost = self._context.action_of(mailing).cost or Decimal(0)
        return ExpectedList(recipients, cost, objection, must_be_counted=upload.found)

    def _find_only_list(self, contacts: Contacts) -> int | None:
        """Return the list of these contacts if it is the only one of this revision."""
        wanted = read_remote_name(contacts.list_name)
        assert wanted is not None  # it is a name that this program makes
        own: dict[str, int] = {}
        for one in subscriber_lists(self._context.client):
            name = read_remote_name(one.name)
            if name is not None and name._replace(fingerprint=wanted.fingerprint) == wanted:
                own.setdefault(name.fingerprint, one.id)
        return own.get(wanted.fingerprint) if len(own) == 1 else None


def _foreign_draft(revision: int) -> str:
    return sentence(
        "neither the lock nor the lists at sms.by say which recipients its draft is for: raise `revision` "
        "to {revision} (no recipient got anything yet), and delete the draft at sms.by",
        revision=revision + 1,
    )


def _ref(mailing: Mailing) -> ChunkRef:
    """Return the only chunk of an uploaded mailing."""
    return (mailing.address, 0)
