"""The methods of sms.by that send or change something, as typed functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from smsby_deploy.errors import (
    ApiError,
    OutcomeUnknown,
    SmsbyDeployError,
    SmsbyUnavailable,
    TokenRefused,
    UnusableAnswer,
)
from smsby_deploy.privacy import hide_quotes
from smsby_deploy.smsby.client import ReadClient, failure_of
from smsby_deploy.smsby.connections import FreshConnection, FreshConnections
from smsby_deploy.smsby.facts import NO_FACTS, AccountFacts
from smsby_deploy.smsby.methods import METHODS, Effect, Method, check_params
from smsby_deploy.smsby.outcome import Outcome, OutcomeKind, judge_send
from smsby_deploy.smsby.parsers import ImportReport, ListInfo, read_import, read_list_info
from smsby_deploy.smsby.response import Answer, error_for, find_value, read_int
from smsby_deploy.smsby.retry import when_to_retry
from smsby_deploy.smsby.transport import AnswerLost, NotConnected, SendTransport

_UNKNOWN_HINT = (
    "it may have been sent: check at sms.by (getSMSMessages, getSmsDeliveryList) before you repeat it"
)

_Judge = Callable[[Answer | NotConnected | AnswerLost], Outcome]


class PreparedSend(Protocol):
    """A request that is built; call it once, after taking a turn."""

    def __call__(self, connection: FreshConnection | None = None) -> Outcome:
        """Send it on `connection`, or on a new one, and return its outcome."""


class SendClient(ReadClient):
    """The methods that send or change something. None is retried here.

    The methods that send return an Outcome and raise only UsageError, before the request. A method `prepare_…` returns a
    function that sends the request.
    """

    _transport: SendTransport

    def __init__(self, transport: SendTransport, facts: AccountFacts = NO_FACTS) -> None:
        super().__init__(transport, facts)

    def seconds_until_turn(self) -> float:
        """Return the seconds until `requests_per_second` allows the next request; reserves nothing."""
        return self._transport.pace.seconds_until_turn()

    def take_turn(self) -> float:
        """Reserve the next turn of the pace and return the seconds until it comes.

        Prepared calls do not wait for a turn.
        """
        return self._transport.pace.take_turn()

    @property
    def connections(self) -> FreshConnections:
        """The connections that wait for requests."""
        return self._transport.connections

    def prepare_bulk_sms(self, messages: Iterable[bytes], callback_url: str = "") -> PreparedSend:
        """Prepare one sendBulkSms with `messages`, each a JSON object; its uuid proves acceptance."""
        array = b"[%b]" % b", ".join(messages)
        return self._prepare("sendBulkSms", {"callback_url": callback_url, "messages": array})

    def prepare_sms_list(
        self, *, name: str, message: str, d_schedule: str, list_id: int, alphaname_id: int
    ) -> PreparedSend:
        """Prepare the draft of a list mailing.

        `d_schedule` is YYYY-MM-DD HH:MM in the account's time zone.
        """
        params = {
            "name": name,
            "message": message,
            "d_schedule": d_schedule,
            "list_id": list_id,
            "alphaname_id": alphaname_id,
        }
        return self._prepare("sendSmsList", params)

    def confirm_info(self, message_id: int) -> ListInfo:
        """Return what sms.by reports about a draft (confirm=0); starts nothing.

        Raises like the methods of ReadClient.
        """
        answer = self._ask("confirmSendMessageByList", {"message_id": message_id, "confirm": 0})
        return read_list_info(answer.data)

    def prepare_confirm(self, message_id: int) -> PreparedSend:
        """Prepare the confirmation of a draft (confirm=1), which sends it."""
        return self._prepare("confirmSendMessageByList", {"message_id": message_id, "confirm": 1})

    def send_quick_sms(self, *, message: str, phone: str, alphaname_id: int) -> Outcome:
        """Send one SMS, and ask for its cost; its sms_id proves acceptance."""
        params = {"message": message, "phone": phone, "alphaname_id": alphaname_id, "show_cost": 1}
        return self._send("sendQuickSMS", params)

    def send_otp(self, method: str, *, code: str, phone: str) -> Outcome:
        """Send a code of 1 to 16 digits by a messenger; its sms_id proves acceptance."""
        return self._send(method, {"message": code, "phone": phone})

    def create_sms_message(
        self, message: str, *, alphaname_id: int, name: str = "", time: str = ""
    ) -> Outcome:
        """Create a message for sendSMS; its message_id proves acceptance.

        It reaches no recipient, so every error is an answer.

        A rejection as a duplicate has the message_id of the existing message. `time` is YYYY-MM-DD HH:MM.
        """
        params: dict[str, Any] = {"message": message, "alphaname_id": alphaname_id}
        params |= {key: value for key, value in (("name", name), ("time", time)) if value}
        return self._send("createSmsMessage", params)

    def prepare_sms(self, message_id: int, phone: str, text: str = "") -> PreparedSend:
        """Prepare the sendSMS of a message to one phone; its sms_id proves acceptance.

        No error quotes `text`, the text of the message.
        """
        return self._prepare("sendSMS", {"message_id": message_id, "phone": phone}, text)

    def prepare_create_subscriber_list(self, name: str) -> PreparedSend:
        """Prepare the creation of a contact list; the outcome has its id as `raw`."""

        def read(answer: Answer) -> int:
            number = read_int(find_value(answer.data, "list_id"))
            if number is None:
                raise _without("createSubscriberList", "list_id", answer)
            return number

        return self._prepare_repeatable("createSubscriberList", {"name": name}, read)

    def prepare_import_contacts(
        self, list_id: int, field_names: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> PreparedSend:
        """Prepare the upload of up to 500 contacts to a list; repeating it changes nothing.

        The outcome has an ImportReport as `raw`.

        Raises:
            UsageError: too many rows or custom fields, or neither phone nor email among the fields.
        """

        def read(answer: Answer) -> ImportReport:
            report = read_import(answer.data)
            if report.inserted is report.updated is report.invalid is None:
                raise _without("importContacts", "counts", answer)
            return report

        params = {"list_id": list_id, "field_names": list(field_names), "data": [list(row) for row in rows]}
        return self._prepare_repeatable("importContacts", params, read)

    def _send(self, name: str, params: Mapping[str, Any]) -> Outcome:
        send = self._prepare(name, params)
        self._transport.pace.wait_turn()
        return send()

    def _prepare(self, name: str, params: Mapping[str, Any], text: str = "") -> PreparedSend:
        method = METHODS[name]

        def judge(answer: Answer | NotConnected | AnswerLost) -> Outcome:
            outcome = judge_send(answer, method, refuses_at_500=self.facts.refuses_at_500)
            # Errors are recorded in the lock, which has no texts.
            if not outcome.error:
                return outcome
            return replace(outcome, error=hide_quotes(outcome.error, [text, *_texts_of(params)]))

        return self._prepare_judged(method, params, judge)

    def _prepare_repeatable(
        self, name: str, params: Mapping[str, Any], read: Callable[[Answer], object]
    ) -> PreparedSend:
        """Prepare a call that reaches no recipient.

        The outcome is accepted with what `read` returns as `raw`, and unknown if the call perhaps had its effect.
        """

        def judge(answer: Answer | NotConnected | AnswerLost) -> Outcome:
            if not isinstance(answer, Answer):
                return _outcome_of(answer)
            try:
                return Outcome(OutcomeKind.ACCEPTED, raw=read(_checked(name, answer)))
            except SmsbyDeployError as error:
                return _outcome_of(error)

        return self._prepare_judged(METHODS[name], params, judge)

    def _prepare_judged(self, method: Method, params: Mapping[str, Any], judge: _Judge) -> PreparedSend:
        check_params(method, params)
        try:
            request = self._transport.prepare(method, params)
        except NotConnected as error:
            outcome = judge(error)
            return lambda connection=None: outcome

        def send(connection: FreshConnection | None = None) -> Outcome:
            try:
                return judge(request(connection))
            except (NotConnected, AnswerLost) as error:
                return judge(error)

        return send


def _texts_of(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts that a request sends."""
    if "message" in params:
        yield params["message"]
    for message in json.loads(params.get("messages", "[]")):
        yield message.get("text", "")
        yield from (one["text"] for one in message["delivery_list"] if isinstance(one, dict))


