"""createSmsMessage: make the messages of single mailings, and wait for their approval. It reaches no recipient."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from smsby_deploy.apply.context import ApplyContext
from smsby_deploy.apply.dispatcher import Dispatcher
from smsby_deploy.apply.events import Event
from smsby_deploy.apply.shutdown import StopSending
from smsby_deploy.config.declarations import Mailing
from smsby_deploy.errors import ApiError, SmsbyUnavailable
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.plan.chunks import Chunk
from smsby_deploy.plan.fingerprint import remote_name
from smsby_deploy.plan.model import Action
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind
from smsby_deploy.smsby.retry import SEND_RETRIES, poll
from smsby_deploy.wording import counted


class MessageFactory:
    """Makes messages, and knows whether sms.by has approved them."""

    def __init__(self, context: ApplyContext, dispatcher: Dispatcher) -> None:
        self._context = context
        self._client = context.client
        self._dispatcher = dispatcher

    def make(self, mailing: Mailing, action: Action, chunk: Chunk, time: datetime | None) -> Outcome:
        """Call createSmsMessage until it is accepted or rejected; a rejection may name an existing message.

        Args:
            time: when the message is to be sent, None for at once.

        Raises:
            StopSending: it did not answer, refused the token, or asked to wait longer than a minute.
        """
        project, count = self._context.project, len(action.chunks)
        name = remote_name(
            project.name, mailing.address, mailing.revision, chunk.index, count, chunk.fingerprint
        )
        zone = ZoneInfo(project.api.account_timezone)
        local_time = "" if time is None else time.astimezone(zone).strftime("%Y-%m-%d %H:%M")

        def create() -> Outcome:
            text, alphaname_id = chunk.text or "", action.alphaname_id or 0
            return self._client.create_sms_message(
                text, alphaname_id=alphaname_id, name=name, time=local_time
            )

        for tries in itertools.count(1):
            self._context.shutdown.check()
            outcome = self._dispatcher.run(create)
            if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
                return outcome
            pause = SEND_RETRIES.pause_after(tries, outcome.retry_after)
            if outcome.kind is OutcomeKind.TOKEN_REFUSED or pause is None:
                raise StopSending(f"not sent: createSmsMessage: {outcome.error}", ExitCode.UNREACHABLE)
            line = f"the message was not made ({outcome.error}); trying again in {pause:.3g} s"
            self._context.say(Event("retry", line, (mailing.address,), is_warning=True))
            self._context.shutdown.pause(pause)
        raise AssertionError("the policy ends the retries")

    def wait_for_approval(self, address: str, message_ids: Iterable[int | None]) -> int | None:
        """Wait for up to `reconcile_seconds` until all messages are approved.

        Returns:
            a message that still awaits moderation, or None.

        Raises:
            StopSending: sms.by could not be asked, or a signal asked to stop.
        """
        context = self._context
        waiting = [number for number in message_ids if number is not None]
        seconds = context.project.api.reconcile_seconds
        for _ in poll(seconds, clock=context.clock, pause=context.shutdown.pause):
            context.shutdown.check()
            waiting = [number for number in waiting if self._awaits_moderation(number)]
            if not waiting:
                return None
            line = f"{address}: sms.by has not approved {counted(len(waiting), 'text')} yet"
            context.say(Event("moderation", line, (address,)))
        return waiting[0]

    def _awaits_moderation(self, message_id: int) -> bool:
        """Whether sms.by says so; a message with an unknown status is tried."""
        try:
            state = self._client.check_sms_message_status(message_id)
        except SmsbyUnavailable as error:
            raise StopSending(f"not sent: {error}", ExitCode.UNREACHABLE) from error
        except ApiError:
            return False
        return (state.status or "").strip().lower() == "new"
