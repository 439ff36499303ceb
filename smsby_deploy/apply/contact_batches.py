"""Who goes into an uploaded list: read from the files, opt-outs subtracted, and checked against the plan before it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress

from smsby_deploy.apply.bulk import FilesChanged, read_opt_outs
from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
from smsby_deploy.plan.chunks import header_of
from smsby_deploy.plan.contact_lists import UploadDigest, fields_of, stream_upload
from smsby_deploy.plan.fingerprint import content_digest, fingerprint, remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.recipients.audience import AudienceReport, Batch
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.smsby.methods import CONTACTS_PER_IMPORT
from smsby_deploy.texts.template import compile_text

# PHP reads at most 1,000 variables of a form; these many are left for what is no contact.
_FORM_VARIABLES = 1000
_FORM_OVERHEAD = 40  # token, list_id and the names of the fields


@dataclass(frozen=True, slots=True)
class Contacts:
    """Who the list of a mailing is for: how many, the digest of them, and what the digest was after each batch of the
    files. `suppressed` are the opt-outs that were subtracted."""

    count: int
    digest: str
    marks: tuple[str, ...]
    suppressed: PhoneSet


@dataclass(frozen=True, slots=True)
class ContactUpload:
    """One call of importContacts: the contacts from the number `first` on, whose rows stand in `lines` of the files."""

    first: int
    field_names: list[str]
    rows: list[list[str]]
    lines: list[int]

    @property
    def end(self) -> int:
        return self.first + len(self.rows)


class ContactReader:
    """Reads the contacts of the mailings of one apply; `inputs` are those of its plan."""

    def __init__(self, project: Project, inputs: Mapping[str, str]) -> None:
        self._project = project
        self._inputs = inputs

    def measure(self, mailing: Mailing, action: Action) -> Contacts:
        """Who is to be in the list now: the planned audience but for who opted out until this moment.

        Raises:
            FilesChanged: the audience is not the planned one, or who opted out can't be read.
        """
        suppressed = read_opt_outs(self._project)
        digest, marks = _digest_of(mailing), []
        for batch in stream_upload(mailing.pinned(self._inputs), AudienceReport(), suppressed):
            _add(digest, batch)
            marks.append(digest.contacts)
        if [digest.chunk] != [chunk.digest for chunk in action.chunks]:
            raise FilesChanged("its files changed while it was being sent")
        return Contacts(digest.count, digest.contacts, tuple(marks), suppressed)

    def uploads(self, mailing: Mailing, contacts: Contacts, done: int) -> Iterator[ContactUpload]:
        """The contacts as they are uploaded, in order, without the first `done` of them.

        Raises:
            FilesChanged: they are not those that were measured; nothing of the batch was handed out.
        """
        digest = _digest_of(mailing)
        for number, batch in enumerate(
            stream_upload(mailing.pinned(self._inputs), AudienceReport(), contacts.suppressed)
        ):
            first = digest.count
            kept = _add(digest, batch)
            if number >= len(contacts.marks) or digest.contacts != contacts.marks[number]:
                raise FilesChanged("its files changed while its list was uploaded")
            fields = fields_of(mailing, batch.names)
            columns = [batch.variable(name) or [] for name in fields]
            size = batch_size(self._project.api, len(fields))
            for start in range(max(0, done - first), len(kept), size):
                places = kept[start : start + size]
                rows = [[batch.phones[i], *(column[i] for column in columns)] for i in places]
                lines = [batch.lines[i] for i in places]
                yield ContactUpload(first + start, ["phone", *fields], rows, lines)
        if digest.contacts != contacts.digest:
            raise FilesChanged("its files changed while its list was uploaded")

    def list_name(self, mailing: Mailing, contacts: Contacts) -> str:
        """The name of the list at sms.by: it bears who the list is for, so no two audiences ever share one."""
        return remote_name(
            self._project.name, mailing.address, mailing.revision, 0, 1, self.list_mark(mailing, contacts)
        )

    def list_mark(self, mailing: Mailing, contacts: Contacts) -> str:
        return fingerprint(self._project.name, mailing.address, mailing.revision, 0, contacts.digest)


def batch_size(api: ApiSettings, fields: int) -> int:
    """Contacts of one importContacts: 500, fewer by `recipients_per_request` or where PHP would not read all of a form."""
    most = min(CONTACTS_PER_IMPORT, api.recipients_per_request)
    if api.body == "json":
        return most
    return min(most, (_FORM_VARIABLES - _FORM_OVERHEAD) // (1 + fields))


def _digest_of(mailing: Mailing) -> UploadDigest:
    assert mailing.text is not None  # the loader demands it of an upload
    template = compile_text(mailing.text)
    return UploadDigest(content_digest(header_of(mailing, template, personal=False)), template.render_once())


def _add(digest: UploadDigest, batch: Batch) -> list[int]:
    """Add a batch to the digest; the places of those of it who did not opt out."""
    kept = list(compress(range(len(batch.phones)), batch.not_suppressed))
    digest.add(batch.phones, [batch.phones[place] for place in kept])
    return kept
