"""Sends the mailings that go by sendBulkSms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from smsby_deploy.apply.bulk_messages import ChunkMessage, FilesChanged, pack_requests, stream_messages
from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.remote_check import RemoteCheck
from smsby_deploy.apply.send_request import SendRequest
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.lock.records import DONE, ChunkState
from smsby_deploy.plan.chunks import ChunkCache
from smsby_deploy.smsby.outcome import Outcome


class BulkRequest(SendRequest):
    """One sendBulkSms with chunks of one campaign."""

    def __init__(self, context: ApplyContext, messages: Sequence[ChunkMessage]) -> None:
        super().__init__([message.ref for message in messages])
        self._context = context
        self._messages = {message.ref: message for message in messages}

    def prepare(self) -> Callable[[], Outcome]:
        messages = [self._messages[ref].body for ref in self.chunks]
        return self._context.client.prepare_bulk_sms(messages, self._context.project.api.callback_url)

    def on_recorded(self) -> None:
        self._context.advance(sum(self._messages[ref].recipients for ref in self.chunks))


class BulkSender:
    """Sends mailings by sendBulkSms, several chunks in a request where they fit."""

    def __init__(
        self, context: ApplyContext, dispatcher: Dispatcher, check: RemoteCheck, cache: ChunkCache
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._check = check
        self._cache = cache

    def send(self, mailings: Sequence[Mailing]) -> None:
        """Send the chunks of `mailings`, all of one campaign, that were certainly not sent.

        Raises:
            StopSending, ResultNotSaved: as Dispatcher.send_all.
        """
        messages = (message for mailing in mailings for message in self._messages(mailing))
        requests = pack_requests(self._context.project.api, messages)
        self._dispatcher.send_all(BulkRequest(self._context, request) for request in requests)

    def _messages(self, mailing: Mailing) -> Iterator[ChunkMessage]:
        """Yield the messages of `mailing` that are still to be sent.

        A chunk whose recipients all opted out is recorded as complete.
        """
        if not self._check.begin(mailing):
            return
        context, run = self._context, self._context.runs[mailing.address]
        pinned, now = mailing.pinned(context.inputs), context.clock.now()
        try:
            for message in stream_messages(context.project, pinned, run.action, now, self._cache):
                if run.is_stopped:
                    return
                record = context.recorder.chunk(message.ref)
                if record.state in DONE:
                    continue
                if message.recipients == 0:
                    context.recorder.note(message.ref, ChunkState.SUPPRESSED, recipients=0)
                    continue
                if message.recipients != record.recipients:
                    context.recorder.note(
                        message.ref, record.state, recipients=message.recipients, error=record.error
                    )
                yield message
        except FilesChanged as error:
            error.stop(run)
