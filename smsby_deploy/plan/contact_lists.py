"""Mailings to contact lists: those that are kept at sms.by, and those that are made there of a mailing's recipients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import compress

from smsby_deploy.config.declarations import ContactList, InlineRecipients, Mailing, Project
from smsby_deploy.plan.chunks import header_of
from smsby_deploy.plan.content_policy import ContentPolicy
from smsby_deploy.plan.desired_state import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.fingerprint import chunk_digest, content_digest, fingerprint, hash_rows, row_lines
from smsby_deploy.plan.tally import AudienceTally
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.audience import AudienceReport, Batch, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.smsby.methods import CUSTOM_FIELDS
from smsby_deploy.texts.mailing_texts import is_personal, rows_file
from smsby_deploy.texts.parts import Encoding
from smsby_deploy.texts.template import Template

_KEYS = frozenset({"phone", "email"})  # by which sms.by tells contacts apart: no fields
_NAMED = 10  # columns of a file in a message


def measure_list(
    project: Project, mailing: Mailing, template: Template | None, policy: ContentPolicy | None
) -> tuple[Desired, list[Problem]]:
    """A mailing to a list kept at sms.by, as far as the files tell: who is on it only sms.by knows."""
    problems: list[Problem] = []
    text = ""
    if project.suppress:
        message = "who is on a list only sms.by knows: `suppress` is not subtracted, take opt-outs off the list there"
        problems.append(Problem(Severity.NOTE, "LIST_SUPPRESS", message))
    if template is None or template.is_personal:
        message = "a mailing to a contact list at sms.by has one text: use no variables"
        problems.append(Problem(Severity.ERROR, "LIST_TEXT", message))
    else:
        text = template.render_once()
        if policy is not None:
            policy.check(text)
    tally = AudienceTally()
    size = tally.measure(text)
    if size is not None:
        tally.figures.count(text, size, [""])  # of one copy; how many there are only sms.by knows
    if template is not None:
        tally.figures.replaced |= template.rewriter.replaced
    tally.problems.extend(tally.figures.problems(mailing, template, mailing.file))
    content = content_digest(header_of(mailing, template, personal=False))
    digest = chunk_digest(f"{content}\n{text}", b"")
    mark = fingerprint(project.name, mailing.address, mailing.revision, 0, digest)
    desired = Desired(
        address=mailing.address,
        revision=mailing.revision,
        via="list",
        content_digest=content,
        audience_digest=hashlib.sha256(b"").hexdigest(),
        chunks=(ChunkPlan(mark, None, digest),),
        audience=AudienceCounts(),
        parts=None,
        gsm7=int(size is not None and size.encoding is Encoding.GSM7),
        ucs2=int(size is not None and size.encoding is Encoding.UCS2),
        longest=size.parts if size is not None else 0,
        schedule_time=mailing.schedule_time,
    )
    return desired, [*problems, *tally.problems]


class UploadDigest:
    """The digests of an audience that is uploaded, as it streams by: of the whole chunk before suppression, and of the
    contacts, that is who is left."""

    def __init__(self, content: str, text: str) -> None:
        self._chunk = hashlib.sha256(f"{content}\n{text}\nupload\n".encode())
        self._contacts = hashlib.sha256()
        self.count = 0  # contacts

    def add(self, phones: list[str], contacts: list[str]) -> None:
        self._chunk.update(row_lines(phones, None))
        self.add_contacts(contacts)

    def add_contacts(self, contacts: list[str]) -> None:
        self._contacts.update(row_lines(contacts, None))
        self.count += len(contacts)

    @property
    def chunk(self) -> str:
        return self._chunk.hexdigest()

    @property
    def contacts(self) -> str:
        return self._contacts.hexdigest()


def measure_upload(
    project: Project, mailing: Mailing, template: Template | None, suppressed: PhoneSet, tally: AudienceTally
) -> tuple[Desired, list[Problem]]:
    """A mailing whose recipients are uploaded as a list: one chunk, one text."""
    problems: list[Problem] = []
    text = ""
    if template is None or is_personal(mailing, template):
        message = (
            "a mailing that is uploaded as a list has one text for all: no variables, no texts of their own"
        )
        problems.append(Problem(Severity.ERROR, "LIST_TEXT", message))
    else:
        text = template.render_once()
    tally.figures.price = project.price
    content = content_digest(header_of(mailing, template, personal=False))
    digest = UploadDigest(content, text)
    columns: dict[str, None] = {}
    for batch in stream_upload(mailing, tally.report, suppressed):
        tally.progress.advance(len(batch.phones))
        columns |= dict.fromkeys(batch.names)
        digest.add(batch.phones, list(compress(batch.phones, batch.not_suppressed)))
        rows = row_lines(batch.phones, None)
        tally.audience.add(rows, len(batch.phones), hash_rows(rows))
        tally.count_alike(text, batch.phones, batch.not_suppressed)
    if template is not None:
        tally.figures.replaced |= template.rewriter.replaced
    problems.extend(_check_fields(mailing, columns))
    tally.problems.extend(tally.figures.problems(mailing, template, rows_file(mailing)))
    report = tally.report
    mark = fingerprint(project.name, mailing.address, mailing.revision, 0, digest.chunk)
    desired = Desired(
        address=mailing.address,
        revision=mailing.revision,
        via="list",
        content_digest=content,
        audience_digest=tally.audience.hexdigest(),
        chunks=(ChunkPlan(mark, tally.final, digest.chunk),) if digest.count + tally.suppressed else (),
        audience=AudienceCounts(report.rows, report.invalid, report.duplicate, tally.suppressed, tally.final),
        parts=tally.parts,
        gsm7=tally.gsm7,
        ucs2=tally.ucs2,
        longest=tally.longest,
        schedule_time=mailing.schedule_time,
        cost=tally.figures.cost,
        snapshot=report.facts.snapshot,
        newest=report.facts.newest,
        contacts=digest.contacts,
    )
    return desired, [*problems, *tally.problems]


def stream_upload(mailing: Mailing, report: AudienceReport, suppressed: PhoneSet) -> Iterable[Batch]:
    """The recipients of a mailing that is uploaded; who opted out is marked."""
    assert not isinstance(mailing.audience, ContactList) and mailing.upload is not None
    return read_audience(mailing, suppressed, report)


def fields_of(mailing: Mailing, columns: Iterable[str]) -> list[str]:
    """Those of `columns` that become fields of the contacts, in their order."""
    assert mailing.upload is not None
    keys = _KEYS
    if not isinstance(mailing.audience, InlineRecipients | ContactList):
        keys |= {mailing.audience.phone.lower()}
    wanted = mailing.upload.fields
    return [
        name
        for name in columns
        if name.strip() and name.lower() not in keys and (wanted is None or name in wanted)
    ]


def _check_fields(mailing: Mailing, columns: Iterable[str]) -> Iterable[Problem]:
    assert mailing.upload is not None
    at = mailing.upload.location
    known = fields_of(mailing, columns)
    for name in mailing.upload.fields or ():
        if name.lower() in _KEYS:
            message = f"{name} can't be a field: sms.by tells contacts apart by phone and e-mail, and this list by its phones"
        elif name not in known:
            have = ", ".join(list(columns)[:_NAMED]) or "none"
            message = f"the recipients have no column {name!r}; they have: {have}"
        else:
            continue
        yield Problem(Severity.ERROR, "UPLOAD", message, mailing.address, at)
    if len(known) > CUSTOM_FIELDS:
        message = (
            f"{len(known)} columns would become fields of the contacts, sms.by takes {CUSTOM_FIELDS}: "
            "name those that it should have, `upload: {fields: [...]}`, or none"
        )
        yield Problem(Severity.ERROR, "UPLOAD", message, mailing.address, at)
