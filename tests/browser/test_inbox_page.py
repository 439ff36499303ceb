"""The inbox page of the sandbox in a real browser: live updates, safety, small screens and accessibility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import show
from tests.sandbox.conftest import Client

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PHONE = "375291234567"
HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "w" * 600,
    "A\u202eexe.gnp \u2066",
    "كيف حالك؟ 20%",
    "line one\n\n\tline  two",
    "&lt;b&gt; </p><style>*{display:none}</style>",
)
_WAIT = """const look = () => {
  try { if (%s) arguments[0](true); else setTimeout(look, 20); } catch (error) { arguments[0](String(error)); }
}; look();"""


class Page:
    """The inbox page in the browser."""

    def __init__(self, chrome: Chrome, url: str) -> None:
        self.chrome = chrome
        self.url = url

    def open(self, place: str = "", width: int = 1200, scheme: str = "light") -> None:
        show(self.chrome, f"{self.url}/{place}", (width, 800), scheme, is_phone=width < 600)
        self.wait("document.querySelector('#balance').textContent !== '…'")

    def js(self, code: str) -> Any:
        return self.chrome.execute_script(f"return {code}")

    def wait(self, code: str) -> None:
        """Wait until an expression is true, which the page checks itself; it polls the sandbox every second."""
        self.chrome.set_script_timeout(10)
        assert self.chrome.execute_async_script(_WAIT % code) is True

    def text(self, selector: str) -> str:
        text: str = self.js(f"document.querySelector({selector!r}).innerText")
        return text

    def console_messages(self) -> list[Any]:
        """Errors and policy violations in the console of the browser."""
        log: list[Any] = self.chrome.get_log("browser")  # type: ignore[no-untyped-call]
        return log


@pytest.fixture
def page(chrome: Chrome, sms: Client) -> Page:
    """The page of this test's own sandbox."""
    chrome.get_log("browser")  # type: ignore[no-untyped-call]
    return Page(chrome, sms.url)


def _personal(sms: Client, *texts: str, name: str = "spring/vip shop#0a1b2c3d4e") -> None:
    rows = [{"phone": PHONE, "text": text} for text in texts]
    message = {"alphaname_id": "1363", "name": name, "message_type": "personal", "delivery_list": rows}
    sms.ok("sendBulkSms", messages=[message])


@pytest.mark.parametrize("width", [320, 1200])
def test_inbox_page_shows_hostile_texts_as_text(sms: Client, page: Page, width: int) -> None:
    """Markup is displayed, not executed; no text widens the page; the console stays empty."""
    _personal(sms, *HOSTILE, name="<b>" + "W" * 150)
    sms.control("settings", {"account_timezone": "America/Argentina/ComodRivadavia"})
    sms.control("clock", {"advance": 1e9})
    for place in ("", f"#/phone/{PHONE}", "#/mailings"):
        page.open(place, width)
        assert page.js("document.documentElement.scrollWidth <= innerWidth"), place
        assert "owned" not in page.js("document.title")
    page.open(f"#/phone/{PHONE}", width)
    page.wait(f"document.querySelectorAll('#thread .text').length === {len(HOSTILE)}")
    assert page.js("[...document.querySelectorAll('#thread .text')].map((text) => text.textContent)") == list(
        HOSTILE
    )
    assert page.js("document.querySelectorAll('main script, main img, main style, main b').length") == 0
    assert page.console_messages() == []


def test_inbox_page_shows_the_details_of_a_message(sms: Client, page: Page) -> None:
    """Sender, text, time in the zone of the account, parts, state and mailing are visible."""
    _personal(sms, "я" * 71)
    page.open(f"#/phone/{PHONE}")
    page.wait("document.querySelector('#thread .text')")
    shown = page.text("#thread li")
    for part in (
        "MyShop",
        "я" * 71,
        "2026-12-01 15:00:00",
        "2 parts",
        "71 characters",
        "new",
        "spring/vip shop#",
    ):
        assert part in shown


def test_inbox_page_updates_without_reloading(sms: Client, page: Page) -> None:
    """A new message, its state and the balance appear while the page stays open."""
    sms.control("settings", {"fates": {PHONE: "DELIVERED"}})
    page.open(f"#/phone/{PHONE}")
    assert "This phone has no messages" in page.text("#thread-pane")
    _personal(sms, "one")
    page.wait("document.querySelector('#thread')?.innerText.includes('one')")
    assert page.text("#balance") == "999.974 BYN"
    page.js("(document.querySelector('#thread li').kept = true)")
    sms.control("clock", {"advance": 10})
    page.wait("document.querySelector('#thread')?.innerText.includes('delivered')")
    assert page.js("document.querySelector('#thread li').kept"), "existing elements are updated, not replaced"
    assert "got a message" in page.js("document.querySelector('#news').textContent")


