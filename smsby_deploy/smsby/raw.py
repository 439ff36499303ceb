"""One raw call of any method: the answer's JSON, or an error. No call is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smsby_deploy.errors import ApiError, OutcomeUnknown, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.smsby.client import failure_of, says_nothing_yet
from smsby_deploy.smsby.methods import Effect, Method
from smsby_deploy.smsby.outcome import OutcomeKind, judge_send
from smsby_deploy.smsby.response import Answer, error_for
from smsby_deploy.smsby.transport import AnswerLost, NotConnected, SendTransport

_UNKNOWN_HINT = (
    "it may have been sent: check at sms.by (getSMSMessages, getSmsDeliveryList) before you repeat it"
)


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
    if answer.status == 429:
        wait = "" if answer.retry_after is None else f" in {answer.retry_after:.0f} s"
        text = f"{method.name}: {answer.error or 'too many requests'} (HTTP 429); nothing was done"
        return RawAnswer(None, ApiError(text, status=429, hint=f"try again{wait}"))
    return _of_send(method, answer) if sends else _of_question(method, answer)


def _of_send(method: Method, answer: Answer) -> RawAnswer:
    assert method.proof is not None
    outcome = judge_send(answer, proof=method.proof, only_prepares=method.only_prepares)
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return RawAnswer(answer.data)
        case OutcomeKind.UNKNOWN:
            return RawAnswer(answer.data, _unknown(method, outcome.error or ""))
    return RawAnswer(
        None,
        error_for(method.name, outcome.error or "", status=answer.status, message_id=outcome.message_id),
    )


def _of_question(method: Method, answer: Answer) -> RawAnswer:
    if says_nothing_yet(answer):
        return RawAnswer([])
    if answer.is_success:
        if answer.readable:
            return RawAnswer(answer.data)
        if answer.is_empty and method.effect is Effect.ASKS:
            return RawAnswer([])
    failure = failure_of(method.name, answer)
    if answer.error and type(failure) is SmsbyUnavailable:
        failure = ApiError(failure.message, status=answer.status, hint=failure.hint)
    return RawAnswer(None, failure)


def _unknown(method: Method, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{method.name}: unknown whether it was sent: {why}", hint=_UNKNOWN_HINT)
