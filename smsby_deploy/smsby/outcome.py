"""What the answer of a send means. Only NOT_SENT may ever be tried again by the program."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from smsby_deploy.smsby.known_errors import refuses_token
from smsby_deploy.smsby.methods import Proof
from smsby_deploy.smsby.response import Answer, find_value, read_int, unwrap
from smsby_deploy.smsby.transport import AnswerLost, NotConnected


class OutcomeKind(StrEnum):
    ACCEPTED = "accepted"
    NOT_SENT = "not sent"
    REJECTED = "rejected"
    TOKEN_REFUSED = "token refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` tells why it was not accepted; `retry_after` is in seconds; `raw` is the answer's JSON, if any.

    A rejection may carry a `message_id`: that of the message that exists already.
    """

    kind: OutcomeKind
    uuid: str | None = None
    message_id: int | None = None
    error: str | None = None
    retry_after: float | None = None
    sms_id: int | None = None
    raw: Any = field(default=None, repr=False, compare=False)


def judge_send(
    answer: Answer | NotConnected | AnswerLost, *, proof: Proof, reaches_nobody: bool = False
) -> Outcome:
    """The outcome table: what happened, row by row, from the surest to the least.

    `proof` is the key that an accepted send's answer holds. With `reaches_nobody` an error text is an answer
    whatever its HTTP status: 5xx too.
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
    if error and (answer.status == 200 or 400 <= answer.status < (600 if reaches_nobody else 500)):
        if refuses_token(error, answer.status):
            return Outcome(OutcomeKind.TOKEN_REFUSED, error=error, raw=answer.data)
        if proved.uuid or proved.sms_id:
            # An error beside the proof of a send: neither "sent" nor "not sent" would be known.
            return Outcome(OutcomeKind.UNKNOWN, error=error, raw=answer.data)
        return Outcome(OutcomeKind.REJECTED, error=error, message_id=proved.message_id, raw=answer.data)
    if 200 <= answer.status < 300 and answer.readable and not error:
        return proved
    error = error or f"HTTP {answer.status}, no answer that proves anything"
    return Outcome(OutcomeKind.UNKNOWN, error=error, raw=answer.data)


def _proof_of(data: Any, proof: Proof) -> Outcome:
    """Accepted if the answer holds the proof, else unknown."""
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
    return Outcome(OutcomeKind.UNKNOWN, error=f"the answer holds no {missing}", raw=data)


def _positive(value: Any) -> int | None:
    number = read_int(value)
    return number if number is not None and number > 0 else None


def _says_confirmed(data: Any) -> bool:
    """A sign of success and none of failure; a draft that is still called one is not confirmed.

    What sms.by answers to confirm=1 is not documented; its other methods say status or success "OK", or result.
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
