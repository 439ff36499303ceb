"""Mailings to contact lists, kept at sms.by or uploaded from recipients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import compress

from smsby_deploy.config.declarations import Mailing, Project
from smsby_deploy.config.sources import ContactList, InlineRecipients
from smsby_deploy.digest_key import NO_ROWS, DigestKey
from smsby_deploy.plan.chunks import OnBatch, hash_content, hash_former_content, hash_text
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan, Desired
from smsby_deploy.plan.fingerprint import AudienceDigest, chunk_digest, fingerprint, hash_rows, row_lines
from smsby_deploy.plan.text_counter import ContentPolicy, TextCounter
from smsby_deploy.problems import Problem, Severity
from smsby_deploy.recipients.audience import AudienceReport, read_audience
from smsby_deploy.recipients.phone_set import PhoneSet
from smsby_deploy.recipients.suppression import opt_out_positions
from smsby_deploy.smsby.methods import CUSTOM_FIELDS
from smsby_deploy.texts.template import KeptProblems, Template, is_personal
from smsby_deploy.wording import sentence

_KEYS = frozenset({"phone", "email"})  # sms.by identifies contacts by these columns; they are not fields
_SHOWN_COLUMNS = 10


def measure_list(
    project: Project, mailing: Mailing, template: Template, policy: ContentPolicy | None
) -> tuple[Desired, list[Problem]]:
    """Measure a mailing to a list, whose contacts only sms.by knows, as far as the files allow."""
    assert isinstance(mailing.audience, ContactList)
    problems = KeptProblems()
    text = ""
    if project.suppress:
        message = sentence(
            "`suppress` is not subtracted from a list kept at sms.by; remove recipients who opted out there"
        )
        problems.keep([Problem(Severity.NOTE, "LIST_SUPPRESS", message)])
    if template.is_personal:
        message = sentence("a mailing to a contact list at sms.by has one text: use no variables")
        problems.keep([Problem(Severity.ERROR, "LIST_TEXT", message)])
    else:
        text = template.render_once()
    # Without a price: only sms.by knows how many copies are sent.
    counter = TextCounter(mailing, template, None, problems, policy)
    counter.count_same(text, [""], bytearray(b"\1"))
    content = hash_content(mailing, template)
    digest = project.digest_key.apply(chunk_digest(f"{content}\n{text}", b""))
    mark = fingerprint(project.scope, mailing.address, mailing.revision, 0, digest)
    chunks = [ChunkPlan(mark, None, digest)]
    desired = counter.describe(AudienceReport(), content, NO_ROWS, chunks)._replace(
        audience=AudienceCounts(),
        parts=None,
        former_content=hash_former_content(mailing, template),
        text_digest=hash_text(mailing, template),
        recipients_digest=hashlib.sha256(f"list\n{mailing.audience.ref}".encode()).hexdigest(),
    )
    return desired, [*problems.kept, *counter.find_problems()]


class UploadDigest:
    """Digests of an uploaded audience as it streams by.

    One covers all recipients, the other only the contacts, that is, without opt-outs.
    """

    def __init__(self, content: str, text: str, key: DigestKey) -> None:
        self._key = key
        self._chunk = hashlib.sha256(f"{content}\n{text}\nupload\n".encode())
        self._contacts = hashlib.sha256()
        self.count = 0  # contacts

    def add(self, phones: list[str], contacts: list[str]) -> None:
        """Add recipients, and those of them who did not opt out."""
        self._chunk.update(row_lines(phones, None))
        self._contacts.update(row_lines(contacts, None))
        self.count += len(contacts)

    @property
    def chunk(self) -> str:
        return self._key.apply(self._chunk.hexdigest())

    @property
    def contacts(self) -> str:
        return self._key.apply(self._contacts.hexdigest())


def measure_upload(
    project: Project,
    mailing: Mailing,
    template: Template,
    suppressed: PhoneSet,
    report: AudienceReport,
    on_batch: OnBatch,
    policy: ContentPolicy | None,
) -> tuple[Desired, list[Problem]]:
    """Measure a mailing whose recipients are uploaded as a list: one chunk, one text."""
    problems = KeptProblems()
    text = ""
    if is_personal(mailing, template):
        message = sentence(
            "a mailing that is uploaded as a list has one text: use no variables and no text per recipient"
        )
        problems.keep([Problem(Severity.ERROR, "LIST_TEXT", message)])
    else:
        text = template.render_once()
    content = hash_content(mailing, template)
    upload, audience = UploadDigest(content, text, project.digest_key), AudienceDigest()
    counter = TextCounter(mailing, template, project.price, problems, policy, by_prefix=True)
    mask = bytearray()
    columns: dict[str, None] = {}
    for batch in read_audience(mailing, suppressed, report):
        on_batch(batch, ())
        columns |= dict.fromkeys(batch.names)
        upload.add(batch.phones, list(compress(batch.phones, batch.not_suppressed)))
        rows = row_lines(batch.phones, None)
        audience.add(rows, len(batch.phones), hash_rows(rows))
        counter.count_same(text, batch.phones, batch.not_suppressed)
        mask += batch.not_suppressed
    mark = fingerprint(project.scope, mailing.address, mailing.revision, 0, upload.chunk)
    chunk = ChunkPlan(mark, counter.totals.recipients, upload.chunk, opted_out=opt_out_positions(mask))
    has_recipients = upload.count + counter.totals.suppressed
    chunks = (chunk,) if has_recipients else ()
    desired = counter.describe(report, content, audience.hexdigest(), chunks)._replace(
        contacts=upload.contacts,
        former_content=hash_former_content(mailing, template),
        text_digest=hash_text(mailing, template),
    )
    return desired, [*problems.kept, *_check_fields(mailing, columns), *counter.find_problems()]


def select_fields(mailing: Mailing, columns: Iterable[str]) -> list[str]:
    """Return the `columns` that become fields of the contacts, in their order."""
    assert mailing.upload is not None
    keys = _KEYS
    if not isinstance(mailing.audience, InlineRecipients | ContactList):
        keys |= {mailing.audience.phone.lower()}
    chosen = mailing.upload.fields
    return [
        name
        for name in columns
        if name.strip() and name.lower() not in keys and (chosen is None or name in chosen)
    ]


def _check_fields(mailing: Mailing, columns: Iterable[str]) -> Iterable[Problem]:
    assert mailing.upload is not None
    location = mailing.upload.location
    fields = select_fields(mailing, columns)
    for name in mailing.upload.fields or ():
        if name.lower() in _KEYS:
            message = sentence(
                "{name} cannot be a field: sms.by identifies contacts by phone and e-mail", name=name
            )
        elif name not in fields:
            present = ", ".join(list(columns)[:_SHOWN_COLUMNS]) or sentence("none")
            message = sentence(
                "the recipients have no column '{name}'; their columns: {columns}", name=name, columns=present
            )
        else:
            continue
        yield Problem(Severity.ERROR, "UPLOAD", message, mailing.address, location)
    if len(fields) > CUSTOM_FIELDS:
        message = sentence(
            "{count} columns would become fields of the contacts, sms.by allows {limit}: list those to upload, "
            "`upload: {{fields: [...]}}`, or none",
            count=len(fields),
            limit=CUSTOM_FIELDS,
        )
        yield Problem(Severity.ERROR, "UPLOAD", message, mailing.address, location)
