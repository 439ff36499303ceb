"""Answers of sms.by: replies, and errors as replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call, before a fault breaks it."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The call is answered with `{"error": text}` and the keys of `more`.

    `status` is the HTTP status where the setting `error_status` is 400; where it is 200, so is the status of the answer,
    unless `keeps_status`.
    """

    def __init__(self, text: str, status: int = 400, *, keeps_status: bool = False, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.keeps_status = keeps_status
        self.body = {"error": text, **more}


def incorrect_arguments() -> Refusal:
    """Return the one error that sms.by has for any missing or malformed parameter."""
    return Refusal("incorrect arguments")
