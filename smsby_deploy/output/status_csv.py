"""The recipients who did not get the SMS, as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io

from smsby_deploy.output.terminal import inert_cell
from smsby_deploy.output.values import clean, safe_line
from smsby_deploy.privacy import mask_phone
from smsby_deploy.status.delivery_counts import count_unlisted
from smsby_deploy.status.report import StatusReport

_COLUMNS = ("address", "state", "phone", "status", "at", "people")


def status_csv(report: StatusReport, *, unmask: bool) -> str:
    """One row per recipient without a delivery, the phone masked unless `unmask`.

    Recipients about whom sms.by reports nothing individually share a row without a phone, so that `people` adds up to all
    who did not get it. The report must have been collected with `list_missed`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for mailing in report.mailings:
        for missed in mailing.details.missed:
            phone = missed.phone if unmask else mask_phone(missed.phone)
            word = f"undelivered (overdue: {missed.status})" if missed.is_overdue else missed.status
            row = (mailing.address, mailing.state, phone, safe_line(word), safe_line(missed.at or ""), "1")
            writer.writerow(map(_safe_cell, row))
        for status, count in count_unlisted(mailing):
            row = (mailing.address, mailing.state, "", safe_line(status), "", str(count))
            writer.writerow(map(_safe_cell, row))
    return buffer.getvalue()


def _safe_cell(text: str) -> str:
    return inert_cell(clean(text))
