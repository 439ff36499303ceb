"""What the answer of a send means. Only NOT_SENT may ever be tried again by the program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Literal

from smsby_deploy.clock import SystemClock
from smsby_deploy.smsby.transport import Answer, AnswerLost, NotConnected

Proof = Literal["uuid", "message_id", "confirmed"]
_TOKEN = re.compile(r"\btoken\b|токен", re.IGNORECASE)


class OutcomeKind(StrEnum):
    ACCEPTED = "accepted"
    NOT_SENT = "not sent"
    REJECTED = "rejected"
    TOKEN_REFUSED = "token refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` tells why it was not accepted; `retry_after` is in seconds."""

    kind: OutcomeKind
    uuid: str | None = None
    message_id: int | None = None
    error: str | None = None
    retry_after: float | None = None


def judge_send(answer: Answer | NotConnected | AnswerLost, *, proof: Proof) -> Outcome:
    """The outcome table: what happened, row by row, from the surest to the least."""
    match answer:
        case NotConnected():
            return Outcome(OutcomeKind.NOT_SENT, error=answer.message)
        case AnswerLost():
            return Outcome(OutcomeKind.UNKNOWN, error=answer.message)
    error = error_text(answer.data)
    if answer.status == 429:
        return Outcome(
            OutcomeKind.NOT_SENT, error=error or "too many requests", retry_after=_retry_after(answer)
        )
    if answer.status == 401 or (error and _TOKEN.search(error)):
        return Outcome(OutcomeKind.TOKEN_REFUSED, error=error or "the token is refused")
    if error and (answer.status == 200 or 400 <= answer.status < 500):
        return Outcome(OutcomeKind.REJECTED, error=error)
    if 200 <= answer.status < 300 and answer.readable and not error:
        return _proved(answer, proof)
    return Outcome(
        OutcomeKind.UNKNOWN, error=error or f"HTTP {answer.status}, no answer that proves anything"
    )


def _proved(answer: Answer, proof: Proof) -> Outcome:
    uuid = find_value(answer.data, "uuid")
    number = read_int(find_value(answer.data, "message_id"))
    if proof == "uuid" and isinstance(uuid, str) and uuid:
        return Outcome(OutcomeKind.ACCEPTED, uuid=uuid, message_id=number)
    if proof == "message_id" and number is not None:
        return Outcome(OutcomeKind.ACCEPTED, message_id=number)
    if proof == "confirmed" and isinstance(unwrap(answer.data), dict):
        return Outcome(OutcomeKind.ACCEPTED, message_id=number)
    return Outcome(OutcomeKind.UNKNOWN, error=f"the answer holds no {proof}")


def error_text(data: Any) -> str | None:
    """The text of an answer's `error`, or None; it need not be a string."""
    data = unwrap(data)
    error = data.get("error") if isinstance(data, dict) else None
    return str(error) if error else None


def unwrap(data: Any) -> Any:
    """An old answer wrapped in a one-element list is unwrapped."""
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def find_value(data: Any, key: str) -> Any:
    """`key` at the top level or under `result` or `data`."""
    data = unwrap(data)
    if not isinstance(data, dict):
        return None
    if key in data:
        return data[key]
    for inner in ("result", "data"):
        found = unwrap(data.get(inner))
        if isinstance(found, dict) and key in found:
            return found[key]
    return None


def read_int(value: Any) -> int | None:
    """A number that may come as text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(str(value))
    except ValueError:
        return None


def _retry_after(answer: Answer) -> float | None:
    value = {name.lower(): text for name, text in answer.headers.items()}.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - SystemClock().now()).total_seconds())
    except (ValueError, TypeError):
        return None
