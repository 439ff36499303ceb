"""Tests in headless Chromium, skipped if it is not installed (`make browser`)."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.conftest import sms  # noqa: F401  # the fixture

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One Chromium for all tests, because starting one takes longer than most of them."""
    selenium = pytest.importorskip("selenium.webdriver", reason="the tests of pages need selenium")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        notice = "the tests of pages need Chromium and chromedriver: make browser"
        warnings.warn(notice, stacklevel=1)  # shown at the end of a run, unlike the reason of a skip
        pytest.skip(notice)
    options = selenium.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield running
    running.quit()


def show(
    chrome: Chrome,
    address: str,
    size: tuple[int, int],
    scheme: str = "light",
    *,
    is_phone: bool = False,
    media: str = "",
) -> None:
    """Open a page on a screen or, with the media `print`, on paper of this size, in a color scheme of the system."""
    width, height = size
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    emulated = {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    chrome.get("about:blank")
    chrome.get(address)
