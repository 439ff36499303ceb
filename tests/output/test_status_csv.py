"""The recipients who did not get the SMS, as CSV."""

from __future__ import annotations

import csv
import io
import sys

import pytest

from smsby_deploy.output.status_csv import status_csv
from tests.output import examples
from tests.output.golden import check_golden
from tests.peak import run_peak

_WRITE = """
import sys
from smsby_deploy.lock.records import Lock
from smsby_deploy.output.status_csv import status_csv
from smsby_deploy.smsby.deliveries import BulkMailingStatus, Delivery
from smsby_deploy.status.collect import StatusOptions, collect_status
from tests.status.examples import FixedClock, TableClient, chunk, entry
from dataclasses import replace

class Client(TableClient):
    def status_bulk_sms(self, uuid):
        rows = (Delivery(f"37529{int(uuid) * 1000 + n:07}", "SENT", f"2026-12-01 10:00:{n % 60}") for n in range(1000))
        return (BulkMailingStatus(None, f"c/x shop#{int(uuid):010}", tuple(rows)),)

chunks = [replace(chunk(f"{n:010}", 1000), uuid=str(n)) for n in range(int(sys.argv[1]))]
lock = Lock("shop", mailings={"c/x": entry(*chunks)})
options = StatusOptions(list_missed=True)
report = collect_status(lock, Client(), select=(), clock=FixedClock(), options=options)
print(sum(part.count("\\n") for part in status_csv(report, unmask=True)) - 1)
"""


def test_status_csv_lists_every_missed_recipient() -> None:
    """`people` adds up to all undelivered recipients, phones are masked, and formulas are text."""
    report = examples.status()
    text = "".join(status_csv(report, unmask=False))
    check_golden("status.csv", text)
    rows = list(csv.DictReader(io.StringIO(text)))
    for mailing in report.mailings:
        count = sum(int(row["people"]) for row in rows if row["address"] == mailing.address)
        assert count == mailing.recipients - mailing.delivered
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert "375291234567" not in text
    assert "375291234567" in "".join(status_csv(report, unmask=True))


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory in /proc")
@pytest.mark.slow
def test_status_csv_streams() -> None:
    """A hundred times as many undelivered recipients take a few more megabytes, and no row is lost."""
    (few, small), (many, large) = run_peak(_WRITE, "1"), run_peak(_WRITE, "100")
    assert (few, many) == (1000, 100_000)
    assert large - small < 6_000
