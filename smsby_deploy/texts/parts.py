"""Encoding and billed parts of one SMS text.

sms.by bills by its own table, which differs from GSM 03.38 at 4 to 6 parts; see docs/api-facts.md. The counting
follows the class of sms.by's own SDKs to the byte, its quirks included: `€` makes a text unicode, and in a unicode
text a doubled character counts twice only among the first bytes, as many as the text has characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from enum import StrEnum
from typing import NamedTuple

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode

# The most units of 1, 2, … 10 parts.
LATIN = (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)
UNICODE = (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)
_DOUBLE = b"\n[]\\^{}|"
DOUBLED = _DOUBLE.decode()  # characters that count twice
MAX_PARTS = 10

# GSM 03.38: the default alphabet, and its extension, of which each character takes two septets.
_GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = "\f^{}\\[~]|€"
_NOT_GSM = re.compile(f"[^{re.escape(_GSM_BASIC + _GSM_EXTENSION)}]")
_GSM_DOUBLE = re.compile(f"[{re.escape(_GSM_EXTENSION)}]")


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


class TextTooLong(SmsbyDeployError):
    """Over 10 parts; sms.by does not take it."""

    exit_code = ExitCode.FILES_INVALID


class TextSize(NamedTuple):
    """What one text costs: `parts` billed, `units` counted, in `encoding`."""

    encoding: Encoding
    units: int
    parts: int

    @property
    def capacity(self) -> int:
        """The units that fit without another part; 1530 or 670 at ten parts."""
        return (LATIN if self.encoding is Encoding.GSM7 else UNICODE)[self.parts - 1]


def measure_text(text: str) -> TextSize:
    """The size of `text` as sms.by bills it.

    Raises:
        TextTooLong: over 10 parts (1530 Latin or 670 other characters).
    """
    length = len(text)
    if text.isascii():
        encoding, table, head = Encoding.GSM7, LATIN, text.encode("ascii")
    else:
        encoding, table, head = Encoding.UCS2, UNICODE, text.encode("utf-8", "surrogatepass")[:length]
    if length > table[-1]:
        raise TextTooLong(
            f"the text has {length} characters, over {MAX_PARTS} parts ({table[-1]}) are not taken"
        )
    units = length + len(head) - len(head.translate(None, _DOUBLE))
    return TextSize(encoding, units, min(bisect_left(table, units) + 1, MAX_PARTS))


def parts_by_length(table: tuple[int, ...]) -> list[int]:
    """The parts of 0, 1, 2, … units by LATIN or UNICODE."""
    return [bisect_left(table, units) + 1 for units in range(table[-1] + 1)]


def measure_gsm(text: str) -> TextSize:
    """The size of `text` by GSM 03.38, as operators count: 160 septets or 70 UCS-2 units, then 153 or 67 a part.

    It may exceed 10 parts: it is told beside the billed size, and nothing is decided by it.
    """
    if _NOT_GSM.search(text) is None:
        units = len(text) + len(_GSM_DOUBLE.findall(text))
        encoding, single, joined = Encoding.GSM7, 160, 153
    else:
        units = len(text.encode("utf-16-le", "surrogatepass")) // 2
        encoding, single, joined = Encoding.UCS2, 70, 67
    return TextSize(encoding, units, 1 if units <= single else -(-units // joined))


def split_parts(text: str, size: TextSize) -> list[str]:
    """`text` cut where its billed parts end, as many pieces as `size.parts`; no doubled character is cut in two.

    The table tells sums only; each part is taken as an equal share of its row (153 or 157 Latin, 67 or 63 others).
    """
    doubled = DOUBLED if size.encoding is Encoding.GSM7 else ""
    share = size.capacity // size.parts
    pieces: list[str] = []
    start = units = 0
    for index, character in enumerate(text):
        width = 2 if character in doubled else 1
        if units + width > share and len(pieces) < size.parts - 1:
            pieces.append(text[start:index])
            start, units = index, 0
        units += width
    return [*pieces, text[start:]]
