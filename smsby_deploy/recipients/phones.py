"""Phone numbers: normalization to digits with the country code first.

Belarusian mobile numbers are accepted in every common spelling. Numbers of other countries are accepted only where
the project allows the country, and only with the country code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from smsby_deploy.config.declarations import HOME
from smsby_deploy.numbering_plan import ANY_MOBILE_CODE, OPERATORS
from smsby_deploy.wording import sentence

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_MOBILE = re.compile(rf"375{ANY_MOBILE_CODE}[0-9]{{7}}")
# Spaces, dashes, brackets, dots, and the invisible characters that come with a number copied from an address book.
_PUNCTUATION = re.compile(r"[\s().\-\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
# Excel's ways to force text: ="375…", '375…
_EXCEL_TEXT = re.compile(r'\s*(?:="([^"]*)"|\'(.*))\s*', re.DOTALL)
_ROUNDED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
# A data frame turns a column of phones with a gap into floats. The digits after the point do not belong to the phone:
# appended to a number that lacks a digit, they would make another subscriber's number.
_DECIMAL = re.compile(r"\s*(\+?[0-9]{7,})[.,]([0-9]+)\s*")
# Russian and Kazakh national spellings, 8 9XX … and 8 7XX …: no country code begins like this.
_TRUNK_EIGHT = re.compile(r"8([79][0-9]{9})")
# The common spellings without punctuation; everything else takes the slow path, which can say what is wrong.
_SPELLINGS = re.compile(rf"(?:\+?375|00375|80|0)?({ANY_MOBILE_CODE}[0-9]{{7}})")
# For many phones as one text, a phone per line: other spellings of the country code (bytes.replace takes twice as
# long), and lines that are already a normalized number.
_OTHER_CODES = re.compile(rb"\n(?:\+375|80)")
_MOBILE_LINES = re.compile(rf"(?:375{ANY_MOBILE_CODE}[0-9]{{7}}\n)*")
_MOBILE_LINE = 13  # characters, with the line break
_LONGEST_WRITTEN = 100  # characters
_SHORTEST = 7
_LONGEST = 15  # digits, of any number (ITU-T E.164)


class BadPhone(ValueError):
    """A phone that cannot get an SMS; the message says why and never contains the number."""


def normalize_phone(raw: str, countries: tuple[str, ...] = (HOME,)) -> str:
    """Return the number as sms.by expects it: digits only, country code first.

    `countries` are the allowed ones, as two-letter ISO 3166 codes.

    Raises:
        BadPhone: not a mobile number of an allowed country.
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
        raise BadPhone(_too_short(digits))
    if HOME not in countries and home != digits:
        raise BadPhone(
            sentence(
                "no country code; one is required here (countries: {countries})",
                countries=", ".join(countries),
            )
        )
    if countries != (HOME,) and not home.startswith("375"):
        return _foreign(digits, countries)
    if HOME not in countries:
        raise BadPhone(
            sentence(
                "Belarusian numbers are not allowed here (countries: {countries})",
                countries=", ".join(countries),
            )
        )
    if not home.startswith("375"):
        raise BadPhone(sentence("not a Belarusian number (375…); use `countries:` to allow other countries"))
    if len(home) != 12:
        raise BadPhone(sentence("expected 12 digits in a Belarusian number, got {count}", count=len(home)))
    raise BadPhone(sentence("not a Belarusian mobile number (codes {codes})", codes=", ".join(OPERATORS)))


def normalize_opt_out(raw: str) -> str:
    """Return the number of a recipient who opted out, of any country.

    An opt-out counts whatever `countries` a mailing allows, and landlines are accepted. As with `normalize_phone`, the
    result has no trunk prefix: +375 (0)29 … is 37529…, and a Russian or Kazakh 8 is 7.

    Raises:
        BadPhone: not a valid number of any country, so it would suppress no recipient.
    """
    if _MOBILE.fullmatch(raw):
        return raw
    raw = _without_fraction(raw)
    digits, is_international = _digits(raw)
    home = digits if is_international else _with_home_code(digits)
    if _MOBILE.fullmatch(home):
        return home
    if home != digits or home.startswith("375"):
        with suppress(BadPhone):
            return _in_full(_parse(home))
    if home.startswith("375") and home == digits:
        return normalize_phone(raw)  # raises, with a better reason
    if len(digits) < _SHORTEST:
        raise BadPhone(_too_short(digits))
    trunk = None if is_international else _TRUNK_EIGHT.fullmatch(digits)
    if trunk:
        digits = f"7{trunk[1]}"
    return _in_full(_parse(digits))