def test_inbox_page_lists_mailings_with_state_and_cost(sms: Client, page: Page) -> None:
    """Sent, scheduled and draft mailings are listed, the latest first."""
    sms.bulk(name="a/sent")
    sms.bulk(name="b/later", schedule_time="2030-12-31T23:59:59")
    sms.ok("sendSmsList", list_id=3434, message="Hi", name="c/draft", alphaname_id=0)
    sms.control("clock", {"advance": 10})
    page.open("#/mailings")
    page.wait("document.querySelectorAll('#mailings li').length === 3")
    draft, later, sent = page.js(
        "[...document.querySelectorAll('#mailings li')].map((item) => item.innerText)"
    )
    assert "draft" in draft and "0.650 BYN" in draft
    assert "scheduled" in later and "2030-12-31 23:59:59" in later
    assert "sent" in sent and "0.052 BYN" in sent and "Delivered" in sent


def test_inbox_page_finds_a_phone_by_its_digits(sms: Client, page: Page) -> None:
    """The search filters the phones, and a search without a match says so."""
    sms.bulk("375291111111", "375292222222")
    page.open()
    page.wait("document.querySelectorAll('#phones li').length === 2")
    search = page.chrome.find_element("id", "search")
    search.send_keys("2222")
    page.wait("document.querySelectorAll('#phones li').length === 1")
    assert "+375292222222" in page.text("#phones")
    search.send_keys("999")
    page.wait("!document.querySelector('#phones-empty').hidden")


def test_inbox_page_shows_one_pane_on_a_small_screen(sms: Client, page: Page) -> None:
    """The list leads to the messages and back, and every touch target is at least 44 pixels high."""
    _personal(sms, "one")
    page.open(width=360)
    page.wait("document.querySelector('#phones a')")
    assert page.js("getComputedStyle(document.querySelector('#thread-pane')).display") == "none"
    page.chrome.find_element("css selector", "#phones a").click()
    page.wait("document.querySelector('#thread .text')?.offsetParent")
    assert page.js("getComputedStyle(document.querySelector('#phones-pane')).display") == "none"
    heights = page.js(
        "[...document.querySelectorAll('nav a, #back, input')].filter((one) => one.offsetParent)"
        ".map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    page.chrome.find_element("id", "back").click()
    page.wait("document.querySelector('#phones a')?.offsetParent")


def test_inbox_page_works_with_keyboard_and_screen_reader(sms: Client, page: Page) -> None:
    """Elements have accessible names and roles, and the focus follows the content."""
    _personal(sms, "one")
    page.open()
    page.wait("document.querySelector('#phones a')")
    assert page.js("document.documentElement.lang") == "en"
    search = page.chrome.find_element("id", "search")
    assert (search.aria_role, search.accessible_name) == ("searchbox", "Search by digits")
    assert page.chrome.find_element("css selector", "nav").accessible_name == "Views"
    link = page.chrome.find_element("css selector", "#phones a")
    link.send_keys("\ue007")
    page.wait("document.activeElement.id === 'thread-title'")
    assert page.js("document.activeElement.textContent") == f"+{PHONE}"
    assert link.get_attribute("aria-current") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_inbox_page_has_enough_contrast(sms: Client, page: Page, scheme: str) -> None:
    """Every text has a contrast of at least 4.5 to 1 in both color schemes."""
    _personal(sms, "one")
    sms.bulk("375291111111", schedule_time="2030-12-31T23:59:59")
    sms.control("settings", {"fates": {"375297777777": "UNDELIVERED"}})
    sms.bulk("375297777777")
    sms.control("clock", {"advance": 20})
    for place in (f"#/phone/{PHONE}", "#/phone/375291111111", "#/phone/375297777777", "#/mailings"):
        page.open(place, scheme=scheme)
        page.wait("document.querySelector('#thread .text, #mailings .name')")
        assert page.js(_LEAST_CONTRAST) >= 4.5, place


_LEAST_CONTRAST = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((one) => one.offsetParent
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return Math.min(...texts.map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  }));
})()"""


def test_inbox_page_loads_nothing_from_other_hosts(sms: Client, page: Page) -> None:
    """The sandbox serves every file of the page, and the content policy allows no other source."""
    page.open()
    addresses = page.js("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(addresses) >= 3
    assert all(address.startswith(sms.url) for address in addresses)
    policy = requests.get(sms.url, timeout=5).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_inbox_page_says_when_the_sandbox_is_offline(sms: Client, page: Page) -> None:
    """The page warns that its data is old, and recovers by itself."""
    page.open()
    page.js("(window.trueFetch = window.fetch, window.fetch = () => Promise.reject(new Error('down')))")
    page.wait("!document.querySelector('#offline').hidden")
    page.js("(window.fetch = window.trueFetch)")
    page.wait("document.querySelector('#offline').hidden")
