"""The error texts of sms.by that are known, as typed errors with a hint.

ApiError                   1   sms.by answered with an error
├── NotFound               1   a message, SMS or name that sms.by does not have
├── WrongPhone             1   a phone number that it does not take
├── WrongAlphaname         1   a sender name that is not there or not approved
├── TextRefusedAsTooLong            1   over 10 parts
├── DuplicateMessage       1   the same text exists; `message_id` names it where the answer did
├── AwaitingModeration     1   the text is not approved yet
├── LimitExceeded          1   the tariff's limit is used up
├── NoMoney                1   the balance or the tariff does not allow it
├── WrongArguments         1   parameters that sms.by can't make sense of
└── UndefinedError         1   a fault inside sms.by

No machine-readable code was ever seen, so they are told apart by their text; its wording and HTTP status changed
over the years (403, 404 and 500 in 2017, 400 in 2026).
"""

from __future__ import annotations

import re

from smsby_deploy.errors import ApiError, SmsbyDeployError, TokenRefused


class NotFound(ApiError):
    """There is no such message, SMS or name."""


class WrongPhone(ApiError):
    """sms.by does not take the phone number."""


class WrongAlphaname(ApiError):
    """The sender name is not there or not approved."""


class TextRefusedAsTooLong(ApiError):
    """Over 10 parts."""


class DuplicateMessage(ApiError):
    """A message with the same text exists."""

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
    """The parameters make no sense to sms.by."""


class UndefinedError(ApiError):
    """A fault inside sms.by."""


# pattern of the text: (error, hint). The first that fits wins.
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
    (r"message is too long", TextRefusedAsTooLong, "10 parts at most: 1530 Latin or 670 other characters"),
    (r"the same message exists", DuplicateMessage, "use the message that exists, or change the text"),
    (
        r"access denied",
        AwaitingModeration,
        "sms.by has not approved the text yet: checkSMSMessageStatus tells `moderated` when it has",
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
    """Whether an answer with this error text and HTTP status says that the token is not taken."""
    return bool(text) and (status == 401 or _TOKEN.search(text or "") is not None)


def is_known(text: str) -> bool:
    """Whether the text is one of sms.by's own, so that it answers the question whatever its HTTP status."""
    return any(re.search(pattern, text, re.IGNORECASE) for pattern, _, _ in _KNOWN)


def error_for(method: str, text: str, *, status: int, message_id: int | None = None) -> SmsbyDeployError:
    """The typed error for what `method` answered with HTTP `status`."""
    if refuses_token(text, status):
        return TokenRefused(f"sms.by refuses the token: {text}", hint="check SMSBY_TOKEN")
    for pattern, kind, hint in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            error = kind(f"{method}: {text}", status=status, hint=hint)
            if isinstance(error, DuplicateMessage):
                error.message_id = message_id
            return error
    return ApiError(f"{method}: {text}", status=status)
