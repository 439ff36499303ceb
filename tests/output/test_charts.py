"""The axes of the charts."""

from __future__ import annotations

import re

import pytest

from smsby_deploy.output.charts import bars, columns

_FRACTION = re.compile(r">0\.\d+<")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_axis_of_a_few_recipients_has_no_fractions(count: int) -> None:
    """An axis of recipients has no fractions such as 0.4."""
    assert not _FRACTION.search(
        bars("reasons", ["UNDELIVERED"], {"recipients": [count]}, colors=["--accent"])
    )
    assert not _FRACTION.search(columns("time", ["10:00", "10:15"], [0, count], color="--accent"))


def test_axis_of_money_has_fractions() -> None:
    """A cost below 1 is labeled in fractions."""
    assert _FRACTION.search(bars("cost", ["sale/vip"], {"planned": [0.65]}, colors=["--accent"]))


@pytest.mark.parametrize(("longest", "legend_columns"), [("in later waves", 2), ("в следующих волнах", 1)])
def test_legend_has_room_for_long_words(longest: str, legend_columns: int) -> None:
    """A word that is too long for half of the width does not overlap the next one."""
    chart = bars(
        "mailings",
        ["a"],
        {"sent": [1.0], longest: [1.0], "other": [1.0]},
        colors=["--a", "--b", "--c"],
        stacked=True,
    )
    boxes = re.findall(r'<rect x="([\d.]+)"[^>]*class="color-\d reactive"', chart)
    assert (len(boxes), len(set(boxes))) == (3, legend_columns)
