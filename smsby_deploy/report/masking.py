"""What may be shown of people: no whole phone number, wherever in a text it stands."""

from __future__ import annotations

import re

# A Belarusian number as people group it, with and without its codes, or any run of digits as long as a number.
_GAP = r"[\s().\-\u2010-\u2015\u00a0]*"
_NUMBER = re.compile(
    rf"(?<!\d)(?:(?:\+?375|8{_GAP}0)(?:{_GAP}\d){{9}}"
    rf"|(?:25|29|33|44){_GAP}\d{{3}}{_GAP}\d{{2}}{_GAP}\d{{2}}|\d{{9,}})(?!\d)"
)
_UNIX_TIME = re.compile(r"1[6-9]\d{8}")  # sms.by tells its times so, and no number begins like this
_SHOWN_START, _SHOWN_END = 5, 2


def mask_numbers(text: str) -> str:
    """`text` with the middle of everything that could be a phone number starred out; its length stays."""
    return _NUMBER.sub(lambda found: _mask(found.group()), text)


def mask_value(value: str) -> str:
    """A person's own value, e.g. a name: its first character, the rest starred out."""
    return value[:1] + "*" * (len(value) - 1)


def _mask(number: str) -> str:
    if _UNIX_TIME.fullmatch(number):
        return number
    digits = sum(character.isdigit() for character in number)
    shown, seen = [], 0
    for character in number:
        if character.isdigit():
            seen += 1
            character = character if seen <= _SHOWN_START or seen > digits - _SHOWN_END else "*"
        shown.append(character)
    return "".join(shown)
