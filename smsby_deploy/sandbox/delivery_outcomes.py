"""What becomes of a message: decided by the phone, so that a test comes out the same twice."""

from __future__ import annotations

import hashlib

NEW, SENT, DELIVERED, UNDELIVERED = "NEW", "SENT", "DELIVERED", "UNDELIVERED"


def fate_of(phone: str) -> str:
    """Where a message to `phone` ends, always the same: about 90 % delivered, 6 % not, the rest on its way."""
    draw = hashlib.sha256(phone.encode()).digest()[0]
    return DELIVERED if draw < 230 else UNDELIVERED if draw < 246 else SENT


def status_at(now: float, due: float, fate: str, delay: float) -> tuple[str, float]:
    """The status of a message at `now` and since when (unix seconds): NEW, SENT halfway, its fate after `delay`."""
    if now >= due + delay:
        return fate, due + delay
    if now >= due + delay / 2:
        return SENT, due + delay / 2
    return NEW, due
