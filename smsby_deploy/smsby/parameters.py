"""The parameters of sms.by's methods: where each goes, and which values are ruled out.

Places and forms are those of <https://sms.by/en/api-docs/sms-messages>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Literal

Verb = Literal["GET", "POST"]


class Place(StrEnum):
    """Where a parameter goes.

    BODY is the body in the form that `api.body` sets: JSON, or a form with PHP brackets.
    """

    QUERY = "query"
    FORM = "form"
    JSON = "json"
    BODY = "body"


class CallStyle(StrEnum):
    """How a method is called if not as documented.

    All parameters, and the token, are in one place.
    """

    POST_QUERY = "post-query"
    POST_FORM = "post-form"
    POST_JSON = "post-json"
    GET = "get"

    @property
    def verb(self) -> Verb:
        return "GET" if self is CallStyle.GET else "POST"

    @property
    def place(self) -> Place:
        return Place.QUERY if self is CallStyle.GET else Place(self.value.removeprefix("post-"))


# Methods that an account was seen to read otherwise than documented. Only POST methods: a GET has only its query.
CallStyles = Mapping[str, CallStyle]


class ValueForm(Enum):
    """The values that a parameter may have, and how messages describe them."""

    TEXT = ""
    NUMBER = "a number"
    SWITCH = "0 or 1"
    MINUTES = "a number of minutes from 5 to 60"
    CODE = "a code of 1 to 16 digits"
    KIND = "WEB or API"
    MINUTE = "a time written as 2026-12-01 10:00"
    SECOND = "a time written as 2026-12-01T10:00:00"
    MESSAGE_TYPE = "bulk or personal"

    def allows(self, value: Any) -> bool:
        """Return whether `value`, which is not empty, has this form."""
        check = _CHECKS.get(self)
        return check is None or check(str(int(value) if isinstance(value, bool) else value).strip())


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method.

    A required one with a `default` may be left out: the default is sent.
    """

    name: str
    place: Place
    form: ValueForm = ValueForm.TEXT
    is_required: bool = True
    default: str | None = None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def _is_time(pattern: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return re.fullmatch(pattern, text) is not None and bool(datetime.fromisoformat(text))
        except ValueError:
            return False

    return check


_CHECKS: dict[ValueForm, Callable[[str], bool]] = {
    ValueForm.NUMBER: _is_number,
    ValueForm.SWITCH: lambda text: text in ("0", "1"),
    ValueForm.MINUTES: lambda text: _is_number(text) and 5 <= int(text) <= 60,
    ValueForm.CODE: lambda text: re.fullmatch(r"[0-9]{1,16}", text) is not None,
    ValueForm.KIND: lambda text: text in ("WEB", "API"),
    ValueForm.MINUTE: _is_time(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}"),
    ValueForm.SECOND: _is_time(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"),
    ValueForm.MESSAGE_TYPE: lambda text: text in ("bulk", "personal"),
}
