"""Cost reports: totals, prices by prefix, and warnings for reviewers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsby_deploy.config.declarations import Mailing, Price
from smsby_deploy.config.sources import InlineRecipients, TextSource
from smsby_deploy.problems import Location, Problem, Severity
from smsby_deploy.texts.compiler import compile_text
from smsby_deploy.texts.cost import CostReport, count_gsm_parts
from smsby_deploy.texts.parts import TextTooLong, measure_gsm, measure_text
from smsby_deploy.wording import money

_AT = Location("sale.yaml", 6, 11)
_PHONES = ("375291234567", "375331234567")
_BY_PREFIX = Price("BYN", Decimal("0.1"), (("37533", Decimal("0.3")),))


def _problems(report: CostReport, text: str = "Hi {{ name }}") -> list[Problem]:
    source = TextSource(text, _AT, file=str(Path("text.j2")))
    mailing = Mailing(
        "sale", "vip", "sale.yaml", _AT, "bulk", InlineRecipients((), _AT), source, "0", _AT,
        None, None, "Europe/Minsk", 1, "fail",
    )  # fmt: skip
    return list(report.problems(mailing, compile_text(source), "list.csv"))


@pytest.mark.parametrize(
    ("price", "cost"),
    [(None, None), (Price("BYN", Decimal("0.026")), Decimal("0.104")), (_BY_PREFIX, Decimal("0.8"))],
)
def test_cost_report_adds_parts_and_cost(price: Price | None, cost: Decimal | None) -> None:
    """Every phone costs every part, at the price of its prefix if prices differ."""
    report = CostReport(price)
    report.count("я" * 71, measure_text("я" * 71), _PHONES)
    assert (report.parts, report.gsm_parts, report.cost) == (4, 4, cost)
    assert report.is_by_parts == (price is not _BY_PREFIX)


def test_cost_report_warns_of_at_most_five_sets() -> None:
    """The five most expensive sets of characters are named, with their line if they come from the data."""
    report = CostReport(Price("BYN", Decimal(1)))
    for row, character in enumerate("—“”…•×", 2):
        text = character + "x" * (150 + 60 * row)
        report.count(text, measure_text(text), _PHONES[:1], row)
    warnings = [problem for problem in _problems(report) if problem.severity is Severity.WARNING]
    assert len(warnings) == 5
    assert all("(from the data, first at list.csv:" in warning.message for warning in warnings)
    assert "U+00D7" in warnings[0].message


def test_cost_report_locates_a_character_of_the_template() -> None:
    """A character of the template is located there, not in the data."""
    text = "Hi — " + "x" * 156
    report = CostReport()
    report.count(text, measure_text(text), _PHONES, 4)
    (warning,) = _problems(report, text)
    assert (warning.code, warning.location) == ("EXPENSIVE_CHARACTER", ("text.j2", 1, 4))


@given(st.text(st.sampled_from("aя[\n€—😀 é~`\f"), max_size=700))
def test_count_gsm_parts_equals_measuring(text: str) -> None:
    """Skipping the measuring never changes the count, except for texts that are too long to be sent."""
    try:
        size = measure_text(text)
    except TextTooLong:
        return
    expected = measure_gsm(text).parts if size.units <= size.capacity else size.parts
    assert count_gsm_parts(text, size) == expected


@pytest.mark.parametrize(
    ("amount", "text"), [("0.26", "0.26"), ("718.40600", "718.406"), ("5", "5.00"), ("1E+2", "100.00")]
)
def test_money_has_no_exponent(amount: str, text: str) -> None:
    """An amount has a point and at least two decimals, without an exponent."""
    assert money(Decimal(amount)) == text
