"""Money: Decimal, written with a point."""

from __future__ import annotations

from decimal import Decimal

from smsby_deploy.project.declarations import Price


def cost_of(parts: int, price: Price | None, phone: str | None = None) -> Decimal | None:
    """What `parts` cost, to `phone` if its prefix has a price of its own; None without a price."""
    if price is None:
        return None
    return parts * (price.per_part if phone is None else price.for_phone(phone))


def money(amount: Decimal) -> str:
    """Plain digits, at least two after the point: 0.26, 718.406."""
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
