"""The messages of sendBulkSms, as JSON.

Each chunk is checked against the plan, and late opt-outs are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from operator import and_
from zoneinfo import ZoneInfo

from smsby_deploy.apply.result import MailingRun
from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.chunks import ChunkCache, ChunkReport, fits_request, stream_chunks
from smsby_deploy.plan.fingerprint import chunk_digest, hash_rows, phones_of, remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.problems import Severity
from smsby_deploy.recipients.phones import PhoneSet, number_phones
from smsby_deploy.recipients.suppression import hash_opt_outs, load_suppression
from smsby_deploy.texts.template import Template, compile_text, is_personal


class FilesChanged(Exception):
    """The files of a mailing are not the planned ones: nothing more of it may be sent."""

    def stop(self, run: MailingRun) -> None:
        """Stop the mailing."""
        run.stop(f"{self}; what was sent of it is recorded", ExitCode.PLAN_REFUSED)


def read_opt_outs(project: Project) -> PhoneSet:
    """Return the opt-outs as of now.

    Raises:
        FilesChanged: they cannot be read, and without them nothing may be sent.
    """
    suppressed, problems = load_suppression(project.suppress)
    broken = next((problem for problem in problems if problem.severity is Severity.ERROR), None)
    if broken is not None:
        raise FilesChanged(f"cannot read the opt-outs: {broken.location}: {broken.message}")
    return suppressed


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """One chunk as one of the `messages` of a request.

    `body` is the message as JSON, to those `recipients` of the chunk who did not opt out; there may
    be none.
    """

    address: str
    index: int
    body: bytes
    recipients: int
    is_personal: bool

    @property
    def ref(self) -> tuple[str, int]:
        return (self.address, self.index)


def stream_messages(
    project: Project, mailing: Mailing, action: Action, now: datetime, cache: ChunkCache | None = None
) -> Iterator[ChunkMessage]:
    """Yield the chunks of `mailing` in order, each checked against the plan.

    They come from `cache` if it holds them, else the files are read again. `now` decides whether a
    mailing that is late, and may be, is sent at once.

    Raises:
        FilesChanged: a chunk is not the planned one, or the opt-outs cannot be read.
    """
    builder = _MessageBuilder(project, mailing, action, now)
    template = compile_text(mailing.text) if mailing.text else None
    report, count = ChunkReport(), 0
    if cache is not None and cache.holds(mailing.address):
        messages = _read_cached(cache, project, mailing, template, builder)
    else:
        messages = _read_again(project, mailing, template, report, builder)
    for message in messages:
        yield message
        count += 1
    if count < len(action.chunks):
        reasons = [problem.message for problem in (*report.audience.problems, *report.texts.kept)]
        why = f": {reasons[0]}" if reasons else ""
        raise FilesChanged(f"its recipients ended before chunk {count + 1} of {len(action.chunks)}{why}")


def pack_requests(api: ApiSettings, messages: Iterable[ChunkMessage]) -> Iterator[list[ChunkMessage]]:
    """Yield `messages` in order, as many in a request as fit."""
    request: list[ChunkMessage] = []
    for message in messages:
        sizes = [(one.recipients, one.is_personal) for one in [*request, message]]
        if request and not fits_request(api, sizes):
            yield request
            request = []
        request.append(message)
    if request:
        yield request


def _read_again(
    project: Project,
    mailing: Mailing,
    template: Template | None,
    report: ChunkReport,
    builder: _MessageBuilder,
) -> Iterator[ChunkMessage]:
    suppressed = read_opt_outs(project)
    for chunk in stream_chunks(project, mailing, template, suppressed, report):
        if not builder.is_planned(chunk.index, chunk.digest):
            raise FilesChanged(f"its files changed while it was being sent, at chunk {chunk.index + 1}")
        yield builder.build(chunk.index, chunk.rows, chunk.not_suppressed, chunk.text)


def _read_cached(
    cache: ChunkCache,
    project: Project,
    mailing: Mailing,
    template: Template | None,
    builder: _MessageBuilder,
) -> Iterator[ChunkMessage]:
    text = None if template is None or is_personal(mailing, template) else template.render_once()
    content = builder.content_digest if text is None else f"{builder.content_digest}\n{text}"
    suppressed = read_opt_outs(project) if hash_opt_outs(project.suppress) != cache.opt_outs else None
    try:
        for index, (rows, mask) in enumerate(cache.read(mailing.address)):
            if not builder.is_planned(index, chunk_digest(content, hash_rows(rows))):
                raise FilesChanged(f"the planned chunk {index + 1} was damaged on disk")
            if suppressed is not None:
                # Recipients who were left out of the approved plan stay out, even if their opt-out is gone.
                mask = bytearray(map(and_, mask, suppressed.mark_others(number_phones(phones_of(rows)))))
            yield builder.build(index, rows, mask, text)
    except OSError as error:
        raise FilesChanged(f"cannot read the planned chunks from disk: {error.strerror}") from error


class _MessageBuilder:
    """Builds the messages of one mailing."""

    def __init__(self, project: Project, mailing: Mailing, action: Action, now: datetime) -> None:
        self.content_digest = action.content_digest
        self._project = project.name
        self._mailing = mailing
        self._chunks = action.chunks
        self._fields: dict[str, str] = {"alphaname_id": str(action.alphaname_id or 0)}
        if (when := mailing.time_on_wire(now)) is not None:
            local = when.astimezone(ZoneInfo(project.api.account_timezone))
            self._fields["schedule_time"] = local.strftime("%Y-%m-%dT%H:%M:%S")

    def is_planned(self, index: int, digest: str) -> bool:
        """Return whether the chunk with this index and digest is in the plan."""
        return index < len(self._chunks) and digest == self._chunks[index].digest

    def build(self, index: int, rows: bytes, mask: bytearray, text: str | None) -> ChunkMessage:
        """Return the message of a chunk.

        Args:
            index: of the chunk.
            rows: its recipients, a JSON value a line, as they were hashed.
            mask: for each of them 0 if they opted out, else 1.
            text: what all of them get; None if each row contains its text.
        """
        address, count, mark = self._mailing.address, len(self._chunks), self._chunks[index].fingerprint
        name = remote_name(self._project, address, self._mailing.revision, index, count, mark)
        kind = {"message_type": "personal"} if text is None else {"message_type": "bulk", "text": text}
        fields = json.dumps({**self._fields, "name": name, **kind}, ensure_ascii=False).encode()
        rows = rows.removesuffix(b"\n")
        if 0 in mask:
            rows = b"\n".join(compress(rows.split(b"\n"), mask))
        # The rows are JSON already, as they were hashed: parsing and writing them would cost more than all else.
        body = fields[:-1] + b', "delivery_list": [' + rows.replace(b"\n", b",") + b"]}"
        return ChunkMessage(address, index, body, mask.count(1), is_personal=text is None)
