"""Template filters for texts: money, date, plural, phone, int, float and decimal."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2.exceptions import TemplateRuntimeError, UndefinedError
from jinja2.runtime import Undefined

from smsby_deploy.config.sources import HOME_TIMEZONE, FalseText
from smsby_deploy.wording import sentence

DEFAULT_FILTERS = ("default", "d")  # the names of `default`
_LANGUAGES = ("ru", "be", "en")
_MONTHS = {
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "be": "студзеня лютага сакавіка красавіка мая чэрвеня ліпеня жніўня верасня кастрычніка лістапада снежня",
    "en": "January February March April May June July August September October November December",
}
_WEEKDAYS = {
    "ru": "понедельник вторник среда четверг пятница суббота воскресенье",
    "be": "панядзелак аўторак серада чацвер пятніца субота нядзеля",
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_DATE = "%-d %B %Y"
_CODE = re.compile(r"%(-?.)")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](.+))?")
_AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?")
_AMBIGUOUS = re.compile(r"-?[1-9]\d{0,2},\d{3}")  # 1,234 is over a thousand in English, 1.234 in Russian
_TOO_LARGE = Decimal(10**15)
_GROUP_GAPS = str.maketrans("", "", " _'\u00a0\u202f\u2009")


class AmbiguousNumberError(TemplateRuntimeError):
    """A number that can be read in two ways; no default replaces it."""


def default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """Return `default_value` if undefined or (`boolean`) empty, but not for a typed false or 0."""
    if isinstance(value, Undefined) or (boolean and not value and not isinstance(value, FalseText)):
        return default_value
    return value


def format_money(value: Any, currency: str = "", language: str = "ru") -> str:
    """An amount with two decimals: `1 234,50 BYN`, in English `1,234.50 BYN`."""
    _check_language(language)
    amount = _number("money", value).quantize(Decimal("0.01"), ROUND_HALF_UP)
    text = f"{amount:,.2f}"
    if language != "en":
        text = text.replace(",", " ").replace(".", ",")
    return f"{text} {currency}".rstrip()


def date(value: Any, *how: str, timezone: str = HOME_TIMEZONE) -> str:
    """A date or time, such as `1 декабря 2026`.

    A time with an offset or Z is converted to `timezone`.
    `how` is a language (ru, be, en), a format, or both. Codes of a format: %d %-d day, %m %-m month, %B its name, %Y
    %y year, %A weekday, %H:%M time, %% a percent sign.
    """
    language, form = "ru", _DATE
    for word in how:
        if "%" in word:
            form = word
        else:
            language = word
    _check_language(language)
    when = _parse_date(_text_of("date", value))
    if when.tzinfo is not None:
        try:
            when = when.astimezone(ZoneInfo(timezone))
        except (OverflowError, ZoneInfoNotFoundError, ValueError) as error:
            raise TemplateRuntimeError(
                sentence("date: the time cannot be shown in the time zone {zone}; check both", zone=timezone)
            ) from error
    codes = {
        "d": f"{when.day:02d}", "-d": str(when.day), "m": f"{when.month:02d}", "-m": str(when.month),
        "B": _MONTHS[language].split()[when.month - 1], "A": _WEEKDAYS[language].split()[when.weekday()],
        "Y": f"{when.year:04d}", "y": f"{when.year % 100:02d}", "H": f"{when.hour:02d}", "M": f"{when.minute:02d}",
        "%": "%",
    }  # fmt: skip

    def spell(code: re.Match[str]) -> str:
        if code[1] not in codes:
            known = " ".join(f"%{one}" for one in codes)
            raise TemplateRuntimeError(
                sentence("date: unknown code %{code}; use {known}", code=code[1], known=known)
            )
        return codes[code[1]]

    return _CODE.sub(spell, form)


def plural(value: Any, *forms: str) -> str:
    """The form of a word that agrees with a number: `балл`, `балла` or `баллов`.

    Two forms follow the English rule. The forms may also be given as one text: `plural('балл, балла, баллов')`.
    """
    words = [word.strip() for form in forms for word in form.split(",")]
    number = abs(_number("plural", value))
    if len(words) == 2:
        return words[0] if number == 1 else words[1]
    if len(words) != 3:
        raise TemplateRuntimeError(
            sentence("plural: expected two or three forms, such as plural('балл', 'балла', 'баллов')")
        )
    if number != number.to_integral_value():
        return words[1]
    ones, tens = int(number) % 10, int(number) % 100
    if ones == 1 and tens != 11:
        return words[0]
    return words[1] if 2 <= ones <= 4 and not 12 <= tens <= 14 else words[2]


def phone(value: Any, style: str = "international") -> str:
    """A phone number: `+375 29 123-45-67`, in `national` style `8 029 123-45-67`."""
    digits = re.sub(r"\D", "", _text_of("phone", value))
    if len(digits) == 11 and digits.startswith("80"):
        digits = "375" + digits[2:]
    elif len(digits) == 9:
        digits = "375" + digits
    if not 7 <= len(digits) <= 15:
        raise TemplateRuntimeError(
            sentence("phone: the value is not a phone number; expected 7 to 15 digits")
        )
    if style not in ("international", "national"):
        raise TemplateRuntimeError(sentence("phone: unknown style; use 'international' or 'national'"))
    if not (digits.startswith("375") and len(digits) == 12):
        return f"+{digits}"
    code, rest = digits[3:5], f"{digits[5:8]}-{digits[8:10]}-{digits[10:]}"
    return f"8 0{code} {rest}" if style == "national" else f"+375 {code} {rest}"


def _text_of(name: str, value: Any) -> str:
    if isinstance(value, Undefined):
        return str(value)  # raises an error that names the variable
    text = "" if value is None else str(value).strip()
    if not text:
        raise TemplateRuntimeError(
            sentence("{name}: the value is empty; test it with {{% if %}} or add a default", name=name)
        )
    return text


def _number(name: str, value: Any) -> Decimal:
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < _TOO_LARGE:
        return value
    text = _text_of(name, value)
    if _AMBIGUOUS.fullmatch(text):
        raise AmbiguousNumberError(
            sentence("{name}: the comma may separate thousands or decimals; write 1234 or 1.234", name=name)
        )
    text = text.translate(_GROUP_GAPS).replace(",", ".")
    if not _AMOUNT.fullmatch(text):
        raise TemplateRuntimeError(
            sentence("{name}: the value is not a number; write it like 1234.50", name=name)
        )
    return Decimal(text)


def _to_number(name: str, kind: Callable[[Any], Any], value: Any, *default: Any) -> Any:
    """Convert a number to another type; `default`, if given, replaces a value that is not one.

    Jinja2's own filters return 0 instead, so an empty column would be sent as `0 points`.
    """
    try:
        if isinstance(value, bool | int):
            return kind(value)
        return kind(_number(name, value))
    except (UndefinedError, AmbiguousNumberError):
        raise
    except TemplateRuntimeError:
        if not default:
            raise
        return default[0]


def _parse_date(text: str) -> datetime:
    dotted = _DOTTED.fullmatch(text)
    if dotted:
        day, month, year, clock = dotted.groups()
        text = f"{year}-{int(month):02d}-{int(day):02d}" + (f"T{clock}" if clock else "")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise TemplateRuntimeError(
            sentence(
                "date: the value is not a date; write it like 2026-12-01, 2026-12-01T10:00 or 01.12.2026"
            )
        ) from error


def _check_language(language: str) -> None:
    if language not in _LANGUAGES:
        raise TemplateRuntimeError(
            sentence("unknown language '{name}'; use {known}", name=language, known=", ".join(_LANGUAGES))
        )


TEXT_FILTERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(DEFAULT_FILTERS, default),
    "int": partial(_to_number, "int", int),
    "float": partial(_to_number, "float", float),
    "decimal": partial(_to_number, "decimal", Decimal),  # exact, with its digits as written
    "money": format_money,
    "date": date,
    "plural": plural,
    "phone": phone,
}
