"""Encoding and billed parts of one SMS text.

sms.by bills by its own table, which differs from GSM 03.38 at 4 to 6 parts; see docs/api-facts.md.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum

from smsby_deploy.errors import SmsbyDeployError

_LATIN = (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)
_UNICODE = (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)
_DOUBLE = "\n[]\\^{}|"
MAX_PARTS = 10


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


class TextTooLong(SmsbyDeployError):
    """Over 10 parts; sms.by does not take it."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class TextSize:
    """What one text costs: `parts` billed, `units` counted, in `encoding`."""

    encoding: Encoding
    units: int
    parts: int


def measure_text(text: str) -> TextSize:
    """The size of `text` as sms.by bills it.

    Raises:
        TextTooLong: over 10 parts (1530 Latin or 670 other characters).
    """
    if text.isascii():
        encoding, table = Encoding.GSM7, _LATIN
        units = len(text) + sum(text.count(character) for character in _DOUBLE)
    else:
        encoding, table = Encoding.UCS2, _UNICODE
        units = len(text)
    if len(text) > table[-1]:
        raise TextTooLong(
            f"the text has {len(text)} characters, over {MAX_PARTS} parts ({table[-1]}) are not taken"
        )
    return TextSize(encoding, units, min(bisect_left(table, units) + 1, MAX_PARTS))