def normalize_all(
    raw: Sequence[str], countries: tuple[str, ...] = (HOME,)
) -> tuple[list[str], dict[int, str]]:
    """Normalize phones; return them, and a reason by position for each invalid one."""
    phones = _usual_ones(raw) if HOME in countries else [""] * len(raw)
    bad = _fill(phones, raw, lambda one: normalize_phone(one, countries))
    for position in bad:
        phones[position] = raw[position]
    return phones, bad


def normalize_opt_outs(raw: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    """Return the valid opt-outs, normalized, and a reason by position for each invalid one."""
    phones = _usual_ones(raw)
    bad = _fill(phones, raw, normalize_opt_out)
    return [phone for phone in phones if phone], bad


def _fill(phones: list[str], raw: Sequence[str], normalize: Callable[[str], str]) -> dict[int, str]:
    """Fill the gaps in `phones` by normalizing `raw`; return which positions failed, and why."""
    bad: dict[int, str] = {}
    position = -1
    for _ in range(phones.count("")):
        position = phones.index("", position + 1)
        try:
            phones[position] = normalize(raw[position])
        except BadPhone as error:
            # Not the exception: it would keep this frame alive, and with it the whole block.
            bad[position] = error.args[0]
    return bad


def _usual_ones(raw: Sequence[str]) -> list[str]:
    """Normalize the common spellings; "" for every other phone.

    A few passes over all phones as one text are several times faster than inspecting each phone.
    """
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


def _without_fraction(raw: str) -> str:
    """Return `375291234567` for `375291234567.0`; raises BadPhone for another fraction."""
    decimal = _DECIMAL.fullmatch(raw) if len(raw) <= _LONGEST_WRITTEN else None
    if decimal is None:
        return raw
    if decimal[2].strip("0"):
        raise BadPhone(sentence("a phone number cannot have a decimal fraction"))
    return decimal[1]


def _too_short(digits: str) -> str:
    return sentence(
        "only {count:digit|digits}; a phone number has at least {limit}", count=len(digits), limit=_SHORTEST
    )


def _digits(raw: str) -> tuple[str, bool]:
    """Return the digits, and whether their country code is explicit, as in +375… and 00375…."""
    if len(raw) > _LONGEST_WRITTEN:
        raise BadPhone(sentence("too long for a phone number"))
    excel = _EXCEL_TEXT.fullmatch(raw)
    text = _PUNCTUATION.sub("", excel[1] or excel[2] or "" if excel else raw)
    if not text:
        raise BadPhone(sentence("the phone is empty"))
    if _ROUNDED.fullmatch(text):
        raise BadPhone(
            sentence("rounded by a spreadsheet (3.75E+11); format the column as text and export it again")
        )
    is_international = text.startswith(("+", "00"))
    digits = text[1:] if text.startswith("+") else text.removeprefix("00")
    if not (digits.isascii() and digits.isdecimal()):
        raise BadPhone(sentence("a phone may contain only digits, spaces and + - . ( )"))
    if len(digits) > _LONGEST:
        raise BadPhone(
            sentence(
                "{count:digit|digits}; a phone number has at most {limit}", count=len(digits), limit=_LONGEST
            )
        )
    return digits, is_international


def _with_home_code(digits: str) -> str:
    """Replace a Belarusian national prefix (8 029 …, 029 …, 29 …) by the country code."""
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
        raise BadPhone(
            sentence(
                "numbers of {region} are not allowed here (countries: {countries})",
                region=region,
                countries=", ".join(countries),
            )
        )
    mobile = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if phonenumbers.number_type(number) not in mobile:
        raise BadPhone(sentence("not a mobile number"))
    found = f"{number.country_code}{number.national_number}"
    if found != digits or _with_home_code(found) != found:
        # Without its + it would be read as a Belarusian number, or as another foreign one.
        raise BadPhone(sentence("ambiguous: as digits it reads as another number"))
    return found


def _parse(digits: str) -> PhoneNumber:
    """Parse a number of any country, country code first; raises BadPhone if it is not valid."""
    import phonenumbers  # takes 20 ms, and only projects that send abroad need it

    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException as error:
        raise BadPhone(
            sentence("not a number of any country; numbers outside Belarus need a country code")
        ) from error
    if not phonenumbers.is_valid_number(number):
        raise BadPhone(sentence("not a valid number in its country"))
    return number


def _in_full(number: PhoneNumber) -> str:
    """Return the digits of `number`, country code first, without a trunk prefix."""
    import phonenumbers

    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
