"""Mailings and messages, as stored and as submitted. All times are unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


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
