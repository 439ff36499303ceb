"""The outcome of a send; a request is repeated only after NOT_SENT."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from smsby_deploy.smsby.methods import Method
from smsby_deploy.smsby.response import (
    PLACE_HINT,
    Answer,
    WrongPhone,
    error_kind,
    find_anywhere,
    find_value,
    objects_of,
    read_int,
    refuses_token,
    says_refused,
    unwrap,
)
from smsby_deploy.smsby.retry import with_wait
from smsby_deploy.smsby.transport import AnswerLost, NotConnected

_SERVER_ERROR = 500
_FAILURES = frozenset({"error", "fail", "failed", "failure", "false", "0"})
# For a list mailing that did not start; as the status of a single SMS, they would not deny that it was accepted.
_NOT_STARTED = _FAILURES | {
    "draft", "rejected", "refused", "denied", "declined", "invalid", "canceled", "cancelled",
}  # fmt: skip


class OutcomeKind(StrEnum):
    """What is known about a send; only NOT_SENT and REJECTED certainly reached no recipient."""

    ACCEPTED = "accepted"
    NOT_SENT = "not sent"
    REJECTED = "rejected"
    TOKEN_REFUSED = "token refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one send.

    error: why it was not accepted
    message_id: of the new message, or, with a rejection as a duplicate, of the existing one
    retry_after: the seconds that sms.by asked to wait
    raw: the answer's JSON, if any
    is_token_known: whether a token that a POST refuses was accepted in a GET
    blames_phone: whether the error is about the phone, and so says nothing about other phones
    """

    kind: OutcomeKind
    uuid: str | None = None
    message_id: int | None = None
    error: str | None = None
    retry_after: float | None = None
    raw: Any = field(default=None, repr=False, compare=False)
    is_token_known: bool = False
    blames_phone: bool = False

    @property
    def explanation(self) -> str | None:
        """The error, and its possible reason."""
        return f"{self.error}; {PLACE_HINT}" if self.is_token_known else self.error


def judge_send(
    answer: Answer | NotConnected | AnswerLost, method: Method, *, refuses_at_500: bool = False
) -> Outcome:
    """Return the outcome of a send by `method`, which has a proof.

    This is the table of outcomes in docs/guarantees.md, from certain to unknown.

    For a method that only prepares, an error text counts as an answer with any HTTP status, 5xx included. With
    `refuses_at_500`, so does the text of a refusal with HTTP 500: this account was seen to refuse like that.
    """
    match answer:
        case NotConnected():
            return Outcome(OutcomeKind.NOT_SENT, error=answer.message)
        case AnswerLost():
            return Outcome(OutcomeKind.UNKNOWN, error=answer.message)
    error, text = answer.error, answer.explanation
    is_refused = bool(error) and (
        answer.status == 200
        or 400 <= answer.status < (600 if method.only_prepares else 500)
        or (answer.status == _SERVER_ERROR and refuses_at_500 and says_refused(error or ""))
    )
    if (is_refused or answer.status == 429) and _names_a_send(answer, method):
        # A refusal together with the proof of a send: it may or may not have been sent.
        return Outcome(OutcomeKind.UNKNOWN, error=text or f"HTTP {answer.status}", raw=answer.data)
    if answer.status == 429:
        return Outcome(
            OutcomeKind.NOT_SENT,
            error=with_wait(text or "too many requests", answer.retry_after),
            retry_after=answer.retry_after,
            raw=answer.data,
        )
    if error and is_refused:
        return _refused(answer, error)
    if 200 <= answer.status < 300 and answer.readable and not error:
        return _proof_of(answer, method)
    if not error:
        status = f"HTTP {answer.status}"
        text = f"{status}: {text}" if text else f"{status}, without proof that it was sent"
    return Outcome(OutcomeKind.UNKNOWN, error=text, raw=answer.data)


def _refused(answer: Answer, error: str) -> Outcome:
    """Return the outcome of an answer with an `error` text that counts as an answer."""
    text, data = answer.explanation, answer.data
    if refuses_token(error, answer.status):
        known = answer.is_token_known
        return Outcome(OutcomeKind.TOKEN_REFUSED, error=text, raw=data, is_token_known=known)
    return Outcome(
        OutcomeKind.REJECTED,
        error=text,
        message_id=_positive(find_value(data, "message_id")),
        raw=data,
        blames_phone=error_kind(text or error) is WrongPhone,
    )


def _names_a_send(answer: Answer, method: Method) -> bool:
    """Return whether an answer has the id of something sent or drafted, at any depth.

    A method that only prepares a message may name an existing one with the same text.
    """
    uuid = find_anywhere(answer.data, "uuid")
    keys = {"sms_id"} if method.only_prepares or method.proof != "message_id" else {"sms_id", "message_id"}
    has_number = any(_positive(find_anywhere(answer.data, key)) for key in keys)
    return has_number or (isinstance(uuid, str) and bool(uuid.strip()))


def _proof_of(answer: Answer, method: Method) -> Outcome:
    """Return ACCEPTED if the answer contains the proof and denies nothing, otherwise UNKNOWN."""
    proof, data = method.proof, answer.data
    assert proof is not None
    uuid = find_value(data, "uuid")
    message_id = _positive(find_value(data, "message_id"))
    is_proved = {
        "uuid": isinstance(uuid, str) and bool(uuid.strip()),
        "message_id": message_id is not None,
        "sms_id": _positive(find_value(data, "sms_id")) is not None,
        "confirmed": _says_confirmed(data),
    }[proof]
    denial = _denial_in(answer)
    if is_proved and not denial:
        return Outcome(
            OutcomeKind.ACCEPTED,
            uuid=uuid.strip() if proof == "uuid" else None,
            message_id=message_id,
            raw=data,
        )
    missing = "sign of a confirmation" if proof == "confirmed" else proof
    why = denial or f"the answer contains no {missing}"
    text = answer.explanation
    return Outcome(OutcomeKind.UNKNOWN, error=f"{why}: {text}" if text else why, raw=data)


def _denial_in(answer: Answer) -> str:
    """Return how the answer contradicts its own proof; empty if it does not.

    The documented sign of success is `success` "OK". A `status` may be that of an SMS, so only words of failure count.
    """
    for found in objects_of(answer.data):
        if "success" in found and str(found["success"]).strip().lower() != "ok":
            return f'the answer says success "{answer.one_line(found["success"])}" instead of "OK"'
        if str(found.get("status")).strip().lower() in _FAILURES:
            return f'the answer says status "{answer.one_line(found["status"])}"'
    return ""


def _positive(value: Any) -> int | None:
    number = read_int(value)
    return number if number is not None and number > 0 else None


def _says_confirmed(data: Any) -> bool:
    """Return whether an answer to confirm=1 shows success and no failure.

    Status DRAFT means not confirmed, and so does a word of refusal.

    The answer to confirm=1 is not documented; other methods answer status or success "OK", or a result.
    """
    data = unwrap(data)
    if not isinstance(data, dict):
        return False
    inner = unwrap(data.get("result", data.get("data")))
    said = [data.get("status"), data.get("success")]
    if isinstance(inner, dict):
        said += [inner.get("status"), inner.get("success")]
    words = {str(word).strip().lower() for word in said if word is not None}
    if words & _NOT_STARTED:
        return False
    return bool(words or inner or data.get("message_id"))
