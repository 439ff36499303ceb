"""What may be shown of people: no whole phone number, wherever in a text it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A Belarusian number as people group it, with and without its codes, or any run of digits as long as a number.
_GAP = r"[\s().\-\u2010-\u2015\u00a0]*"
_WIDE_GAP = r"[\s()+.\-\u2010-\u2015\u00a0]*"  # between the digits of a known number
# As text: it is compiled, by `re`, for the first problem that is told, and most commands tell none.
_NUMBER = (
    rf"(?<!\d)(?:(?:\+?375|8{_GAP}0)(?:{_GAP}\d){{9}}"
    rf"|(?:25|29|33|44){_GAP}\d{{3}}{_GAP}\d{{2}}{_GAP}\d{{2}}|\d{{9,}})(?!\d)"
)
_SHORT = re.compile(r"\d{1,3}")
_UNIX_TIME = re.compile(r"1[6-9]\d{8}")  # sms.by tells its times so, and no number begins like this
_SHOWN_START, _SHOWN_END = 5, 2


def mask_phones(text: str) -> str:
    """`text` with the middle of everything that could be a phone number starred out; its length stays."""
    return re.sub(_NUMBER, lambda found: _mask(found.group()), text)


def mask_phone_in(text: str, phone: str | None) -> str:
    """`text` with `phone`, however it is grouped, and every other phone number masked; the length does not change."""
    if phone is not None:
        digits = [rf"({digit})" for digit in phone[-9:]]
        text = re.sub(_WIDE_GAP.join(digits), _mask_digits, text)
    return mask_phones(text)


def mask_values(text: str, values: Iterable[str]) -> str:
    """`text` with a person's own values, e.g. a name, starred out behind their first letter; its length stays.

    Also words of them, in whatever case: a template may take the first name only, or shout it. Numbers of up to three
    digits stay: a discount or an hour, by which nobody is known.
    """
    words = {part for value in values for part in (value.strip(), *value.split())}
    told = sorted(
        (word for word in words if len(word) > 1 and not _SHORT.fullmatch(word)), key=len, reverse=True
    )
    if not told:
        return text
    # Two or three letters stand within many words; there they are nobody's name.
    patterns = [rf"(?<!\w){re.escape(word)}(?!\w)" if len(word) < 4 else re.escape(word) for word in told]
    return re.sub("|".join(patterns), lambda found: _star(found.group()), text, flags=re.IGNORECASE)


def _mask_digits(found: re.Match[str]) -> str:
    """The matched number with all but its first two and last two digit groups starred."""
    masked = list(found.group())
    for group in range(3, len(found.groups()) - 1):
        masked[found.start(group) - found.start()] = "*"
    return "".join(masked)


def _star(value: str) -> str:
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
