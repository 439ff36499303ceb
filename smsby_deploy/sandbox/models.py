"""Mailings and messages, as stored and as submitted. All times are unix seconds.

It also has what depends on a text or a phone alone: billed parts, the outcome, and the status at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from smsby_deploy.sandbox.protocol import Refusal

REFUSED = "refused"  # the channel of a message that was accepted but not sent, because its phone is invalid
NEW, SENT, DELIVERED, UNDELIVERED = "NEW", "SENT", "DELIVERED", "UNDELIVERED"
# The table of the provider's SDKs. It is not shared with texts/parts.py on purpose: tests compare the two.
_GSM7_SIZES = (160, 306, 459, 628, 785, 942, 1071, 1224, 1377, 1530)
_UCS2_SIZES = (70, 134, 201, 252, 315, 378, 469, 536, 603, 670)
_TWO_UNITS = frozenset(b"\n[]\\^{}|")
# GSM 03.38 with a header of 6 bytes in each of several parts.
_GSM_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
_MOST_PARTS = 10
_TOO_LONG = (
    "Message is too long. Allowed size: 1530 chars for 10 sms (160 latin symbols /sms). "
    "670 chars for 10 ciryllic sms, and 70/sms for cyrillic symbols."  # sic
)


@dataclass(frozen=True, slots=True)
class SandboxMailing:
    """A stored mailing, or a message created for single sends.

    `kind` is bulk | list | message | quick | otp, `status` is DRAFT or NEW. `due` is the time of sending. `parts` and
    `cost` are totals over all phones. `moderated_at` is None while the message waits for manual approval.
    """

    id: int
    uuid: str | None
    kind: str
    name: str
    alphaname_id: int
    alphaname: str
    text: str | None
    created: float
    due: float
    status: str
    parts: int
    phones: int
    cost: Decimal
    moderated_at: float | None
    hidden_calls: int
    hidden_until: float
    was_listed: bool
    callback_url: str | None


@dataclass(frozen=True, slots=True)
class Sms:
    """A stored message to one phone; `outcome` is its final status."""

    id: int
    mailing: int
    phone: str
    text: str
    parts: int
    due: float
    outcome: str
    channel: str


@dataclass(frozen=True, slots=True)
class NewSms:
    """A message to store."""

    phone: str
    text: str
    parts: int
    cost: Decimal
    outcome: str
    channel: str = "sms"


@dataclass(frozen=True, slots=True)
class NewMailing:
    """A mailing to store; a draft is not charged for."""

    kind: str
    name: str
    alphaname_id: int
    alphaname: str
    created: float
    due: float
    sms: Sequence[NewSms]
    status: str = "NEW"
    uuid: str | None = None
    text: str | None = None
    moderated_at: float | None = 0.0
    callback_url: str | None = None


def count_parts(text: str) -> int:
    """Return the billed parts of `text`, 1 to 10.

    Raises:
        Refusal: it needs more than 10 parts.
    """
    sizes = _GSM7_SIZES if text.isascii() else _UCS2_SIZES
    if len(text) > sizes[-1]:
        raise Refusal(_TOO_LONG)
    # The SDKs examine as many bytes as the text has characters, so only the beginning of a UCS-2 text.
    examined = text.encode("utf-8", "surrogatepass")[: len(text)]
    units = len(text) + sum(byte in _TWO_UNITS for byte in examined)
    return next((parts for parts, size in enumerate(sizes, 1) if units <= size), len(sizes))


def count_gsm_parts(text: str) -> int:
    """Return the parts of `text` by the standard GSM 03.38 instead of by the table of the SDKs.

    Raises:
        Refusal: it needs more than 10 parts.
    """
    if set(text) <= _GSM_ALPHABET | _GSM_EXTENSION:
        units, whole, part = len(text) + sum(character in _GSM_EXTENSION for character in text), 160, 153
    else:
        units, whole, part = len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    parts = 1 if units <= whole else -(-units // part)
    if parts > _MOST_PARTS:
        raise Refusal(_TOO_LONG)
    return parts


def default_outcome(phone: str) -> str:
    """Return the final status of messages to `phone`.

    It is derived from the digits, so that tests are repeatable.
    About 90 % are delivered and 6 % undelivered; the rest stay SENT.
    """
    draw = hashlib.sha256(phone.encode()).digest()[0]
    return DELIVERED if draw < 230 else UNDELIVERED if draw < 246 else SENT


def status_at(now: float, due: float, outcome: str, delay: float) -> tuple[str, float]:
    """Return the status of a message at `now` and its start, in unix seconds.

    A message is NEW from `due` on, SENT after half of `delay`, and has its outcome after all of it.
    """
    if now >= due + delay:
        return outcome, due + delay
    if now >= due + delay / 2:
        return SENT, due + delay / 2
    return NEW, due