def _checked(name: str, answer: Answer) -> Answer:
    """Return `answer` if it has a result, otherwise raise its error."""
    if answer.is_success and answer.readable:
        return answer
    raise failure_of(name, answer)


def _outcome_of(error: SmsbyDeployError) -> Outcome:
    """Return the outcome of a call that failed and may be repeated."""
    match error:
        case TokenRefused():
            return Outcome(OutcomeKind.TOKEN_REFUSED, error=error.message)
        case ApiError():
            return Outcome(OutcomeKind.REJECTED, error=error.message)
        case NotConnected():
            return Outcome(OutcomeKind.NOT_SENT, error=error.message)
        case SmsbyUnavailable():
            return Outcome(OutcomeKind.UNKNOWN, error=error.message, retry_after=error.retry_after)
    raise error


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """`data` is the answer's JSON, None if there was none.

    `failure` is the error, None if the call succeeded.
    """

    data: Any
    failure: SmsbyDeployError | None = None


def call_raw(transport: SendTransport, method: Method, params: Mapping[str, Any]) -> RawAnswer:
    """Call `method` once; the caller has checked the parameters with `check_params`.

    The failure is an OutcomeUnknown (it may have been sent), an ApiError (rejected), a TokenRefused or a SmsbyUnavailable.
    """
    sends = method.sends_with(params)
    try:
        answer = transport.send(method, params)
    except NotConnected as error:
        return RawAnswer(None, error)
    except AnswerLost as error:
        return RawAnswer(None, _unknown(method, error.message) if sends else error)
    except KeyboardInterrupt:
        if not sends:
            raise
        return RawAnswer(None, _unknown(method, "interrupted before the answer arrived"))
    return _of_send(method, answer) if sends else _of_question(method, answer)


