"""Money: Decimal, plain."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.texts.price import money


@pytest.mark.parametrize(
    ("amount", "text"), [("0.26", "0.26"), ("718.40600", "718.406"), ("5", "5.00"), ("1E+2", "100.00")]
)
def test_money_is_plain(amount: str, text: str) -> None:
    """A point, no exponent, at least two digits after it."""
    assert money(Decimal(amount)) == text
