"""The client of `doctor`: returns each answer as it came, and cannot reach a recipient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from smsby_deploy.errors import SmsbyUnavailable
from smsby_deploy.smsby.client import ask_until_answered
from smsby_deploy.smsby.json_stream import KeepRow
from smsby_deploy.smsby.methods import METHODS, Effect, check_params
from smsby_deploy.smsby.parameters import CallStyle
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.retry import with_wait
from smsby_deploy.smsby.transport import ReadTransport, SendTransport

WRONG_TOKEN = "bad"


class ProbeClient:
    """Makes read calls and, with `may_write`, calls that leave rows at sms.by; sends no SMS.

    `wrong` is a transport with an invalid token. Queries are retried if sms.by is busy or their answer was lost; calls
    that leave rows are not.
    """

    def __init__(self, transport: SendTransport, wrong: ReadTransport, *, may_write: bool) -> None:
        self._transport = transport
        self._wrong = wrong
        self.may_write = may_write

    def call(
        self, name: str, params: Mapping[str, Any] | None = None, *, style: CallStyle | None = None
    ) -> Answer:
        """Call a method, in another `style` than documented if that is given.

        Raises:
            SmsbyUnavailable: no answer arrived.
            PermissionError: it could reach a recipient, or would leave a row without permission.
        """
        method, given = METHODS[name].by(style), params or {}
        sends = method.sends_with(given)
        if sends and not method.only_prepares:
            raise PermissionError(f"{name} may reach a recipient")
        check_params(method, given)
        if not sends and method.effect is not Effect.CHANGES:
            return self._ask(lambda: self._transport.ask(method, given))
        if not self.may_write:
            raise PermissionError(f"{name} leaves a row")
        return self._transport.send(method, given)

    def list_mailings(self, kind: str | None, keep: KeepRow) -> Answer:
        """Ask for the account's mailings, or one kind; only rows that `keep` accepts are held."""
        params = {"type": kind} if kind else {}
        return self._ask(lambda: self._transport.ask(METHODS["getSMSMessages"], params, keep))

    def ask_with_a_wrong_token(self) -> Answer:
        """Ask for the balance with an invalid token. Call it once: sms.by may count such calls."""
        return self._wrong.ask(METHODS["getBalance"], {})

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        return ask_until_answered(question, _busy, self._transport.clock.sleep)


def _busy(answer: Answer) -> SmsbyUnavailable | None:
    """Return the error for an answer that does not come from sms.by itself, or is a 429."""
    if answer.status != 429 and (answer.status < 502 or answer.error):
        return None
    text = with_wait(f"sms.by is busy (HTTP {answer.status})", answer.retry_after)
    return SmsbyUnavailable(text, hint="try again later")
