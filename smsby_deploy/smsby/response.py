"""One answer of sms.by, before it is interpreted, and the errors it may contain.

The known error texts of sms.by are typed errors with a hint:

ApiError                   1   sms.by answered with an error
├── NotFound               1   a message, SMS or name that sms.by does not have
├── WrongPhone             1   a phone number that sms.by does not accept
├── WrongAlphaname         1   a sender name that does not exist or is not approved
├── TextRefusedAsTooLong   1   more than 10 parts
├── DuplicateMessage       1   the same text exists
├── AwaitingModeration     1   the text is not approved yet
├── LimitExceeded          1   the tariff's limit is used up
├── NoMoney                1   the balance or the tariff does not allow it
├── WrongArguments         1   parameters that sms.by does not understand
└── UndefinedError         1   a fault inside sms.by

sms.by has never sent a machine-readable code, so errors are recognized by their text. Its wording and its HTTP status
have changed over the years (403, 404 and 500 in 2017, 400 in 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from smsby_deploy.errors import CHECK_TOKEN, ApiError, SmsbyDeployError, TokenRefused
from smsby_deploy.privacy import hide_token

_LONGEST_ERROR = 300
_MOST_DIGITS = 30  # of an amount, before and after the point
_YEAR_3000 = 32_503_680_000  # milliseconds would be far beyond it
_DEEPEST_ERROR = 4  # levels of lists and maps that are taken apart
_TOKEN = re.compile(
    r"\btoken\b.{0,30}\b(invalid|incorrect|wrong|expired|missing|required|not found)"
    r"|\b(invalid|incorrect|wrong|expired|missing) (api )?token\b"
    r"|токен\w*\W.{0,30}(не найден|не верн|неверн|недейств|истек)|неверный токен",
    re.IGNORECASE,
)
# The whole text: "page not found" says nothing about mailings.
_NOTHING_FOUND = re.compile(
    r"((content|data|mailings?|messages?|sms( messages?)?|records?|results?|rows|items?)( (was|were|is|are))? )?not found"
    r"|no (content|data|mailings|messages|sms|records|results|rows|items)( (was|were))?( found)?|nothing( was)? found"
    r"|(данные|данных|рассылки|рассылок|сообщения|сообщений|контент|ничего)? ?не найден[аоы]?"
    r"|нет (данных|рассылок|сообщений)|(данные|рассылки|сообщения) отсутствуют",
    re.IGNORECASE,
)


PLACE_HINT = (
    "this service may expect the parameters of a POST in another place than sms.by documents; "
    "`smsby-deploy doctor` finds out where"
)
LIST_KEYS = ("result", "data")  # under which a list may be


@dataclass(slots=True)
class Rows:
    """A list reduced to the rows that are needed; `count` is its full length."""

    kept: list[Any] = field(default_factory=list)
    count: int = 0

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Its repr shows no content.

    data: the parsed JSON
    readable: whether the body was JSON
    is_empty: whether there was no body at all
    retry_after: the seconds that sms.by asked to wait
    is_token_known: whether this answers a POST, after a GET with the same token was accepted
    """

    status: int
    data: Any = field(default=None, repr=False)
    readable: bool = False
    is_empty: bool = False
    retry_after: float | None = None
    token: str = field(default="", repr=False)
    is_token_known: bool = False

    @property
    def is_success(self) -> bool:
        """Whether it is a 2xx without an error text; the body may still be empty or unreadable."""
        return 200 <= self.status < 300 and not self.error

    @property
    def says_nothing(self) -> bool:
        """Whether it means "nothing yet": HTTP 406, unless it is about the token."""
        return self.status == 406 and not refuses_token(self.error, 406)

    @property
    def accepts_token(self) -> bool:
        """Whether only a request with a valid token gets such an answer."""
        return self.says_nothing or (self.is_success and self.readable)

    @property
    def error(self) -> str | None:
        """The text under `error`, on one line and without the token; None if there is none.

        It decides the meaning of the answer, and may contain phone numbers.
        """
        return self._text_under("error")

    @property
    def explanation(self) -> str | None:
        """The texts under `error`, `message` and `errors`, for display only."""
        return self._text_under("error", "message", "errors")

    def one_line(self, value: object) -> str:
        """Return a value of the answer as one short line without the token."""
        text = hide_token(str(value), self.token)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if len(text) <= _LONGEST_ERROR:
            return text
        # A phone number cut off in the middle could not be recognized and masked, so it is left out.
        return text[:_LONGEST_ERROR].rstrip("0123456789+-. ()") + "…"

    def _text_under(self, *keys: str) -> str | None:
        data = unwrap(self.data)
        values = [data[key] for key in keys if data.get(key)] if isinstance(data, dict) else []
        texts = dict.fromkeys(text for value in values for text in list(_texts_in(value)) or [str(value)])
        joined = ""
        for text in texts:
            gap = "" if not joined else " " if joined[-1] in ".!?:;" else "; "
            joined += gap + text.strip()
        return self.one_line(joined) if values else None


