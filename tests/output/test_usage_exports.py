"""usage_report: the same figures in every format for programs, and what was not recorded is never 0."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest

from smsby_deploy.output.usage_exports import usage_csv, usage_document, usage_openmetrics
from smsby_deploy.status.usage_report import Sum
from tests.output.usage_examples import USAGE, USAGE_BY_VARIANT


def test_usage_json_has_null() -> None:
    """Money is a string, and null means that it was not recorded."""
    document = usage_document(USAGE)
    assert document["rows"][0]["planned"] == "31.20"
    assert document["rows"][1]["billed"] is None
    assert document["rows"][2]["group"] == {"month": "2026-12", "label:owner": None}
    assert document["rows"][2]["missing"] == {"planned": 1, "billed": 1}


def test_usage_csv_has_no_formula() -> None:
    """CSV has no formulas, and an empty cell means that it was not recorded."""
    rows = list(csv.DictReader(io.StringIO(usage_csv(USAGE))))
    assert [row["billed"] for row in rows] == ["31.25", "", "2.00"]
    assert rows[1]["label:owner"].startswith("'")
    assert rows[2]["label:owner"] == ""


def test_usage_counts_estimates() -> None:
    """Every format counts the estimates in each figure, since a program cannot see a mark."""
    row = replace(USAGE.rows[0], parts=Sum(Decimal(8), 0, 2), planned=Sum(Decimal("0.4"), 0, 1))
    report = replace(USAGE, rows=(row,))
    assert usage_document(report)["rows"][0]["estimated"] == {"parts": 2, "planned": 1}
    (cells,) = csv.DictReader(io.StringIO(usage_csv(report)))
    assert [cells[f"{name}_estimated"] for name in ("parts", "planned", "billed")] == ["2", "1", "0"]
    assert 'label_owner="anna",figure="planned"} 1' in usage_openmetrics(report)


def test_usage_openmetrics_parses() -> None:
    """The Prometheus client reads the metrics, with unchanged labels and no sample for a missing figure."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = {
        one.name: one.samples for one in parser.text_string_to_metric_families(usage_openmetrics(USAGE))
    }
    planned = {sample.labels["label_owner"]: sample.value for sample in families["smsby_cost_planned"]}
    assert planned == {"anna": 31.2, '=1+1"\\ <b>': 1.5, "not recorded": 2.5}
    assert len(families["smsby_cost_billed"]) == 2
    assert {sample.labels["figure"] for sample in families["smsby_missing"]} == {"planned", "billed"}


def test_usage_has_deliveries_of_variants() -> None:
    """Every format has the deliveries of variants, and the recipients of a control group, who got nothing."""
    assert [row["percent_delivered"] for row in usage_document(USAGE_BY_VARIANT)["rows"]] == [
        95.3,
        None,
        None,
    ]
    rows = [*csv.DictReader(io.StringIO(usage_csv(USAGE_BY_VARIANT)))]
    assert [(row["percent_delivered"], row["delivered_missing"], row["not_sent"]) for row in rows] == [
        ("95.3", "0", "0"),
        ("", "1", "0"),
        ("", "0", "120"),
    ]
    assert "smsby_not_sent{" in usage_openmetrics(USAGE_BY_VARIANT)
