"""Make the messages of createSmsMessage, and wait until they may be sent. It reaches nobody, so it may be repeated."""

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


class MessageFactory:
    """Makes the message of one text, and knows whether it was approved."""

    def __init__(self, context: ApplyContext, dispatcher: Dispatcher) -> None:
        self._project = context.project
        self._client = context.client
        self._clock = context.clock
        self._shutdown = context.shutdown
        self._say = context.say
        self._dispatcher = dispatcher

    def make(self, mailing: Mailing, action: Action, chunk: Chunk, when: datetime | None) -> Outcome:
        """Call createSmsMessage until it is accepted or rejected; a rejection may name the message that exists.

        Raises:
            StopSending: it did not answer, refused the token, or asked to wait longer than a minute.
        """
        name = remote_name(
            self._project.name,
            mailing.address,
            mailing.revision,
            chunk.index,
            len(action.chunks),
            chunk.fingerprint,
        )
        zone = ZoneInfo(self._project.api.account_timezone)
        time = "" if when is None else when.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for tries in itertools.count(1):
            self._shutdown.check()
            outcome = self._dispatcher.run(
                lambda: self._client.create_sms_message(
                    chunk.text or "", alphaname_id=action.alphaname_id or 0, name=name, time=time
                )
            )
            if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
                return outcome
            pause = SEND_RETRIES.pause_after(tries, outcome.retry_after)
            if outcome.kind is OutcomeKind.TOKEN_REFUSED or pause is None:
                raise StopSending(f"not sent: createSmsMessage: {outcome.error}", ExitCode.UNREACHABLE)
            line = f"the message was not made ({outcome.error}); again in {pause:.3g} s"
            self._say(Event("retry", line, (mailing.address,), is_warning=True))
            self._shutdown.pause(pause)
        raise AssertionError("the policy ends the retries")

    def wait_for_approval(self, address: str, message_ids: Iterable[int | None]) -> int | None:
        """Wait for `reconcile_seconds` until none of these messages is said to be awaiting moderation; one that still is,
        or None.

        Raises:
            StopSending: sms.by could not be asked, or a signal asked to stop.
        """
        left = [number for number in message_ids if number is not None]
        for _ in poll(self._project.api.reconcile_seconds, clock=self._clock, pause=self._shutdown.pause):
            self._shutdown.check()
            left = [number for number in left if self._awaits_moderation(number)]
            if not left:
                return None
            line = f"{address}: sms.by has not approved {len(left)} of its texts yet"
            self._say(Event("moderation", line, (address,)))
        return left[0]

    def _awaits_moderation(self, message_id: int) -> bool:
        """Whether sms.by says so; of a word that is not known sendSMS tells."""
        try:
            state = self._client.check_sms_message_status(message_id)
        except SmsbyUnavailable as error:
            raise StopSending(f"not sent: {error}", ExitCode.UNREACHABLE) from error
        except ApiError:
            return False
        return (state.status or "").strip().lower() == "new"