def _of_send(method: Method, answer: Answer) -> RawAnswer:
    outcome = judge_send(answer, method)
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return RawAnswer(answer.data)
        case OutcomeKind.UNKNOWN:
            return RawAnswer(answer.data, _unknown(method, outcome.error or ""))
        case OutcomeKind.NOT_SENT:
            return RawAnswer(None, _busy(method, answer))
    return RawAnswer(
        None,
        error_for(
            method.name, outcome.error or "", status=answer.status, is_token_known=outcome.is_token_known
        ),
    )


def _busy(method: Method, answer: Answer) -> SmsbyUnavailable:
    text = f"{method.name}: {answer.explanation or 'too many requests'} (HTTP 429); nothing was done"
    return SmsbyUnavailable(text, hint=f"try again {when_to_retry(answer.retry_after)}")


def _of_question(method: Method, answer: Answer) -> RawAnswer:
    if answer.status == 429:
        return RawAnswer(None, _busy(method, answer))
    if answer.says_nothing:
        return RawAnswer([])
    if answer.is_success:
        if answer.readable:
            return RawAnswer(answer.data)
        if answer.is_empty and method.effect is Effect.ASKS:
            return RawAnswer([])
    failure = failure_of(method.name, answer)
    if answer.error and type(failure) in (SmsbyUnavailable, UnusableAnswer):
        failure = ApiError(failure.message, status=answer.status, hint=failure.hint)
    return RawAnswer(None, failure)


def _without(name: str, what: str, answer: Answer) -> AnswerLost:
    text = answer.explanation
    return AnswerLost(f"{name}: the answer of sms.by contains no {what}{': ' + text if text else ''}")


def _unknown(method: Method, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{method.name}: unknown whether it was sent: {why}", hint=_UNKNOWN_HINT)
