"""The plan as an HTML page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from smsby_deploy.config.mailing_tests import AllSubject, MailingTest, TextExpectation
from smsby_deploy.output.plan_html import plan_html
from smsby_deploy.output.plan_words import parts_text
from smsby_deploy.output.translation import translator
from smsby_deploy.plan.base_comparison import Base
from smsby_deploy.plan.desired import AudienceCounts, ChunkPlan
from smsby_deploy.plan.guardrails import Breach
from smsby_deploy.plan.mailing_test_results import MailingTestResult
from smsby_deploy.plan.model import ActionKind, Plan
from smsby_deploy.plan.plan_result import PlanResult
from smsby_deploy.problems import Location, Problem, Severity
from tests.output import examples
from tests.output.golden import check_golden
from tests.output.readers import PageReader


def page(plan: Plan, *, language: str = "en", refusal: Breach | None = None, balance: str = "20.5") -> str:
    context = replace(examples.context(), language=translator(language))
    return plan_html(PlanResult(plan, refusal, Decimal(balance)), context)


@pytest.mark.parametrize(("language", "name"), [("en", "plan.html"), ("ru", "plan.ru.html")])
def test_plan_html_is_what_was_reviewed(language: str, name: str) -> None:
    """The page has every kind of action, problem and change, in both languages."""
    check_golden(name, page(examples.whole_plan(), language=language))


def test_plan_html_folds_problems_that_are_alike() -> None:
    """Twenty points of a kind are shown, and one more counts the others, in the language of the page."""
    many = tuple(
        Problem(Severity.ERROR, "PHONE", f"bad {i}", "sale/vip", Location("l.csv", i)) for i in range(2, 1002)
    )
    plan = examples.plan(examples.action("sale/vip", ActionKind.CREATE), found=many)
    read = page(plan, language="ru")
    assert (read.count("l.csv:"), read.count("ещё 980 таких же")) == (20, 1)


def test_plan_html_has_a_line_for_each_wave() -> None:
    """Each wave and variant has a line with its size and cost."""
    first = ChunkPlan("a" * 10, 40, "d", parts=40, cost=Decimal("1.04"), wave=1, variant="b")
    chunks = (first, first._replace(fingerprint="b" * 10, recipients=90, wave=2, variant="c"))
    read = page(examples.plan(examples.action("sale/vip", ActionKind.CREATE, chunks=chunks)))
    assert "<dd>1: 40 recipients, 40 parts, 1.040\n2: 90 recipients, 40 parts, 1.040</dd>" in read
    assert "<dd>b: 40 recipients, 40 parts, 1.040\nc: 90 recipients, 40 parts, 1.040</dd>" in read
    assert "white-space: pre-line" in read


def test_plan_html_counts_the_recipients_of_each_language() -> None:
    """The recipients of each language are counted, even if none was left out."""
    counted = AudienceCounts(rows=1200, invalid=0, duplicate=0, suppressed=0, final=1200)
    languages = {"ru": 1100, "b<e": 100}
    action = examples.action("sale/vip", ActionKind.CREATE, audience=counted, languages=languages)
    read = page(examples.plan(action))
    assert '<th scope="row">language ru</th><td class="n">1,100</td>' in read
    assert '<th scope="row">language b&lt;e</th><td class="n">100</td>' in read


@pytest.mark.parametrize("language", ["en", "ru"])
def test_plan_html_loads_nothing_and_runs_nothing(language: str) -> None:
    """The page works offline, without scripts, links, images, fonts or handlers, which its policy forbids."""
    read = PageReader()
    read.feed(page(examples.whole_plan(), language=language))
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "svg"}
    attributes = [(name, value) for _, attrs in read.tags for name, value in attrs.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("style", "src")]
    assert all((value or "").startswith("#m") for name, value in attributes if name == "href")
    assert ("html", {"lang": language}) in read.tags
    assert any("default-src 'none'" in (value or "") for _, value in attributes)


def test_plan_html_links_lead_to_mailings_of_the_page() -> None:
    """Each entry of the calendar links to a mailing below it, and no id occurs twice."""
    read = PageReader()
    read.feed(page(examples.whole_plan()))
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    links = {(attrs["href"] or "")[1:] for tag, attrs in read.tags if tag == "a"}
    assert links and links <= set(ids)
    assert len(ids) == len(set(ids))


def test_plan_html_has_the_verdict_first() -> None:
    """A refusal, a low balance and a plan made offline are points to check at the top."""
    plan = examples.ready_plan()
    assert page(plan).index("Ready: 2 mailings to send") < page(plan).index("Cost")
    assert "Points to check" not in page(plan)
    assert "Apply will refuse the whole plan: max_cost: 9 &gt; 5" in page(
        plan, refusal=Breach("max_cost", "max_cost: 9 > 5")
    )
    assert "The balance is too low: apply will refuse" in page(plan, balance="0.1")
    assert "Made offline" in page(replace(plan, account=None))
    due = examples.plan(examples.action("sale/vip", ActionKind.DUE))
    assert (
        "<h1>Nothing to send by <code>apply</code>; 1 mailing is due for <code>apply <span>--due</span></code></h1>"
        in page(due)
    )


def test_plan_html_puts_mailings_on_their_days() -> None:
    """Mailings are on the days of their own time zone, in whole weeks, except blocked and finished ones."""
    made = "2026-11-28T21:00:00+00:00"
    plan = replace(
        examples.plan(
            examples.action("sale/new-year", ActionKind.CREATE, schedule_time="2027-01-01T00:30:00+03:00"),
            examples.action("sale/now", ActionKind.CREATE, schedule_time=None),
            examples.action("sale/stuck", ActionKind.BLOCKED, "no"),
            examples.action("sale/past", ActionKind.NOOP, schedule_time=made),
        ),
        created_at=made,
    )
    text = page(plan)
    calendar = text[text.index('id="calendar"') : text.index("<h2>Mailings")]
    assert calendar.index("On apply") < calendar.index("now</a>") < calendar.index("Fri 1 Jan 2027")
    assert (
        calendar.index("Fri 1 Jan 2027") < calendar.index("<b>00:30</b>") < calendar.index("Sat 2 Jan 2027")
    )
    assert "stuck" not in calendar
    assert "past" not in calendar
    assert calendar.count("<h3>") == 7


def test_plan_html_lists_the_tests_of_mailings() -> None:
    """A title from a file has no effect and shows no phone."""
    test = MailingTest(2, "<b>375291234567", Location("a.yaml", 3), AllSubject(), TextExpectation())
    results = (MailingTestResult("sale/vip", test), MailingTestResult("sale/vip", test, ("no",)))
    text = plan_html(PlanResult(examples.ready_plan()), replace(examples.context(), tests=results))
    assert "<summary>Tests (1 passed, 1 failed)</summary>" in text
    assert "✅ <b>sale/<wbr>vip</b> test 2: &lt;b&gt;37529*****67</li>" in text


def test_plan_html_names_what_the_base_had() -> None:
    """A removed mailing is listed, which would otherwise not be seen."""
    context = replace(examples.context(), base=Base("main", examples.context().base.mailings))
    assert "No longer here, but in main: sale/old" in plan_html(PlanResult(examples.ready_plan()), context)


@pytest.mark.parametrize(
    ("minutes", "shown"), [(150, "<b>10:00–12:30</b>"), (1_500, "<b>10:00 – сб 2 окт. 11:00</b>")]
)
def test_plan_html_shows_until_when_a_mailing_is_spread(minutes: int, shown: str) -> None:
    """The end of a spread is shown in the calendar and, in Russian, among the facts without repeating their names."""
    first = datetime(2027, 10, 1, 10, tzinfo=timezone(timedelta(hours=3)))
    times = (first, first + timedelta(minutes=minutes))
    chunks = tuple(ChunkPlan("0123456789", 10, "e" * 64, schedule_time=one.isoformat()) for one in times)
    one = examples.action("sale/club", ActionKind.CREATE, schedule_time=first.isoformat(), chunks=chunks)
    text = page(examples.plan(one), language="ru")
    assert shown in text
    assert "<dt>Растянута</dt><dd>1 октября 2027, 10:00 +03 — " in text


def test_plan_html_splits_no_parts_that_are_not_sent() -> None:
    """With `pressure` parts are not split, since only the sizes of the whole audience are known."""
    one = examples.action("sale/vip", ActionKind.CREATE)
    assert one.recipients is not None
    t = translator("en")
    sizes = (one.recipients - 1, 1, 0)
    assert parts_text(one, replace(examples.review(), by_parts=sizes), t).endswith(
        f"({one.recipients - 1:,}/1/0)"
    )
    assert "/" not in parts_text(one, replace(examples.review(), by_parts=(one.recipients, 1, 0)), t)
