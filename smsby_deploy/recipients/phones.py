"""Phone numbers: every way people write a Belarusian mobile number becomes 375XXXXXXXXX; numbers of other countries
are taken only where the project allows them, and only with their country code."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import HOME
from smsby_deploy.wording import counted

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_MOBILE = re.compile(r"375(?:25|29|33|44)[0-9]{7}")
# Spaces, dashes, brackets, dots, and the invisible marks that come along when a number is copied from an address book.
_PUNCTUATION = re.compile(r"[\s().\-\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
_EXCEL_TEXT = re.compile(
    r'\s*(?:="([^"]*)"|\'(.*))\s*', re.DOTALL
)  # ="375…" and '375…': text, said Excel's way
_ROUNDED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
# What a data frame makes of a column of phones with a gap in it. Its 0 is no digit of the phone: behind a number that
# lacks a digit it would make somebody else's.
_DECIMAL = re.compile(r"\s*(\+?[0-9]{7,})[.,]0+\s*")
# Russian and Kazakh national spellings, 8 9XX … and 8 7XX …: no country code begins so.
_TRUNK_EIGHT = re.compile(r"8([79][0-9]{9})")
# The usual spellings at one glance, punctuation aside; what is not one of them is looked at more closely.
_SPELLINGS = re.compile(r"(?:\+?375|00375|80|0)?((?:25|29|33|44)[0-9]{7})")
# In a text of a number a line: other ways to write the country code (bytes.replace takes twice as long), and lines that hold
# nothing but a number.
_OTHER_CODES = re.compile(rb"\n(?:\+375|80)")
_MOBILE_LINES = re.compile(r"(?:375(?:25|29|33|44)[0-9]{7}\n)*")
_MOBILE_LINE = 13  # characters of one
_LONGEST_WRITTEN = 100  # characters
_SHORTEST = 7
_LONGEST = 15  # digits, of any number (ITU-T E.164)


class BadPhone(ValueError):  # it says what it is
    """Not a number that can be sent to; the message says why and never holds the number."""


def normalize_phone(raw: str, countries: tuple[str, ...] = (HOME,)) -> str:
    """The number as sms.by wants it: digits, country code first. `countries` (ISO 3166, two letters) are allowed.

    Raises:
        BadPhone: it is not a mobile number of one of `countries`.
    """
    if _MOBILE.fullmatch(raw) and HOME in countries:
        return raw
    raw = _without_fraction(raw)
    if HOME in countries:
        spelled = _SPELLINGS.fullmatch(raw) or _SPELLINGS.fullmatch(_PUNCTUATION.sub("", raw))
        if spelled:
            return "375" + spelled[1]
    digits, is_international = _digits(raw)
    home = digits if is_international else _with_home_code(digits)
    if _MOBILE.fullmatch(home) and HOME in countries:
        return home
    if len(digits) < _SHORTEST:
        raise BadPhone(f"it has only {counted(len(digits), 'digit')}")
    if HOME not in countries and home != digits:
        raise BadPhone(
            f"it has no country code, and abroad one is wanted (countries: {', '.join(countries)})"
        )
    if countries != (HOME,) and not home.startswith("375"):
        return _foreign(digits, countries)
    if HOME not in countries:
        raise BadPhone(f"Belarusian numbers are not allowed here (countries: {', '.join(countries)})")
    if not home.startswith("375"):
        raise BadPhone("it is not a Belarusian number (375…); `countries:` allows others")
    if len(home) != 12:
        raise BadPhone(f"a Belarusian number has 12 digits, this one has {len(home)}")
    raise BadPhone("it is not a mobile number (codes 25, 29, 33, 44)")


def normalize_opt_out(raw: str) -> str:
    """The number of somebody who opted out, of any country: no mailing's `countries` may hide an opt-out.

    Numbers of other countries come out of `normalize_phone` as the digits they were written with, so here they are
    taken as they stand, if they are numbers at all: one that is not would hide nobody, and nobody would know. Russian and
    Kazakh ones may begin with their 8.

    Raises:
        BadPhone: it can't be a number that something is sent to.
    """
    if _MOBILE.fullmatch(raw):
        return raw
    raw = _without_fraction(raw)
    digits, is_international = _digits(raw)
    home = digits if is_international else _with_home_code(digits)
    if home.startswith("375"):
        return normalize_phone(raw)
    if len(digits) < _SHORTEST:
        raise BadPhone(f"it has only {counted(len(digits), 'digit')}")
    trunk = None if is_international else _TRUNK_EIGHT.fullmatch(digits)
    if trunk:
        digits = f"7{trunk[1]}"
    _parse(digits)
    return digits


def normalize_all(
    raw: Sequence[str], countries: tuple[str, ...] = (HOME,)
) -> tuple[list[str], dict[int, str]]:
    """`normalize_phone` of each, and what is no number: its position and why."""
    phones = _usual_ones(raw) if HOME in countries else [""] * len(raw)
    bad = _fill(phones, raw, lambda one: normalize_phone(one, countries))
    for position in bad:
        phones[position] = raw[position]
    return phones, bad


def normalize_opt_outs(raw: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    """The numbers of those of `raw` that are some, by `normalize_opt_out`, and the others: position and why."""
    phones = _usual_ones(raw)
    bad = _fill(phones, raw, normalize_opt_out)
    return [phone for phone in phones if phone], bad


def _fill(phones: list[str], raw: Sequence[str], normalize: Callable[[str], str]) -> dict[int, str]:
    """Put into each gap of `phones` what `normalize` makes of the one in `raw`; the positions at which it fails, and why."""
    bad: dict[int, str] = {}
    position = -1
    for _ in range(phones.count("")):
        position = phones.index("", position + 1)
        try:
            phones[position] = normalize(raw[position])
        except BadPhone as error:
            bad[position] = str(error)  # the error itself holds on to this frame, and so to the whole block
    return bad


def _usual_ones(raw: Sequence[str]) -> list[str]:
    """The numbers of those that are written as most are, "" for the others: a few passes over all of them as one text,
    several times as fast as a look at each."""
    written = ("\n" + "\n".join(raw) + "\n").encode("ascii", "replace").translate(None, b" ()-")
    text = _OTHER_CODES.sub(b"\n375", written).decode()
    phones = text.split("\n")[1:-1]
    if len(phones) != len(raw):
        return [""] * len(raw)  # a cell holds a line break
    position, row = 1, 0
    while (found := _MOBILE_LINES.match(text, position)) and found.end() < len(text):
        row += (found.end() - position) // _MOBILE_LINE
        phones[row] = ""
        row += 1
        position = text.index("\n", found.end()) + 1
    return phones


def mask_phone(phone: str) -> str:
    """The number as it may be shown: its code and its last two digits."""
    return phone[:5] + "*" * max(0, len(phone) - 7) + phone[-2:] if len(phone) > 8 else "*" * len(phone)


def _without_fraction(raw: str) -> str:
    """`375291234567` of `375291234567.0`."""
    decimal = _DECIMAL.fullmatch(raw) if len(raw) <= _LONGEST_WRITTEN else None
    return decimal[1] if decimal else raw


def _digits(raw: str) -> tuple[str, bool]:
    """The digits of a number, and whether it was written with its country code (+375…, 00375…)."""
    if len(raw) > _LONGEST_WRITTEN:
        raise BadPhone("it is far too long for a phone")
    excel = _EXCEL_TEXT.fullmatch(raw)
    text = _PUNCTUATION.sub("", excel[1] or excel[2] or "" if excel else raw)
    if not text:
        raise BadPhone("the phone is empty")
    if _ROUNDED.fullmatch(text):
        raise BadPhone("a spreadsheet rounded it (3.75E+11): format the column as text and export it again")
    is_international = text.startswith(("+", "00"))
    digits = text[1:] if text.startswith("+") else text.removeprefix("00")
    if not (digits.isascii() and digits.isdecimal()):
        raise BadPhone("a phone has only digits, spaces and + - ( )")
    if len(digits) > _LONGEST:
        raise BadPhone(f"it has {len(digits)} digits, no number has more than {_LONGEST}")
    return digits, is_international


def _with_home_code(digits: str) -> str:
    """Belarusian national spellings: 8 029 …, 029 …, 29 …"""
    if len(digits) == 11 and digits.startswith("80"):
        return "375" + digits[2:]
    if len(digits) == 10 and digits.startswith("0"):
        return "375" + digits[1:]
    return "375" + digits if len(digits) == 9 else digits


def _foreign(digits: str, countries: tuple[str, ...]) -> str:
    import phonenumbers

    number = _parse(digits)
    region = phonenumbers.region_code_for_number(number)
    if region not in countries:
        raise BadPhone(f"numbers of {region} are not allowed here (countries: {', '.join(countries)})")
    mobile = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if phonenumbers.number_type(number) not in mobile:
        raise BadPhone("it is not a mobile number")
    found = f"{number.country_code}{number.national_number}"
    if found != digits or _with_home_code(found) != found:
        # Without its + it would be read as a Belarusian one, or as another.
        raise BadPhone("it can't be told from another number once written as digits")
    return found


def _parse(digits: str) -> PhoneNumber:
    """A number of any country, its code first.

    Raises:
        BadPhone: it is none.
    """
    import phonenumbers  # of 20 ms, and only for projects that write abroad

    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException as error:
        raise BadPhone("it is no number of any country; abroad a country code is wanted") from error
    if not phonenumbers.is_valid_number(number):
        raise BadPhone("it is not a valid number of its country")
    return number
