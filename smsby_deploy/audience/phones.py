"""Phone numbers: every way people write a Belarusian mobile number becomes 375XXXXXXXXX."""

from __future__ import annotations

import re

_MOBILE = re.compile(r"375(?:25|29|33|44)\d{7}", re.ASCII)
_PUNCTUATION = re.compile(r"[\s()+.\-\u2010-\u2015\u00a0]+")


class BadPhone(ValueError):  # it says what it is
    """Not a number that can be sent to; the message says why and never holds the number."""


def normalize_phone(raw: str) -> str:
    """The number as sms.by wants it: digits, country code first.

    Raises:
        BadPhone: it is not a Belarusian mobile number.
    """
    if _MOBILE.fullmatch(raw):
        return raw
    digits = _PUNCTUATION.sub("", raw)
    if not digits:
        raise BadPhone("the phone is empty")
    if not (digits.isascii() and digits.isdecimal()):
        raise BadPhone("a phone has only digits, spaces and + - ( )")
    if len(digits) == 11 and digits.startswith("80"):
        digits = "375" + digits[2:]
    elif len(digits) == 9:
        digits = "375" + digits
    if not digits.startswith("375"):
        raise BadPhone("it is not a Belarusian number (375…)")
    if len(digits) != 12:
        raise BadPhone(f"a Belarusian number has 12 digits, this one has {len(digits)}")
    if not _MOBILE.fullmatch(digits):
        raise BadPhone("it is not a mobile number (codes 25, 29, 33, 44)")
    return digits


def mask_phone(phone: str) -> str:
    """The number as it may be shown: its code and its last two digits."""
    return phone[:5] + "*" * max(0, len(phone) - 7) + phone[-2:] if len(phone) > 8 else "*" * len(phone)
