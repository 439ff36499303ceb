"""Money: Decimal, written with a point."""

from __future__ import annotations

from decimal import Decimal

from smsby_deploy.project.declarations import Price


def cost_of(parts: int, price: Price | None) -> Decimal | None:
    """What `parts` cost, or None without a price."""
    return None if price is None else parts * price.per_part


def money(amount: Decimal) -> str:
    """Plain digits, at least two after the point: 0.26, 718.406."""
    whole, _, fraction = f"{amount:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
