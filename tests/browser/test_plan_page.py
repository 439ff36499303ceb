"""The HTML page of a plan in headless Chromium: its layout on phones, screens and paper."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smsby_deploy.output.plan_html import plan_html
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.plan_result import PlanResult
from smsby_deploy.texts.samples import MailingReview
from tests.browser.conftest import show
from tests.output import examples

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_PROBE = """
  const all = [...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll, caption"));
  const wide = all.filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
  const bubble = document.querySelector(".bubble"), style = getComputedStyle(document.body);
  return [innerWidth, document.documentElement.scrollWidth - innerWidth, wide.length,
    getComputedStyle(bubble).whiteSpace, style.backgroundColor, document.querySelectorAll("img").length];
"""
# In how many lines an amount of thousands is shown, by its text.
_LINES = """
  const texts = [...document.querySelectorAll(".tiles dd")].map((one) => one.firstChild);
  return Object.fromEntries(texts.filter((one) => one.data.includes("345")).map((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return [one.data.trim(), range.getClientRects().length];
  }));
"""
_PAGES = {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 28)"}


def _page(plan: Plan, language: str, balance: Decimal = Decimal("20.5")) -> str:
    long = examples.sample("w" * 400, f"two\nlines {examples.NASTY}")
    review = MailingReview("Europe/Minsk", "Hi", (6, 4, 2), (long,))
    reviews = {action.address: review for action in plan.actions}
    context = replace(examples.context(reviews=reviews), language=translator(language))
    return plan_html(PlanResult(plan, None, balance), context)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "language"), [(360, "ru"), (1280, "en")])
def test_plan_page_fits_the_screen(
    chrome: Chrome, tmp_path: Path, width: int, language: str, scheme: str
) -> None:
    """Nothing is wider than the screen of a phone, whatever users wrote, and the colors follow the system."""
    page = tmp_path / "plan.html"
    page.write_text(_page(examples.whole_plan(), language), encoding="utf-8")
    show(chrome, page.as_uri(), (width, 3000), scheme)
    assert chrome.execute_script(_PROBE) == [width, 0, 0, "pre-wrap", _PAGES[scheme], 0]


def test_plan_page_can_be_printed(chrome: Chrome, tmp_path: Path) -> None:
    """The page with its content policy becomes a PDF."""
    page = tmp_path / "plan.html"
    page.write_text(_page(examples.whole_plan(), "ru"), encoding="utf-8")
    show(chrome, page.as_uri(), (1280, 3000))
    assert b64decode(chrome.print_page()).startswith(b"%PDF-")


def test_amounts_on_a_plan_page_stay_whole(chrome: Chrome, tmp_path: Path) -> None:
    """Six tiles in a row leave room for a balance of thousands with three decimals, as sms.by reports it."""
    page = tmp_path / "plan.html"
    page.write_text(_page(examples.whole_plan(), "ru", Decimal("12345.678")), encoding="utf-8")
    show(chrome, page.as_uri(), (1000, 1180))
    assert chrome.execute_script(_LINES) == {"12\u00a0345,678": 1}
