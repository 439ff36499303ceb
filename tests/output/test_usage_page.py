"""usage_page: figures for readers, and what they lack, in the language of the project."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.output.translation import translator
from smsby_deploy.output.usage_page import usage_html, usage_markdown, usage_notes, write_usage
from smsby_deploy.status.usage_groups import read_groupings
from smsby_deploy.status.usage_report import Sum
from tests.output.usage_examples import USAGE, USAGE_BY_VARIANT


def test_usage_text_marks_what_is_missing() -> None:
    """`?` marks a figure without data and `+` an incomplete one, and a line explains them."""
    out = io.StringIO()
    write_usage(USAGE, out, color=False)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == [
        "month",
        "label:owner",
        "mailings",
        "recipients",
        "parts",
        "planned",
        "billed",
        "difference",
        "currency",
    ]
    assert lines[1].split() == ["2026-11", "anna", "2", "1,200", "1,300", "31.20", "31.25", "+0.05", "BYN"]
    assert lines[2].split()[-4:] == ["1.50", "?", "?", "BYN"]
    assert lines[3].split()[-5:] == ["1,300", "2.50+", "2.00+", "?", "BYN"]
    assert "not recorded (? or +): the planned cost of 1 mailing" in lines
    assert "not recorded (? or +): the billed cost of 1 mailing" in lines
    assert any("unknown outcome" in line for line in lines)


def test_usage_marks_estimates() -> None:
    """An estimate is marked in its cell and explained in a line, in Russian too, as it looks like an exact figure."""
    row = replace(USAGE.rows[0], parts=Sum(Decimal(8), 0, 1), planned=Sum(Decimal("0.4"), 1, 1))
    report = replace(USAGE, rows=(row,))
    shown = usage_markdown(report)
    assert "| ~8 | ~0.40+ |" in shown
    assert "estimated by recipients (\\~): parts and cost of a mailing that was sent in part" in shown
    assert "estimated" not in usage_markdown(USAGE)
    assert "оценка по числу получателей (\\~)" in usage_markdown(report, translator("ru"))
    whole = replace(row, planned=Sum(Decimal(1)), billed=Sum(Decimal(2), 0, 1))
    assert "| 1.00 | ~2.00 | ~+1.00 |" in usage_markdown(replace(USAGE, rows=(whole,)))


def test_usage_rounds_estimates() -> None:
    """Estimates have as many decimals as the exact figures of all columns, even if a whole column is estimated."""
    exact = replace(USAGE.rows[0], planned=Sum(Decimal("0.026")), billed=Sum(Decimal("0.02600")))
    share = replace(exact, planned=Sum(Decimal("7.190296"), 0, 1))
    shown = usage_markdown(replace(USAGE, rows=(exact, share), totals=()))
    assert "| 0.026 | 0.026 | 0.000 |" in shown
    assert "| ~7.190 | 0.026 | ~-7.164 |" in shown
    assert "| ~7.190 | 0.026 | ~-7.164 |" in usage_markdown(replace(USAGE, rows=(share,), totals=()))
    estimated = replace(share, billed=Sum(Decimal("7.190296"), 0, 1))
    assert "| ~7.19 | ~7.19 | ~0.00 |" in usage_markdown(replace(USAGE, rows=(estimated,), totals=()))


def test_usage_html_shows_values_as_text() -> None:
    """A label with markup is shown as text."""
    page = usage_html(USAGE)
    assert "<b>" not in page
    assert "31.25" in page
    assert "SMS sent and billed: shop" in page


def test_usage_shows_deliveries_of_variants() -> None:
    """The share delivered is `?` while unknown, and a control group has recipients that got nothing."""
    out = io.StringIO()
    write_usage(USAGE_BY_VARIANT, out, color=False)
    head, a, b, control, *_ = (line.split() for line in out.getvalue().splitlines())
    assert head[-5:] == ["delivered", "share", "not", "sent", "currency"]
    assert (a[-4:], b[-4:], control[-3:]) == (
        ["953", "95.3%", "0", "BYN"],
        ["?", "?", "0", "BYN"],
        ["0", "120", "BYN"],
    )
    lines = usage_markdown(USAGE_BY_VARIANT).splitlines()
    assert lines[0] == "### SMS sent and billed: shop"
    assert "| sale/vip | a | 1,000 | 1,000 | 1.00 | 953 | 3 | 95.3% | 0 | BYN |" in lines
    page = usage_html(USAGE_BY_VARIANT)
    assert "95.3%" in page
    assert "The percentage of recipients of each variant who got the SMS." in page
    assert "<svg" in page
    assert "billed as sms.by" in usage_html(USAGE)


def test_usage_by_campaign_fits_into_a_terminal() -> None:
    """The number of mailings is left out if deliveries and control groups need the room."""
    amounts = {"planned": Sum(Decimal("1234.567"), 0, 1), "billed": Sum(Decimal("1234.567"), 1)}
    row = replace(USAGE_BY_VARIANT.rows[0], keys=("spring",), not_sent=10, **amounts)
    by_campaign = replace(USAGE_BY_VARIANT, groupings=read_groupings("campaign"), rows=(row,), totals=())
    out = io.StringIO()
    write_usage(by_campaign, out, color=False)
    head, *_ = lines = out.getvalue().splitlines()
    assert ("mailings" in head, "not sent" in head, len(lines[1]) <= 80) == (False, True, True)
    assert len(head) <= 80


@pytest.mark.parametrize("address", ["spring-sale/vip", f"{'a' * 40}/{'b' * 40}"])
def test_usage_by_mailing_and_variant_fits_into_a_terminal(address: str) -> None:
    """The rate by which variants are compared stays, and an address that is too long has its own line."""
    billed = Sum(Decimal("1234.567"), 1)
    rows = [replace(row, keys=(address, row.keys[1]), billed=billed) for row in USAGE_BY_VARIANT.rows]
    out = io.StringIO()
    write_usage(replace(USAGE_BY_VARIANT, rows=tuple(rows)), out, color=False)
    head, *lines = out.getvalue().split("\nnot recorded")[0].splitlines()
    assert max(map(len, (head, *lines))) <= 80
    assert {"mailing", "variant", "recipients", "planned", "billed", "share", "currency"} <= {*head.split()}
    assert "95.3%" in "".join(lines)
    assert ("".join(lines).replace(" ", "")).count(address) == 3


def test_usage_compares_variants_before_deliveries_are_known() -> None:
    """Before deliveries are known their columns have `?`; other groupings do not have these columns."""
    rows = tuple(
        replace(row, delivered=Sum(None, 1), undelivered=Sum(None, 1)) for row in USAGE_BY_VARIANT.rows[:2]
    )
    unknown = replace(USAGE_BY_VARIANT, rows=rows)
    assert "| sale/vip | a | 1,000 | 1,000 | 1.00 | ? | ? | ? | BYN |" in usage_markdown(unknown)
    assert "delivered" not in usage_markdown(USAGE).splitlines()[2]


def test_usage_markdown_has_no_markup_of_labels() -> None:
    """A label with markup stays text, even in a table."""
    shown = usage_markdown(USAGE)
    assert "<b>" not in shown
    assert all(line.count(" | ") == 8 for line in shown.splitlines() if line.startswith("| "))


def test_usage_names_what_it_does_not_show() -> None:
    """The page names variants and signatures that it does not show, with the option that does."""
    report = replace(USAGE, with_variants=2, signed=1)
    notes = [*usage_notes(report)]
    assert "2 mailings with variants: `--by mailing,variant` compares them" in notes
    assert any(note.startswith("1 mailing with signatures: `--by mailing,plan,signed_by") for note in notes)


def test_usage_page_is_in_the_language_of_the_project() -> None:
    """Titles, states, notes and numbers are in the project's language, and users' names are unchanged."""
    russian = translator("ru")
    shown = usage_markdown(USAGE_BY_VARIANT, russian)
    assert "### Отправленные SMS и их стоимость: shop" in shown
    assert "| рассылка | вариант | получатели | части | по плану |" in shown
    assert "| sale/vip | a | 1\u00a0000 | 1\u00a0000 | 1,00 | 953 | 3 | 95,3\u00a0% | 0 | BYN |" in shown
    assert "контрольным группам ничего не отправлялось" in shown
    page = usage_html(USAGE, t=russian)
    assert all(text in page for text in ("По группам: месяц, owner, BYN", "не записано", 'lang="ru"'))
    states = replace(USAGE, groupings=read_groupings("state,label:owner"))
    rows = [replace(row, keys=("complete", "anna")) for row in USAGE.rows]
    assert "| отправлена целиком | anna |" in usage_markdown(replace(states, rows=tuple(rows)), russian)


def test_notes_explain_a_sum_that_lacks_deliveries() -> None:
    """A note explains a sum such as `4+` next to an unknown share, whatever the groups are."""
    total = replace(USAGE.totals[0], delivered=Sum(Decimal(4), 3))
    said = "deliveries of a mailing are known once `smsby-deploy status` shows it as final"
    assert said in [*usage_notes(replace(USAGE, totals=(total,)))]
    whole = replace(total, delivered=Sum(Decimal(4)))
    assert said not in [*usage_notes(replace(USAGE, totals=(whole,)))]
