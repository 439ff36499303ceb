"""The HTML status report in headless Chromium: its layout, charts and printed form."""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smsby_deploy.output.status_html import status_html
from smsby_deploy.output.translation import translator
from smsby_deploy.output.usage_page import usage_html
from smsby_deploy.status.usage_report import Sum
from tests.browser.conftest import show
from tests.output import examples
from tests.output.usage_examples import USAGE_BY_VARIANT

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_PROBE = """
  const wide = [...document.querySelectorAll("main, section, .top, svg")].filter(
    (one) => one.getBoundingClientRect().right > innerWidth + 1);
  const bars = [...document.querySelectorAll("svg rect")].filter((one) => one.getBoundingClientRect().width > 20);
  const small = [...document.querySelectorAll("svg text")].filter(
    (one) => one.textContent && one.getBoundingClientRect().height < 8);
  return [innerWidth, document.documentElement.scrollWidth - innerWidth, wide.length, bars.length > 12, small.length];
"""
_TABLES = """
  const all = (selector) => [...document.querySelectorAll(selector)];
  const hidden = all(".scroll").filter((one) => one.scrollWidth > one.clientWidth);
  const narrow = all("tbody th, tbody td:not(.n)").filter((one) => one.clientWidth < 80);
  return [hidden, narrow].map((those) => those.map((one) => one.innerText));
"""

_WHOLE = """
  const all = [...document.querySelectorAll("code span, time")];
  return [all.length > 3, all.filter((one) => one.getClientRects().length > 1).map((one) => one.innerText)];
"""
_ON_PAPER = """
  const right = (one) => one.getBoundingClientRect().right;
  const over = [...document.querySelectorAll("table")].filter((one) => right(one) > right(one.closest("section")));
  return [getComputedStyle(document.body).backgroundColor, over.map((one) => one.innerText)];
"""
_TILES = """
  const all = [...document.querySelectorAll(".tiles dd")];
  const range = document.createRange();
  range.selectNodeContents(all[2]);
  const wide = all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText);
  return [all[2].innerText, range.getClientRects().length, wide];
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    """The address of a report."""
    return _write(tmp_path, "en")


def _write(folder: Path, language: str) -> str:
    path = folder / "status.html"
    shown = translator(language)
    text = status_html(examples.status(), currency="BYN", zone="Europe/Minsk", t=shown)
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [360, 1200])
def test_status_page_fits_the_screen_and_draws_charts(chrome: Chrome, page: str, width: int) -> None:
    """The page does not scroll sideways, chart labels are at least 8 pixels high, and bars are drawn."""
    show(chrome, page, (width, 3000))
    assert chrome.execute_script(_PROBE) == [width, 0, 0, True, 0]


def test_status_page_tears_no_option_and_no_date(chrome: Chrome, page: str) -> None:
    """A line never ends after the hyphens of `--not-sent`, on any phone."""
    torn = []
    for width in range(320, 440, 6):
        show(chrome, page, (width, 900), is_phone=True)
        has_some, found = chrome.execute_script(_WHOLE)
        torn += found if has_some else ["nothing"]
    assert torn == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tables_of_a_status_page_fit_on_paper(chrome: Chrome, tmp_path: Path, scheme: str) -> None:
    """All columns are within their card on A4 paper, which cannot scroll, and the paper is white."""
    show(chrome, _write(tmp_path, "ru"), (718, 1000), scheme, media="print")
    assert chrome.execute_script(_ON_PAPER) == ["rgb(255, 255, 255)", []]


def test_tables_of_a_russian_status_page_fit_a_screen(chrome: Chrome, tmp_path: Path) -> None:
    """No column is out of sight, however long its heading, and no cell is a column of single words."""
    show(chrome, _write(tmp_path, "ru"), (1100, 3000))
    assert chrome.execute_script(_TABLES) == [[], []]


@pytest.mark.parametrize(
    ("planned", "shown"),
    [(Sum(Decimal("50.116296")), "50.116296"), (Sum(Decimal("12345.678"), missing=1), "12345.678+")],
)
def test_tiles_of_a_usage_page_hold_their_figures(
    chrome: Chrome, tmp_path: Path, planned: Sum, shown: str
) -> None:
    """In narrow tiles, a cost divided by recipients, or of thousands, stays in one line."""
    row = replace(USAGE_BY_VARIANT.totals[0], planned=planned, not_sent=100)
    path = tmp_path / "usage.html"
    path.write_text(usage_html(replace(USAGE_BY_VARIANT, totals=(row,))), encoding="utf-8")
    show(chrome, path.as_uri(), (1054, 900))
    assert chrome.execute_script(_TILES) == [shown, 1, []]


def test_status_page_can_be_printed(chrome: Chrome, page: str) -> None:
    """The PDF has pages, and the screenshot has the requested size."""
    show(chrome, page, (1200, 900))
    assert struct.unpack(">II", chrome.get_screenshot_as_png()[16:24]) == (1200, 900)
    assert re.findall(rb"/Type\s*/Page\b", b64decode(chrome.print_page()))
