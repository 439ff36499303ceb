"""The status in every format, from one fixed report."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from smsby_deploy.lock.records import Apply, Lock
from smsby_deploy.output.history import history_document, history_markdown, write_history
from smsby_deploy.output.json_documents import json_text, status_document
from smsby_deploy.output.status_csv import status_csv
from smsby_deploy.output.status_html import status_html
from smsby_deploy.output.status_live import StatusDisplay, progress_line
from smsby_deploy.output.status_text import share, status_markdown, write_status
from smsby_deploy.status.report import Details, State, StatusReport
from tests.output import examples
from tests.output.golden import check_golden

LOCK = Lock(
    "shop",
    applies=(
        Apply("7f3c9a", "2026-11-28T21:05:00+00:00", "5133cd2aa0b1c2d3", "smsby-deploy 0.1.0", 2, 1200),
        Apply("8a4d0b", "2026-12-01T08:00:00+00:00", None, "smsby-deploy 0.1.0", 1, 7, "anna"),
    ),
)


def page(report: StatusReport) -> str:
    return status_html(report, currency="BYN", tool="smsby-deploy 0.1.0", zone="Europe/Minsk")


def text_of(report: StatusReport, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    write_status(report, stream, color=False, currency="BYN")
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_text() -> None:
    """State, time in words, a bar, aligned numbers; 80 columns hold it all, without a colour code."""
    text = text_of(examples.status())
    check_golden("status.txt", text)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    columns = {line.index(" people") for line in text.splitlines() if re.search(r"% +[\d,]+ people", line)}
    assert len(columns) == 1


def test_a_terminal_without_blocks_gets_letters() -> None:
    """A bar is never a row of question marks that mean nothing: ASCII has its own."""
    text = text_of(examples.status(), "ascii")
    assert "#########xxx++++++++++++......" in text
    assert "# delivered  x undelivered" in text


def test_an_empty_status_says_so() -> None:
    """Nothing to tell is a sentence, not an empty screen."""
    assert "no mailing to tell of" in text_of(StatusReport(()))
    assert status_markdown(StatusReport(())) == "The lock records no mailing yet.\n"


@pytest.mark.parametrize(("part", "whole", "told"), [(999_999, 10**6, "99.9%"), (0, 0, "-"), (1, 3, "33.3%")])
def test_a_share_never_rounds_up_to_all(part: int, whole: int, told: str) -> None:
    """100 % means everybody."""
    assert share(part, whole) == told


def test_json() -> None:
    """The contract's document, from the same report."""
    check_golden("status.json", json_text(status_document(examples.status())))


def test_markdown() -> None:
    """A table and the differences; a status that is markup stays text."""
    check_golden("status.md", status_markdown(examples.status()))


def test_csv_lists_who_did_not_get_it() -> None:
    """`people` adds up to all who were not delivered; phones are masked, formulas are text."""
    report = examples.status()
    text = status_csv(report, unmask=False)
    check_golden("status.csv", text)
    rows = list(csv.DictReader(io.StringIO(text)))
    for mailing in report.mailings:
        people = sum(int(row["people"]) for row in rows if row["address"] == mailing.address)
        assert people == mailing.recipients - mailing.delivered
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert "375291234567" not in text
    assert "375291234567" in status_csv(report, unmask=True)


def test_history() -> None:
    """The newest first: when, by whom, by which plan and commit, how much."""
    stream = io.StringIO()
    write_history(LOCK, stream, color=False)
    check_golden("history.txt", "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n")
    check_golden("history.md", history_markdown(LOCK))
    check_golden("history.json", json_text(history_document(LOCK)))
    assert [run["plan"] for run in history_document(LOCK)["applies"]] == ["8a4d0b", "7f3c9a"]


class _Page(HTMLParser):
    """Tags with their attributes, and the text of headings."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open in ("h1", "h2") and data.strip():
            self.headings.append(data.strip())


def test_html() -> None:
    """The page as it was looked at; the drawings are the charting library's and told by their labels below."""
    text = page(examples.status())
    check_golden("status.html", re.sub(r"<svg .*?</svg>", "<svg/>", text, flags=re.DOTALL))


def test_html_fetches_nothing() -> None:
    """No script, no link, no image, no font, no address but the names of XML: it works offline, also in years."""
    text = page(examples.status())
    read = _Page()
    read.feed(text)
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    attributes = {name for _, attrs in read.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href")}
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def test_html_can_be_read_without_seeing_the_charts() -> None:
    """Every chart is hidden from a screen reader and has a heading, and a table with a caption and scoped heads."""
    read = _Page()
    read.feed(page(examples.status()))
    assert read.headings == [
        "SMS status: shop",
        "Otherwise than planned",
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


def test_charts_tell_what_the_tables_tell() -> None:
    """The drawings are well-formed and bear the labels of their rows, markup among them as text."""
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
    """Relative luminance by WCAG 2.2."""
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_html_has_contrast_in_light_and_in_dark() -> None:
    """By WCAG AA: 4.5 for text, also on the warning, 3 for what a chart draws; in print too."""
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


def test_html_tells_an_undelivered_word_once() -> None:
    """sms.by writes it in capitals or not, by the method that was asked; other words stay as they are written."""
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


def test_html_of_nothing_and_of_a_great_many() -> None:
    """No mailing is a sentence; three hundred are all in the table, the chart draws the largest."""
    assert "records no mailing yet" in page(StatusReport(()))
    many = StatusReport(
        tuple(examples.mailing(f"sale/m{i}", State.FINAL, (i, 1, 0, 0)) for i in range(300)), "shop"
    )
    assert page(many).count('<th scope="row">sale/<wbr>m') == 600


class _Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("color", [True, False])
def test_the_display_redraws_in_place_at_a_terminal(monkeypatch: pytest.MonkeyPatch, color: bool) -> None:
    """The second report takes the place of the first, and both go away for what is printed at the end."""
    monkeypatch.setenv("TERM", "xterm-256color")
    if color:
        monkeypatch.delenv("NO_COLOR")
    stream, told = _Tty(), list[str]()
    with StatusDisplay(stream, color=color, currency="BYN", note=told.append) as display:
        display.show(examples.status())
        display.show(examples.status())
    text = stream.getvalue()
    assert text.count("5 of 7 mailings settled") >= 2
    assert "\x1b[1A\x1b[2K" in text
    assert ("\x1b[32m" in text) == color
    assert told == []


def test_a_dumb_terminal_is_told_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is redrawn where the cursor can't move."""
    monkeypatch.setenv("TERM", "dumb")
    stream, told = _Tty(), list[str]()
    with StatusDisplay(stream, color=True, currency=None, note=told.append) as display:
        display.show(examples.status())
    assert (stream.getvalue(), len(told)) == ("", 1)


def test_the_display_tells_a_log_only_what_changed(tmp_path: Path) -> None:
    """Where there is no terminal, a line is told once, and nothing is drawn."""
    told: list[str] = []
    with StatusDisplay(io.StringIO(), color=False, currency=None, note=told.append) as display:
        display.show(examples.status())
        display.show(examples.status())
    assert told == [progress_line(examples.status())]
    assert told[0].startswith("5 of 7 mailings settled, ")
