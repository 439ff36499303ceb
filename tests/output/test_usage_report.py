"""usage_report: the same figures in every format, and what was not recorded is never 0."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.output.usage_report import (
    usage_csv,
    usage_document,
    usage_html,
    usage_markdown,
    usage_notes,
    usage_openmetrics,
    write_usage,
)
from smsby_deploy.status.usage_report import Sum, UsageReport, UsageRow, read_groupings

_EVIL = '=1+1"\\\n<b>'


def _row(*keys: str | None, planned: str | None, billed: str | None, missing: int = 0) -> UsageRow:
    sums = (
        Sum(None if value is None else Decimal(value), missing or int(value is None))
        for value in (planned, billed)
    )
    return UsageRow(keys, "BYN", 2, Sum(Decimal(1200)), Sum(Decimal(1300)), *sums)


_REPORT = UsageReport(
    "shop",
    "2026-12-02T10:00:00+00:00",
    None,
    read_groupings("month,label:owner"),
    (
        _row("2026-11", "anna", planned="31.20", billed="31.25"),
        _row("2026-11", _EVIL, planned="1.5", billed=None),
        _row("2026-12", None, planned="2.5", billed="2", missing=1),
    ),
    (_row(planned="35.20", billed="33.25", missing=1),),
    unknown=1,
)


def test_usage_text_marks_what_is_missing() -> None:
    """`?` has nothing, `+` lacks something, and a line says so."""
    out = io.StringIO()
    write_usage(_REPORT, out, color=False)
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
    assert "not recorded (? or +): the planned cost of 1 mailing, the billed cost of 1 mailing" in lines
    assert any("unknown outcome" in line for line in lines)


def test_usage_json_has_null() -> None:
    """Money is a string; null was not recorded."""
    document = usage_document(_REPORT)
    assert document["rows"][0]["planned"] == "31.20"
    assert document["rows"][1]["billed"] is None
    assert document["rows"][2]["group"] == {"month": "2026-12", "label:owner": None}
    assert document["rows"][2]["missing"] == {"planned": 1, "billed": 1}


def test_usage_csv_has_no_formula() -> None:
    """It opens in a spreadsheet; an empty cell was not recorded."""
    rows = list(csv.DictReader(io.StringIO(usage_csv(_REPORT))))
    assert [row["billed"] for row in rows] == ["31.25", "", "2.00"]
    assert rows[1]["label:owner"].startswith("'")
    assert rows[2]["label:owner"] == ""


def test_usage_openmetrics_parses() -> None:
    """By the parser of the Prometheus client; labels are as they were, and nothing missing has a sample."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = {
        one.name: one.samples for one in parser.text_string_to_metric_families(usage_openmetrics(_REPORT))
    }
    planned = {sample.labels["label_owner"]: sample.value for sample in families["smsby_cost_planned"]}
    assert planned == {"anna": 31.2, '=1+1"\\ <b>': 1.5, "not recorded": 2.5}
    assert len(families["smsby_cost_billed"]) == 2
    assert {sample.labels["figure"] for sample in families["smsby_missing"]} == {"planned", "billed"}


def test_usage_html_shows_values_as_text() -> None:
    """No label is markup."""
    page = usage_html(_REPORT, tool="x")
    assert "<b>" not in page
    assert "31.25" in page
    assert "SMS sent and billed: shop" in page


def _variant_row(name: str, recipients: int, delivered: int | None, not_sent: int = 0) -> UsageRow:
    total = None if delivered is None else Decimal(delivered)
    sums = (Sum(Decimal(recipients)), Sum(Decimal(recipients)), Sum(Decimal(1)), Sum(None, 1))
    deliveries = (
        Sum(total, int(total is None)),
        Sum(None if total is None else Decimal(3), int(total is None)),
    )
    return UsageRow(("sale/vip", name), "BYN", 1, *sums, *deliveries, not_sent)


_VARIANTS = UsageReport(
    "shop",
    "2026-12-02T10:00:00+00:00",
    None,
    read_groupings("mailing,variant"),
    (_variant_row("a", 1000, 953), _variant_row("b", 1000, None), _variant_row("control", 0, 0, 120)),
    (replace(_variant_row("", 2000, None), keys=()),),
    with_variants=1,
)


def test_usage_shows_deliveries_of_variants() -> None:
    """Their share, `?` while it is not known, and a control group as recipients that were not sent to."""
    out = io.StringIO()
    write_usage(_VARIANTS, out, color=False)
    head, a, b, control, *_ = (line.split() for line in out.getvalue().splitlines())
    assert head[-5:] == ["delivered", "share", "not", "sent", "currency"]
    assert (a[-4:], b[-4:], control[-3:]) == (
        ["953", "95.3%", "0", "BYN"],
        ["?", "?", "0", "BYN"],
        ["0", "120", "BYN"],
    )
    lines = usage_markdown(_VARIANTS).splitlines()
    assert lines[0] == "### SMS sent and billed: shop"
    assert "| sale/vip | a | 1,000 | 1,000 | 1.00 | 953 | 3 | 95.3% | 0 | BYN |" in lines
    assert "95.3%" in usage_html(_VARIANTS, tool="x")
    assert [row["percent_delivered"] for row in usage_document(_VARIANTS)["rows"]] == [95.3, None, None]
    rows = [*csv.DictReader(io.StringIO(usage_csv(_VARIANTS)))]
    assert [(row["percent_delivered"], row["delivered_missing"], row["not_sent"]) for row in rows] == [
        ("95.3", "0", "0"),
        ("", "1", "0"),
        ("", "0", "120"),
    ]
    assert "smsby_not_sent{" in usage_openmetrics(_VARIANTS)


def test_usage_markdown_has_no_markup_of_labels() -> None:
    """A label is text, also in a table."""
    shown = usage_markdown(_REPORT)
    assert "<b>" not in shown
    assert all(line.count(" | ") == 8 for line in shown.splitlines() if line.startswith("| "))


def test_usage_names_what_it_does_not_show() -> None:
    """Variants and signatures, with the option that shows them."""
    report = replace(_REPORT, with_variants=2, signed=1)
    notes = [*usage_notes(report)]
    assert "2 mailings with variants: --by mailing,variant shows each" in notes
    assert any(note.startswith("1 mailing with signatures: --by mailing,plan,signed_by") for note in notes)
