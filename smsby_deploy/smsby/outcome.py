"""The outcome of a send. The program repeats a request only after NOT_SENT."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from smsby_deploy.smsby.methods import Proof
from smsby_deploy.smsby.response import Answer, find_value, read_int, refuses_token, unwrap
from smsby_deploy.smsby.transport import AnswerLost, NotConnected


class OutcomeKind(StrEnum):
    """What is known about a send; NOT_SENT and REJECTED are certain."""

    ACCEPTED = "accepted"
    NOT_SENT = "not sent"
    REJECTED = "rejected"
    TOKEN_REFUSED = "token refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one send.

    error: why it was not accepted
    message_id: of the new message, or, with a rejection as a duplicate, of the existing one
    retry_after: the seconds that sms.by asked to wait
    raw: the answer's JSON, if any
    """

    kind: OutcomeKind
    uuid: str | None = None
    message_id: int | None = None
    error: str | None = None
    retry_after: float | None = None
    sms_id: int | None = None
    raw: Any = field(default=None, repr=False, compare=False)


def judge_send(
    answer: Answer | NotConnected | AnswerLost, *, proof: Proof, only_prepares: bool = False
) -> Outcome:
    """Return the outcome of a send.

    This is the table of outcomes in docs/guarantees.md, from certain to unknown.

    `proof` is the key that the answer to an accepted send contains. With `only_prepares`, an error text counts as an answer
    with any HTTP status, 5xx included.
    """
    match answer:
        case NotConnected():
            return Outcome(OutcomeKind.NOT_SENT, error=answer.message)
        case AnswerLost():
            return Outcome(OutcomeKind.UNKNOWN, error=answer.message)
    error = answer.error
    if answer.status == 429:
        return Outcome(
            OutcomeKind.NOT_SENT,
            error=error or "too many requests",
            retry_after=answer.retry_after,
            raw=answer.data,
        )
    proved = _proof_of(answer.data, proof)
    if error and (answer.status == 200 or 400 <= answer.status < (600 if only_prepares else 500)):
        if refuses_token(error, answer.status):
            return Outcome(OutcomeKind.TOKEN_REFUSED, error=error, raw=answer.data)
        if proved.uuid or proved.sms_id:
            # An error together with the proof of a send: it may or may not have been sent.
            return Outcome(OutcomeKind.UNKNOWN, error=error, raw=answer.data)
        return Outcome(OutcomeKind.REJECTED, error=error, message_id=proved.message_id, raw=answer.data)
    if 200 <= answer.status < 300 and answer.readable and not error:
        return proved
    error = error or f"HTTP {answer.status}, without proof that it was sent"
    return Outcome(OutcomeKind.UNKNOWN, error=error, raw=answer.data)


def _proof_of(data: Any, proof: Proof) -> Outcome:
    """Return ACCEPTED if the answer contains the proof, else UNKNOWN."""
    uuid = find_value(data, "uuid")
    message_id = _positive(find_value(data, "message_id"))
    sms_id = _positive(find_value(data, "sms_id"))
    accepted = OutcomeKind.ACCEPTED
    if proof == "uuid" and isinstance(uuid, str) and uuid.strip():
        return Outcome(accepted, uuid=uuid.strip(), message_id=message_id, raw=data)
    if proof == "message_id" and message_id is not None:
        return Outcome(accepted, message_id=message_id, raw=data)
    if proof == "sms_id" and sms_id is not None:
        return Outcome(accepted, message_id=message_id, sms_id=sms_id, raw=data)
    if proof == "confirmed" and _says_confirmed(data):
        return Outcome(accepted, message_id=message_id, raw=data)
    missing = "sign of a confirmation" if proof == "confirmed" else proof
    return Outcome(OutcomeKind.UNKNOWN, error=f"the answer contains no {missing}", raw=data)


def _positive(value: Any) -> int | None:
    number = read_int(value)
    return number if number is not None and number > 0 else None


def _says_confirmed(data: Any) -> bool:
    """Return whether an answer to confirm=1 shows success and no failure.

    Status DRAFT means not confirmed.

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
    if words & {"draft", "error", "fail", "failed", "failure", "false", "0"}:
        return False
    return bool(words or inner or data.get("message_id"))
