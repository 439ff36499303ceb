"""The status report as an HTML page."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

from smsby_deploy.output.status_html import status_html
from smsby_deploy.output.translation import ENGLISH, Translator, translator
from smsby_deploy.status.mailing_details import Details
from smsby_deploy.status.status_report import State, StatusReport
from tests.output import examples
from tests.output.golden import check_golden
from tests.output.readers import PageReader


def page(report: StatusReport, language: Translator = ENGLISH) -> str:
    return status_html(report, currency="BYN", zone="Europe/Minsk", t=language)


def test_status_html_is_what_was_reviewed() -> None:
    """The page without its charts, which the charting library draws, is the reviewed file."""
    text = page(examples.status())
    check_golden("status.html", re.sub(r"<svg .*?</svg>", "<svg/>", text, flags=re.DOTALL))


def test_status_html_is_in_russian_if_the_project_is() -> None:
    """In a Russian project headings, tables, notes and the declared language are Russian."""
    text = page(examples.status(), translator("ru"))
    check_golden("status.ru.html", re.sub(r"<svg .*?</svg>", "<svg/>", text, flags=re.DOTALL))


def test_status_html_loads_nothing() -> None:
    """The page works offline: it has no script, link, image or font, and no URL but an XML namespace."""
    text = page(examples.status())
    read = PageReader()
    read.feed(text)
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    attributes = {name for _, attrs in read.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href")}
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def test_status_html_has_a_table_behind_each_chart() -> None:
    """Charts are hidden from screen readers, and each has a heading and a table with a caption and scoped headings."""
    read = PageReader()
    read.feed(page(examples.status()))
    assert read.headings == [
        "SMS status: shop",
        "Notes",
        "Different from the plan",
        "From plan to phone",
        "Delivery over time",
        "By mailing",
        "By number prefix",
        "Why not delivered",
        "Cost",
    ]
    tags = [tag for tag, _ in read.tags]
    assert tags.count("svg") == 6
    assert tags.count("table") == tags.count("caption") == 7
    assert all(attrs.get("aria-hidden") == "true" for tag, attrs in read.tags if tag == "svg")
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in read.tags if tag == "th")
    ids = [attrs["id"] for _, attrs in read.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    labelled = {attrs["aria-labelledby"] for _, attrs in read.tags if attrs.get("aria-labelledby")}
    assert labelled <= set(ids)


def test_status_html_charts_are_labelled_and_inert() -> None:
    """The SVG is well-formed and has the labels of the table rows, with markup as text."""
    charts = re.findall(r"<svg .*?</svg>", page(examples.status()), flags=re.DOTALL)
    texts = [
        [node.text for node in ElementTree.fromstring(svg).iter() if node.text]  # noqa: S314  # our own
        for svg in charts
    ]
    assert {"planned", "accepted", "sent", "delivered"} <= set(texts[0])
    assert {"sale/vip", "news/letter"} <= set(texts[2])
    assert "375 29" in texts[3]
    assert "<b>Odd|word</b>" in texts[4]


def _luminance(color: str) -> float:
    """Return the relative luminance by WCAG 2.2."""
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_status_html_has_contrast_in_every_theme() -> None:
    """Contrast meets WCAG AA, 4.5 for text and 3 for charts, in light, dark and print."""
    themes = re.findall(r":root \{(.*?)\}", page(examples.status()), flags=re.DOTALL)
    assert len(themes) == 3
    for theme in themes:
        colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", theme))
        colors = {n: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:]) for n, c in colors.items()}
        for ink in ("ink", "soft"):
            for ground in ("page", "card", "warn"):
                assert _contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground, theme)
        for drawn in ("accent", "delivered", "undelivered", "sent", "pending", "other"):
            assert _contrast(colors[drawn], colors["card"]) >= 3, (drawn, theme)


def test_status_html_merges_the_case_of_undelivered() -> None:
    """ "Undelivered" counts as one in any case, which depends on the method, and undocumented words are verbatim."""
    details = Details(planned=9, accepted=9, words={"UNDELIVERED": 3, "undelivered": 2, "Odd": 1, "odd": 3})
    mailing = examples.mailing(
        "sale/vip", State.FINAL, (0, 5, 0, 0), other={"Odd": 1, "odd": 3}, details=details
    )
    text = page(StatusReport((mailing,), "shop", "2026-12-01T09:00:00+00:00"))
    reasons = text[text.index('id="reasons"') : text.index('id="cost"')]
    assert re.findall(r'<th scope="row">(.*?)</th><td class="n">(\d+)', reasons) == [
        ("UNDELIVERED", "5"),
        ("odd", "3"),
        ("Odd", "1"),
    ]


def test_status_html_has_no_failure_of_a_wave_that_waits() -> None:
    """A wave that waits has no failures, no reason for its recipients, and no difference in cost."""
    waves = examples.in_waves()
    text = page(StatusReport((waves,), "shop", "2026-12-01T09:00:00+00:00"))
    assert "<dt>delivered</dt><dd>90.0%</dd>" in text
    assert "in later waves" not in text[text.index('id="reasons"') : text.index('id="cost"')]
    cost = text[text.index('id="cost"') :]
    assert [re.findall(r'<td class="n">(.*?)</td>', cost)] == [["200", "20", "5.20", "0.52", "not yet"]]
    complete = replace(waves, details=replace(waves.details, has_unsent=False))
    assert '<td class="n">-4.68</td>' in page(StatusReport((complete,), "shop"))


def test_status_html_of_no_and_of_many_mailings() -> None:
    """Without mailings the page has a sentence, and with three hundred a table of all."""
    assert "records no mailings" in page(StatusReport(()))
    many = StatusReport(
        tuple(examples.mailing(f"sale/m{i}", State.FINAL, (i, 1, 0, 0)) for i in range(300)), "shop"
    )
    assert page(many).count('<th scope="row">sale/<wbr>m') == 600