def _texts_in(value: Any, label: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the texts of an error that may be nested, each after its key.

    Laravel answers `{"message": "…", "errors": {"name": ["…", "…"]}}`.
    """
    if isinstance(value, dict | list) and depth < _DEEPEST_ERROR:
        pairs = value.items() if isinstance(value, dict) else ((label, item) for item in value)
        for key, item in pairs:
            yield from _texts_in(item, str(key), depth + 1)
    elif value is not None and str(value).strip():
        yield f"{label}: {value}" if label else str(value)


def unwrap(data: Any) -> Any:
    """Return `data` without the one-element list that some methods of sms.by wrap it in."""
    return data[0] if isinstance(data, list) and len(data) == 1 else data


def objects_of(data: Any) -> list[dict[str, Any]]:
    """Return the objects at the top level and under `result` and `data`."""
    top = unwrap(data)
    found = [top, *(unwrap(top.get(inner)) for inner in LIST_KEYS)] if isinstance(top, dict) else []
    return [value for value in found if isinstance(value, dict)]


def find_value(data: Any, key: str) -> Any:
    """Return the value of `key` at the top level or under `result` or `data`.

    None if there is none.
    """
    return next((found[key] for found in objects_of(data) if found.get(key) is not None), None)


def find_anywhere(data: Any, key: str) -> Any:
    """Return the value of `key` at any depth; None if there is none.

    The one nearest to the top counts.
    """
    level = [data]
    while level:
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                if node.get(key) is not None:
                    return node[key]
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = below
    return None


def read_int(value: Any) -> int | None:
    """Return an integer that may be written as text; None if `value` is not one."""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def read_count(value: Any) -> int | None:
    """Return a number of things; None if `value` is not one."""
    number = read_int(value)
    return number if number is not None and number >= 0 else None


def read_unix(value: Any) -> int | None:
    """Return a time in Unix seconds; None if `value` is not one before the year 3000."""
    number = read_int(value)
    return number if number is not None and 0 <= number < _YEAR_3000 else None


def read_moment(value: Any, zone: tzinfo) -> int | None:
    """Return a time in Unix seconds; None if `value` cannot be read as one.

    A textual one without an offset is in `zone`.
    """
    if read_int(value) is not None or not isinstance(value, str):
        return read_unix(value)
    try:
        local = datetime.fromisoformat(value.strip())
        return int((local if local.tzinfo else local.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        return None


class NotFound(ApiError):
    """There is no such message, SMS or name."""


class WrongPhone(ApiError):
    """sms.by does not accept the phone number."""


class WrongAlphaname(ApiError):
    """The sender name does not exist or is not approved."""


class TextRefusedAsTooLong(ApiError):
    """The text has more than 10 parts."""


class DuplicateMessage(ApiError):
    """A message with the same text exists."""


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


def says_nothing_found(text: str) -> bool:
    """Return whether an error text says that there is nothing to list."""
    return _NOTHING_FOUND.fullmatch(text.strip(" .!")) is not None


def refuses_token(text: str | None, status: int) -> bool:
    """Return whether this error text and HTTP status mean that the token is refused."""
    return bool(text) and (status == 401 or _TOKEN.search(text or "") is not None)


def token_refused(method: str, why: str, *, is_token_known: bool = False) -> TokenRefused:
    """Return the error for a refused token; `why` is what `method` answered.

    If a GET with the same token was accepted, the place of the parameters of a POST may be the reason.
    """
    if is_token_known:
        message = f"{method}: sms.by refuses the token in a POST, but accepts it in a GET: {why}"
        return TokenRefused(message, hint=PLACE_HINT)
    return TokenRefused(f"sms.by refuses the token: {why}", hint=CHECK_TOKEN)


def _find_known(text: str) -> tuple[type[ApiError], str]:
    """Return the known error with this `text`, and its hint; ApiError itself if there is none."""
    known = ((kind, hint) for pattern, kind, hint in _KNOWN if re.search(pattern, text, re.IGNORECASE))
    return next(known, (ApiError, ""))


def error_kind(text: str) -> type[ApiError]:
    """Return the class of an error by its text: ApiError itself if the text is not known.

    A known one counts as an answer with any HTTP status.
    """
    return _find_known(text)[0]


def says_refused(text: str) -> bool:
    """Return whether `text` is a known error that says why nothing was done.

    An undefined error, or a missing page, does not.
    """
    return error_kind(text) not in (ApiError, UndefinedError, NotFound)


def error_for(method: str, text: str, *, status: int, is_token_known: bool = False) -> SmsbyDeployError:
    """Return the typed error for the error `text` that `method` answered with HTTP `status`."""
    if refuses_token(text, status):
        return token_refused(method, text, is_token_known=is_token_known)
    kind, hint = _find_known(text)
    return kind(f"{method}: {text}", status=status, hint=hint)


def read_decimal(value: Any) -> Decimal | None:
    """Return an exact amount of money; None if `value` is not one."""
    try:
        number = None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
    if number is None or not number.is_finite():
        return None
    # 1e100000000 is short, but would be written with a hundred million zeros.
    digits = number.as_tuple()
    is_money = len(digits.digits) <= _MOST_DIGITS and -_MOST_DIGITS <= int(digits.exponent) <= _MOST_DIGITS
    return number if is_money else None


def inner_value(data: Any) -> Any:
    """Return the value under result or data of an answer, otherwise the answer itself.

    The answer may be wrapped in a list.
    """
    top = unwrap(data)
    if isinstance(top, dict):
        found = [top[key] for key in LIST_KEYS if top.get(key) is not None]
        if found:
            return next((value for value in found if isinstance(value, list | dict | Rows)), found[0])
        if "result" in top or "data" in top:
            return []
    return data


def rows_of(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, at the top or under result or data.

    PHP may write it as a map. Of Rows, the kept ones are yielded.

    Raises:
        ApiError: the answer contains no list.
    """
    found = inner_value(data)
    if isinstance(found, dict) and found and all(isinstance(row, dict) for row in found.values()):
        found = list(found.values())
    if isinstance(found, Rows):
        found = found.kept
    rows = found if isinstance(found, list) else None
    if rows is None or not all(isinstance(row, dict) for row in rows):
        raise unreadable("expected a list")
    yield from rows


def unreadable(what: str) -> ApiError:
    """Return the error for an answer that cannot be read."""
    hint = "try again later, or run `smsby-deploy api METHOD` to see the answer"
    return ApiError(f"cannot read the answer of sms.by: {what}", status=200, hint=hint)
