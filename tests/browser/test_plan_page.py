"""The HTML page of a plan in headless Chromium: its layout on phones, screens and paper."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from smsby_deploy.output.plan_html import plan_html
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.model import Plan
from smsby_deploy.plan.result import PlanResult
from smsby_deploy.texts.samples import MailingReview
from tests.browser.test_status_page import chromium, pytestmark
from tests.output import examples

__all__ = ["pytestmark"]  # skipped without Chromium

# Replaces the content policy, which forbids every script, so that the page can measure itself.
_PROBE = """<script>addEventListener("load", () => {
  const all = [...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll, caption"));
  const wide = all.filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
  const bubble = document.querySelector(".bubble"), style = getComputedStyle(document.body);
  parent.postMessage([innerWidth, document.documentElement.scrollWidth - innerWidth, wide.length,
    getComputedStyle(bubble).whiteSpace, style.backgroundColor, document.querySelectorAll("img").length].join("|"), "*");
});</script>"""
# A window of headless Chromium cannot be as narrow as a phone; a frame can.
_FRAME = """<!doctype html><script>addEventListener("message", (event) => document.body.dataset.probe = event.data);</script>
<body style="margin:0"><iframe style="border:0;color-scheme:{scheme}" width="{width}" height="3000" src="plan.html">
</iframe>"""
_PAGES = {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 28)"}


def _page(plan: Plan, language: str) -> str:
    long = examples.sample("w" * 400, f"two\nlines {examples.NASTY}")
    review = MailingReview("Europe/Minsk", "Hi", (6, 4, 2), (long,))
    reviews = {action.address: review for action in plan.actions}
    context = replace(examples.context(reviews=reviews), language=translator(language))
    return plan_html(PlanResult(plan, None, Decimal("20.5")), context)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "language"), [(360, "ru"), (1280, "en")])
def test_plan_page_fits_the_screen(tmp_path: Path, width: int, language: str, scheme: str) -> None:
    """Nothing is wider than a phone, whatever users wrote; the colors follow the system."""
    text = _page(examples.whole_plan(), language)
    probed = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', _PROBE, text)
    assert probed != text
    (tmp_path / "plan.html").write_text(probed, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(_FRAME.format(width=width, scheme=scheme), encoding="utf-8")
    dom = chromium("--window-size=1400,2000", "--virtual-time-budget=2000", "--dump-dom", frame.as_uri())
    found = re.search(r'data-probe="([^"]*)"', dom)
    assert found is not None
    assert found[1] == f"{width}|0|0|pre-wrap|{_PAGES[scheme]}|0"


def test_plan_page_can_be_printed(tmp_path: Path) -> None:
    """The page with its content policy becomes a PDF."""
    page, paper = tmp_path / "plan.html", tmp_path / "plan.pdf"
    page.write_text(_page(examples.whole_plan(), "ru"), encoding="utf-8")
    chromium(f"--print-to-pdf={paper}", "--no-pdf-header-footer", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF-")
