"""Mailings and messages, as they are kept and as they are to be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SandboxMailing:
    """One mailing that was taken, or a message made for single sends. Times are unix seconds.

    `kind` is bulk | list | message | quick | otp, `status` DRAFT or NEW; `parts` and `cost` are over all phones.
    `moderated_at` is None for what waits until a person approves it.
    """

    id: int
    uuid: str | None
    kind: str
    name: str
    alphaname_id: int
    alphaname: str
    text: str | None
    created: float
    goes_out: float
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
    """One message to one phone; `fate` is the status it ends with, `due` unix seconds."""

    id: int
    mailing: int
    phone: str
    text: str
    parts: int
    due: float
    fate: str
    channel: str


@dataclass(frozen=True, slots=True)
class NewSms:
    """A message to be taken."""

    phone: str
    text: str
    parts: int
    cost: Decimal
    fate: str
    channel: str = "sms"


@dataclass(frozen=True, slots=True)
class NewMailing:
    """A mailing to be taken; a draft is not charged for."""

    kind: str
    name: str
    alphaname_id: int
    alphaname: str
    created: float
    goes_out: float
    sms: Sequence[NewSms]
    status: str = "NEW"
    uuid: str | None = None
    text: str | None = None
    moderated_at: float | None = 0.0
    callback_url: str | None = None
