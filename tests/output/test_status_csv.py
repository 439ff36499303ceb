"""The recipients who did not get the SMS, as CSV."""

from __future__ import annotations

import csv
import io

from smsby_deploy.output.status_csv import status_csv
from tests.output import examples
from tests.output.golden import check_golden


def test_status_csv_lists_every_missed_recipient() -> None:
    """`people` adds up to all without a delivery; phones are masked, formulas are text."""
    report = examples.status()
    text = status_csv(report, unmask=False)
    check_golden("status.csv", text)
    rows = list(csv.DictReader(io.StringIO(text)))
    for mailing in report.mailings:
        count = sum(int(row["people"]) for row in rows if row["address"] == mailing.address)
        assert count == mailing.recipients - mailing.delivered
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert "375291234567" not in text
    assert "375291234567" in status_csv(report, unmask=True)
