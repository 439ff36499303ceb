"""Rows that could come in another order are an error, also at the border of two batches."""

from __future__ import annotations

import pytest

from smsby_deploy.recipients.order_check import OrderCheck
from smsby_deploy.recipients.rows import RecipientsError

_COLUMNS = ("city", "name")


def test_order_check_finds_a_tie_between_batches() -> None:
    """It has the number of the earlier row."""
    check = OrderCheck(_COLUMNS, "city")
    check.check([["Брест", "Анна"], ["Минск", "Олег"]], 1)
    with pytest.raises(RecipientsError, match="tied with the next row in `order_by: city`") as found:
        check.check([["Минск", "Пётр"]], 3)
    assert (found.value.line, found.value.code) == (2, "ORDER")


@pytest.mark.parametrize("order_by", [None, "city desc, name", "id"])
def test_order_check_accepts_what_is_ordered_or_not_known(order_by: str | None) -> None:
    """Without an order, with all columns, or by one that is not among them."""
    OrderCheck(_COLUMNS, order_by).check([["Минск", "Олег"], ["Минск", "Пётр"]], 1)


def test_order_check_accepts_equal_rows() -> None:
    """Their order makes no difference."""
    OrderCheck(_COLUMNS, "city").check([["Минск", "Олег"], ["Минск", "Олег"]], 1)
