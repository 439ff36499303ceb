"""The known error texts of sms.by as typed errors with a hint.

ApiError                   1   sms.by answered with an error
├── NotFound               1   a message, SMS or name that sms.by does not have
├── WrongPhone             1   a phone number that sms.by does not accept
├── WrongAlphaname         1   a sender name that does not exist or is not approved
├── TextRefusedAsTooLong   1   more than 10 parts
├── DuplicateMessage       1   the same text exists; `message_id` is its id if the answer contains it
├── AwaitingModeration     1   the text is not approved yet
├── LimitExceeded          1   the tariff's limit is used up
├── NoMoney                1   the balance or the tariff does not allow it
├── WrongArguments         1   parameters that sms.by does not understand
└── UndefinedError         1   a fault inside sms.by

sms.by never sent a machine-readable code, so errors are recognized by their text. Its wording and its HTTP status have
changed over the years (403, 404 and 500 in 2017, 400 in 2026).
"""

from __future__ import annotations

import re

from smsby_deploy.errors import ApiError, SmsbyDeployError, TokenRefused


class NotFound(ApiError):
    """There is no such message, SMS or name."""


class WrongPhone(ApiError):
    """sms.by does not accept the phone number."""


class WrongAlphaname(ApiError):
    """The sender name does not exist or is not approved."""


class TextRefusedAsTooLong(ApiError):
    """The text has more than 10 parts."""


class DuplicateMessage(ApiError):
    """A message with the same text exists; `message_id` is its id, if known."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, status=status, hint=hint)
        self.message_id: int | None = None


class AwaitingModeration(ApiError):
    """The message is not approved yet."""


class LimitExceeded(ApiError):
    """The tariff's limit is used up."""


class NoMoney(ApiError):
    """The balance or the tariff does not allow it."""


class WrongArguments(ApiError):
    """sms.by does not understand the parameters."""


class UndefinedError(ApiError):
    """A fault inside sms.by."""


# (pattern of the text, error, hint); the first match wins.
_KNOWN: tuple[tuple[str, type[ApiError], str], ...] = (
    (
        r"incorrect phone number",
        WrongPhone,
        "write it in digits with the country code first, for example 375291234567",
    ),
    (
        r"alphaname|буквенном имени",
        WrongAlphaname,
        "alphaname_id is the id of an approved name (getAlphanames lists them), 0 is the system name",
    ),
    (r"message is too long", TextRefusedAsTooLong, "at most 10 parts: 1530 GSM-7 or 670 UCS-2 characters"),
    (r"the same message exists", DuplicateMessage, "use the message that exists, or change the text"),
    (
        r"access denied",
        AwaitingModeration,
        "sms.by has not approved the text yet; once it has, checkSMSMessageStatus reports `moderated`",
    ),
    (r"limit exce?i?eded|limit excided", LimitExceeded, "see getLimit, or ask sms.by for a larger tariff"),
    (r"insufficient funds|billing error", NoMoney, "see getBalance; top up the account or check its tariff"),
    (r"incorrect arguments|len value must be", WrongArguments, "see docs/api.md for the method's parameters"),
    (r"\bnot found\b", NotFound, "check the id, and that it belongs to this account"),
    (r"undefined error", UndefinedError, "a fault inside sms.by: try again later"),
)
_TOKEN = re.compile(
    r"\btoken\b.{0,30}\b(invalid|incorrect|wrong|expired|missing|required|not found)"
    r"|\b(invalid|incorrect|wrong|expired|missing) (api )?token\b"
    r"|токен\w*\W.{0,30}(не найден|не верн|неверн|недейств|истек)|неверный токен",
    re.IGNORECASE,
)


def refuses_token(text: str | None, status: int) -> bool:
    """Return whether this error text and HTTP status mean that the token is refused."""
    return bool(text) and (status == 401 or _TOKEN.search(text or "") is not None)


def is_known(text: str) -> bool:
    """Return whether `text` is a known error of sms.by, which counts as an answer with any HTTP status."""
    return any(re.search(pattern, text, re.IGNORECASE) for pattern, _, _ in _KNOWN)


def error_for(method: str, text: str, *, status: int, message_id: int | None = None) -> SmsbyDeployError:
    """Return the typed error for the error `text` that `method` answered with HTTP `status`."""
    if refuses_token(text, status):
        return TokenRefused(f"sms.by refuses the token: {text}", hint="check SMSBY_TOKEN")
    for pattern, kind, hint in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            error = kind(f"{method}: {text}", status=status, hint=hint)
            if isinstance(error, DuplicateMessage):
                error.message_id = message_id
            return error
    return ApiError(f"{method}: {text}", status=status)
