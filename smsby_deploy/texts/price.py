"""Money: Decimal amounts, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from smsby_deploy.config.declarations import Price


def cost_of(parts: int, price: Price | None, phone: str | None = None) -> Decimal | None:
    """The cost of `parts`, to `phone` if its prefix has its own price; None without a price."""
    if price is None:
        return None
    return parts * (price.per_part if phone is None else price.for_phone(phone))


def money(amount: Decimal) -> str:
    """`amount` with at least two digits after the point and no exponent: 0.26, 718.406."""
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def signed(amount: Decimal) -> str:
    """`amount` with its sign: `+9.88`, `-0.364`."""
    return f"{'-' if amount < 0 else '+'}{money(abs(amount))}"


def aligned(amounts: Sequence[Decimal | None]) -> list[str]:
    """`amounts` for a column of a table, with equally many decimals: `1,234.50`; None is `?`."""
    known = [money(amount) for amount in amounts if amount is not None]
    digits = max((len(text.partition(".")[2]) for text in known), default=2)
    return ["?" if amount is None else f"{amount:,.{digits}f}" for amount in amounts]
