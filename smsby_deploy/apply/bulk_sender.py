"""Sends mailings by sendBulkSms, several chunks of one campaign in a request.

Each chunk is checked against the plan, and recipients who opted out since the plan are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress
from operator import and_

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.mailing_run import FilesChanged
from smsby_deploy.apply.opt_out_watch import OptOutWatch
from smsby_deploy.apply.recorder import ChunkRef
from smsby_deploy.apply.remote_check import RemoteCheck
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.config.declarations import ApiSettings, Mailing, Project
from smsby_deploy.lock.records import DONE, FIRST_WAVE, ChunkState
from smsby_deploy.plan.chunk_cache import ChunkCache
from smsby_deploy.plan.chunk_groups import text_of_chunk
from smsby_deploy.plan.chunks import ChunkReport, chunk_content, fits_request, stream_chunks
from smsby_deploy.plan.desired import ChunkPlan
from smsby_deploy.plan.fingerprint import chunk_digest, hash_rows, phones_of, remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.recipients.phone_set import PhoneSet, number_phones
from smsby_deploy.recipients.suppression import leave_out, opt_out_positions, opted_out_places
from smsby_deploy.smsby.send_client import PreparedSend
from smsby_deploy.texts.compiler import compile_mailing
from smsby_deploy.wording import sentence


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """One chunk as one of the `messages` of a request.

    `head` is the JSON of the message up to its recipients. `rows` holds all recipients of the chunk as they were hashed,
    one JSON value per line. `mask` is 0 for each recipient who opted out, which may be all of them.
    """

    address: str
    index: int
    head: bytes
    rows: bytes
    mask: bytearray
    is_personal: bool

    @property
    def ref(self) -> tuple[str, int]:
        return (self.address, self.index)

    @property
    def recipients(self) -> int:
        """How many recipients get the message."""
        return self.mask.count(1)

    @property
    def left_out(self) -> str | None:
        """The recipients left out, in the format of `opt_out_positions`."""
        return opt_out_positions(self.mask)

    @property
    def body(self) -> bytes:
        """The message as JSON."""
        # The rows are JSON already; parsing and re-encoding them would cost more than everything else.
        return b'%b, "delivery_list": [%b]}' % (
            self.head,
            b",".join(compress(self.rows.split(b"\n"), self.mask)),
        )

    def without(self, suppressed: PhoneSet) -> ChunkMessage:
        """Return a copy that leaves out `suppressed` as well."""
        others = suppressed.mark_others(number_phones(phones_of(self.rows)))
        return replace(self, mask=bytearray(map(and_, self.mask, others)))


class BulkRequest(SendRequest):
    """One sendBulkSms with chunks of one campaign."""

    def __init__(self, context: ApplyContext, check: RemoteCheck, messages: Sequence[ChunkMessage]) -> None:
        super().__init__([message.ref for message in messages])
        self._context = context
        self._check = check
        self._messages = {message.ref: message for message in messages}

    def prepare(self) -> PreparedSend | None:
        for address in self.addresses:
            self._check.look_again(address)
        if (later := self._context.opt_outs.later()) is not None:
            self.chunks = [ref for ref in self.chunks if self._leave_out(ref, later)]
        messages = [self._messages[ref].body for ref in self.chunks]
        if not messages:
            return None
        return self._context.client.prepare_bulk_sms(messages, self._context.project.api.reports_to)

    def _leave_out(self, ref: ChunkRef, later: PhoneSet) -> bool:
        """Drop late opt-outs from a chunk; return whether to send the rest."""
        self._messages[ref] = self._messages[ref].without(later)
        # Do not overwrite what `look_again` has recorded of a stopped mailing.
        is_stopped = self._context.runs[ref[0]].is_stopped
        return not is_stopped and _note_recipients(self._context, self._messages[ref])

    def on_recorded(self) -> None:
        self._context.advance(sum(self._messages[ref].recipients for ref in self.chunks))


class BulkSender:
    """Sends mailings by sendBulkSms, packing chunks that fit together into one request."""

    def __init__(
        self, context: ApplyContext, dispatcher: Dispatcher, check: RemoteCheck, cache: ChunkCache
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._check = check
        self._cache = cache

    def send(self, mailings: Sequence[Mailing]) -> None:
        """Send the certainly unsent chunks of `mailings`, which are of one campaign.

        Raises:
            StopSending, ResultNotSaved: as Dispatcher.send_all.
        """
        messages = (message for mailing in mailings for message in self._messages(mailing))
        requests = pack_requests(self._context.project.api, messages)
        self._dispatcher.send_all(BulkRequest(self._context, self._check, request) for request in requests)

    def _messages(self, mailing: Mailing) -> Iterator[ChunkMessage]:
        """Yield the messages of `mailing` that have yet to be sent.

        A chunk whose recipients all opted out is recorded as complete.
        """
        if not self._check.begin(mailing):
            return
        context, run = self._context, self._context.runs[mailing.address]
        now = context.clock.now()
        planned = PlannedMessages(context.project, mailing, run.action, now, context.opt_outs)
        try:
            for message in planned.stream(self._cache):
                if run.is_stopped:
                    return
                record = context.recorder.chunk(message.ref)
                if record.state in DONE or run.action.wave not in (None, record.wave):
                    continue
                if _note_recipients(context, message):
                    yield message
        except FilesChanged as error:
            error.stop(run)


def _note_recipients(context: ApplyContext, message: ChunkMessage) -> bool:
    """Record whom a chunk leaves out, if that changed; return whether any recipient remains."""
    recorder, record = context.recorder, context.recorder.chunk(message.ref)
    if message.recipients == 0:
        recorder.note(message.ref, ChunkState.SUPPRESSED, recipients=0, error=None)
        return False
    action, left_out = context.runs[message.address].action, message.left_out
    if action.capped is not None and (action.approval is not None or record.wave is not None):
        # Under `pressure`, a later run chooses again whom to leave out.
        left_out = action.chunks[message.index].opted_out
    if (message.recipients, left_out) != (record.recipients, record.opted_out):
        recorder.note(
            message.ref,
            record.state,
            recipients=message.recipients,
            opted_out=left_out,
            error=record.error,
        )
    return True


def pack_requests(api: ApiSettings, messages: Iterable[ChunkMessage]) -> Iterator[list[ChunkMessage]]:
    """Group `messages` into requests, in order, with as many in each as fit."""
    request: list[ChunkMessage] = []
    for message in messages:
        sizes = [(one.recipients, one.is_personal) for one in [*request, message]]
        if request and not fits_request(api, sizes):
            yield request
            request = []
        request.append(message)
    if request:
        yield request


class PlannedMessages:
    """The messages of one mailing, each checked against its planned chunk, without `opt_outs`.

    A mailing that is late at `now`, and allowed to be, is sent at once.
    """

    def __init__(
        self, project: Project, mailing: Mailing, action: Action, now: datetime, opt_outs: OptOutWatch
    ) -> None:
        self._project = project
        self._mailing = mailing
        self._action = action
        self._template = compile_mailing(mailing)
        self._now = now
        self._opt_outs = opt_outs

    def stream(self, cache: ChunkCache | None = None) -> Iterator[ChunkMessage]:
        """Yield them in order, from `cache` if it holds the mailing, otherwise from the files.

        Raises:
            FilesChanged: a chunk differs from the plan, or the opt-outs cannot be read.
        """
        report, count = ChunkReport(), 0
        kept = cache if cache is not None and cache.holds(self._mailing.address) else None
        for message in self._from_files(report) if kept is None else self._from_cache(kept):
            yield message
            count += 1
        total = len(self._action.chunks)
        if count < total:
            reasons = [problem.message for problem in (*report.audience.problems, *report.texts.kept)]
            raise FilesChanged(
                sentence(
                    "it has no recipients left for chunk {number} of {total}: {why}"
                    if reasons
                    else "it has no recipients left for chunk {number} of {total}",
                    number=count + 1,
                    total=total,
                    why=reasons[0] if reasons else "",
                )
            )

    def _from_files(self, report: ChunkReport) -> Iterator[ChunkMessage]:
        suppressed = self._opt_outs.current(self._action.capped, between=0)
        for chunk in stream_chunks(self._project, self._mailing, self._template, suppressed, report):
            index = chunk.index
            if not self._is_planned(index, chunk.digest):
                what = sentence(
                    "its files changed while it was being sent, at chunk {number}", number=index + 1
                )
                raise FilesChanged(what)
            mask = leave_out(chunk.not_suppressed, opted_out_places(self._action.chunks[index].opted_out))
            yield self._message(index, chunk.rows, mask, chunk.text)

    def _from_cache(self, cache: ChunkCache) -> Iterator[ChunkMessage]:
        project, action = self._project, self._action
        late = self._opt_outs.later(between=0)
        left_out = [phones for phones in (late, action.capped) if phones is not None]
        try:
            for index, (rows, mask) in enumerate(cache.read(self._mailing.address)):
                variant = action.chunks[index].variant if index < len(action.chunks) else None
                text = text_of_chunk(self._mailing, self._template, variant)
                content = chunk_content(action.content_digest, text, variant)
                digest = project.digest_key.apply(chunk_digest(content, hash_rows(rows)))
                if not self._is_planned(index, digest):
                    what = sentence("the planned chunk {number} was damaged on disk", number=index + 1)
                    raise FilesChanged(what)
                message = self._message(index, rows, mask, text)
                for phones in left_out:
                    message = message.without(phones)
                yield message
        except OSError as error:
            what = sentence("cannot read the planned chunks from disk: {why}", why=error.strerror)
            raise FilesChanged(what) from error

    def _is_planned(self, index: int, digest: str) -> bool:
        chunks = self._action.chunks
        return index < len(chunks) and digest == chunks[index].digest

    def _message(self, index: int, rows: bytes, mask: bytearray, text: str | None) -> ChunkMessage:
        """Return the message of a chunk.

        Args:
            index: the index of the chunk.
            rows: its recipients as they were hashed, one JSON value per line.
            mask: for each recipient 0 if they opted out, otherwise 1.
            text: the common text; None if each row contains its own.
        """
        address, chunks = self._mailing.address, self._action.chunks
        fields = {
            "alphaname_id": str(self._action.sender_id),
            **self._time(chunks[index]),
            "name": remote_name(
                self._project.scope,
                address,
                self._mailing.revision,
                index,
                len(chunks),
                chunks[index].fingerprint,
            ),
            **({"message_type": "personal"} if text is None else {"message_type": "bulk", "text": text}),
        }
        head = json.dumps(fields, ensure_ascii=False).encode()[:-1]
        return ChunkMessage(address, index, head, rows, mask, is_personal=text is None)

    def _time(self, chunk: ChunkPlan) -> dict[str, str]:
        if chunk.wave not in (None, FIRST_WAVE):
            return {}
        own = chunk.schedule_time
        when = self._mailing.time_on_wire(self._now, None if own is None else datetime.fromisoformat(own))
        zone = self._project.api.account_zone
        return {} if when is None else {"schedule_time": f"{when.astimezone(zone):%Y-%m-%dT%H:%M:%S}"}
