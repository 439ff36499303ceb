"""Money: how Decimal amounts are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from smsby_deploy.texts.price import money


@pytest.mark.parametrize(
    ("amount", "text"), [("0.26", "0.26"), ("718.40600", "718.406"), ("5", "5.00"), ("1E+2", "100.00")]
)
def test_money_has_no_exponent(amount: str, text: str) -> None:
    """An amount has a point and at least two decimals, without an exponent."""
    assert money(Decimal(amount)) == text
