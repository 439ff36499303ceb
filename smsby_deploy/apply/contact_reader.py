"""Reads the contacts of an uploaded mailing, one importContacts call at a time.

They are read from the files, without opt-outs, and checked against the plan. The name of a list contains the digest of
its contacts, so two audiences never share a list.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.config.declarations import ApiSettings, Mailing
from smsby_deploy.plan.chunks import hash_content
from smsby_deploy.plan.contact_lists import UploadDigest, select_fields
from smsby_deploy.plan.fingerprint import fingerprint, remote_name
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.batch import Batch
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.suppression import leave_out, opted_out_places
from smsby_deploy.smsby.methods import CONTACTS_PER_IMPORT, contacts_per_form
from smsby_deploy.texts.compiler import compile_texts
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class Contacts:
    """The contacts that a mailing's list must contain.

    Attributes:
        count: how many there are.
        digest: their digest.
        batch_digests: the running digest after each batch of the files.
        suppressed: the opt-outs that were subtracted.
        left_out: the positions of recipients who had opted out when the mailing was planned.
        list_name: the name of their list at sms.by.
    """

    count: int
    digest: str
    batch_digests: tuple[str, ...]
    suppressed: PhoneSet
    left_out: tuple[int, ...]
    list_name: str


@dataclass(frozen=True, slots=True)
class ContactBatch:
    """The contacts of one importContacts call.

    `first` is the first contact's position in the list, from 0; `lines` are the contacts' physical lines.
    """

    first: int
    field_names: list[str]
    rows: list[list[str]]
    lines: list[int]

    @property
    def end(self) -> int:
        """How many contacts the list has once this batch is uploaded."""
        return self.first + len(self.rows)


class _Pending:
    """Contacts that are not part of a call yet.

    `first` is the first contact's position in the list; `names` are their fields.
    """

    def __init__(self, first: int, names: list[str]) -> None:
        self.first = first
        self.names = names
        self.rows: list[list[str]] = []
        self.lines: list[int] = []

    def cut(self, size: int) -> Iterator[ContactBatch]:
        """Yield batches of `size` contacts; keep the remainder."""
        while self.rows and len(self.rows) >= size:
            batch = ContactBatch(self.first, self.names, self.rows[:size], self.lines[:size])
            self.first += size
            del self.rows[:size], self.lines[:size]
            yield batch


class ContactReader:
    """Reads the contacts of the mailings of one apply."""

    def __init__(self, context: ApplyContext) -> None:
        self._context = context
        self._project = context.project
        self._opt_outs = context.opt_outs

    def measure(self, mailing: Mailing) -> Contacts:
        """Return the current contacts: the planned audience minus the current opt-outs.

        Raises:
            FilesChanged: the audience differs from the plan, or the opt-outs cannot be read.
        """
        action = self._context.action_of(mailing)
        suppressed = self._opt_outs.current(action.capped, between=0)
        left_out = tuple(place for chunk in action.chunks for place in opted_out_places(chunk.opted_out))
        digest, batch_digests = self._empty_digest(mailing), []
        for batch in self._read(mailing, suppressed, left_out):
            _add(digest, batch)
            batch_digests.append(digest.contacts)
        if [digest.chunk] != [chunk.digest for chunk in action.chunks]:
            raise FilesChanged(sentence("its files changed while it was being sent"))
        scope, address, revision = self._project.scope, mailing.address, mailing.revision
        mark = fingerprint(scope, address, revision, 0, digest.contacts)
        name = remote_name(scope, address, revision, 0, 1, mark)
        return Contacts(digest.count, digest.contacts, tuple(batch_digests), suppressed, left_out, name)

    def batches(self, mailing: Mailing, contacts: Contacts, done: int) -> Iterator[ContactBatch]:
        """Yield the contacts in order, skipping the first `done`.

        Raises:
            FilesChanged: they differ from `contacts`; no contact of the changed batch was yielded.
        """
        digest = self._empty_digest(mailing)
        pending = _Pending(done, [])
        stream = self._read(mailing, contacts.suppressed, contacts.left_out)
        for number, batch in enumerate(stream):
            first = digest.count
            kept = _add(digest, batch)
            if contacts.batch_digests[number : number + 1] != (digest.contacts,):
                raise FilesChanged(sentence("its files changed while its list was uploaded"))
            fields = select_fields(mailing, batch.names)
            if pending.names != ["phone", *fields]:
                yield from pending.cut(len(pending.rows))
                pending = _Pending(pending.first, ["phone", *fields])
            columns = [batch.variable(name) or [] for name in fields]
            places = kept[max(0, done - first) :]
            pending.rows += [[batch.phones[i], *(column[i] for column in columns)] for i in places]
            pending.lines += [batch.lines[i] for i in places]
            yield from pending.cut(batch_size(self._project.api, len(fields)))
        if digest.contacts != contacts.digest:
            raise FilesChanged(sentence("its files changed while its list was uploaded"))
        yield from pending.cut(len(pending.rows))

    def has_late_opt_out(self, batch: ContactBatch) -> bool:
        """Whether a contact of `batch` has opted out since it was measured; raises as `measure`."""
        later = self._opt_outs.later()
        return later is not None and 0 in later.mark_others(number_phones(row[0] for row in batch.rows))

    def _read(self, mailing: Mailing, suppressed: PhoneSet, left_out: Sequence[int]) -> Iterator[Batch]:
        """Yield the audience.

        Recipients at the positions `left_out` get nothing, even if their opt-outs have been removed.
        """
        first = begin = 0
        for batch in read_audience(mailing, suppressed, AudienceReport()):
            end = bisect_left(left_out, first + len(batch.phones), begin)
            leave_out(batch.not_suppressed, (place - first for place in left_out[begin:end]))
            yield batch
            first, begin = first + len(batch.phones), end

    def _empty_digest(self, mailing: Mailing) -> UploadDigest:
        assert mailing.text is not None  # the loader requires it of an upload
        template = compile_texts(mailing.text)
        content = hash_content(mailing, template)
        return UploadDigest(content, template.render_once(), self._project.digest_key)


def batch_size(api: ApiSettings, fields: int) -> int:
    """Return how many contacts with `fields` custom fields fit in one importContacts call.

    That is 500, or fewer if `recipients_per_request` is lower or a form cannot hold them.
    """
    most = min(CONTACTS_PER_IMPORT, api.recipients_per_request)
    return most if api.body == "json" else min(most, contacts_per_form(fields))


def _add(digest: UploadDigest, batch: Batch) -> list[int]:
    """Add a batch to the digest; return the positions of recipients who did not opt out."""
    kept = list(compress(range(len(batch.phones)), batch.not_suppressed))
    digest.add(batch.phones, [batch.phones[place] for place in kept])
    return kept
