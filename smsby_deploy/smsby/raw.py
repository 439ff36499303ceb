"""One call of any method, as it is: the answer's JSON, or the error that it means. Nothing is asked twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smsby_deploy.errors import ApiError, OutcomeUnknown, SmsbyDeployError, SmsbyUnavailable
from smsby_deploy.smsby.client import failure_of
from smsby_deploy.smsby.known_errors import error_for, refuses_token
from smsby_deploy.smsby.methods import Effect, Method
from smsby_deploy.smsby.outcome import OutcomeKind, judge_send
from smsby_deploy.smsby.response import Answer
from smsby_deploy.smsby.transport import AnswerLost, NotConnected, SendTransport

_UNKNOWN_HINT = (
    "look at sms.by (getSMSMessages, getSmsDeliveryList) before you repeat it: it may have been sent"
)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """`data` is the answer's JSON, None if there was none; `failure` is what is wrong, None if nothing is."""

    data: Any
    failure: SmsbyDeployError | None = None


def call_raw(transport: SendTransport, method: Method, params: Mapping[str, Any]) -> RawAnswer:
    """Call `method` once. The parameters are the caller's to check (`check_params`).

    The failure is an OutcomeUnknown (a send that may have gone out), an ApiError (refused, with its text),
    a TokenRefused or a SmsbyUnavailable.
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
        return RawAnswer(None, _unknown(method, "interrupted before the answer came"))
    if answer.status == 429:
        wait = "" if answer.retry_after is None else f" in {answer.retry_after:.0f} s"
        text = f"{method.name}: {answer.error or 'too many requests'} (HTTP 429): not done"
        return RawAnswer(None, ApiError(text, status=429, hint=f"try again{wait}"))
    return _of_send(method, answer) if sends else _of_question(method, answer)


def _of_send(method: Method, answer: Answer) -> RawAnswer:
    assert method.proof is not None
    outcome = judge_send(answer, proof=method.proof, reaches_nobody=method.reaches_nobody)
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
    if answer.status == 406 and not refuses_token(answer.error, 406):
        return RawAnswer([])
    if 200 <= answer.status < 300 and not answer.error:
        if answer.readable:
            return RawAnswer(answer.data)
        if answer.is_empty and method.effect is Effect.ASKS:
            return RawAnswer([])
    failure = failure_of(method.name, answer)
    if answer.error and type(failure) is SmsbyUnavailable:
        failure = ApiError(failure.message, status=answer.status, hint=failure.hint)
    return RawAnswer(None, failure)


def _unknown(method: Method, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{method.name}: whether it was sent is not known: {why}", hint=_UNKNOWN_HINT)
