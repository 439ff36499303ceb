"""An error as sms.by answers it."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """The call is answered with `{"error": text}` and the keys of `more`.

    `status` is the HTTP status in the style that tells errors by status; in the other style it is 200. `always`
    keeps the status in both styles.
    """

    def __init__(self, text: str, status: int = 400, *, always: bool = False, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.always = always
        self.body = {"error": text, **more}


def incorrect_arguments() -> Refusal:
    """sms.by has one text for all that is missing or of the wrong shape."""
    return Refusal("incorrect arguments")
