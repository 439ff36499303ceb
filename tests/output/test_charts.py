"""The axes of the charts."""

from __future__ import annotations

import re

import pytest

from smsby_deploy.output.charts import bars, columns

_FRACTION = re.compile(r">0\.\d+<")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_axis_of_a_few_recipients_has_no_fractions(count: int) -> None:
    """Recipients are counted: no axis is labeled 0.4."""
    assert not _FRACTION.search(
        bars("reasons", ["UNDELIVERED"], {"recipients": [count]}, colors=["--accent"])
    )
    assert not _FRACTION.search(columns("time", ["10:00", "10:15"], [0, count], color="--accent"))


def test_axis_of_money_has_fractions() -> None:
    """A cost below 1 is labeled in fractions."""
    assert _FRACTION.search(bars("cost", ["sale/vip"], {"planned": [0.65]}, colors=["--accent"]))
