"""sendBulkSms: the chunks of one campaign, checked against the plan and packed into requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from operator import and_
from typing import Any
from zoneinfo import ZoneInfo

from smsby_deploy.apply.mailing_run import MailingRun
from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.chunks import ChunkReport, fits_request, stream_chunks
from smsby_deploy.plan.fingerprint import chunk_digest, hash_rows, phones_of, remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.problems import Severity
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.suppression import hash_opt_outs, load_suppression
from smsby_deploy.smsby.raw_json import Written
from smsby_deploy.texts.mailing_texts import is_personal
from smsby_deploy.texts.template import Template, compile_text


class FilesChanged(Exception):
    """The files of a mailing are not the planned ones: nothing more of it may be sent."""

    def stop(self, run: MailingRun) -> None:
        """Stop the mailing."""
        run.stop(f"{self}; what was sent of it is recorded", ExitCode.PLAN_REFUSED)


def read_opt_outs(project: Project) -> PhoneSet:
    """Who opted out until this moment.

    Raises:
        FilesChanged: that can't be read: somebody would get what they do not want any more.
    """
    suppressed, problems = load_suppression(project.suppress)
    broken = next((problem for problem in problems if problem.severity is Severity.ERROR), None)
    if broken is not None:
        raise FilesChanged(f"who opted out can't be read: {broken.location}: {broken.message}")
    return suppressed


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A chunk that is about to leave: `rows` as they were hashed just now, `reached` is 0 for who opted out. `text` is
    None where each has a text of its own."""

    index: int
    rows: bytes
    digest: str
    reached: bytearray
    text: str | None


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """A chunk on its way: one of a request's `messages`, to `recipients` people. Of these there may be none: everybody
    opted out."""

    address: str
    index: int
    message: dict[str, Any]
    recipients: int

    @property
    def ref(self) -> tuple[str, int]:
        return (self.address, self.index)

    @property
    def is_personal(self) -> bool:
        return bool(self.message["message_type"] == "personal")


def stream_parts(
    project: Project, mailing: Mailing, action: Action, now: datetime, kept: ChunkCache | None = None
) -> Iterator[ChunkMessage]:
    """The chunks of `mailing` as they go out, late opt-outs subtracted, each checked against the plan just before it
    leaves: those that were `kept`, or else its files read anew. `now` decides whether one with a time goes out at once,
    because it is late and may be.

    Raises:
        FilesChanged: a chunk is not the planned one, or who opted out can't be read.
    """
    template = compile_text(mailing.text) if mailing.text else None
    count = len(action.chunks)
    when = mailing.time_on_wire(now)
    report, sent = ChunkReport(), 0
    if kept is not None and kept.holds(mailing.address):
        chunks = _read_kept(kept, project, mailing, action, template)
    else:
        chunks = _read_anew(project, mailing, template, report)
    for chunk in chunks:
        if chunk.index >= count or chunk.digest != action.chunks[chunk.index].digest:
            raise FilesChanged(f"its files changed while it was being sent, at chunk {chunk.index + 1}")
        message = _message(project, mailing, action, chunk, when)
        yield ChunkMessage(mailing.address, chunk.index, message, chunk.reached.count(1))
        sent += 1
    if sent < count:
        reasons = [problem.message for problem in (*report.audience.problems, *report.texts.kept)]
        why = f": {reasons[0]}" if reasons else ""
        raise FilesChanged(f"its recipients ended before chunk {sent + 1} of {count}{why}")


def _read_anew(
    project: Project, mailing: Mailing, template: Template | None, report: ChunkReport
) -> Iterator[_Leaving]:
    suppressed = read_opt_outs(project)
    for chunk in stream_chunks(project, mailing, template, suppressed, report):
        yield _Leaving(chunk.index, chunk.rows, chunk.digest, chunk.not_suppressed, chunk.text)


def _read_kept(
    kept: ChunkCache, project: Project, mailing: Mailing, action: Action, template: Template | None
) -> Iterator[_Leaving]:
    text = None if template is None or is_personal(mailing, template) else template.render_once()
    content = action.content_digest if text is None else f"{action.content_digest}\n{text}"
    suppressed = None
    if hash_opt_outs(project.suppress) != kept.opt_outs:
        suppressed = read_opt_outs(project)
    try:
        for index, (rows, reached) in enumerate(kept.read(mailing.address)):
            digest = chunk_digest(content, hash_rows(rows))
            if index >= len(action.chunks) or digest != action.chunks[index].digest:
                raise FilesChanged(
                    f"what was planned came back otherwise from the disk, at chunk {index + 1}"
                )
            if suppressed is not None:
                # Who was left out when it was reviewed stays out, also if their opt-out is gone meanwhile.
                still = suppressed.mark_others(number_phones(phones_of(rows)))
                reached = bytearray(map(and_, reached, still))
            yield _Leaving(index, rows, digest, reached, text)
    except OSError as error:
        raise FilesChanged(f"what was planned can't be read back: {error.strerror}") from error


def pack_requests(api: ApiSettings, parts: Iterable[ChunkMessage]) -> Iterator[list[ChunkMessage]]:
    """`parts` in order, as many in a request as fit."""
    request: list[ChunkMessage] = []
    for part in parts:
        sizes = [(p.recipients, p.is_personal) for p in [*request, part]]
        if request and not fits_request(api, sizes):
            yield request
            request = []
        request.append(part)
    if request:
        yield request


def _message(
    project: Project,
    mailing: Mailing,
    action: Action,
    chunk: _Leaving,
    when: datetime | None,
) -> dict[str, Any]:
    mark = action.chunks[chunk.index].fingerprint
    count = len(action.chunks)
    name = remote_name(project.name, mailing.address, mailing.revision, chunk.index, count, mark)
    message: dict[str, Any] = {"alphaname_id": str(action.alphaname_id or 0), "name": name}
    if when is not None:
        zone = ZoneInfo(project.api.account_timezone)
        message["schedule_time"] = when.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")
    if chunk.text is None:
        message["message_type"] = "personal"
    else:
        message["message_type"] = "bulk"
        message["text"] = chunk.text
    rows = chunk.rows.removesuffix(b"\n")
    if 0 in chunk.reached:
        rows = b"\n".join(compress(rows.split(b"\n"), chunk.reached))
    message["delivery_list"] = Written(b"[" + rows.replace(b"\n", b",") + b"]")
    return message
