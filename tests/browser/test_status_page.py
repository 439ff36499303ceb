"""The HTML status report in headless Chromium: its layout, charts and printed form."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from smsby_deploy.output.status_html import status_html
from tests.output import examples

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Replaces the content policy, which forbids every script, so that the page can measure itself.
_PROBE = """<script>addEventListener("load", () => {
  const wide = [...document.querySelectorAll("main, section, .top, svg")].filter(
    (one) => one.getBoundingClientRect().right > innerWidth + 1);
  const bars = [...document.querySelectorAll("svg rect")].filter((one) => one.getBoundingClientRect().width > 20);
  const small = [...document.querySelectorAll("svg text")].filter(
    (one) => one.textContent && one.getBoundingClientRect().height < 8);
  parent.postMessage([innerWidth, document.documentElement.scrollWidth - innerWidth, wide.length, bars.length > 12,
    small.length].join(" "), "*");
});</script>"""
# A window of headless Chromium cannot be as narrow as a phone; a frame can.
_FRAME = """<!doctype html><script>addEventListener("message", (event) => document.body.dataset.probe = event.data);</script>
<body style="margin:0"><iframe style="border:0" width="{width}" height="3000" src="status.html"></iframe>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def chromium(*arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("width", [360, 1200])
def test_status_page_fits_the_screen_and_draws_charts(tmp_path: Path, width: int) -> None:
    """The page does not scroll sideways, chart labels are at least 8 pixels high, and bars are drawn."""
    text = status_html(examples.status(), currency="BYN", tool="smsby-deploy", zone="Europe/Minsk")
    probed = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', _PROBE, text)
    assert probed != text
    (tmp_path / "status.html").write_text(probed, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(_FRAME.format(width=width), encoding="utf-8")
    dom = chromium("--window-size=1300,2000", "--virtual-time-budget=2000", "--dump-dom", frame.as_uri())
    found = re.search(r'data-probe="([^"]*)"', dom)
    assert found is not None
    assert found[1] == f"{width} 0 0 true 0"


def test_status_page_can_be_printed(tmp_path: Path) -> None:
    """The PDF has pages, and the screenshot has the requested size."""
    page, picture, paper = tmp_path / "status.html", tmp_path / "status.png", tmp_path / "status.pdf"
    text = status_html(examples.status(), currency="BYN", tool="smsby-deploy", zone="Europe/Minsk")
    page.write_text(text, encoding="utf-8")
    chromium("--window-size=1200,900", f"--screenshot={picture}", page.as_uri())
    assert struct.unpack(">II", picture.read_bytes()[16:24]) == (1200, 900)
    chromium(f"--print-to-pdf={paper}", "--no-pdf-header-footer", page.as_uri())
    assert re.findall(rb"/Type\s*/Page\b", paper.read_bytes())
