"""Billed parts of a text, by the table of the provider's own SDKs.

Not shared with the rest of the program on purpose: the two are checked against each other.
"""

from __future__ import annotations

from smsby_deploy.sandbox.errors import Refusal

_LATIN = (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)
_UNICODE = (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)
_DOUBLE = frozenset(b"\n[]\\^{}|")
_TOO_LONG = (
    "Message is too long. Allowed size: 1530 chars for 10 sms (160 latin symbols /sms). "
    "670 chars for 10 ciryllic sms, and 70/sms for cyrillic symbols."  # sic
)


def count_parts(text: str) -> int:
    """Parts that `text` is billed as, 1 to 10.

    Raises:
        Refusal: it is longer than that.
    """
    latin = text.isascii()
    table = _LATIN if latin else _UNICODE
    if len(text) > table[-1]:
        raise Refusal(_TOO_LONG)
    # The SDKs look at as many bytes as the text has characters, so in a unicode text only at its beginning.
    looked_at = text.encode("utf-8", "surrogatepass")[: len(text)]
    units = len(text) + sum(byte in _DOUBLE for byte in looked_at)
    return next((parts for parts, most in enumerate(table, 1) if units <= most), len(table))
