"""Encoding and billed parts of SMS texts, one by one and in batches.

sms.by bills by its own table, which differs from GSM 03.38 at 4 to 6 parts; see docs/api-facts.md. The count reproduces
sms.by's own SDKs to the byte, including their quirks: `€` makes a text UCS-2, and in a UCS-2 text of n characters a
doubled character counts twice only within the first n bytes.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from itertools import compress, repeat
from operator import contains, not_
from typing import NamedTuple

from smsby_deploy.errors import SmsbyDeployError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.wording import sentence

# The maximum units of 1, 2, … 10 parts.
GSM7_UNITS = (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)
UCS2_UNITS = (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)
_DOUBLED_BYTES = b"\n[]\\^{}|"
_DOUBLED = _DOUBLED_BYTES.decode()
MAX_PARTS = 10

# GSM 03.38: the default alphabet, and its extension, whose characters take two septets each. The patterns stay strings:
# `re` compiles and caches them on first use, and most commands never use them.
_GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = "\f^{}\\[~]|€"
_NOT_GSM = f"[^{re.escape(_GSM_BASIC + _GSM_EXTENSION)}]"
_GSM_DOUBLED = f"[{re.escape(_GSM_EXTENSION)}]"

# Two adjacent Cyrillic letters: a text that needs UCS-2 because of its language, not because of a stray character.
CYRILLIC_WORD = re.compile("[\u0400-\u04ff]{2}")
# Without these, every character is one unit, and up to three parts the GSM 03.38 count is what sms.by bills.
_SPECIAL = (*_DOUBLED, "~", "`", "\f")


class Encoding(StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


class TextTooLong(SmsbyDeployError):
    """The text takes over 10 parts, which sms.by rejects."""

    exit_code = ExitCode.FILES_INVALID


class TextSize(NamedTuple):
    """What one text costs: `parts` billed, `units` counted, in `encoding`."""

    encoding: Encoding
    units: int
    parts: int

    @property
    def capacity(self) -> int:
        """The units that fit into these parts; 1530 or 670 at ten parts."""
        return (GSM7_UNITS if self.encoding is Encoding.GSM7 else UCS2_UNITS)[self.parts - 1]


def measure_text(text: str) -> TextSize:
    """Return the size of `text` as sms.by bills it.

    Raises:
        TextTooLong: over 10 parts (1530 characters in GSM-7, 670 in UCS-2).
    """
    length = len(text)
    if text.isascii():
        encoding, table, head = Encoding.GSM7, GSM7_UNITS, text.encode("ascii")
    else:
        encoding, table, head = Encoding.UCS2, UCS2_UNITS, text.encode("utf-8", "surrogatepass")[:length]
    if length > table[-1]:
        raise TextTooLong(
            sentence(
                "the text has {length} characters, but {parts} parts hold only {limit}: shorten it",
                length=length,
                parts=MAX_PARTS,
                limit=table[-1],
            )
        )
    units = length + len(head) - len(head.translate(None, _DOUBLED_BYTES))
    return TextSize(encoding, units, min(bisect_left(table, units) + 1, MAX_PARTS))


def measure_gsm(text: str) -> TextSize:
    """Return the size of `text` by GSM 03.38.

    One part holds 160 septets or 70 UCS-2 units, several hold 153 or 67 each. The result may exceed 10 parts. It is
    shown next to the billed size; no decision depends on it.
    """
    if re.search(_NOT_GSM, text) is None:
        units = len(text) + len(re.findall(_GSM_DOUBLED, text))
        encoding, single, joined = Encoding.GSM7, 160, 153
    else:
        units = len(text.encode("utf-16-le", "surrogatepass")) // 2
        encoding, single, joined = Encoding.UCS2, 70, 67
    return TextSize(encoding, units, 1 if units <= single else -(-units // joined))


def split_parts(text: str, size: TextSize) -> list[str]:
    """Cut `text` into at most `size.parts` pieces, where its billed parts end.

    No doubled character is cut. The billing table only gives totals, so every part gets an equal share of its row
    (153 or 157 units in GSM-7, 67 or 63 in UCS-2).
    """
    doubled = _DOUBLED if size.encoding is Encoding.GSM7 else ""
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


# Per number of parts, a table for bytes.translate that marks the texts with that many.
_IS_PARTS = [bytes(parts == one for one in range(256)) for parts in range(4)]


class BatchSize(NamedTuple):
    """The sizes of several texts: how many take 1, 2 and 3 parts, and how many are GSM-7.

    `each` has the parts of each text.
    """

    by_parts: tuple[int, int, int]
    gsm7: int
    each: bytearray

    @property
    def parts(self) -> int:
        """Billed parts of all texts."""
        one, two, three = self.by_parts
        return one + 2 * two + 3 * three

    @property
    def longest(self) -> int:
        """Parts of the longest text; 0 without texts."""
        return max((parts for parts, count in enumerate(self.by_parts, 1) if count), default=0)

    def mark_texts_of(self, parts: int) -> bytearray:
        """Return 1 for each text of this many parts, otherwise 0."""
        return self.each.translate(_IS_PARTS[parts])


def _parts_by_length(table: tuple[int, ...]) -> list[int]:
    """The parts of 0, 1, 2, … units, up to three parts."""
    return [bisect_left(table, units) + 1 for units in range(table[2] + 1)]


_GSM7_PARTS = _parts_by_length(GSM7_UNITS)
# Few enough units for bytes.translate to look them up.
_UCS2_PARTS = bytes(_parts_by_length(UCS2_UNITS)).ljust(256, b"\0")


def measure_batch(texts: Sequence[str]) -> BatchSize | None:
    """Return the size of `texts` if only their lengths matter, otherwise None.

    This is ten times as fast as measuring one by one.

    None if the texts must be measured one by one: a doubled character, over three parts, an empty text, or a text that is
    UCS-2 only because of a stray character.
    """
    joined = "".join(texts)
    if any(map(contains, repeat(joined), _SPECIAL)):
        return None
    gsm7: Sequence[str] = ()
    ucs2: Sequence[str] = texts
    is_gsm7: Sequence[bool] = ()
    if not _are_cyrillic(texts):
        is_gsm7 = list(map(str.isascii, texts))
        gsm7, ucs2 = list(compress(texts, is_gsm7)), list(compress(texts, map(not_, is_gsm7)))
        if not (all(gsm7) and _are_cyrillic(ucs2)):
            return None
    if ucs2 and not _has_only_single_units(joined):
        return None
    try:
        parts = bytearray(map(len, ucs2)).translate(_UCS2_PARTS)
        parts_of_gsm7 = bytearray(map(_GSM7_PARTS.__getitem__, map(len, gsm7)))
    except (IndexError, ValueError):
        return None
    if 0 in parts:
        return None
    if gsm7:  # back in the order of the texts
        parts = bytearray(map(next, map((iter(parts), iter(parts_of_gsm7)).__getitem__, is_gsm7)))
    return BatchSize((parts.count(1), parts.count(2), parts.count(3)), len(gsm7), parts)


def _has_only_single_units(text: str) -> bool:
    """Whether every character is one unit of UTF-16."""
    # CPython stores each character in as many bytes as the widest one needs: four if it takes two units.
    if sys.getsizeof(text) < 4 * len(text):
        return True
    return len(text.encode("utf-16-le", "surrogatepass")) == 2 * len(text)


def _are_cyrillic(texts: Sequence[str]) -> bool:
    """Whether each text has a Cyrillic word; usually all share one, which is checked first."""
    word = CYRILLIC_WORD.search(texts[0]) if texts else None
    if word is None:
        return not texts
    return all(map(contains, texts, repeat(word.group()))) or all(map(CYRILLIC_WORD.search, texts))
